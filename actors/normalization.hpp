#pragma once
// Turns an event and its features into a sample: numbers and aggregates scaled by the moments of that moment, categories,
// bins and crosses as positions of the sparse block. Never a NaN or an infinity. [core/features/scaler, sparse_encoder]
//
// Dense: the schema's scaled numbers in its order, then the aggregates in theirs. For a model of hashed features the sample is these
// instead, and nothing is dense or sparse (core/features/hashed_features).

#include <memory>
#include <vector>

#include "actors/stage.hpp"
#include "core/features/hashed_features.hpp"
#include "core/features/scaler.hpp"
#include "core/features/sparse_encoder.hpp"
#include "core/models/model.hpp"

namespace weir {

class Normalization : public Stage {
 public:
  static Result<std::unique_ptr<Normalization>> make(const FeatureSpec& spec, const EventSchema& schema, bool hashed = false);

  std::string_view name() const override { return "normalization"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  // Of the samples, for the model.
  ModelShape shape() const;
  const Scaler& scaler() const { return scaler_; }
  const SparseEncoder& encoder() const { return encoder_; }

 private:
  Normalization(Scaler scaler, SparseEncoder encoder) : scaler_(std::move(scaler)), encoder_(std::move(encoder)) {}

  Scaler scaler_;
  SparseEncoder encoder_;
  std::vector<std::uint32_t> numbers_;   // Fields that are scaled.
  std::vector<std::uint32_t> logits_;    // Dense inputs that are turned into logits first.
  std::size_t aggregate_count_ = 0;
  std::size_t cross_count_ = 0;
  bool hashed_ = false;
  HashedFeatures hashes_;
  bool changed_ = false;
  // The sample at hand.
  std::vector<float> dense_;
  std::vector<std::uint32_t> indices_;
  std::vector<float> sparse_;
  Sample sample_;
};

}  // namespace weir
