#include "bench/hashtron_plain.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <vector>

#include "core/models/hashtron_hash.hpp"

namespace weir::plain {
namespace {

constexpr std::uint32_t kTile = 512;

// Bits of one tile: [neuron][sample], a byte each.
struct Tile {
  std::vector<std::uint8_t> bits;
  std::vector<std::uint32_t> features;
};

std::uint32_t feature(const MajorityPool& c, const std::uint8_t* bits, std::uint32_t m) {
  const std::uint32_t group = c.sub_width * c.sub_height;
  m = m % (c.width * c.height * group) / group;
  std::uint32_t out = 0;
  for (std::uint32_t x = 0; x < c.window_width; ++x) {
    const std::uint32_t at = (m % c.width * c.window_width + x) % c.width;
    int sum = 0;
    for (std::uint32_t i = 0; i < group; ++i) sum += bits[(group * at + i) * kTile] != 0 ? 1 : -1;
    out = out << 1 | (sum > c.bias ? 1 : 0);
  }
  return out;
}

// Layers from `first` on; `turned`: that neuron's bit is turned round.
void forward(const HashtronNetwork& network, const HashtronSamples& samples, std::uint32_t begin, std::uint32_t count,
             std::uint32_t first, std::uint32_t turned, Tile& tile, std::uint16_t* out) {
  tile.bits.resize(std::size_t{network.size()} * kTile);
  for (std::uint32_t l = first; l < network.layers(); ++l) {
    const std::uint32_t premodulo = network.layer(l).premodulo;
    for (std::uint32_t i = 0; i < network.layer(l).neurons; ++i) {
      const std::uint32_t n = network.first(l) + i;
      const Hashtron& neuron = network.neuron(n);
      std::uint8_t* bits = tile.bits.data() + std::size_t{n} * kTile;
      const std::uint32_t m = network.feature_of(l, i);
      for (std::uint32_t s = 0; s < count; ++s) {
        std::uint32_t f = l == 0 ? samples.row(m)[begin + s]
                                 : feature(std::get<MajorityPool>(*network.layer(l - 1).combiner),
                                           tile.bits.data() + std::size_t{network.first(l - 1)} * kTile + s, m);
        if (premodulo != 0) f = hashtron_hash(f, i, premodulo);
        bits[s] = (neuron.bit(f) ? 1 : 0) ^ (n == turned ? 1 : 0);
      }
    }
  }
  const std::uint32_t last = network.first(network.layers() - 1);
  for (std::uint32_t s = 0; s < count; ++s) {
    out[s] = 0;
    for (std::uint32_t j = 0; j < network.cells(); ++j)
      out[s] |= static_cast<std::uint16_t>(tile.bits[std::size_t{last + j} * kTile + s] << j);
  }
}

}  // namespace

void predict_batch(const HashtronNetwork& network, const HashtronSamples& samples, std::span<std::uint16_t> out) {
  Tile tile;
  for (std::uint32_t begin = 0; begin < samples.count(); begin += kTile)
    forward(network, samples, begin, std::min(kTile, samples.count() - begin), 0, ~0U, tile, out.data() + begin);
}

void job(HashtronNetwork& network, const HashtronSamples& samples, std::uint32_t neuron, std::uint32_t salt,
         std::uint32_t capacity) {
  Tile tile;
  const std::uint32_t l = network.layer_of(neuron), i = network.position_of(neuron);
  std::map<std::uint32_t, std::int64_t> sums;
  std::uint32_t correct = 0;
  std::vector<std::uint16_t> as_is(kTile), turned(kTile);
  for (std::uint32_t begin = 0; begin < samples.count(); begin += kTile) {
    const std::uint32_t count = std::min(kTile, samples.count() - begin);
    forward(network, samples, begin, count, 0, ~0U, tile, as_is.data());
    std::vector<std::uint32_t> keys(count);
    std::vector<std::uint8_t> bits(count);
    for (std::uint32_t s = 0; s < count; ++s) {
      const std::uint32_t m = network.feature_of(l, i);
      std::uint32_t f = l == 0 ? samples.row(m)[begin + s]
                               : feature(std::get<MajorityPool>(*network.layer(l - 1).combiner),
                                         tile.bits.data() + std::size_t{network.first(l - 1)} * kTile + s, m);
      if (network.layer(l).premodulo != 0) f = hashtron_hash(f, i, network.layer(l).premodulo);
      keys[s] = hashtron_hash(f, salt, capacity);
      bits[s] = tile.bits[std::size_t{neuron} * kTile + s];
    }
    forward(network, samples, begin, count, l, neuron, tile, turned.data());
    for (std::uint32_t s = 0; s < count; ++s) {
      const std::uint16_t target = samples.targets()[begin + s];
      correct += as_is[s] == target ? 1 : 0;
      int vote = 0;
      if (network.is_last(l)) {
        vote = 2 * (target >> i & 1) - 1;
      } else {
        const int d0 = std::popcount(static_cast<std::uint16_t>(as_is[s] ^ target)),
                  d1 = std::popcount(static_cast<std::uint16_t>(turned[s] ^ target));
        const int c = bits[s] != 0 ? 1 : -1;
        vote = d0 == 0 ? c : c * (d1 - d0);
      }
      if (vote != 0) sums[keys[s]] += vote;
    }
  }
  std::vector<HashtronEntry> entries;
  for (const auto& [key, sum] : sums)
    if (sum != 0) entries.push_back({key, sum > 0});
  const Hashtron before = network.neuron(neuron);
  network.replace(neuron, {.program = {{salt, capacity}}, .filter = std::move(*HashtronFilter::build(entries))});
  std::vector<std::uint16_t> after(samples.count());
  predict_batch(network, samples, after);
  std::uint32_t correct_after = 0;
  for (std::uint32_t s = 0; s < samples.count(); ++s) correct_after += after[s] == samples.targets()[s] ? 1 : 0;
  if (correct_after < correct) network.replace(neuron, before);
}

}  // namespace weir::plain
