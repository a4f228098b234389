// Goal: networks give what the specification's formulas give, one sample at a time and many, on every SIMD target; the model
// that another program wrote loads, predicts the same and is written as the same text; what a change of one neuron does is the
// same worked out in part and in full. Invariant of the naive port below: straight from the formulas, no plan, no table, no
// vector.
#include "core/models/hashtron_network.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "core/models/hashtron_activations.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_kernels.hpp"
#include "core/models/hashtron_text.hpp"
#include "tests/core/hashtron_support.hpp"

namespace weir {
namespace {

using namespace testing_hashtron;
using Bits = std::vector<std::uint8_t>;

std::string read_file(const std::string& name) {
  std::ifstream in(std::string(WEIR_SOURCE_DIR) + "/tests/data/hashtron/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

Bits bits_of(std::string_view text) {
  Bits out;
  for (const char c : text) out.push_back(c == '1');
  return out;
}
Bits random_bits(Rng& rng, std::size_t n) {
  Bits out(n);
  for (auto& bit : out) bit = rng.below(2) == 0;
  return out;
}

// The combiners' table, read once more.
std::uint32_t naive_feature(const MajorityPool& c, const Bits& in, std::uint32_t m) {
  const std::uint32_t group = c.sub_width * c.sub_height, matrix = c.width * c.height * group, base = m / matrix * matrix;
  m = m % matrix / group;
  std::uint32_t out = 0;
  for (std::uint32_t y = 0; y < c.window_height; ++y)
    for (std::uint32_t x = 0; x < c.window_width; ++x) {
      int sum = 0;
      const std::uint32_t xx = (m % c.width * c.window_width + x) % c.width,
                          yy = (m / c.width * c.window_height + y) % c.height;
      for (std::uint32_t i = 0; i < group; ++i) sum += in[base + group * (c.width * yy + xx) + i] ? 1 : -1;
      out = out << 1 | (sum > c.bias ? 1 : 0);
    }
  return out;
}
std::uint32_t naive_feature(const FullWindow& c, const Bits& in, std::uint32_t m) {
  std::uint32_t out = 0;
  if (m * c.bits + c.bits_max > in.size()) return 0;
  for (std::uint32_t k = 0; k < c.bits_max; ++k) out = out << 1 | in[m * c.bits + k];
  return out;
}
std::uint32_t naive_feature(const ParityOfAll&, const Bits& in, std::uint32_t) {
  std::uint32_t out = 0;
  for (const auto bit : in) out ^= bit;
  return out;
}
std::uint32_t naive_feature(const RandomWiring& c, const Bits& in, std::uint32_t m) {
  std::uint32_t out = 0;
  for (std::uint32_t k = 0; k < c.bits_max; ++k) out = out << 1 | in[hashtron_hash(c.seed ^ m, k, c.size)];
  return out;
}
std::uint32_t naive_feature(const CrossAttention& c, const Bits& in, std::uint32_t m) {
  std::uint32_t out = 0;
  if (!c.query_key_value) {
    const std::uint32_t base = m / c.dim * c.dim;
    for (std::uint32_t x = 0; x < c.dim; ++x) {
      if (x % 2 == m % 2 || (c.masked && x / 2 > m % c.dim)) continue;
      if (in[base + x] && in[m]) ++out;
    }
    return out;
  }
  const std::uint32_t base = m / (3 * c.dim) * (3 * c.dim);
  for (std::uint32_t x = 0; x < c.dim; x += 3) {
    if (c.masked && x / 3 > m % (3 * c.dim) / 3) continue;
    const bool q = in[base + x], k = in[base + x + 1], v = in[base + x + 2], self = in[m];
    if (m % 3 == 0) out += q && k && v;
    if (m % 3 == 1) out += q && self == v;
    if (m % 3 == 2) out += q && k && self;
  }
  return out;
}
std::uint32_t naive_feature(const SumAlong& c, const Bits& in, std::uint32_t m) {
  std::uint32_t step = 1, out = 0;
  for (std::uint32_t d = 0; d < c.axis; ++d) step *= c.dims[d];
  for (std::uint32_t j = 0; j < c.dims[c.axis]; ++j) out += in[(m * c.dims[c.axis] + j * step) % in.size()];
  return out;
}
std::uint32_t naive_feature(const Convolution& c, const Bits& in, std::uint32_t m) {
  const std::uint32_t across = c.width - c.sub_width + 1, down = c.height - c.sub_height + 1, block = across * down;
  const std::uint32_t base = m / block * block, y = m % block / down, x = m % block % across;
  std::uint32_t out = 0, shift = 0;
  for (std::uint32_t i = 1; i <= c.shift; i <<= 1) ++shift;
  for (std::uint32_t i = 0; i < c.sub_height; ++i)
    for (std::uint32_t j = 0; j < c.sub_width; ++j) {
      if (c.shift != 0 && (i * c.sub_width + j) % c.shift == 0) out <<= shift;
      out += in[base + c.width * y + x + c.width * i + j];
    }
  return out;
}
std::uint32_t naive_feature(const CombinerSpec& spec, const Bits& in, std::uint32_t m) {
  return std::visit([&](const auto& c) { return naive_feature(c, in, m); }, spec);
}

std::uint32_t naive_predict(const HashtronNetwork& net, const std::function<std::uint32_t(std::uint32_t)>& sample) {
  std::function<std::uint32_t(std::uint32_t)> before = sample, input;
  std::vector<std::shared_ptr<Bits>> kept;
  for (std::uint32_t l = 0; l < net.layers(); ++l) {
    const HashtronLayer& layer = net.layer(l);
    const auto in =
        l == 0 ? sample : std::function<std::uint32_t(std::uint32_t)>([&net, l, bits = kept.back()](std::uint32_t m) {
          return naive_feature(*net.layer(l - 1).combiner, *bits, m);
        });
    input = [&net, &sample, layer, l, in, before](std::uint32_t i) {
      if (layer.add == HashtronAdd::kSample) return in(i) + sample(i + net.sample_offset(l));
      if (layer.add == HashtronAdd::kLayer) return in(i) + before(i);
      return in(i);
    };
    auto bits = std::make_shared<Bits>();
    for (std::uint32_t i = 0; i < layer.neurons; ++i) {
      const std::uint32_t f = input(net.is_last(l) && !layer.combiner ? 0 : i);
      bits->push_back(net.neuron(net.first(l) + i).bit(layer.premodulo == 0 ? f : hashtron_hash(f, i, layer.premodulo)));
    }
    kept.push_back(bits);
    before = input;
  }
  std::uint32_t out = 0;
  const HashtronLayer& last = net.layer(net.layers() - 1);
  for (std::uint32_t j = 0; j < net.cells(); ++j)
    out |= (last.combiner ? naive_feature(*last.combiner, *kept.back(), j) & 1 : (*kept.back())[j]) << j;
  return out;
}

std::vector<CombinerSpec> some_combiners() {
  return {windows(24, 1, 5),
          windows(8, 3, 3),
          MajorityPool{.width = 4, .height = 2, .sub_width = 3, .sub_height = 1, .window_width = 3, .window_height = 2},
          MajorityPool{
              .width = 2, .height = 2, .sub_width = 1, .sub_height = 3, .window_width = 2, .window_height = 2, .repeat = 2},
          MajorityPool{.width = 6, .sub_width = 4, .window_width = 6, .bias = 1},
          MajorityPool{.width = 6, .sub_width = 4, .window_width = 6, .bias = -1},
          MajorityPool{.width = 6, .sub_width = 4, .window_width = 2, .bias = -9},
          MajorityPool{.width = 24, .window_width = 40},  // More bits than 32: the first ones leave at the top.
          FullWindow{24, 1, 8},
          FullWindow{24, 3, 24},
          ParityOfAll{24},
          RandomWiring{24, 7, 99},
          CrossAttention{.dim = 6, .heads = 4},
          CrossAttention{.dim = 12, .heads = 2, .masked = true},
          CrossAttention{.dim = 6, .heads = 4, .query_key_value = true},
          CrossAttention{.dim = 24, .heads = 1, .query_key_value = true, .masked = true},
          SumAlong{{4, 6}, 0},
          SumAlong{{4, 3, 2}, 1},
          Convolution{.width = 6, .height = 4, .sub_width = 2, .sub_height = 2},
          Convolution{.width = 4, .height = 3, .sub_width = 3, .sub_height = 2, .repeat = 2},
          Convolution{.width = 6, .height = 4, .sub_width = 3, .sub_height = 2, .shift = 2}};
}
// How many features can be asked for before one reads past the 24 inputs.
std::uint32_t features_max(const CombinerSpec& spec) {
  std::uint32_t features = 0;
  while (features < 24 && Combiner::make(spec, features + 1).ok()) ++features;
  return features;
}

TEST(Combiners, GiveTheVectors) {
  EXPECT_EQ(Combiner::make(windows(3, 3, 3), 1)->feature(bits_of("110010111"), 0), 5u);
  EXPECT_EQ(Combiner::make(windows(8, 1, 4), 2)->feature(bits_of("10100110"), 1), 6u);
  EXPECT_EQ(Combiner::make(windows(8, 1, 5), 2)->feature(bits_of("10100110"), 1), 26u);
  const auto wired = Combiner::make(RandomWiring{8, 4, 0}, 8);
  std::vector<std::uint32_t> found;
  for (std::uint32_t n = 0; n < 8; ++n) found.push_back(wired->feature(bits_of("10011010"), n));
  EXPECT_EQ(found, (std::vector<std::uint32_t>{9, 12, 6, 3, 9, 4, 2, 9}));
}

TEST(Combiners, GiveWhatTheFormulasGive) {
  Rng rng(1);
  for (const CombinerSpec& spec : some_combiners()) {
    const std::uint32_t features = features_max(spec);
    ASSERT_GT(features, 3u) << spec.index();
    const auto combiner = Combiner::make(spec, features);
    ASSERT_EQ(combiner->inputs(), 24u);
    for (int round = 0; round < 200; ++round) {
      const Bits bits = random_bits(rng, 24);
      for (std::uint32_t m = 0; m < features; ++m)
        ASSERT_EQ(combiner->feature(bits, m), naive_feature(spec, bits, m)) << spec.index() << ", feature " << m;
    }
  }
}

TEST(Combiners, DisregardTellsWhatNoFeatureSees) {
  Rng rng(2);
  for (const CombinerSpec& spec : some_combiners()) {
    const std::uint32_t features = features_max(spec);
    const auto combiner = Combiner::make(spec, features);
    for (int round = 0; round < 50; ++round) {
      const Bits bits = random_bits(rng, 24);
      for (std::uint32_t n = 0; n < 24; ++n) {
        Bits turned = bits;
        turned[n] ^= 1;
        bool seen = false;
        for (std::uint32_t m = 0; m < features; ++m) seen |= naive_feature(spec, bits, m) != naive_feature(spec, turned, m);
        ASSERT_EQ(combiner->disregard(bits, n), !seen) << spec.index() << ", input " << n;
      }
    }
  }
}

TEST(Combiners, RefuseWhatCannotBe) {
  const auto refused = [](const CombinerSpec& spec, std::uint32_t features) {
    const auto made = Combiner::make(spec, features);
    EXPECT_FALSE(made.ok());
    return made.ok() ? "" : made.error().what;
  };
  EXPECT_EQ(refused(MajorityPool{.width = 0}, 1), "combiner majority_pool: found a size of zero, expected 1 to 1048576 inputs");
  EXPECT_EQ(refused(MajorityPool{.width = 65536, .height = 65536}, 1),
            "combiner majority_pool: found more than that, expected 1 to 1048576 inputs");
  EXPECT_EQ(refused(MajorityPool{.width = 4, .window_width = 0}, 1),
            "combiner majority_pool: found a window of 0 x 1, expected at least one pooled bit");
  EXPECT_EQ(refused(windows(4, 1, 2), 5),
            "combiner majority_pool: feature 4 reads input 4, but there are 4: make the layer after it smaller");
  EXPECT_EQ(refused(CrossAttention{.dim = 4, .heads = 1}, 5),
            "combiner cross_attention: feature 4 reads input 5, but there are 4: make the layer after it smaller");
  EXPECT_EQ(refused(SumAlong{{4, 3}, 2}, 1), "combiner sum: found axis 2, expected one of its 2 dimensions");
  EXPECT_EQ(refused(SumAlong{{0xffffffff, 0xffffffff, 0xffffffff}, 0}, 1),
            "combiner sum: found more than that, expected 1 to 1048576 inputs");
  EXPECT_EQ(refused(Convolution{.width = 3, .height = 3, .sub_width = 4}, 1),
            "combiner convolution: found a window of 4 x 1, expected one within 3 x 3");
  // No size makes it work without end.
  EXPECT_NE(refused(ParityOfAll{1 << 20}, 1 << 20).find("more than 16777216 bits over all features"), std::string::npos);
  EXPECT_NE(refused(RandomWiring{1 << 20, 1 << 20, 0}, 1 << 20).find("more than 16777216 bits over all features"),
            std::string::npos);
}

TEST(HashtronNetwork, GivesTheVectors) {
  const HashtronNetwork net = tiny_network();
  HashtronNetwork::Scratch scratch;
  std::string outputs;
  for (std::uint32_t x = 0; x < 16; ++x) outputs += net.predict(std::vector{x}, scratch) == 1 ? '1' : '0';
  EXPECT_EQ(outputs, "0110000110011110");

  const HashtronSamples samples = square_roots(16, 0);
  const HashtronActivations all(net, samples);
  const auto bits = [&](std::uint32_t from, std::uint32_t to, std::uint32_t x) {
    std::string out;
    for (std::uint32_t n = from; n < to; ++n) out += (all.row(n)[0] >> x & 1) != 0 ? '1' : '0';
    return out;
  };
  EXPECT_EQ(bits(0, 4, 0) + "/" + bits(4, 6, 0), "1100/01");
  EXPECT_EQ(bits(0, 4, 5) + "/" + bits(4, 6, 5), "0101/00");
  EXPECT_EQ(bits(0, 4, 12) + "/" + bits(4, 6, 12), "1011/10");
  EXPECT_EQ(bits(0, 4, 13) + "/" + bits(4, 6, 13), "1010/11");
  EXPECT_EQ(all.correct(), 10u);
  for (std::uint32_t n = 0; n < 7; ++n) EXPECT_EQ(all.sum(n), 0) << n;

  const HashtronSamples ten = square_roots(10, 0);
  const HashtronActivations some(net, ten);
  EXPECT_EQ(some.correct(), 6u);
  std::vector<std::int64_t> sums;
  for (std::uint32_t n = 0; n < 7; ++n) sums.push_back(some.sum(n));
  EXPECT_EQ(sums, (std::vector<std::int64_t>{-2, 2, -2, 2, -2, -2, -2}));
}

TEST(HashtronNetwork, LoadsPredictsAndWritesTheModelOfAnotherProgram) {
  const auto text = unpack_hashtron_text(read_file("squareroot_medium.json.t.zlib"));
  ASSERT_TRUE(text.ok()) << text.error().what;
  auto neurons = parse_hashtron_text(*text);
  ASSERT_TRUE(neurons.ok()) << neurons.error().what;
  const auto net = HashtronNetwork::make(square_root_layers(), std::move(*neurons));
  ASSERT_TRUE(net.ok()) << net.error().what;
  EXPECT_EQ(net->text(), *text);
  EXPECT_EQ(*unpack_hashtron_text(pack_hashtron_text(net->text())), *text);

  std::vector<std::uint32_t> expected;
  std::istringstream predictions(read_file("squareroot_medium.predictions.txt"));
  for (std::uint32_t x = 0, value = 0; predictions >> x >> value;) expected.push_back(value);
  ASSERT_EQ(expected.size(), 1024u);

  const HashtronSamples samples = square_roots(1024);
  std::vector<std::uint16_t> batch(1024);
  predict_batch(*net, samples, batch);
  HashtronNetwork::Scratch scratch;
  for (std::uint32_t x = 0; x < 1024; ++x) {
    ASSERT_EQ(batch[x] ^ samples.parities()[x], expected[x]) << x;
    ASSERT_EQ(net->predict(std::vector{x}, scratch), batch[x]) << x;
  }
  EXPECT_EQ(HashtronActivations(*net, samples).correct(), 1024u);
}

// Random networks over random samples: all combiners, add modes, with and without premodulo, tables, cells and a combiner at
// the end.
HashtronNetwork random_network(Rng& rng) {
  const auto combiners = some_combiners();
  for (;;) {
    std::vector<HashtronLayer> layers;
    const std::uint64_t depth = 1 + rng.below(4);
    const auto premodulo = [&]() -> std::uint32_t {
      constexpr std::uint32_t kSome[] = {0, 1, 7, 31, 32, 33, 64, 1000, 4096, 5000};
      return kSome[rng.below(std::size(kSome))];
    };
    const auto add = [&](bool first) { return static_cast<HashtronAdd>(rng.below(3) == 0 ? rng.below(first ? 2 : 3) : 0); };
    for (std::uint64_t l = 0; l + 1 < depth; ++l)
      layers.push_back(
          {.neurons = 24, .premodulo = premodulo(), .add = add(l == 0), .combiner = combiners[rng.below(combiners.size())]});
    if (rng.below(2) == 0)
      layers.push_back({.neurons = 1 + static_cast<std::uint32_t>(rng.below(16)),
                        .premodulo = premodulo(),
                        .add = add(depth == 1),
                        .combiner = {}});
    else
      layers.push_back({.neurons = 3, .premodulo = premodulo(), .add = add(depth == 1), .combiner = windows(3, 1, 1)});
    std::uint32_t total = 0;
    for (const HashtronLayer& layer : layers) total += layer.neurons;
    auto net = HashtronNetwork::make(layers, random_neurons(rng, total));
    if (net.ok()) return std::move(*net);
    EXPECT_EQ(net.error().code, ErrorCode::kConfig) << net.error().what;
  }
}
HashtronSamples random_samples(Rng& rng) {
  HashtronSamples samples(static_cast<std::uint32_t>(1 + rng.below(40)), static_cast<std::uint32_t>(rng.below(1200)));
  for (std::uint32_t s = 0; s < samples.count(); ++s) {
    std::vector<std::uint32_t> features(samples.features());
    for (auto& f : features) f = static_cast<std::uint32_t>(rng.next_u64() >> (rng.below(2) == 0 ? 32 : 56));
    samples.set(s, features, static_cast<std::uint16_t>(rng.below(8)), static_cast<std::uint16_t>(rng.below(4)));
  }
  return samples;
}

TEST(HashtronNetwork, OneSampleAndManyGiveWhatTheFormulasGive) {
  const std::string best(name_of(simd_target()));
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    Rng rng(seed);
    const HashtronNetwork net = random_network(rng);
    const HashtronSamples samples = random_samples(rng);
    std::vector<std::uint16_t> batch(samples.count());
    for (const SimdTarget target : simd_targets()) {
      ASSERT_TRUE(use_simd_target(name_of(target)).ok());
      HashtronNetwork::Scratch scratch;
      predict_batch(net, samples, batch);
      const HashtronActivations all(net, samples);
      ASSERT_TRUE(std::ranges::equal(all.outputs(), batch)) << "seed " << seed;
      std::uint32_t correct = 0;
      for (std::uint32_t s = 0; s < samples.count(); ++s) {
        const std::uint32_t expected = naive_predict(net, [&](std::uint32_t n) { return samples.feature(s, n); });
        ASSERT_EQ(batch[s], expected) << name_of(target) << ", seed " << seed << ", sample " << s;
        correct += expected == samples.targets()[s];
        if (s % 16 != 0) continue;
        std::vector<std::uint32_t> features;
        for (std::uint32_t f = 0; f < samples.features(); ++f) features.push_back(samples.feature(s, f));
        ASSERT_EQ(net.predict(features, scratch), expected) << name_of(target) << ", seed " << seed << ", sample " << s;
      }
      ASSERT_EQ(all.correct(), correct);
    }
  }
  ASSERT_TRUE(use_simd_target(best).ok());
}

TEST(HashtronActivations, AChangeInPartIsTheChangeInFull) {
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    Rng rng(seed);
    HashtronNetwork net = random_network(rng);
    const HashtronSamples samples = random_samples(rng);
    HashtronActivations all(net, samples);
    for (int round = 0; round < 6; ++round) {
      const auto n = static_cast<std::uint32_t>(rng.below(net.size()));
      const Hashtron neuron = random_neurons(rng, 1)[0];
      HashtronNetwork changed = net;
      changed.replace(n, neuron);
      const HashtronActivations full(changed, samples);
      all.begin_trial(n, full.row(n));
      ASSERT_TRUE(std::ranges::equal(all.trial_outputs(), full.outputs())) << "seed " << seed << ", neuron " << n;
      ASSERT_EQ(all.trial_correct(), full.correct());
      const HashtronActivations before(net, samples);
      if (rng.below(2) == 0) {
        all.drop();
        ASSERT_EQ(all.correct(), before.correct());
        ASSERT_TRUE(std::ranges::equal(all.outputs(), before.outputs()));
      } else {
        all.adopt();
        net.replace(n, neuron);
        ASSERT_EQ(all.correct(), full.correct());
      }
      const HashtronActivations now(net, samples);
      std::vector<std::uint32_t> keys, expected_keys;
      for (std::uint32_t k = 0; k < net.size(); ++k) {
        ASSERT_TRUE(std::ranges::equal(all.row(k), now.row(k))) << "seed " << seed << ", neuron " << k;
        ASSERT_EQ(all.ones(k), now.ones(k));
        all.keys(k, keys);
        now.keys(k, expected_keys);
        ASSERT_EQ(keys, expected_keys);
      }
    }
  }
}

TEST(HashtronActivations, SumsOfShardsAddUp) {
  Rng rng(7);
  for (int round = 0; round < 10; ++round) {
    const HashtronNetwork net = random_network(rng);
    const HashtronSamples samples = random_samples(rng);
    const HashtronActivations all(net, samples);
    std::vector<std::int64_t> sums(net.size());
    std::uint64_t correct = 0;
    for (std::uint32_t shard = 0; shard < 3; ++shard) {
      HashtronSamples part(samples.features(), (samples.count() + 2 - shard) / 3);
      for (std::uint32_t s = 0; s < part.count(); ++s) {
        std::vector<std::uint32_t> features;
        for (std::uint32_t f = 0; f < samples.features(); ++f) features.push_back(samples.feature(3 * s + shard, f));
        part.set(s, features, samples.targets()[3 * s + shard]);
      }
      const HashtronActivations some(net, part);
      for (std::uint32_t n = 0; n < net.size(); ++n) sums[n] += some.sum(n);
      correct += some.correct();
    }
    for (std::uint32_t n = 0; n < net.size(); ++n) EXPECT_EQ(sums[n], all.sum(n));
    EXPECT_EQ(correct, all.correct());
  }
}

TEST(HashtronNetwork, RefusesLayersThatDoNotFit) {
  const auto refused = [](std::vector<HashtronLayer> layers, std::vector<Hashtron> neurons = {}) {
    const auto made = HashtronNetwork::make(std::move(layers), std::move(neurons));
    EXPECT_FALSE(made.ok());
    return made.ok() ? "" : made.error().what;
  };
  EXPECT_EQ(refused({}), "hashtron network: found no layer, expected one at least");
  EXPECT_EQ(refused({{.neurons = 0, .combiner = {}}}), "hashtron network: layer 0 has no neuron, expected one at least");
  EXPECT_EQ(refused({{.neurons = 17, .combiner = {}}}),
            "hashtron network: found 17 cells in the last layer, expected at most 16");
  EXPECT_EQ(refused({{.neurons = 4, .combiner = {}}, {.neurons = 1, .combiner = {}}}),
            "hashtron network: layer 0 has no combiner behind it: only the last layer may do without");
  EXPECT_EQ(refused({{.neurons = 1, .add = HashtronAdd::kLayer, .combiner = {}}}),
            "hashtron network: layer 0 adds what the layer before reads, but there is none");
  EXPECT_EQ(refused({{.neurons = 4, .combiner = windows(5, 1, 2)}, {.neurons = 1, .combiner = {}}}),
            "hashtron network: behind layer 0: the combiner has 5 inputs, expected its 4 neurons");
  EXPECT_EQ(refused(square_root_layers(), std::vector<Hashtron>(454)),
            "hashtron network: found weights of 454 neurons, expected 455: they are of another architecture");
  EXPECT_EQ(refused({{.neurons = 1, .combiner = {}}}, {Hashtron{.program = {}, .filter = {}, .bits = 2}}),
            "hashtron network: neuron 0 has 2 bits, expected one plain bit");
  EXPECT_EQ(refused({{.neurons = 1, .combiner = {}}}, {Hashtron{.program = {}, .filter = {}, .negate = true}}),
            "hashtron network: neuron 0 is negated, expected one plain bit");
}

TEST(HashtronNetwork, ArchitecturesDifferByTheirDigest) {
  const auto digest = [](std::vector<HashtronLayer> layers) {
    return HashtronNetwork::make(std::move(layers))->architecture_digest();
  };
  EXPECT_EQ(digest(small_layers()), digest(small_layers()));
  auto other = small_layers();
  other[0].premodulo = 1023;
  EXPECT_NE(digest(other), digest(small_layers()));
  other = small_layers();
  other[1].add = HashtronAdd::kSample;
  EXPECT_NE(digest(other), digest(small_layers()));
  other = small_layers();
  other[0].combiner = MajorityPool{.width = 25, .window_width = 5, .bias = 1};
  EXPECT_NE(digest(other), digest(small_layers()));
}

TEST(HashtronKernels, CountBitsInRowsOfAnyLength) {
  Rng rng(4);
  const std::string best(name_of(simd_target()));
  for (const std::size_t words : {1U, 3U, 4U, 5U, 16U, 123U, 124U, 125U, 500U}) {
    std::vector<std::uint64_t> rows(3 * words);
    for (auto& word : rows) word = rng.below(3) == 0 ? ~std::uint64_t{0} : rng.next_u64();
    for (std::size_t w = 0; w < words; ++w) rows[w] = ~std::uint64_t{0};  // As many as there can be.
    for (const SimdTarget target : simd_targets()) {
      ASSERT_TRUE(use_simd_target(name_of(target)).ok());
      std::uint32_t ones[3] = {};
      kernels::count_bits(rows.data(), words, 3, ones);
      for (std::size_t r = 0; r < 3; ++r) {
        std::uint32_t expected = 0;
        for (std::size_t w = 0; w < words; ++w) expected += static_cast<std::uint32_t>(std::popcount(rows[r * words + w]));
        EXPECT_EQ(ones[r], expected) << name_of(target) << ", " << words << " words, row " << r;
      }
    }
  }
  ASSERT_TRUE(use_simd_target(best).ok());
}

TEST(HashtronKernels, LookUpInFiltersOfAnySizeLikeTheFilter) {
  Rng rng(3);
  const std::string best(name_of(simd_target()));
  for (const std::uint32_t count : {1U, 5U, 100U, 3000U, 60000U}) {  // The last one is fetched ahead.
    std::vector<HashtronEntry> entries;
    for (std::uint32_t i = 0; i < count; ++i) entries.push_back({i * 40503U, rng.below(2) == 0});
    const HashtronFilter filter = std::move(*HashtronFilter::build(entries));
    std::vector<std::uint32_t> keys(64 * 40), room(keys.size());
    for (auto& key : keys) key = rng.below(2) == 0 ? entries[rng.below(count)].key : static_cast<std::uint32_t>(rng.next_u64());
    std::vector<std::uint64_t> bits(40);
    for (const SimdTarget target : simd_targets()) {
      ASSERT_TRUE(use_simd_target(name_of(target)).ok());
      hashtron_bits({.program = {}, .filter = filter}, keys.data(), bits.size(), room.data(), bits.data());
      for (std::size_t i = 0; i < keys.size(); ++i)
        ASSERT_EQ((bits[i / 64] >> (i % 64) & 1) != 0, filter.lookup(keys[i])) << keys[i];
    }
  }
  // All hops: every lane gives up after 64.
  std::vector<std::uint32_t> keys(64, 1), room(64);
  std::uint64_t bits = 1;
  hashtron_bits({.program = {}, .filter = HashtronFilter(std::vector<std::uint8_t>(5, 0xff))}, keys.data(), 1, room.data(),
                &bits);
  EXPECT_EQ(bits, 0u);
  ASSERT_TRUE(use_simd_target(best).ok());
}

}  // namespace
}  // namespace weir
