#include "core/models/parameters.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/crc32c.hpp"
#include "core/base/finite.hpp"

namespace weir {

std::uint32_t Parameters::add_block(std::string name, std::vector<std::uint32_t> shape) {
  std::uint64_t size = 1;
  for (const std::uint32_t n : shape) {
    size *= n;
    CHECK(size <= std::numeric_limits<std::uint32_t>::max());
  }
  const std::uint64_t begin = values_.size();
  CHECK(begin + size <= std::numeric_limits<std::uint32_t>::max());
  values_.resize(begin + size, 0.0f);
  dirty_.resize((values_.size() + kPageFloats - 1) / kPageFloats, 0);
  blocks_.push_back(
      {std::move(name), std::move(shape), static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(size)});
  return static_cast<std::uint32_t>(begin);
}

std::span<float> Parameters::mutable_values() {
  std::fill(dirty_.begin(), dirty_.end(), 1);
  return values_;
}

void Parameters::assign(const Parameters& other) {
  CHECK(same_shape(other));
  for (std::size_t page = 0; page < dirty_.size(); ++page) {
    const std::size_t begin = page * kPageFloats;
    const std::size_t bytes = std::min<std::size_t>(kPageFloats, values_.size() - begin) * sizeof(float);
    if (std::memcmp(&values_[begin], &other.values_[begin], bytes) == 0) continue;
    std::memcpy(&values_[begin], &other.values_[begin], bytes);
    dirty_[page] = 1;
  }
}

void Parameters::clear_dirty() { std::fill(dirty_.begin(), dirty_.end(), 0); }

std::uint32_t Parameters::crc() const {
  return crc32c({reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(float)});
}

bool Parameters::finite() const { return all_finite(std::span<const float>(values_)); }

}  // namespace weir
