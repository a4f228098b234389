#pragma once
// A model kind: forward and backward over one flat parameter buffer, and the catalogue of kinds.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/rng.hpp"
#include "core/models/hashtron_network.hpp"
#include "core/models/parameters.hpp"
#include "core/records/event.hpp"

namespace weir {

struct ModelShape {
  std::uint32_t dense = 0;    // Length of Sample::dense.
  std::uint32_t sparse = 0;   // Size of the sparse block; indices are below it.
  std::uint32_t hashed = 0;   // A model of hashed features: as many of them are Sample::indices, any 32-bit numbers, and nothing else.
  bool operator==(const ModelShape&) const = default;
};

// d loss / d parameters of one sample or a batch, as (index into the flat buffer, value) pairs; an index may repeat only
// before finish(). Reused; no allocation once warm.
class Gradient {
 public:
  void clear() {
    indices_.clear();
    values_.clear();
  }
  void add(std::uint32_t index, float value) {
    indices_.push_back(index);
    values_.push_back(value);
  }
  std::span<const std::uint32_t> indices() const { return indices_; }
  std::span<const float> values() const { return values_; }
  std::span<float> values() { return values_; }
  bool finite() const;
  double norm() const;         // Euclidean, in f64, summed in a fixed order.
  void scale(double by);
  // Sums repeated indices, each where it came first; then they are distinct.
  void finish();

 private:
  std::vector<std::uint32_t> indices_;
  std::vector<float> values_;
  std::vector<std::uint64_t> order_;  // Scratch of finish().
  std::vector<char> gone_;
};

// Euclidean norm in f64 over 8 fixed lanes.
double lane_norm(std::span<const float> values);

struct LinearLayout;

// How a kind learns: what trains it follows from that.
enum class LearnsBy : std::uint8_t {
  kGradient,  // backward(), by an optimiser.
  kJobs,      // One neuron after the other, from many samples at once (core/learning/backward_pipeline). No backward().
};

// Immutable but for its parameters: forward() and backward() are const and use caller-owned parameters, so that a champion
// and its challengers share one Model.
class Model {
 public:
  virtual ~Model() = default;
  virtual std::string_view kind() const = 0;
  virtual const ModelShape& shape() const = 0;
  virtual Parameters initial(Rng& rng) const = 0;             // Named blocks, set as the kind prescribes.
  // The score: a logit for classification, the value for regression. Finite for finite parameters and samples.
  virtual double forward(const Parameters& parameters, const Sample& sample) const = 0;
  virtual LearnsBy learns_by() const { return LearnsBy::kGradient; }
  // Adds d loss / d parameters given d loss / d score. REQUIRES: the same parameters and sample as the forward() it is for;
  // learns_by() == kGradient.
  virtual void backward(const Parameters& parameters, const Sample& sample, double dscore, Gradient& out) const = 0;
  virtual TaskKind task() const = 0;
  // Set if the score is linear in the sample (linear_model.hpp): such a model learns by the fused step.
  virtual const LinearLayout* linear() const { return nullptr; }
};

// Settings of a kind from the config; unknown keys are for the config layer to refuse.
struct ModelSettings {
  std::string kind;  // "logistic", "linear", "hashtron"
  ModelShape shape;
  std::vector<HashtronLayer> layers = {};  // hashtron. Empty: default_hashtron_layers().
};

// kConfig for an unknown kind (names the known ones), and for layers that do not fit together.
Result<std::unique_ptr<Model>> make_model(const ModelSettings& settings);
std::vector<std::string_view> model_kinds();
// By name; false for an unknown one.
bool learns_by_jobs(std::string_view kind);

}  // namespace weir
