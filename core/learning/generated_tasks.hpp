#pragma once
// Tasks that follow from their name alone, for networks of hashtrons to be measured on: everybody who says "sqrt-bit:C=5,b=3"
// has the same samples, in the same order.
//
//   sqrt-bit:C=5,b=3    bit b of the integer square root of x, x below 4^C; feature n is x >> (n mod 8), so that numbers which
//                       were never seen share keys with others that were
//   sqrt:C=5            the whole root, in C bits; the one feature is x: a test of memory, there is nothing to generalise from
//   prior:C=5           1 with a probability of 0.65, whatever x is: what looks like learning here is the base rate
//   majority:C=6        whether more than half of 15 bits are set; feature n is a window of 8 bits that begins at bit n mod 8.
//                       A case known to fail: one window alone gives 73 to 77 %, networks stay at the base rate
//   isalnum             whether a byte is a letter or a digit, of 256
//
// `split` is the salt that one sample in five is held out by (0: none is), `noise` how many of a hundred labels to learn from
// are turned round; those held out are never.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/models/hashtron_network.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir {

inline constexpr std::uint32_t kHeldOutOneIn = 5;

struct SplitSamples {
  HashtronSamples train, held_out;
};

struct GeneratedTask {
  enum class Kind : std::uint8_t { kSquareRootBit, kSquareRoot, kPrior, kMajority, kIsAlphanumeric };
  Kind kind = Kind::kSquareRootBit;
  std::uint32_t scale = 5;  // C
  std::uint32_t bit = 0;    // b
  std::uint32_t noise = 0;
  std::uint32_t split = 0x5eed;

  // "KIND:key=number,..."; keys C, b, noise, split, of which a kind takes those it has; numbers decimal or 0x hexadecimal.
  // kInvalidInput: no such task.
  static Result<GeneratedTask> parse(std::string_view text);
  std::string name() const;  // parse() gives the same task for it.
  bool operator==(const GeneratedTask&) const = default;

  std::uint32_t count() const;  // Numbers x: 0 to count() - 1.
  std::uint32_t features() const;
  std::uint32_t cells() const;  // Bits of the value.
  // Of number x. REQUIRES: x < count(), out.size() == features().
  void features_of(std::uint32_t x, std::span<std::uint32_t> out) const;
  bool is_held_out(std::uint32_t x) const;
  std::uint16_t value(std::uint32_t x) const;  // What is true of x,
  std::uint16_t label(std::uint32_t x) const;  // and what is said of it: the same, but for noise.

  SplitSamples samples() const;  // By ascending x.
  // The network it is measured on: 25 (premodulo 1024), 5 (32) and 1 neurons; for whole roots 375 (32), 75 (32) and C; for
  // bytes one neuron.
  std::vector<HashtronLayer> layers() const;
};

// sqrt-bit for two splits, noise 0, 10, 20 and 30, C from 4 to 7 and every bit, the first 140 of them in this nesting.
std::vector<GeneratedTask> generated_matrix();

}  // namespace weir
