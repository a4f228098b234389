#pragma once
// The sparse block of a sample: which positions are set by bins, knots, missing marks, categories, texts and crosses.
//
// Layout: [bins or knots of each number][missing marks][slots of each category, one_hot_limit a field][hashed values]. A category's
// values get their slots in the order they are met; once a field's slots are gone its further values are hashed. Slots
// are part of the state, one small page each, written when given. Owned by one stage; encode() allocates nothing.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "core/features/knots.hpp"
#include "core/features/feature_spec.hpp"
#include "core/records/event.hpp"
#include "core/records/event_schema.hpp"
#include "core/records/state.hpp"

namespace weir {

class SparseEncoder {
 public:
  // kConfig if the block is not a power of two or too small for its fixed parts.
  static Result<SparseEncoder> make(const FeatureSpec& spec, const EventSchema& schema);

  std::uint32_t size() const { return size_; }
  std::uint32_t entries_max() const { return entries_max_; }

  // Sets positions and values of one event; returns how many. `crosses`: one hash each, without the number with knots among
  // its fields; 0 where a part is missing. A cross with knots takes as many positions side by side as there are knots.
  // REQUIRES: room for entries_max() in both.
  std::uint32_t encode(const Event& event, std::span<const std::uint64_t> crosses, std::uint32_t* indices, float* values);

  // Slots given to values of this field so far. REQUIRES: a category with one_hot.
  std::uint32_t slots_used(std::size_t field) const;

  void save(StateWriter& writer);
  Result<void> load(const StageState& state);

 private:
  enum class Kind : std::uint8_t { kBins, kKnots, kMissingMark, kCategory, kText };
  struct Encoding {
    Kind kind = Kind::kBins;
    std::uint32_t field = 0;
    std::uint32_t begin = 0;          // First position.
    std::uint32_t missing_at = 0;     // kCategory, kText: the position of "missing"; UINT32_MAX: none is set.
    std::uint32_t used = 0;           // kCategory: slots given.
    std::uint64_t salt = 0;
    std::vector<double> bins;         // Or knots.
    KnotPlace place;                  // kKnots: of the event at hand,
    bool absent = false;              // or that it has none.
  };
  struct DictionaryCell {
    std::uint64_t hash = 0;           // Salted; 0: free.
    std::uint32_t slot = 0;
  };

  std::uint32_t hashed(std::uint64_t hash, std::uint32_t run = 1) const {  // Into the rest of the block, with room for a run.
    return hashed_begin_ + static_cast<std::uint32_t>(((hash >> 32) * (size_ - hashed_begin_ - run + 1)) >> 32);
  }
  std::uint32_t slot_of(Encoding& encoding, std::uint64_t hash);
  void put_in_dictionary(std::uint64_t hash, std::uint32_t slot);

  std::vector<Encoding> encodings_;
  std::vector<std::uint32_t> cross_knots_;  // Of each cross: which encoding has its knots; UINT32_MAX: none.
  std::uint32_t size_ = 0;
  std::uint32_t hashed_begin_ = 0;
  std::uint32_t one_hot_limit_ = 0;
  std::uint32_t entries_max_ = 0;
  std::vector<DictionaryCell> dictionary_;  // At most half full: it never grows.
  struct Given {
    std::uint32_t slot;
    std::uint64_t hash;
  };
  std::vector<Given> unsaved_;
};

}  // namespace weir
