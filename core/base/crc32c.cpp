#include "core/base/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace weir {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = crc;
  }
  return table;
}

std::uint32_t table_crc(const char* at, std::size_t bytes, std::uint32_t crc) {
  static constexpr auto table = make_table();
  for (std::size_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(at[i])) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t hardware_crc(const char* at, std::size_t bytes, std::uint32_t crc) {
  std::uint64_t c = crc;
  for (; bytes >= 8; at += 8, bytes -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    c = _mm_crc32_u64(c, word);
  }
  auto narrow = static_cast<std::uint32_t>(c);
  for (; bytes > 0; ++at, --bytes) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
  return narrow;
}
bool has_hardware() { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
__attribute__((target("+crc"))) std::uint32_t hardware_crc(const char* at, std::size_t bytes, std::uint32_t crc) {
  for (; bytes >= 8; at += 8, bytes -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    crc = __crc32cd(crc, word);
  }
  for (; bytes > 0; ++at, --bytes) crc = __crc32cb(crc, static_cast<unsigned char>(*at));
  return crc;
}
bool has_hardware() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
std::uint32_t hardware_crc(const char* at, std::size_t bytes, std::uint32_t crc) { return table_crc(at, bytes, crc); }
bool has_hardware() { return false; }
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) {
  static const bool hardware = has_hardware();
  return hardware ? ~hardware_crc(bytes.data(), bytes.size(), ~crc) : ~table_crc(bytes.data(), bytes.size(), ~crc);
}

std::uint32_t detail::crc32c_table(std::string_view bytes, std::uint32_t crc) {
  return ~table_crc(bytes.data(), bytes.size(), ~crc);
}

}  // namespace weir
