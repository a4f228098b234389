#include "core/models/hashtron.hpp"

#include "core/base/check.hpp"
#include "core/models/hashtron_hash.hpp"

namespace weir {
namespace {

bool bit_of(const Hashtron& hashtron, std::uint32_t value) {
  for (const HashtronPair& pair : hashtron.program) value = hashtron_hash(value, pair.salt, pair.modulo);
  return hashtron.filter.lookup(value) != hashtron.negate;  // The empty filter answers the lowest bit.
}

}  // namespace

bool Hashtron::bit(std::uint32_t feature) const { return bit_of(*this, feature); }

std::uint64_t Hashtron::output(std::uint32_t feature) const {
  CHECK(bits <= 64);
  std::uint64_t out = 0;
  for (std::uint32_t j = 0; j < (bits == 0 ? 1U : bits); ++j) out |= std::uint64_t{bit_of(*this, feature | j << 16)} << j;
  return out;
}

}  // namespace weir
