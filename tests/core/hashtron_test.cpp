// The vectors that fix the hash, the filter, the neuron and the text format, and what must hold beyond them.
#include "core/models/hashtron.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <string>

#include "core/base/rng.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kMax = 0xffffffffU;

std::uint32_t integer_sqrt(std::uint32_t x) {
  std::uint32_t root = 0;
  while (std::uint64_t{root + 1} * (root + 1) <= x) ++root;
  return root;
}

std::string hex(const HashtronFilter& filter) {
  std::string out;
  for (const std::uint8_t byte : filter.bytes()) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

HashtronFilter built(const std::vector<HashtronEntry>& entries) {
  auto filter = HashtronFilter::build(entries);
  EXPECT_TRUE(filter.ok());
  return std::move(*filter);
}

std::string answers(const HashtronFilter& filter, std::uint32_t from, std::uint32_t to) {
  std::string out;
  for (std::uint32_t x = from; x <= to; ++x) out += filter.lookup(x) ? '1' : '0';
  return out;
}

std::string outputs(const Hashtron& neuron, std::uint32_t count) {
  std::string out;
  for (std::uint32_t x = 0; x < count; ++x) out += neuron.bit(x) ? '1' : '0';
  return out;
}

Hashtron parity_neuron() { return {.program = {{9, 16}, {0, 9}, {2, 4}, {10, 2}}, .filter = {}}; }
Hashtron bucketed_neuron() { return {.program = {{12345, 16}}, .filter = HashtronFilter({0x00, 0x48, 0x20})}; }

TEST(HashtronHash, GivesTheVectors) {
  struct Row {
    std::uint32_t n, salt, modulo, out;
  };
  constexpr Row kRows[] = {
      {0, 0, kMax, 0},
      {1, 0, 2, 1},
      {1, 0, kMax, 2641688109},
      {1, 0, 1000, 615},
      {42, 0, 2, 1},
      {42, 7, 100, 59},
      {7, 7, 100, 0},
      {0, 1, kMax, 3084105114},
      {kMax, 0, kMax, 3084105113},
      {kMax, kMax, kMax, 4294967294},
      {2147483648, 0, 65536, 53544},
      {123456789, 987654321, 1000000, 814507},
      {5, 0, 1, 0},
      {987654321, 123456789, 1000000, 966981},
      {456, 101112, 1000000, 50626},
      {579, 101901, 1000000, 598284},
      {3735928559, 3405691582, kMax, 772455145},
      {3735928559, 3405691582, 256, 46},
      {65, 0, 4294967294, 4241300412},
      {1023, 5, 32, 26},
      {1023, 6, 32, 14},
      {31, 0, 1024, 402},
      {300, 17, 169, 100},
      {16777216, 2147483647, 3, 0},
      {255, 3, 2147483648, 680406316},
      {5, 0, 0, 0},
  };
  for (const Row& row : kRows)
    EXPECT_EQ(hashtron_hash(row.n, row.salt, row.modulo), row.out) << row.n << ", " << row.salt << ", " << row.modulo;
}

TEST(HashtronHash, GivesTheVectorsOfTexts) {
  EXPECT_EQ(hashtron_string_hash(0, ""), 0u);
  EXPECT_EQ(hashtron_string_hash(0, "a"), 3870748450u);
  EXPECT_EQ(hashtron_string_hash(0, "hello"), 1496225408u);
  EXPECT_EQ(hashtron_string_hash(kMax, "hello"), 3627940076u);
  EXPECT_EQ(hashtron_string_hash(3, "hello"), 2202544478u);
  EXPECT_EQ(hashtron_string_hash(0, "\xc5\x88"), 2194877897u);  // U+0148
  // One code point a step, however many bytes it takes.
  EXPECT_EQ(hashtron_string_hash(7, "\xe2\x82\xac"), hashtron_hash(7, 0x20ac, kMax));
  EXPECT_EQ(hashtron_string_hash(7, "\xf0\x9f\x98\x80"), hashtron_hash(7, 0x1f600, kMax));
}

TEST(HashtronHash, NestsItsBuckets) {
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    const auto n = static_cast<std::uint32_t>(rng.next_u64()), salt = static_cast<std::uint32_t>(rng.next_u64());
    const auto modulo = static_cast<std::uint32_t>(1 + rng.below(65536)), k = static_cast<std::uint32_t>(1 + rng.below(65535));
    ASSERT_EQ(hashtron_hash(n, salt, modulo), hashtron_hash(n, salt, k * modulo) / k)
        << n << ", " << salt << ", " << modulo << ", " << k;
  }
}

TEST(HashtronFilter, GivesTheVectors) {
  EXPECT_EQ(hex(built({{5, true}, {55, false}})), "000040");

  std::vector<HashtronEntry> parity, root;
  for (std::uint32_t x = 0; x < 8; ++x) parity.push_back({x, std::popcount(x) % 2 == 1});
  EXPECT_EQ(hex(built(parity)), "0002080410");
  EXPECT_EQ(answers(built(parity), 100, 115), "0101010101010110");
  for (std::uint32_t x = 0; x < 16; ++x) root.push_back({x, (integer_sqrt(x) & 1) != 0});
  EXPECT_EQ(hex(built(root)), "00080008400e");
  EXPECT_EQ(answers(built(root), 100, 115), "0101010101010001");
}

TEST(HashtronFilter, WithoutKeysAnswersTheLowestBit) {
  const HashtronFilter filter = built({});
  EXPECT_TRUE(filter.empty());
  EXPECT_EQ(filter, HashtronFilter());
  EXPECT_EQ(answers(filter, 0, 7), "01010101");
}

// A plain port of the walk, to hold ours against.
struct SlowFilter {
  std::vector<int> cells;
  explicit SlowFilter(std::size_t count) : cells(count, 0) {}
  int insert(std::uint32_t x, bool a) {
    int changes = 0;
    for (std::uint32_t i = 0; i < 64; ++i) {
      int& state = cells[hashtron_hash(x, i, static_cast<std::uint32_t>(cells.size()))];
      if (state == 0) {
        if (a == bool(x & 1)) return changes;
        state = a + 1;
        return changes + 1;
      }
      if (state != 3) {
        if (state - 1 == int(a)) return changes;
        state = 3;
        ++changes;
      }
      x = x >> 1 | x << 31;
    }
    return changes + 1;
  }
};
std::vector<std::uint8_t> slow_filter(const std::map<std::uint32_t, bool>& entries) {
  std::size_t bytes = ((3 * entries.size() + 1) / 2 + 3) / 4, load = entries.size();
  for (;;) {
    SlowFilter filter(4 * bytes);
    std::size_t total = 0, in_sweep = 1;
    while (in_sweep > 0 && total < load) {
      in_sweep = 0;
      for (const auto& [key, answer] : entries) {
        const auto changes = static_cast<std::size_t>(filter.insert(key, answer));
        in_sweep += changes;
        total += changes;
        if (total >= load) break;
      }
    }
    if (total < load) {
      std::vector<std::uint8_t> out(bytes);
      for (std::size_t i = 0; i < filter.cells.size(); ++i)
        out[i / 4] = static_cast<std::uint8_t>(out[i / 4] | filter.cells[i] << (i % 4 * 2));
      return out;
    }
    bytes = ((3 * 4 * bytes + 1) / 2 + 3) / 4;
    load = (3 * load + 1) / 2;
  }
}

TEST(HashtronFilter, IsExactOnItsKeysAndThatOfThePlainPort) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const std::uint64_t count = 1 + rng.below(seed % 20 == 0 ? 2000 : 60);
    const bool dense = rng.below(2) == 0;  // Small keys side by side need growth more often.
    std::map<std::uint32_t, bool> entries;
    while (entries.size() < count)
      entries.emplace(static_cast<std::uint32_t>(dense ? rng.below(2 * count) : rng.next_u64()), rng.below(2) == 0);
    std::vector<HashtronEntry> sorted;
    for (const auto& [key, answer] : entries) sorted.push_back({key, answer});
    const HashtronFilter filter = built(sorted);
    const auto expected = slow_filter(entries);
    ASSERT_TRUE(std::ranges::equal(filter.bytes(), expected)) << "seed " << seed;
    for (const HashtronEntry& entry : sorted)
      ASSERT_EQ(filter.lookup(entry.key), entry.answer) << entry.key << ", seed " << seed;
  }
}

TEST(HashtronFilter, EndsWhateverItsBytes) {  // All hops: the walk gives up after 64 and answers false.
  const HashtronFilter filter(std::vector<std::uint8_t>(5, 0xff));
  for (std::uint32_t x = 0; x < 1000; ++x) EXPECT_FALSE(filter.lookup(x * 2654435761U));
}

TEST(HashtronFilter,
     BuildsTheWorstKeys) {  // All rotations of each other walk through each other's cells; none at all may tell.
  std::set<std::uint32_t> keys = {0, kMax};
  for (int i = 0; i < 32; ++i) {
    keys.insert(std::rotr(1U, i));
    keys.insert(std::rotr(0x55555555U, i));
    keys.insert(std::rotr(0xfffffffeU, i));
  }
  for (std::uint32_t pattern = 0; pattern < 64; ++pattern) {
    std::vector<HashtronEntry> entries;
    for (const std::uint32_t key : keys) entries.push_back({key, ((pattern >> (entries.size() % 6)) & 1) != 0});
    const HashtronFilter filter = built(entries);
    for (const HashtronEntry& entry : entries) ASSERT_EQ(filter.lookup(entry.key), entry.answer);
  }
}

TEST(Hashtron, GivesTheVectors) {
  EXPECT_EQ(outputs(parity_neuron(), 8), "01101001");
  const Hashtron root{
      .program = {{324, 100}, {326, 81}, {327, 62}, {326, 45}, {320, 31}, {323, 19}, {321, 12}, {325, 7}, {324, 3}, {324, 2}},
      .filter = {}};
  EXPECT_EQ(outputs(root, 16), "0111000001111111");
  EXPECT_EQ(outputs(bucketed_neuron(), 64), "0111101001110100001110001111110001111000110110010110101001111001");
  EXPECT_EQ((Hashtron{.program = {{0, 2}}, .filter = {}, .bits = 64}).output(42), 14106184687260844995u);
}

TEST(Hashtron, NegateTurnsEveryBitRound) {
  Hashtron neuron{.program = {{0, 2}}, .filter = {}, .bits = 64, .negate = true};
  EXPECT_EQ(neuron.output(42), ~std::uint64_t{14106184687260844995u});
  neuron.bits = 0;  // Means one.
  EXPECT_EQ(neuron.output(42), 0u);
  EXPECT_FALSE(neuron.bit(42));
}

TEST(Hashtron, AnEmptyProgramHandsTheFeatureOn) {
  EXPECT_EQ(outputs(Hashtron{}, 8), "01010101");
  std::vector<HashtronEntry> entries;
  for (std::uint32_t x = 0; x < 8; ++x) entries.push_back({x, x == 2 || x == 7});
  EXPECT_EQ(outputs(Hashtron{.program = {}, .filter = built(entries)}, 8), "00100001");
}

TEST(HashtronText, GivesTheVectors) {
  EXPECT_EQ(to_hashtron_text({}), "[\n]\n");
  const std::vector<Hashtron> network = {parity_neuron(), bucketed_neuron()};
  const std::string text = to_hashtron_text(network);
  EXPECT_EQ(text, "[\n[[9,16],[9,7],[2,5],[8,2]],\n[[12345,16],\"004820\"]]\n");
  EXPECT_EQ(::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())), 2779586361u);
  const auto back = parse_hashtron_text(text);
  ASSERT_TRUE(back.ok()) << back.error().what;
  EXPECT_EQ(*back, network);

  const Hashtron root{
      .program = {{324, 100}, {326, 81}, {327, 62}, {326, 45}, {320, 31}, {323, 19}, {321, 12}, {325, 7}, {324, 3}, {324, 2}},
      .filter = {}};
  EXPECT_EQ(to_hashtron_text(std::vector{root}),
            "[\n[[324,100],[2,19],[1,19],[1,17],[6,14],[3,12],[2,7],[4,5],[1,4],[0,1]]]\n");
}

TEST(HashtronText, RoundTripsAnyNetworkPackedAndNot) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    std::vector<Hashtron> network(rng.below(6));
    for (Hashtron& neuron : network) {
      neuron.program.resize(rng.below(4));  // None: an empty neuron, first or not, is one like any other.
      for (HashtronPair& pair : neuron.program)
        pair = {static_cast<std::uint32_t>(rng.next_u64()), static_cast<std::uint32_t>(rng.next_u64() >> (32 + rng.below(32)))};
      std::vector<std::uint8_t> bytes(rng.below(3) == 0 ? rng.below(40) : 0);
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
      neuron.filter = HashtronFilter(std::move(bytes));
    }
    const std::string text = to_hashtron_text(network);
    const auto unpacked = unpack_hashtron_text(pack_hashtron_text(text));
    ASSERT_TRUE(unpacked.ok()) << unpacked.error().what;
    ASSERT_EQ(*unpacked, text);
    const auto back = parse_hashtron_text(*unpacked);
    ASSERT_TRUE(back.ok()) << back.error().what << " in " << text;
    EXPECT_EQ(*back, network) << text;
  }
}

TEST(HashtronText, ReadsWhiteSpaceAndCapitals) {
  const auto read =
      parse_hashtron_text(" [ [ [ 9 , 16 ]\t, [9,7],\r\n[2,5] ,[8,2 ] ] , [[12345,16], \"0048AF\" ] , [ ] , [\"01\"]] ");
  ASSERT_TRUE(read.ok()) << read.error().what;
  ASSERT_EQ(read->size(), 4u);
  EXPECT_EQ(read->at(0), parity_neuron());
  EXPECT_EQ(hex(read->at(1).filter), "0048af");
  EXPECT_EQ(read->at(2), Hashtron());
  EXPECT_TRUE(read->at(3).program.empty());
}

TEST(HashtronText, NamesWhatIsWrong) {
  struct Row {
    std::string_view text, expected;
  };
  constexpr Row kRows[] = {
      {"", "neuron 0, byte 0: found its end, expected '[' that opens the network"},
      {"{}", "neuron 0, byte 0: found '{', expected '[' that opens the network"},
      {"[\n[[1,2]]", "neuron 1, byte 9: found its end, expected ',' or ']' after a neuron"},
      {"[[[1,2]],]", "neuron 1, byte 9: found ']', expected '[' that opens a neuron"},
      {"[[[1,2]],[[1]]]", "neuron 1, byte 12: found ']', expected ',' between a pair's numbers"},
      {"[[[1,-2]]]", "neuron 0, byte 5: found '-', expected a modulo, 0 to 4294967295"},
      {"[[[-1,2]]]", "neuron 0, byte 3: found '-', expected the salt's difference, 0 to 4294967295"},
      {"[[[4294967296,2]]]", "neuron 0, byte 3: found '4', expected the salt's difference, 0 to 4294967295"},
      {"[[[1,2],[1,3]]]", "neuron 0, byte 11: found '3', expected a difference that leaves the modulo within 0 to 4294967295"},
      {"[[[1,2],[1,-4294967295]]]",
       "neuron 0, byte 11: found '-', expected a difference that leaves the modulo within 0 to 4294967295"},
      {"[[[1,2.5]]]", "neuron 0, byte 6: found '.', expected ']' after a pair"},
      {"[[[1,2],\"0g\"]]", "neuron 0, byte 10: found 'g', expected a hex digit"},
      {"[[[1,2],\"012\"]]", "neuron 0, byte 12: found '\"', expected two hex digits a byte"},
      {"[[[1,2],\"01", "neuron 0, byte 11: found its end, expected '\"' that ends the filter"},
      {"[[[1,2],\"01\",[1,2]]]", "neuron 0, byte 12: found ',', expected ']' after the filter"},
      {"[[[1,2]]]]", "neuron 1, byte 9: found ']', expected nothing after the network"},
      {"[[[1,\xff]]]", "neuron 0, byte 5: found byte 0xff, expected a modulo, 0 to 4294967295"},
  };
  for (const Row& row : kRows) {
    const auto read = parse_hashtron_text(row.text);
    ASSERT_FALSE(read.ok()) << row.text;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidInput) << row.text;
    EXPECT_EQ(read.error().what, "hashtron network: " + std::string(row.expected)) << row.text;
  }
}

TEST(HashtronText, RefusesEveryCutAndFlippedBitOfAPackedNetwork) {
  const std::string packed = pack_hashtron_text(to_hashtron_text(std::vector{parity_neuron(), bucketed_neuron()}));
  const std::string text = *unpack_hashtron_text(packed);
  for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
    const auto cut = unpack_hashtron_text(std::string_view(packed).substr(0, bytes));
    ASSERT_FALSE(cut.ok()) << bytes;
    EXPECT_EQ(cut.error().code, ErrorCode::kCorruption);
  }
  for (std::size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    std::string damaged = packed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto read = unpack_hashtron_text(damaged);
    if (!read.ok())
      EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << bit;
    else
      EXPECT_EQ(*read, text) << bit;  // A bit of the header that says nothing of what is inside.
  }
  EXPECT_FALSE(unpack_hashtron_text(packed + "x").ok());
  EXPECT_FALSE(unpack_hashtron_text("plain text").ok());
}

TEST(HashtronText, UnpacksNoMoreThanAllowed) {
  const std::string packed = pack_hashtron_text(std::string(1 << 20, ' '));
  EXPECT_LT(packed.size(), 4096u);
  EXPECT_TRUE(unpack_hashtron_text(packed, 1 << 20).ok());
  const auto refused = unpack_hashtron_text(packed, (1 << 20) - 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().what.find("more than the 1048575 bytes allowed"), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace weir
