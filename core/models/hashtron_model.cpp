#include "core/models/hashtron_model.hpp"

#include <string>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/models/hashtron_text.hpp"
#include "core/models/kinds.hpp"

namespace weir {
namespace {

class Neurons final : public OpaqueBlocks {
 public:
  explicit Neurons(HashtronNetwork network) : network_(std::move(network)) {}

  std::uint32_t count() const override { return network_.size(); }
  std::string name(std::uint32_t block) const override { return "neuron." + std::to_string(block); }
  void append(std::uint32_t block, ByteBuffer& out) const override {
    out.append(to_hashtron_text(std::span(&network_.neuron(block), 1)));
  }
  std::uint64_t digest() const override { return network_.architecture_digest(); }
  Result<void> set(std::uint32_t block, std::string_view bytes) override {
    TRY_ASSIGN(std::vector<Hashtron> neurons, parse_hashtron_text(bytes));
    if (neurons.size() != 1)
      return Error{ErrorCode::kInvalidInput, name(block) + ": found " + std::to_string(neurons.size()) + " neurons, expected one"};
    network_.replace(block, std::move(neurons[0]));  // The text has neither several bits nor negation.
    return {};
  }
  std::unique_ptr<OpaqueBlocks> clone() const override { return std::make_unique<Neurons>(network_); }

  const HashtronNetwork& network() const { return network_; }
  void replace(std::uint32_t n, const Hashtron& neuron) { network_.replace(n, neuron); }
  bool answer(const Sample& sample) const { return (network_.predict(sample.indices, scratch_) & 1) != 0; }

 private:
  HashtronNetwork network_;
  mutable HashtronNetwork::Scratch scratch_;  // Parameters have one owner, which is one thread.
};

class HashtronModel final : public Model {
 public:
  HashtronModel(const ModelShape& shape, HashtronNetwork empty) : shape_(shape), empty_(std::move(empty)) {}

  std::string_view kind() const override { return "hashtron"; }
  const ModelShape& shape() const override { return shape_; }
  TaskKind task() const override { return TaskKind::kClassification; }
  LearnsBy learns_by() const override { return LearnsBy::kJobs; }
  Parameters initial(Rng& rng) const override {
    Parameters out;
    out.add_block("answers", {2, 2});
    HashtronNetwork network = empty_;
    for (std::uint32_t n = 0; n < network.size(); ++n)  // A one-bit hash by chance each.
      network.replace(n, {.program = {{static_cast<std::uint32_t>(rng.next_u64() >> 33), 2}}, .filter = {}});
    out.set_opaque(std::make_unique<Neurons>(std::move(network)));
    return out;
  }
  double forward(const Parameters& parameters, const Sample& sample) const override {
    CHECK(sample.indices.size() == shape_.hashed);
    const std::uint32_t row = answer_of(parameters, sample) ? 2 : 0;
    return math::log((double(parameters[row + 1]) + 1.0) / (double(parameters[row]) + 1.0));
  }
  void backward(const Parameters&, const Sample&, double, Gradient&) const override { CHECK(false); }

 private:
  ModelShape shape_;
  HashtronNetwork empty_;
};

const Neurons& neurons_of(const Parameters& parameters) {
  return static_cast<const Neurons&>(*parameters.opaque());
}

}  // namespace

std::vector<HashtronLayer> default_hashtron_layers() {
  return {{.neurons = 25, .premodulo = 1024, .combiner = MajorityPool{.width = 25, .window_width = 5}},
          {.neurons = 5, .premodulo = 32, .combiner = MajorityPool{.width = 5, .window_width = 5}},
          {.neurons = 1}};
}

const HashtronNetwork& network_of(const Parameters& parameters) { return neurons_of(parameters).network(); }

bool answer_of(const Parameters& parameters, const Sample& sample) { return neurons_of(parameters).answer(sample); }

void replace_neuron(Parameters& parameters, std::uint32_t n, const Hashtron& neuron) {
  if (network_of(parameters).neuron(n) == neuron) return;
  static_cast<Neurons&>(*parameters.opaque()).replace(n, neuron);
  parameters.mark_opaque(n);
}

void count_answer(Parameters& parameters, bool answer, double label) {
  const std::uint32_t row = answer ? 2 : 0, at = row + (label > 0.5 ? 1 : 0);
  constexpr float kKept = 1.0f - 1.0f / kAnswerMemory;
  for (std::uint32_t i = row; i < row + 2; ++i) parameters.set(i, parameters[i] * kKept + (i == at ? 1.0f : 0.0f));
}

Result<std::unique_ptr<Model>> make_hashtron(const ModelSettings& settings) {
  TRY_ASSIGN(HashtronNetwork network, HashtronNetwork::make(settings.layers.empty() ? default_hashtron_layers() : settings.layers));
  if (network.cells() != 1)
    return Error{ErrorCode::kConfig, "model 'hashtron': found " + std::to_string(network.cells()) +
                                         " neurons in the last layer, expected 1: labels are 0 and 1"};
  return std::unique_ptr<Model>(std::make_unique<HashtronModel>(settings.shape, std::move(network)));
}

}  // namespace weir
