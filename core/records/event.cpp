#include "core/records/event.hpp"

namespace weir {

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::kMalformed: return "malformed";
    case Reason::kTooLong: return "too_long";
    case Reason::kMissingId: return "missing_id";
    case Reason::kInvalidId: return "invalid_id";
    case Reason::kMissingTime: return "missing_time";
    case Reason::kInvalidTime: return "invalid_time";
    case Reason::kWrongType: return "wrong_type";
    case Reason::kNotFinite: return "not_finite";
    case Reason::kRepeatedField: return "repeated_field";
    case Reason::kInvalidLabel: return "invalid_label";
    case Reason::kTimeJump: return "time_jump";
    case Reason::kPoison: return "poison";
    case Reason::kMissingLabel: return "missing_label";
  }
  return "unknown";
}

}  // namespace weir
