#pragma once
// A model's parameters: one flat f32 buffer, named blocks in it, and which pages changed since they were last saved.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

class Parameters {
 public:
  static constexpr std::uint32_t kPageFloats = 64;  // A saved page: 256 bytes.

  // Adds a block of zeros at the end; returns its first index. REQUIRES: at most 2^32 - 1 values in all.
  std::uint32_t add_block(std::string name, std::vector<std::uint32_t> shape);

  struct Block {
    std::string name;
    std::vector<std::uint32_t> shape;
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
    bool operator==(const Block&) const = default;
  };
  const std::vector<Block>& blocks() const { return blocks_; }

  std::span<const float> values() const { return values_; }
  float operator[](std::uint32_t i) const { return values_[i]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(values_.size()); }
  void set(std::uint32_t i, float value) {
    values_[i] = value;
    dirty_[i / kPageFloats] = 1;
  }
  std::span<float> mutable_values();  // Marks everything dirty.
  // Takes the values of another one of the same shape; only pages that differ become dirty.
  void assign(const Parameters& other);

  // Pages changed since clear_dirty().
  std::span<const char> dirty_pages() const { return dirty_; }
  void clear_dirty();

  // For inner loops: values and page flags, to be kept in step by the caller.
  float* data() { return values_.data(); }
  char* dirty_flags() { return dirty_.data(); }

  std::uint32_t crc() const;  // CRC32C over the bytes of all blocks in order.
  bool finite() const;
  bool same_shape(const Parameters& other) const { return blocks_ == other.blocks_; }

 private:
  std::vector<Block> blocks_;
  std::vector<float> values_;
  std::vector<char> dirty_;
};

// The safetensors format (huggingface/safetensors: 8-byte header length, JSON header, tensors), f32 tensors only. The same
// parameters and metadata give the same bytes.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;
void append_safetensors(const Parameters& parameters, std::span<const std::pair<std::string, std::string>> metadata,
                        ByteBuffer& out);
std::string to_safetensors(const Parameters& parameters, std::span<const std::pair<std::string, std::string>> metadata);
// kCorruption for malformed bytes (gaps, overlaps, repeated names and bytes left over included); kInvalidInput for another
// dtype or a non-finite value. Blocks come in the order of their bytes. Any bytes may be given.
Result<Parameters> from_safetensors(std::string_view bytes, SafetensorsMetadata* metadata = nullptr);

}  // namespace weir
