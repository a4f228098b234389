#include "core/features/sparse_encoder.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "core/base/hash.hpp"
#include "core/features/event_parts.hpp"

namespace weir {

Result<SparseEncoder> SparseEncoder::make(const FeatureSpec& spec, const EventSchema& schema) {
  SparseEncoder e;
  e.size_ = spec.sparse_size;
  e.one_hot_limit_ = spec.one_hot_limit;
  if (!std::has_single_bit(spec.sparse_size) || spec.sparse_size > (1u << 28))
    return Error{ErrorCode::kConfig, "sparse_size " + std::to_string(spec.sparse_size) + ": expected a power of two, at most 2^28"};
  std::uint64_t next = 0;
  std::uint64_t hashes = spec.crosses.empty() ? 0 : 1;  // Positions that the longest run of hashed ones needs.
  for (std::uint32_t f = 0; f < schema.fields.size(); ++f) {
    const FieldSpec& field = schema.fields[f];
    if (field.kind != FieldKind::kNumber) continue;
    if (!field.bins.empty()) {
      Encoding bins;
      bins.kind = Kind::kBins;
      bins.field = f;
      bins.begin = static_cast<std::uint32_t>(next);
      bins.bins = field.bins;
      next += field.bins.size() + 1;
      e.encodings_.push_back(std::move(bins));
    }
    if (!field.knots.empty()) {
      const char* wrong = complaint_on_knots(field.knots);
      if (wrong == nullptr && !field.bins.empty()) wrong = "knots beside bins";
      if (wrong != nullptr) return Error{ErrorCode::kConfig, "'" + field.name + "' has " + wrong};
      Encoding knots;
      knots.kind = Kind::kKnots;
      knots.field = f;
      knots.begin = static_cast<std::uint32_t>(next);
      knots.bins = field.knots;
      next += field.knots.size();
      e.encodings_.push_back(std::move(knots));
    }
    if (field.missing == Missing::kIndicator) {
      Encoding mark;
      mark.kind = Kind::kMissingMark;
      mark.field = f;
      mark.begin = static_cast<std::uint32_t>(next++);
      e.encodings_.push_back(std::move(mark));
    }
  }
  std::uint32_t with_knots = 0;
  for (const Encoding& encoding : e.encodings_) with_knots += encoding.kind == Kind::kKnots ? 1 : 0;
  for (const CrossSpec& cross : spec.crosses) {
    std::uint32_t knots = UINT32_MAX;
    for (std::uint32_t i = 0; i < e.encodings_.size(); ++i) {
      const Encoding& encoding = e.encodings_[i];
      if (encoding.kind != Kind::kKnots) continue;
      if (std::find(cross.fields.begin(), cross.fields.end(), schema.fields[encoding.field].name) == cross.fields.end()) continue;
      knots = i;
      hashes = std::max<std::uint64_t>(hashes, encoding.bins.size());
      ++with_knots;
    }
    e.cross_knots_.push_back(knots);
  }
  std::uint64_t slots = 0;
  for (std::uint32_t f = 0; f < schema.fields.size(); ++f) {
    const FieldSpec& field = schema.fields[f];
    if (field.kind == FieldKind::kNumber || !field.one_hot) continue;
    Encoding encoding;
    encoding.kind = field.kind == FieldKind::kCategory ? Kind::kCategory : Kind::kText;
    encoding.field = f;
    encoding.salt = hash64(field.name);
    encoding.missing_at = field.missing == Missing::kIndicator ? static_cast<std::uint32_t>(next++) : UINT32_MAX;
    encoding.begin = static_cast<std::uint32_t>(next);
    if (encoding.kind == Kind::kCategory) {
      next += spec.one_hot_limit;
      slots += spec.one_hot_limit;
    }
    hashes = std::max<std::uint64_t>(hashes, 1);
    e.encodings_.push_back(std::move(encoding));
  }
  if (next + hashes > spec.sparse_size)
    return Error{ErrorCode::kConfig, "sparse_size " + std::to_string(spec.sparse_size) + " is too small: bins, knots, missing marks and " +
                                         "one-hot slots take " + std::to_string(next) + ", and hashed values need a rest"};
  e.hashed_begin_ = static_cast<std::uint32_t>(next);
  e.entries_max_ = static_cast<std::uint32_t>(e.encodings_.size() + spec.crosses.size() + with_knots);
  e.dictionary_.resize(std::bit_ceil(2 * slots + 2));
  e.unsaved_.reserve(slots);
  return e;
}

void SparseEncoder::put_in_dictionary(std::uint64_t hash, std::uint32_t slot) {
  const std::size_t mask = dictionary_.size() - 1;
  std::size_t i = hash & mask;
  while (dictionary_[i].hash != 0) i = (i + 1) & mask;
  dictionary_[i] = {hash, slot};
}

std::uint32_t SparseEncoder::slot_of(Encoding& encoding, std::uint64_t hash) {
  const std::size_t mask = dictionary_.size() - 1;
  std::size_t i = hash & mask;
  for (; dictionary_[i].hash != 0; i = (i + 1) & mask)
    if (dictionary_[i].hash == hash) return dictionary_[i].slot;
  if (encoding.used == one_hot_limit_) return hashed(hash);
  const std::uint32_t slot = encoding.begin + encoding.used++;
  dictionary_[i] = {hash, slot};
  unsaved_.push_back({slot, hash});
  return slot;
}

std::uint32_t SparseEncoder::encode(const Event& event, std::span<const std::uint64_t> crosses, std::uint32_t* indices,
                                    float* values) {
  std::uint32_t n = 0;
  const auto set = [&](std::uint32_t index) {
    indices[n] = index;
    values[n++] = 1.0f;
  };
  const auto set_knots = [&](std::uint32_t begin, KnotPlace place) {
    indices[n] = begin + place.knot;
    values[n++] = 1.0f - place.share;
    if (place.share == 0.0f) return;
    indices[n] = begin + place.knot + 1;
    values[n++] = place.share;
  };
  for (Encoding& encoding : encodings_) {
    const FieldValue& value = event.fields[encoding.field];
    if (encoding.kind == Kind::kMissingMark) {
      if (value.missing) set(encoding.begin);
    } else if (encoding.kind == Kind::kBins) {
      if (!value.missing) set(encoding.begin + bin_of(encoding.bins, value.number));
    } else if (encoding.kind == Kind::kKnots) {
      encoding.absent = value.missing;
      if (value.missing) continue;
      encoding.place = place_on_knots(encoding.bins, value.number);
      set_knots(encoding.begin, encoding.place);
    } else if (value.missing) {
      if (encoding.missing_at != UINT32_MAX) set(encoding.missing_at);
    } else {
      std::uint64_t hash = mix_hash(value.hash, encoding.salt);
      hash |= hash == 0;
      set(encoding.kind == Kind::kCategory ? slot_of(encoding, hash) : hashed(hash));
    }
  }
  for (std::size_t i = 0; i < crosses.size(); ++i) {
    if (crosses[i] == 0) continue;
    if (cross_knots_[i] == UINT32_MAX) {
      set(hashed(crosses[i]));
      continue;
    }
    const Encoding& knots = encodings_[cross_knots_[i]];
    if (!knots.absent) set_knots(hashed(crosses[i], static_cast<std::uint32_t>(knots.bins.size())), knots.place);
  }
  return n;
}

std::uint32_t SparseEncoder::slots_used(std::size_t field) const {
  for (const Encoding& encoding : encodings_)
    if (encoding.kind == Kind::kCategory && encoding.field == field) return encoding.used;
  return 0;
}

// Key: "slot" and the position (u32); value: the salted hash (u64).
void SparseEncoder::save(StateWriter& writer) {
  for (const Given& given : unsaved_) {
    char key[8] = {'s', 'l', 'o', 't'};
    std::memcpy(key + 4, &given.slot, 4);
    writer.put({key, sizeof key}, {reinterpret_cast<const char*>(&given.hash), sizeof given.hash});
  }
  unsaved_.clear();
}

Result<void> SparseEncoder::load(const StageState& state) {
  std::fill(dictionary_.begin(), dictionary_.end(), DictionaryCell{});
  for (Encoding& encoding : encodings_) encoding.used = 0;
  unsaved_.clear();
  bool fits = true;
  TRY(state.scan("slot", [&](std::string_view key, std::string_view value) {
    std::uint32_t slot = 0;
    std::uint64_t hash = 0;
    fits = key.size() == 8 && value.size() == 8;
    if (!fits) return false;
    std::memcpy(&slot, key.data() + 4, 4);
    std::memcpy(&hash, value.data(), 8);
    fits = false;
    for (Encoding& encoding : encodings_) {
      if (encoding.kind != Kind::kCategory || slot < encoding.begin || slot - encoding.begin >= one_hot_limit_) continue;
      put_in_dictionary(hash, slot);
      ++encoding.used;
      fits = true;
    }
    return fits;
  }));
  if (!fits)
    return Error{ErrorCode::kConfig, "the stored one-hot slots belong to another `schema` or one_hot_limit: go back to it, or "
                                     "start with a new data directory"};
  return {};
}

}  // namespace weir
