#pragma once
// A network of hashtrons: layers of neurons with combiners between them.
//
// Neuron i of layer l reads f = feature i of the sample (l = 0) or of the combiner before it, plus, by the layer's add mode,
// the sample's feature i + sample_offset(l), or what neuron i of the layer before would read; then f = hash(f, i, premodulo)
// unless the premodulo is 0. All modulo 2^32. The neuron's bit is input i of the combiner behind its layer. Without a combiner
// behind it the last layer's neurons are the cells: all of them read feature 0, and bit j of the output is cell j; with one,
// bit j of the output is the lowest bit of its feature j.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/models/combiners.hpp"
#include "core/models/hashtron.hpp"

namespace weir {

inline constexpr std::uint32_t kHashtronCellsMax = 16;
inline constexpr std::uint32_t kHashtronNeuronsMax = 1U << 20;

enum class HashtronAdd : std::uint8_t {
  kNone,
  kSample,  // "Pre-add"
  kLayer,   // "Inter-add": a residual connection of whole numbers.
};

struct HashtronLayer {
  std::uint32_t neurons = 0;
  std::uint32_t premodulo = 0;
  HashtronAdd add = HashtronAdd::kNone;
  std::optional<CombinerSpec> combiner = {};  // Behind the layer. Only the last layer may do without.
  bool operator==(const HashtronLayer&) const = default;
};

class HashtronNetwork {
 public:
  // kConfig: the layers do not fit together. kInvalidInput: the neurons are not as many as the layers have, have more than one
  // bit, or are negated (the text format has no place for that). No neurons: all are empty.
  static Result<HashtronNetwork> make(std::vector<HashtronLayer> layers, std::vector<Hashtron> neurons = {});

  std::uint32_t layers() const { return static_cast<std::uint32_t>(layers_.size()); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(neurons_.size()); }  // Neurons, all layers'.
  std::uint32_t cells() const { return layers_.back().neurons; }
  const HashtronLayer& layer(std::uint32_t l) const { return layers_[l]; }
  const Combiner* combiner(std::uint32_t l) const { return combiners_[l] ? &*combiners_[l] : nullptr; }
  std::uint32_t first(std::uint32_t l) const { return first_[l]; }  // Neurons are numbered through, layer by layer.
  std::uint32_t layer_of(std::uint32_t neuron) const;
  std::uint32_t position_of(std::uint32_t neuron) const { return neuron - first_[layer_of(neuron)]; }
  bool is_last(std::uint32_t l) const { return l + 1 == layers(); }
  // Which feature neuron i of layer l reads, and up to which one they are asked for.
  std::uint32_t feature_of(std::uint32_t l, std::uint32_t i) const { return is_last(l) && !combiners_[l] ? 0 : i; }
  std::uint32_t features_read(std::uint32_t l) const { return features_read_[l]; }
  std::uint32_t sample_offset(std::uint32_t l) const { return sample_offset_[l]; }

  std::span<const Hashtron> neurons() const { return neurons_; }
  const Hashtron& neuron(std::uint32_t n) const { return neurons_[n]; }
  // REQUIRES: one bit, not negated.
  void replace(std::uint32_t n, Hashtron neuron);

  // The output for one sample, before its parity is undone. Feature n is features[n % features.size()]. REQUIRES: not empty.
  class Scratch;
  std::uint16_t predict(std::span<const std::uint32_t> features, Scratch& scratch) const;

  std::string text() const;  // core/models/hashtron_text.hpp
  // A digest of the architecture: two networks whose weights can be exchanged have the same.
  std::uint64_t architecture_digest() const;

  // A layer whose premodulo is at most this keeps each neuron as a table of its answers: bit k of table(l, i) is what
  // neuron i of layer l answers to key k. Null for the others.
  static constexpr std::uint32_t kTableBitsMax = 4096;
  const std::uint32_t* table(std::uint32_t l, std::uint32_t i) const {
    return table_words_[l] == 0 ? nullptr : tables_[l].data() + std::size_t{table_words_[l]} * i;
  }
  std::uint32_t table_words(std::uint32_t l) const { return table_words_[l]; }  // 0: no tables.

 private:
  HashtronNetwork() = default;
  void make_table(std::uint32_t n);

  std::vector<HashtronLayer> layers_;
  std::vector<std::optional<Combiner>> combiners_;
  std::vector<std::uint32_t> first_, features_read_, sample_offset_, table_words_;
  std::vector<std::vector<std::uint32_t>> tables_;  // A layer's, neuron by neuron.
  std::vector<Hashtron> neurons_;
};

// Room that predict() reuses; no allocation once warm. One a thread.
class HashtronNetwork::Scratch {
 private:
  friend class HashtronNetwork;
  std::vector<std::uint32_t> features_, before_;
  std::vector<std::uint8_t> bits_, terms_;
};

// A neuron's answers to many keys at once, what its layer's tables leave out: words * 64 keys, a bit each. `room`: as many.
void hashtron_bits(const Hashtron& neuron, const std::uint32_t* keys, std::size_t words, std::uint32_t* room,
                   std::uint64_t* out);

}  // namespace weir
