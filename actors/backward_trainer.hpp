#pragma once
// Trains the challenger, a network of hashtrons, from the replay buffer's samples: counted jobs, from the output back to the input.
// [core/learning/backward_pipeline]
//
// Each job sees the buffer as it is then. What a job changes is saved with the positions: its neuron, its record in the ring of sums,
// and the counters. Examples that are held out never reach the buffer; from them comes how often each answer is right, which is the
// challenger's score (core/models/hashtron_model.hpp). What goes wrong goes to `alerts` (core/learning/hashtron_alerts.hpp).

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/model_topic.hpp"
#include "actors/served_model.hpp"
#include "actors/stage.hpp"
#include "actors/sum_cache.hpp"
#include "core/learning/backward_pipeline.hpp"
#include "core/learning/hashtron_alerts.hpp"
#include "core/learning/replay_buffer.hpp"
#include "core/records/codec.hpp"

namespace weir {

struct BackwardTrainerSettings {
  BackwardSettings backward;
  std::uint32_t every = 16;        // Examples between two turns,
  std::uint32_t jobs = 1;          // and the jobs of one.
  std::uint32_t samples_min = 64;  // No job before the buffer holds so many.
  std::uint32_t hold_out = 5;      // core/learning/hold_out.hpp
  std::uint64_t candidate_every = 0;  // A candidate on `candidates` after so many updates; 0: none, promotion is in this chain.
  HashtronAlertSettings alerts;
  PartitionId partition;
  ValueFormats formats;
};

// kExamples, in a chain behind the replay buffer. kCapacity: what it hears of a neuron holds for its next jobs.
class BackwardTrainer final : public Stage {
 public:
  // `challenger`: a hashtron model, which this stage saves. REQUIRES: settings that BackwardSettings::check() accepts.
  BackwardTrainer(std::shared_ptr<ServedModel> challenger, const BackwardTrainerSettings& settings,
                  std::shared_ptr<const ReplayBuffer> replay);

  std::string_view name() const override { return "backward_trainer"; }
  void process(InputId input, RecordView& record, Output& out) override;
  std::uint64_t idle(std::uint64_t steps, Output& out) override;  // Jobs.
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  // What has been done since the first example.
  struct Counts {
    std::uint64_t examples = 0, held_out = 0, held_out_right = 0;
    std::uint64_t jobs = 0, accepted = 0;
    bool operator==(const Counts&) const = default;
  };
  const Counts& counts() const { return counts_; }

  // For who watches; nothing depends on it.
  struct Watched {
    std::array<std::uint64_t, kJobResults.size()> results{};  // By JobResult, since this object was made;
    std::optional<SumRecord> last;                            // and the last job since then,
    std::uint32_t layer = 0;                                  // with its neuron's layer.
  };
  const Watched& watched() const { return watched_; }
  const HashtronAlerts& alerts() const { return alerts_; }
  const SumCache& sums() const { return pipeline_ != nullptr ? pipeline_->sums() : sums_; }

 private:
  void take(const Example& example);
  bool run_job(Output& out);  // False: there is nothing to do, or it failed.
  Result<bool> meet_samples();
  void publish_sum(const SumRecord& record, Output& out);
  void watch(const SumRecord& record, std::uint32_t sweep_before, Output& out);

  std::shared_ptr<ServedModel> challenger_;
  BackwardTrainerSettings settings_;
  std::shared_ptr<const ReplayBuffer> replay_;
  std::unique_ptr<BackwardPipeline> pipeline_;  // Made with the first job.
  ModelWriter writer_;
  ServedModelState challenger_state_;
  SumCacheState sums_state_;
  SumCache sums_;                          // As loaded, until the pipeline is made.
  std::string progress_;                   // Of the pipeline after its last job; empty: there was none.
  std::uint64_t learnt_from_ = 0;          // How many examples the buffer had seen then.
  std::uint32_t rescues_ = 0;
  HashtronAlerts alerts_;
  bool alerts_dirty_ = false;
  bool accepted_in_sweep_ = false;
  std::vector<std::uint32_t> prescribed_;  // By neuron; 0: nothing heard.
  std::vector<std::uint32_t> heard_;       // Unsaved.
  Counts counts_;
  Watched watched_;
  double loss_ = 0.0;                      // Of the held-out examples since the last candidate, and their number.
  std::uint64_t loss_count_ = 0;
  std::uint64_t candidate_ = 0;            // The last one's version.
  EventTime time_;                         // Of the newest outcome.
  Source source_;                          // Of the record at hand; empty in an idle turn.
  bool dirty_ = false;
  ByteBuffer value_;
  ExampleScratch scratch_, replay_scratch_;
  Example example_, replayed_;
};

}  // namespace weir
