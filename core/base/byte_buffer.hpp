#pragma once
// A growing run of bytes that keeps its memory when cleared: after warm-up, appending allocates nothing.
// All integers are written little-endian; Weir runs on little-endian machines only.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/base/check.hpp"

namespace weir {

static_assert(std::endian::native == std::endian::little, "formats are little-endian and read in place");

class ByteBuffer {
 public:
  ByteBuffer() = default;
  explicit ByteBuffer(std::size_t capacity_bytes) { reserve(capacity_bytes); }
  ByteBuffer(ByteBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;
  ~ByteBuffer() { std::free(data_); }

  const char* data() const { return data_; }
  char* data() { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  std::string_view view(std::size_t begin, std::size_t bytes) const { return {data_ + begin, bytes}; }

  void clear() { size_ = 0; }
  // Shortens to `bytes`. REQUIRES: bytes <= size().
  void truncate(std::size_t bytes) {
    CHECK(bytes <= size_);
    size_ = bytes;
  }
  void reserve(std::size_t bytes) {
    if (bytes > capacity_) grow(bytes);
  }

  // Room for `bytes` more; write there, then advance(n) with n <= bytes. Invalidates earlier pointers.
  char* prepare(std::size_t bytes) {
    if (size_ + bytes > capacity_) grow(size_ + bytes);
    return data_ + size_;
  }
  void advance(std::size_t bytes) { size_ += bytes; }

  void append(std::string_view bytes) {
    char* to = prepare(bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void append(char c) {
    *prepare(1) = c;
    ++size_;
  }
  // A trivially copyable value, little-endian.
  template <class T>
  void append_fixed(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(prepare(sizeof(T)), &value, sizeof(T));
    size_ += sizeof(T);
  }
  // LEB128, as in Protobuf: 7 bits a byte, low first; at most 10 bytes.
  void append_varint(std::uint64_t value) {
    auto* to = reinterpret_cast<unsigned char*>(prepare(10));
    std::size_t n = 0;
    while (value >= 0x80) {
      to[n++] = static_cast<unsigned char>(value | 0x80);
      value >>= 7;
    }
    to[n++] = static_cast<unsigned char>(value);
    size_ += n;
  }
  void append_varint_bytes(std::string_view bytes) {
    append_varint(bytes.size());
    append(bytes);
  }
  // Overwrites bytes already there. REQUIRES: at + sizeof(T) <= size().
  template <class T>
  void set_fixed(std::size_t at, T value) {
    CHECK(at + sizeof(T) <= size_);
    std::memcpy(data_ + at, &value, sizeof(T));
  }

 private:
  void grow(std::size_t needed) {
    std::size_t capacity = capacity_ < 64 ? 64 : capacity_;
    while (capacity < needed) capacity *= 2;
    void* data = std::realloc(data_, capacity);
    CHECK(data != nullptr);
    data_ = static_cast<char*>(data);
    capacity_ = capacity;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Reads what ByteBuffer wrote. Never reads past the end: after the first failure ok() is false and all reads give zeros.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  bool done() const { return at_ == end_; }                // Nothing left (or failed).
  bool finished() const { return ok_ && at_ == end_; }     // Read to the end without failure.
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  template <class T>
  T fixed() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (left() < sizeof(T)) return fail(), value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return fail(), 0;
      const auto byte = static_cast<unsigned char>(*at_++);
      if (shift == 63 && byte > 1) return fail(), 0;
      value |= std::uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail(), 0;
  }
  std::string_view bytes(std::size_t count) {
    if (left() < count) return fail(), std::string_view();
    std::string_view out(at_, count);
    at_ += count;
    return out;
  }
  std::string_view varint_bytes() {
    const std::uint64_t count = varint();
    return count > left() ? (fail(), std::string_view()) : bytes(static_cast<std::size_t>(count));
  }
  std::string_view rest() { return bytes(left()); }

 private:
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace weir
