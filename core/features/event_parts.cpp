#include "core/features/event_parts.hpp"

#include <algorithm>
#include <bit>

namespace weir {

Result<PartSet> EventParts::add(std::span<const std::string> fields, bool numbers_need_bins) {
  PartSet set;
  for (const std::string& name : fields) {
    const auto& declared = schema_->fields;
    const auto at = std::find_if(declared.begin(), declared.end(), [&](const FieldSpec& f) { return f.name == name; });
    if (at == declared.end()) return Error{ErrorCode::kConfig, "'" + name + "' is not a field of the schema"};
    const bool number = at->kind == FieldKind::kNumber;
    if (number && numbers_need_bins && at->bins.empty())
      return Error{ErrorCode::kConfig, "'" + name + "' is a number without bins or knots: give it some, or declare it a category"};
    const auto field = static_cast<std::uint32_t>(at - declared.begin());
    auto part = std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return p.field == field; });
    if (part == parts_.end()) {
      if (parts_.size() == kPartsMax)
        return Error{ErrorCode::kConfig, "more than " + std::to_string(kPartsMax) + " fields in keys and crosses"};
      part = parts_.insert(parts_.end(), {field, number, number ? at->bins : std::vector<double>()});
    }
    const auto index = static_cast<std::uint32_t>(part - parts_.begin());
    if (std::find(set.parts.begin(), set.parts.end(), index) != set.parts.end())
      return Error{ErrorCode::kConfig, "'" + name + "' stands twice in one list"};
    set.parts.push_back(index);
    set.seed = hash64(name, set.seed + 1);
  }
  return set;
}

void EventParts::read(const Event& event, std::span<std::uint64_t> out) const {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    const FieldValue& value = event.fields[part.field];
    std::uint64_t hash = value.hash;
    if (part.number) {
      // A bin's or a number's own hash; + 0.0 makes one of the two zeros.
      const std::uint64_t bits =
          part.bins.empty() ? std::bit_cast<std::uint64_t>(value.number + 0.0) : bin_of(part.bins, value.number);
      hash = mix_hash(bits, 0x2545f4914f6cdd1dULL);
    }
    out[i] = value.missing ? 0 : hash | (hash == 0);
  }
}

}  // namespace weir
