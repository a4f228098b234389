#include "core/models/parameters.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/crc32c.hpp"
#include "core/base/finite.hpp"

namespace weir {

Parameters::Parameters(const Parameters& other)
    : blocks_(other.blocks_),
      values_(other.values_),
      dirty_(other.dirty_),
      opaque_(other.opaque_ == nullptr ? nullptr : other.opaque_->clone()),
      opaque_dirty_(other.opaque_dirty_) {}

Parameters& Parameters::operator=(const Parameters& other) {
  if (this != &other) *this = Parameters(other);
  return *this;
}

void Parameters::set_opaque(std::unique_ptr<OpaqueBlocks> blocks) {
  opaque_ = std::move(blocks);
  opaque_dirty_.assign(opaque_count(), 0);
}

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

Result<void> Parameters::take(const Parameters& other) {
  CHECK(same_shape(other));
  for (std::size_t page = 0; page < dirty_.size(); ++page) {
    const std::size_t begin = page * kPageFloats;
    const std::size_t bytes = std::min<std::size_t>(kPageFloats, values_.size() - begin) * sizeof(float);
    if (std::memcmp(&values_[begin], &other.values_[begin], bytes) == 0) continue;
    std::memcpy(&values_[begin], &other.values_[begin], bytes);
    dirty_[page] = 1;
  }
  ByteBuffer mine, others;
  for (std::uint32_t block = 0; block < opaque_count(); ++block) {
    mine.clear();
    others.clear();
    opaque_->append(block, mine);
    other.opaque_->append(block, others);
    if (mine.view() == others.view()) continue;
    TRY(opaque_->set(block, others.view()));
    opaque_dirty_[block] = 1;
  }
  return {};
}

void Parameters::assign(const Parameters& other) { CHECK(take(other).ok()); }

void Parameters::clear_dirty() {
  std::fill(dirty_.begin(), dirty_.end(), 0);
  std::fill(opaque_dirty_.begin(), opaque_dirty_.end(), 0);
}

std::uint32_t Parameters::crc() const {
  const std::string_view values(reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(float));
  if (opaque_ == nullptr) return crc32c(values);
  ByteBuffer bytes;
  bytes.append(values);
  for (std::uint32_t block = 0; block < opaque_count(); ++block) opaque_->append(block, bytes);
  return crc32c(bytes.view());
}

bool Parameters::finite() const { return all_finite(std::span<const float>(values_)); }

}  // namespace weir
