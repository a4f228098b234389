#pragma once
// A bounded number of entries of all seen so far: a uniform sample (Vitter's Algorithm R), or the newest. Entries are opaque bytes:
// encoded examples.
//
// Invariant: after n offers each of them is in the buffer with probability min(1, capacity / n), or, of the newest, if at most
// capacity - 1 came after it. Replay never re-enters it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/rng.hpp"
#include "core/records/state.hpp"

namespace weir {

class ReplayBuffer {
 public:
  enum class Keep : std::uint8_t { kUniform, kNewest };
  // REQUIRES: capacity > 0.
  ReplayBuffer(std::uint32_t capacity, Rng rng, Keep keep = Keep::kUniform);

  // Counts one more entry seen. Gives the slot it shall take, if it is to be kept: then put() it, so that only kept entries
  // need encoding. O(1).
  std::optional<std::uint32_t> offer();
  void put(std::uint32_t slot, std::string_view bytes);

  std::uint32_t size() const { return size_; }
  std::uint64_t seen() const { return seen_; }
  std::string_view at(std::uint32_t slot) const { return slots_[slot]; }
  // A slot, each as likely, with replacement; a batch of b costs O(b). REQUIRES: size() > 0.
  std::uint32_t draw();

  // Changed entries under the tag 'e', counters and the generator under 'r'.
  void save(StateWriter& writer);
  // kConfig: the state is of a larger capacity.
  Result<void> load(const StageState& state);

 private:
  std::vector<std::string> slots_;  // `capacity` of them; the first size_ are filled.
  std::vector<char> dirty_;
  std::uint32_t size_ = 0;
  std::uint64_t seen_ = 0;
  Rng rng_;
  Keep keep_;
  bool counters_dirty_ = false;
};

}  // namespace weir
