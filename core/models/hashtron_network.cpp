#include "core/models/hashtron_network.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_kernels.hpp"
#include "core/models/hashtron_samples.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

constexpr std::size_t kPadding = 16;  // Kernels read and write whole vectors.

Error config(const std::string& what) { return {ErrorCode::kConfig, "hashtron network: " + what}; }

}  // namespace

void hashtron_bits(const Hashtron& neuron, const std::uint32_t* keys, std::size_t words, std::uint32_t* room,
                   std::uint64_t* out) {
  for (const HashtronPair& pair : neuron.program) {
    kernels::hash_keys(keys, room, words, pair.salt, pair.modulo);
    keys = room;
  }
  if (neuron.filter.empty()) {
    kernels::low_bits(keys, words, out);
  } else {
    // Padded to whole words (HashtronFilter).
    kernels::filter_bits(keys, words, reinterpret_cast<const std::uint32_t*>(neuron.filter.bytes().data()),
                         neuron.filter.cells(), out);
  }
}

Result<HashtronNetwork> HashtronNetwork::make(std::vector<HashtronLayer> layers, std::vector<Hashtron> neurons) {
  HashtronNetwork out;
  if (layers.empty()) return config("found no layer, expected one at least");
  std::uint64_t total = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const HashtronLayer& layer = layers[l];
    const std::string name = "layer " + std::to_string(l);
    if (layer.neurons == 0) return config(name + " has no neuron, expected one at least");
    if (l + 1 < layers.size() && !layer.combiner)
      return config(name + " has no combiner behind it: only the last layer may do without");
    if (l == 0 && layer.add == HashtronAdd::kLayer)
      return config("layer 0 adds what the layer before reads, but there is none");
    out.first_.push_back(static_cast<std::uint32_t>(total));
    out.sample_offset_.push_back(0);
    // Layers that read the sample share its features out among them: layer 0 (unless it reads them twice), then those that add.
    for (std::size_t k = 0; k < l; ++k)
      if ((layers[k].add == HashtronAdd::kSample) == (k > 0)) out.sample_offset_[l] += layers[k].neurons;
    total += layer.neurons;
    if (total > kHashtronNeuronsMax)
      return config("found more neurons than " + std::to_string(kHashtronNeuronsMax) + ": make layers smaller");
  }
  if (layers.back().neurons > kHashtronCellsMax)
    return config("found " + std::to_string(layers.back().neurons) + " cells in the last layer, expected at most " +
                  std::to_string(kHashtronCellsMax));

  // From the last layer back: who reads up to where.
  out.features_read_.resize(layers.size());
  out.combiners_.resize(layers.size());
  for (std::size_t l = layers.size(); l-- > 0;) {
    const bool last = l + 1 == layers.size();
    std::uint32_t reads = last && !layers[l].combiner ? 1 : layers[l].neurons;
    if (!last && layers[l + 1].add == HashtronAdd::kLayer) reads = std::max(reads, out.features_read_[l + 1]);
    out.features_read_[l] = reads;
    if (!layers[l].combiner) continue;
    auto combiner = Combiner::make(*layers[l].combiner, last ? layers[l].neurons : out.features_read_[l + 1]);
    if (!combiner.ok()) return config("behind layer " + std::to_string(l) + ": " + combiner.error().what);
    if (combiner->inputs() != layers[l].neurons)
      return config("behind layer " + std::to_string(l) + ": the combiner has " + std::to_string(combiner->inputs()) +
                    " inputs, expected its " + std::to_string(layers[l].neurons) + " neurons");
    out.combiners_[l] = std::move(*combiner);
  }

  if (neurons.empty()) neurons.resize(total);
  if (neurons.size() != total)
    return Error{ErrorCode::kInvalidInput, "hashtron network: found weights of " + std::to_string(neurons.size()) +
                                               " neurons, expected " + std::to_string(total) +
                                               ": they are of another architecture"};
  for (std::size_t n = 0; n < neurons.size(); ++n)
    if (neurons[n].bits > 1 || neurons[n].negate)
      return Error{ErrorCode::kInvalidInput,
                   "hashtron network: neuron " + std::to_string(n) +
                       (neurons[n].negate ? " is negated" : " has " + std::to_string(neurons[n].bits) + " bits") +
                       ", expected one plain bit"};
  out.layers_ = std::move(layers);
  out.neurons_ = std::move(neurons);
  for (const HashtronLayer& layer : out.layers_) {
    const std::uint32_t words = layer.premodulo <= kTableBitsMax ? (layer.premodulo + 31) / 32 : 0;
    out.table_words_.push_back(words);
    out.tables_.emplace_back(std::size_t{words} * layer.neurons);
  }
  for (std::uint32_t n = 0; n < out.size(); ++n) out.make_table(n);
  return out;
}

std::uint32_t HashtronNetwork::layer_of(std::uint32_t neuron) const {
  return static_cast<std::uint32_t>(std::ranges::upper_bound(first_, neuron) - first_.begin()) - 1;
}

void HashtronNetwork::replace(std::uint32_t n, Hashtron neuron) {
  CHECK(n < size());
  CHECK(neuron.bits <= 1);
  CHECK(!neuron.negate);
  neurons_[n] = std::move(neuron);
  make_table(n);
}

void HashtronNetwork::make_table(std::uint32_t n) {
  const std::uint32_t l = layer_of(n);
  if (table_words_[l] == 0) return;
  constexpr std::size_t kWords = kTableBitsMax / kSampleWord;
  std::uint32_t keys[kTableBitsMax];
  std::uint64_t bits[kWords];
  const std::size_t words = (layers_[l].premodulo + kSampleWord - 1) / kSampleWord;
  std::iota(keys, keys + words * kSampleWord, 0U);
  hashtron_bits(neurons_[n], keys, words, keys, bits);
  std::memcpy(tables_[l].data() + std::size_t{table_words_[l]} * (n - first_[l]), bits,
              table_words_[l] * sizeof(std::uint32_t));
}

std::uint16_t HashtronNetwork::predict(std::span<const std::uint32_t> sample, Scratch& scratch) const {
  CHECK(!sample.empty());
  const auto count = static_cast<std::uint32_t>(sample.size());
  std::uint32_t output = 0;
  const std::uint8_t* terms = nullptr;
  for (std::uint32_t l = 0; l < layers(); ++l) {
    const HashtronLayer& layer = layers_[l];
    const std::uint32_t reads = features_read_[l];
    auto& features = scratch.features_;
    std::swap(features, scratch.before_);
    if (features.size() < std::max(reads, layer.neurons) + kPadding) features.resize(std::max(reads, layer.neurons) + kPadding);
    if (l == 0) {
      if (count == 1)
        std::fill_n(features.begin(), reads, sample[0]);
      else
        for (std::uint32_t i = 0, at = 0; i < reads; ++i, at = at + 1 == count ? 0 : at + 1) features[i] = sample[at];
    } else {
      const Combiner& combiner = *combiners_[l - 1];
      for (std::uint32_t i = 0; i < reads; ++i) {
        std::uint32_t sum = 0;
        for (const CombinerPart& part : combiner.parts(i)) sum += std::uint32_t{terms[part.term]} << part.shift;
        features[i] = sum;
      }
    }
    if (layer.add == HashtronAdd::kSample)
      for (std::uint32_t i = 0; i < reads; ++i) features[i] += sample[(i + sample_offset_[l]) % count];
    if (layer.add == HashtronAdd::kLayer)
      for (std::uint32_t i = 0; i < reads; ++i) features[i] += scratch.before_[i];
    if (feature_of(l, 1) == 0) std::fill_n(features.begin(), layer.neurons, features[0]);

    auto& bits = scratch.bits_;
    if (bits.size() < layer.neurons + kPadding) bits.resize(layer.neurons + kPadding);
    if (table_words_[l] != 0) {
      kernels::layer_bits(features.data(), layer.neurons, layer.premodulo, tables_[l].data(), table_words_[l], bits.data());
    } else {
      for (std::uint32_t i = 0; i < layer.neurons; ++i) {
        const std::uint32_t key = layer.premodulo == 0 ? features[i] : hashtron_hash(features[i], i, layer.premodulo);
        bits[i] = neurons_[first_[l] + i].bit(key) ? 1 : 0;
      }
    }
    if (!combiners_[l]) {
      for (std::uint32_t j = 0; j < layer.neurons; ++j) output |= std::uint32_t{bits[j]} << j;
      break;
    }
    terms = combiners_[l]->terms_of(bits, scratch.terms_);
    if (is_last(l))
      for (std::uint32_t j = 0; j < layer.neurons; ++j) {
        std::uint32_t sum = 0;
        for (const CombinerPart& part : combiners_[l]->parts(j)) sum += std::uint32_t{terms[part.term]} << part.shift;
        output |= (sum & 1) << j;
      }
  }
  return static_cast<std::uint16_t>(output);
}

std::string HashtronNetwork::text() const { return to_hashtron_text(neurons_); }

std::uint64_t HashtronNetwork::architecture_digest() const {
  std::uint64_t digest = mix_hash(layers(), size());
  for (std::uint32_t l = 0; l < layers(); ++l) {
    digest = mix_hash(digest, std::uint64_t{layers_[l].neurons} << 32 | layers_[l].premodulo);
    digest = mix_hash(digest, static_cast<std::uint64_t>(layers_[l].add));
    if (!combiners_[l]) continue;
    // What it does, not how it is called: terms, inputs and parts.
    const Combiner& combiner = *combiners_[l];
    for (const CombinerTerm& term : combiner.terms()) {
      digest = mix_hash(digest, static_cast<std::uint64_t>(term.kind) << 32 | static_cast<std::uint32_t>(term.bias));
      for (const std::uint32_t input : combiner.inputs_of(term)) digest = mix_hash(digest, input);
    }
    for (std::uint32_t m = 0; m < combiner.features(); ++m) {
      digest = mix_hash(digest, combiner.parts(m).size());
      for (const CombinerPart& part : combiner.parts(m)) digest = mix_hash(digest, std::uint64_t{part.term} << 32 | part.shift);
    }
  }
  return digest;
}

}  // namespace weir
