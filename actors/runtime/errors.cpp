#include "actors/runtime/errors.hpp"

#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

namespace weir {
namespace {
constexpr caf::atom_value kCategory = caf::atom("weir");
}

caf::error to_caf(const Error& error) {
  // CAF takes code 0 for "no error".
  return caf::error(static_cast<std::uint8_t>(static_cast<std::uint8_t>(error.code) + 1), kCategory,
                    caf::make_message(error.what));
}

Error from_caf(const caf::error& error) {
  if (error.category() == kCategory && error.context().match_elements<std::string>())
    return {static_cast<ErrorCode>(error.code() - 1), error.context().get_as<std::string>(0)};
  return {ErrorCode::kInvalidInput, "an actor ended: " + caf::to_string(error)};
}

}  // namespace weir
