#pragma once
// A commit's changes of state as records of a changelog: many changes a record (docs/formats.md §8).
//
// The changes of a commit are one run of bytes: for each, key length varint, key, then 0 if it is erased, else value length + 1
// varint and the value. The run is cut into pieces of at most kBundleBytes, wherever that falls, so that any value fits; each
// piece is a record of its own. A piece's value begins with a byte: 1 if it ends the run, else 0. State that is written anew, so
// that older bundles can be forgotten, is a run of its own: there 2 is added to the byte, and the number of the first bundle that
// is kept follows (varint).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/byte_buffer.hpp"

namespace weir {

inline constexpr std::size_t kBundleBytes = 900'000;  // A topic takes 1 MB by default.

// The head of a piece. `anew`: of state that is written anew, the first bundle that is kept.
void append_piece_head(bool ends, std::optional<std::uint64_t> anew, ByteBuffer& out);

void append_change(std::string_view key, std::string_view value, bool erased, ByteBuffer& run);

// Cuts a run: fn(piece, ends) for each, at least once.
void cut_bundle(std::string_view run, const std::function<void(std::string_view piece, bool ends)>& fn);

// Puts pieces together and reads the changes.
class BundleReader {
 public:
  // Takes the next piece; once the run has ended, gives its changes. False: not a piece, or the run is malformed. State that is
  // written anew in place of bundles before `known` is passed over: who has taken those has it.
  bool take(std::string_view value, std::uint64_t known, const std::function<void(std::string_view key, std::string_view value, bool erased)>& fn);
  // Some pieces are there, and the last one is not.
  bool unfinished() const { return unfinished_; }
  void clear() {
    run_.clear();
    unfinished_ = false;
  }

 private:
  ByteBuffer run_;
  bool unfinished_ = false;
};

}  // namespace weir
