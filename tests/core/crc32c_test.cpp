#include "core/base/crc32c.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/base/rng.hpp"

namespace weir {
namespace {

TEST(Crc32c, GivesTheKnownVectors) {  // RFC 3720, appendix B.4, and the check value.
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  EXPECT_EQ(crc32c(up), 0x46dd794eU);
  EXPECT_EQ(crc32c(down), 0x113fdb5cU);
}

TEST(Crc32c, HardwareTableAndPiecesAgree) {
  Rng rng(1);
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += static_cast<char>(rng.next_u64());
  for (std::size_t begin = 0; begin < 9; ++begin)
    for (std::size_t size = 0; size < 280; size += 1 + size / 7) {
      const std::string_view view = std::string_view(bytes).substr(begin, size);
      const std::uint32_t whole = crc32c(view);
      EXPECT_EQ(detail::crc32c_table(view, 0), whole);
      const std::size_t cut = rng.below(size + 1);
      EXPECT_EQ(crc32c(view.substr(cut), crc32c(view.substr(0, cut))), whole);
    }
}

}  // namespace
}  // namespace weir
