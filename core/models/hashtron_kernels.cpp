// Compiled once a target: Highway includes this file again for each (foreach_target.h).
#include "core/models/hashtron_kernels.hpp"

#include <bit>

// The targets that core/base/simd.hpp knows: the best one that needs no question asked, and AVX2.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/models/hashtron_kernels.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace weir::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::uint32_t, 16>;
using V = hn::Vec<D>;

// core/models/hashtron_hash.hpp, all lanes at once.
HWY_INLINE V mix(V n, V salt) {
  V m = hn::Sub(n, salt);
  m = hn::Xor(m, hn::ShiftLeft<2>(m));
  m = hn::Xor(m, hn::ShiftLeft<3>(m));
  m = hn::Xor(m, hn::ShiftRight<5>(m));
  m = hn::Xor(m, hn::ShiftRight<7>(m));
  m = hn::Xor(m, hn::ShiftLeft<11>(m));
  m = hn::Xor(m, hn::ShiftLeft<13>(m));
  m = hn::Xor(m, hn::ShiftRight<17>(m));
  m = hn::Xor(m, hn::ShiftLeft<19>(m));
  return hn::Add(m, salt);
}
// The high halves of the products.
struct Cut {
  V modulo;
  HWY_INLINE V operator()(V m) const {
#if HWY_TARGET == HWY_SCALAR  // The baseline of an x86 compiled by GCC before 12.3: one lane.
    return hn::Set(D(), static_cast<std::uint32_t>((std::uint64_t{hn::GetLane(m)} * hn::GetLane(modulo)) >> 32));
#else
    const hn::RepartitionToWide<D> wide;
    const D d;
    const auto even = hn::MulEven(m, modulo);
    const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, m))), modulo);
    return hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
#endif
  }
};
// The same where the modulo is a power of two.
struct ShiftCut {
  int shift;
  HWY_INLINE V operator()(V m) const { return hn::ShiftRightSame(m, shift); }
};
// Calls with the cut that suits; hashes are 0 for modulo 1 (a shift by all bits) and for modulo 0.
template <class Body> HWY_INLINE void with_cut(std::uint32_t modulo, Body&& body) {
  if (std::has_single_bit(modulo) && modulo > 1)
    body(ShiftCut{32 - std::countr_zero(modulo)});
  else
    body(Cut{hn::Set(D(), modulo)});
}

// The lanes' lowest bits, lane 0 lowest.
HWY_INLINE std::uint64_t lane_bits(V v) {
  const D d;
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, hn::TestBit(v, hn::Set(d, 1)), bytes);
  return hn::Lanes(d) <= 8 ? std::uint64_t{bytes[0]} : std::uint64_t{bytes[0]} | std::uint64_t{bytes[1]} << 8;
}

HWY_ATTR void hash_keys(const std::uint32_t* in, std::uint32_t* out, std::size_t words, std::uint32_t salt,
                        std::uint32_t modulo) {
  const D d;
  const V salts = hn::Set(d, salt);
  with_cut(modulo, [&](auto cut) HWY_ATTR {
    for (std::size_t i = 0; i < 64 * words; i += hn::Lanes(d)) hn::StoreU(cut(mix(hn::LoadU(d, in + i), salts)), d, out + i);
  });
}

// look(keys) gives vectors whose lowest bits are the answers.
template <class Look> HWY_INLINE void to_words(std::size_t words, std::uint64_t* out, Look&& look) {
  const D d;
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += hn::Lanes(d)) word |= lane_bits(look(64 * w + i)) << i;
    out[w] = word;
  }
}

HWY_INLINE V gather(const std::uint32_t* from, V index) {
  const D d;
  return hn::GatherIndex(d, from, hn::BitCast(hn::RebindToSigned<D>(), index));
}

HWY_ATTR void hash_table_bits(const std::uint32_t* in, std::size_t words, std::uint32_t salt, std::uint32_t modulo,
                              const std::uint32_t* table, std::uint64_t* out) {
  const D d;
  const V salts = hn::Set(d, salt), first = hn::Set(d, table[0]), low = hn::Set(d, 31);
  with_cut(modulo, [&](auto cut) HWY_ATTR {
    if (modulo <= 32) {
      to_words(words, out, [&](std::size_t i) HWY_ATTR { return hn::Shr(first, cut(mix(hn::LoadU(d, in + i), salts))); });
    } else {
      to_words(words, out, [&](std::size_t i) HWY_ATTR {
        const V key = cut(mix(hn::LoadU(d, in + i), salts));
        return hn::Shr(gather(table, hn::ShiftRight<5>(key)), hn::And(key, low));
      });
    }
  });
}

HWY_ATTR void low_bits(const std::uint32_t* keys, std::size_t words, std::uint64_t* out) {
  const D d;
  to_words(words, out, [&](std::size_t i) HWY_ATTR { return hn::LoadU(d, keys + i); });
}

// All lanes walk until each has its answer. Ends: 64 hops at most; who has none by then answers false.
HWY_ATTR void filter_bits(const std::uint32_t* keys, std::size_t words, const std::uint32_t* filter, std::uint32_t cells,
                          std::uint64_t* out) {
  const D d;
  const Cut cut{hn::Set(d, cells)};
  const V three = hn::Set(d, 3), one = hn::Set(d, 1), fifteen = hn::Set(d, 15);
  // A filter that does not fit the first cache: where a word's keys begin their walk is fetched while the word before is done.
  constexpr std::uint32_t kCellsInCache = 4 * 16 * 1024;
  const auto prefetch = [&](std::size_t w) HWY_ATTR {
    alignas(64) std::uint32_t at[16];
    for (std::size_t i = 0; i < 64; i += hn::Lanes(d)) {
      hn::Store(cut(mix(hn::LoadU(d, keys + 64 * w + i), hn::Zero(d))), d, at);
      for (std::size_t k = 0; k < hn::Lanes(d); ++k) hwy::Prefetch(filter + at[k] / 16);
    }
  };
  if (cells > kCellsInCache && words > 0) prefetch(0);
  for (std::size_t w = 0; w < words; ++w) {
    if (cells > kCellsInCache && w + 1 < words) prefetch(w + 1);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += hn::Lanes(d)) {
      V key = hn::LoadU(d, keys + 64 * w + i), answer = hn::Zero(d);
      auto walking = hn::Eq(key, key);
      for (std::uint32_t hop = 0; hop < 64; ++hop) {
        const V at = cut(mix(key, hn::Set(d, hop)));
        const V cell = hn::And(hn::Shr(gather(filter, hn::ShiftRight<4>(at)), hn::ShiftLeft<1>(hn::And(at, fifteen))), three);
        const auto hops = hn::Eq(cell, three);
        // Empty: the key's lowest bit; false is 1, true is 2.
        const V said = hn::IfThenElse(hn::Eq(cell, hn::Zero(d)), hn::And(key, one), hn::ShiftRight<1>(cell));
        answer = hn::IfThenElse(hn::AndNot(hops, walking), said, answer);
        walking = hn::And(walking, hops);
        if (hn::AllFalse(d, walking)) break;
        key = hn::Or(hn::ShiftRight<1>(key), hn::ShiftLeft<31>(key));
      }
      word |= lane_bits(answer) << i;
    }
    out[w] = word;
  }
}

HWY_ATTR void count_bits(const std::uint64_t* rows, std::size_t words, std::size_t count, std::uint32_t* out) {
  for (std::size_t r = 0; r < count; ++r) {
    const std::uint64_t* row = rows + r * words;
    std::size_t w = 0;
    std::uint64_t ones = 0;
#if HWY_TARGET != HWY_SCALAR
    // Bytes' counts are added up as bytes, at most 31 times 8; then eight at a time.
    const hn::CappedTag<std::uint8_t, 64> d8;
    const hn::Repartition<std::uint64_t, decltype(d8)> d64;
    const std::size_t lanes = hn::Lanes(d64);
    auto sums = hn::Zero(d64);
    while (w + lanes <= words) {
      auto bytes = hn::Zero(d8);
      for (int k = 0; k < 31 && w + lanes <= words; ++k, w += lanes)
        bytes = hn::Add(bytes, hn::PopulationCount(hn::BitCast(d8, hn::LoadU(d64, row + w))));
      sums = hn::Add(sums, hn::SumsOf8(bytes));
    }
    ones = hn::GetLane(hn::SumOfLanes(d64, sums));
#endif
    for (; w < words; ++w) ones += static_cast<std::uint64_t>(std::popcount(row[w]));
    out[r] = static_cast<std::uint32_t>(ones);
  }
}

HWY_ATTR void sum_bits(const std::uint64_t* const* rows, const std::uint32_t* shifts, std::size_t count, std::size_t first,
                       std::size_t words, std::uint32_t* out) {
  const D d;
  const V one = hn::Set(d, 1), lane = hn::Iota(d, 0);
  constexpr std::size_t kVectors = 4;  // At a time, so that a row is not visited for each vector anew.
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t w = 0; w < words; ++w) {
    for (std::size_t i = 0; i < 64; i += kVectors * lanes) {
      V sums[kVectors];
      for (V& sum : sums) sum = hn::Zero(d);
      for (std::size_t r = 0; r < count; ++r) {
        const std::uint64_t word = rows[r][first + w] >> i;
        const int shift = static_cast<int>(shifts[r]);
        for (std::size_t v = 0; v < kVectors; ++v) {
          const V bits = hn::And(hn::Shr(hn::Set(d, static_cast<std::uint32_t>(word >> (v * lanes))), lane), one);
          sums[v] = hn::Add(sums[v], hn::ShiftLeftSame(bits, shift));
        }
      }
      for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, out + 64 * w + i + v * lanes);
    }
  }
}

HWY_ATTR void layer_bits(const std::uint32_t* features, std::size_t count, std::uint32_t modulo, const std::uint32_t* tables,
                         std::uint32_t table_words, std::uint8_t* bits) {
  const D d;
  const V one = hn::Set(d, 1), low = hn::Set(d, 31), stride = hn::Set(d, table_words);
  const V last = hn::Set(d, static_cast<std::uint32_t>(count - 1));
  alignas(64) std::uint32_t out[16];
  with_cut(modulo, [&](auto cut) HWY_ATTR {
    for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
      const V neuron = hn::Iota(d, static_cast<std::uint32_t>(i));
      const V key = cut(mix(hn::LoadU(d, features + i), neuron));
      // Lanes behind the last neuron read its table.
      const V table = hn::Min(neuron, last);
      V word;
      if (table_words == 1)
        word = gather(tables, table);
      else
        word = gather(tables, hn::Add(hn::Mul(table, stride), hn::ShiftRight<5>(key)));
      hn::Store(hn::And(hn::Shr(word, hn::And(key, low)), one), d, out);
      for (std::size_t k = 0; k < hn::Lanes(d); ++k) bits[i + k] = static_cast<std::uint8_t>(out[k]);
    }
  });
}

}  // namespace weir::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weir::kernels {

#if HWY_TARGETS & HWY_AVX2
#define WEIR_HASHTRON_KERNEL(name) decltype(name) name(&HWY_STATIC_DISPATCH(name), &N_AVX2::name)
#else
#define WEIR_HASHTRON_KERNEL(name) decltype(name) name(&HWY_STATIC_DISPATCH(name), &HWY_STATIC_DISPATCH(name))
#endif

WEIR_HASHTRON_KERNEL(hash_keys);
WEIR_HASHTRON_KERNEL(hash_table_bits);
WEIR_HASHTRON_KERNEL(low_bits);
WEIR_HASHTRON_KERNEL(filter_bits);
WEIR_HASHTRON_KERNEL(count_bits);
WEIR_HASHTRON_KERNEL(sum_bits);
WEIR_HASHTRON_KERNEL(layer_bits);

}  // namespace weir::kernels
#endif
