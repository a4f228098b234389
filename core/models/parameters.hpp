#pragma once
// A model's parameters: one flat f32 buffer with named blocks in it, named blocks of bytes for what are no numbers, and which
// pages and blocks changed since they were last saved.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// Parameters that are no numbers (the neurons of a network of hashtrons): named blocks of bytes, kept by the model kind in the form
// that it works with. One owner, one thread.
class OpaqueBlocks {
 public:
  virtual ~OpaqueBlocks() = default;
  virtual std::uint32_t count() const = 0;
  virtual std::string name(std::uint32_t block) const = 0;  // Unique among the model's tensors.
  virtual void append(std::uint32_t block, ByteBuffer& out) const = 0;
  virtual std::uint64_t digest() const = 0;  // Of the architecture: blocks of the same one can be exchanged.
  // kCorruption, kInvalidInput: no such block's bytes; nothing has changed then.
  virtual Result<void> set(std::uint32_t block, std::string_view bytes) = 0;
  virtual std::unique_ptr<OpaqueBlocks> clone() const = 0;
};

class Parameters {
 public:
  Parameters() = default;
  Parameters(Parameters&&) = default;
  Parameters& operator=(Parameters&&) = default;
  Parameters(const Parameters& other);
  Parameters& operator=(const Parameters& other);

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
  // Takes the values of another one of the same shape; only pages and blocks that differ become dirty.
  void assign(const Parameters& other);
  // The same where the other one's blocks of bytes are as somebody wrote them. Errors: OpaqueBlocks::set; then it is half changed.
  Result<void> take(const Parameters& other);

  // Blocks of bytes, or null. Who changes one marks it.
  void set_opaque(std::unique_ptr<OpaqueBlocks> blocks);
  const OpaqueBlocks* opaque() const { return opaque_.get(); }
  OpaqueBlocks* opaque() { return opaque_.get(); }
  std::uint32_t opaque_count() const { return opaque_ == nullptr ? 0 : opaque_->count(); }
  void mark_opaque(std::uint32_t block) { opaque_dirty_[block] = 1; }
  std::span<const char> dirty_opaque() const { return opaque_dirty_; }

  // Pages changed since clear_dirty().
  std::span<const char> dirty_pages() const { return dirty_; }
  void clear_dirty();

  // For inner loops: values and page flags, to be kept in step by the caller.
  float* data() { return values_.data(); }
  char* dirty_flags() { return dirty_.data(); }

  std::uint32_t crc() const;  // CRC32C over the bytes of all blocks in order, numbers first.
  bool finite() const;
  bool same_shape(const Parameters& other) const {
    return blocks_ == other.blocks_ && opaque_count() == other.opaque_count();
  }

 private:
  std::vector<Block> blocks_;
  std::vector<float> values_;
  std::vector<char> dirty_;
  std::unique_ptr<OpaqueBlocks> opaque_;
  std::vector<char> opaque_dirty_;
};

// The safetensors format (huggingface/safetensors: 8-byte header length, JSON header, tensors): f32 tensors, and behind them a U8
// tensor for each block of bytes. The same parameters and metadata give the same bytes.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;
void append_safetensors(const Parameters& parameters, std::span<const std::pair<std::string, std::string>> metadata,
                        ByteBuffer& out);
std::string to_safetensors(const Parameters& parameters, std::span<const std::pair<std::string, std::string>> metadata);
// kCorruption for malformed bytes (gaps, overlaps, repeated names and bytes left over included); kInvalidInput for another
// dtype, an F32 tensor behind a U8 one, or a non-finite value. Blocks come in the order of their bytes; blocks of bytes are kept
// as they are, for a model of the kind to take(). Any bytes may be given.
Result<Parameters> from_safetensors(std::string_view bytes, SafetensorsMetadata* metadata = nullptr);

}  // namespace weir
