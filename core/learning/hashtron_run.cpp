#include "core/learning/hashtron_run.hpp"

#include <utility>

#include "core/base/snapshot_frame.hpp"

namespace weir {
namespace {

constexpr SnapshotFrame kFrame = {"weirhrun", 1, "training snapshot"};

}  // namespace

Result<void> HashtronRunSettings::check() const {
  TRY(backward.check());
  TRY(forward.check());
  if (alerts.sweeps == 0) return Error{ErrorCode::kConfig, "hashtron alerts: sweeps: found 0, expected at least 1"};
  return {};
}

HashtronRun::HashtronRun(const HashtronRunSettings& settings, std::unique_ptr<BackwardPipeline> backward,
                         std::unique_ptr<ForwardPipeline> forward)
    : settings_(settings),
      backward_(std::move(backward)),
      forward_(std::move(forward)),
      alerts_(network().size(), settings.alerts) {}

Result<std::unique_ptr<HashtronRun>> HashtronRun::make(const std::vector<HashtronLayer>& layers,
                                                       const HashtronRunSettings& settings, SplitSamples samples) {
  TRY(settings.check());
  std::unique_ptr<BackwardPipeline> backward;
  std::unique_ptr<ForwardPipeline> forward;
  if (settings.direction == TrainingDirection::kBackward) {
    TRY_ASSIGN(backward,
               BackwardPipeline::make(layers, settings.backward, std::move(samples.train), std::move(samples.held_out)));
  } else {
    TRY_ASSIGN(forward, ForwardPipeline::make(layers, settings.forward, std::move(samples.train), std::move(samples.held_out)));
  }
  return std::unique_ptr<HashtronRun>(new HashtronRun(settings, std::move(backward), std::move(forward)));
}

Result<std::unique_ptr<HashtronRun>> HashtronRun::migrate(HashtronNetwork network, const HashtronRunSettings& settings,
                                                          SplitSamples samples) {
  TRY(settings.check());
  std::unique_ptr<BackwardPipeline> backward;
  std::unique_ptr<ForwardPipeline> forward;
  if (settings.direction == TrainingDirection::kBackward) {
    TRY_ASSIGN(backward, BackwardPipeline::migrate(std::move(network), settings.backward, std::move(samples.train),
                                                   std::move(samples.held_out)));
  } else {
    TRY_ASSIGN(forward, ForwardPipeline::from(std::move(network), settings.forward, std::move(samples.train),
                                              std::move(samples.held_out)));
  }
  return std::unique_ptr<HashtronRun>(new HashtronRun(settings, std::move(backward), std::move(forward)));
}

Result<std::unique_ptr<HashtronRun>> HashtronRun::resume(const std::vector<HashtronLayer>& layers,
                                                         const HashtronRunSettings& settings, SplitSamples samples,
                                                         std::string_view snapshot) {
  TRY(settings.check());
  const auto corrupt = [&](const std::string& what) { return kFrame.corrupt(snapshot, what); };
  TRY_ASSIGN(ByteReader in, kFrame.open(snapshot));
  const auto direction = in.fixed<std::uint8_t>();
  const auto accepted = in.fixed<std::uint32_t>();
  const auto accepted_in_sweep = in.fixed<std::uint8_t>();
  const std::string_view state = in.varint_bytes();
  if (!in.ok() || direction > 1 || accepted_in_sweep > 1) return corrupt("its head is none");
  if (direction != static_cast<std::uint8_t>(settings.direction))
    return Error{ErrorCode::kConfig, std::string("training snapshot: it is of a run that goes ") +
                                         (direction == 0 ? "backward" : "forward") +
                                         ", expected the direction of the settings"};
  std::unique_ptr<BackwardPipeline> backward;
  std::unique_ptr<ForwardPipeline> forward;
  if (settings.direction == TrainingDirection::kBackward) {
    TRY_ASSIGN(backward, BackwardPipeline::resume(layers, settings.backward, std::move(samples.train),
                                                  std::move(samples.held_out), state));
  } else {
    TRY_ASSIGN(forward,
               ForwardPipeline::resume(layers, settings.forward, std::move(samples.train), std::move(samples.held_out), state));
  }
  auto out = std::unique_ptr<HashtronRun>(new HashtronRun(settings, std::move(backward), std::move(forward)));
  out->accepted_ = accepted;
  out->accepted_in_sweep_ = accepted_in_sweep != 0;
  if (!out->alerts_.load(in)) return corrupt("its alerts are not those of such a network");
  if (!in.finished()) return corrupt("it ends before its end, or goes on behind it");
  return out;
}

std::string HashtronRun::snapshot() const {
  ByteBuffer out = kFrame.begin();
  out.append_fixed(static_cast<std::uint8_t>(settings_.direction));
  out.append_fixed(accepted_);
  out.append_fixed(static_cast<std::uint8_t>(accepted_in_sweep_ ? 1 : 0));
  out.append_varint_bytes(backward_ ? backward_->snapshot() : forward_->snapshot());
  alerts_.save(out);
  return SnapshotFrame::end(std::move(out));
}

void HashtronRun::end_sweep(std::uint32_t sweep) {
  const std::vector<std::int64_t> sums = trainer().sums();
  alerts_.sweep_done({.job = jobs(),
                      .sweep = sweep,
                      .train = on_train(),
                      .held_out = on_held_out(),
                      .sums = sums,
                      .constant = trainer().final_constant(),
                      .accepted = accepted_in_sweep_});
  accepted_in_sweep_ = false;
}

Result<bool> HashtronRun::step() {
  const std::uint32_t before = sweep();
  const auto count = [&](const SumRecord& job) {
    last_ = &job;
    accepted_ += job.accepted;
    accepted_in_sweep_ |= job.accepted != 0;
    alerts_.job_done(sums(), job);
  };
  if (backward_) {
    TRY_ASSIGN(const SumRecord* job, backward_->step());
    if (job == nullptr) return false;
    count(*job);
  } else {
    TRY_ASSIGN(const bool done, forward_->step());
    if (!done) return false;
    for (const std::uint32_t neuron : forward_->last_neurons()) count(*sums().latest(neuron));
  }
  // Backward, phase 0 ends with sweep 0, which was none.
  const bool ended = finished() || sweep() != before;
  if (ended && !(backward_ && before == 0)) end_sweep(before);
  return true;
}

bool HashtronRun::finished() const { return backward_ ? backward_->finished() : forward_->finished(); }

std::string_view HashtronRun::phase() const {
  if (backward_) {
    switch (backward_->phase()) {
      case BackwardPipeline::Phase::kPhase0: return "phase 0";
      case BackwardPipeline::Phase::kSweep: return "sweep";
      case BackwardPipeline::Phase::kConverged: return "converged";
      case BackwardPipeline::Phase::kSweepsDone: return "sweeps done";
    }
  } else {
    switch (forward_->phase()) {
      case ForwardPipeline::Phase::kTraining: return "path";
      case ForwardPipeline::Phase::kPairs: return "pairs";
      case ForwardPipeline::Phase::kAllRight: return "all right";
      case ForwardPipeline::Phase::kNothingLeft: return "nothing left";
      case ForwardPipeline::Phase::kJobsDone: return "jobs done";
    }
  }
  return "";
}

Result<void> HashtronRun::turn_forward() {
  if (forward_) return {};
  const HashtronTrainer& t = backward_->trainer();
  TRY_ASSIGN(auto forward, ForwardPipeline::from(t.network(), settings_.forward, t.train(), t.held_out(), &backward_->sums(),
                                                 backward_->jobs()));
  forward_ = std::move(forward);
  backward_.reset();
  settings_.direction = TrainingDirection::kForward;
  last_ = nullptr;
  return {};
}

void HashtronRun::ignore_sums() {
  settings_.backward.sum_cache = false;
  if (backward_) backward_->use_sums(false);
}

void HashtronRun::set_sweeps_max(std::uint32_t sweeps_max) {
  settings_.backward.sweeps_max = sweeps_max;
  if (backward_) backward_->set_sweeps_max(sweeps_max);
}

HashtronNetwork HashtronRun::model() const {
  HashtronNetwork out = network();
  if (forward_)
    for (std::uint32_t n = 0; n < out.size(); ++n) out.replace(n, forward_->best()[n]);
  return out;
}

const HashtronTrainer& HashtronRun::trainer() const { return backward_ ? backward_->trainer() : forward_->trainer(); }
const SumCache& HashtronRun::sums() const { return backward_ ? backward_->sums() : forward_->sums(); }
std::uint32_t HashtronRun::jobs() const { return backward_ ? backward_->jobs() : forward_->jobs(); }
std::uint32_t HashtronRun::sweep() const { return backward_ ? backward_->sweep() : forward_->paths(); }
std::uint32_t HashtronRun::rescues() const { return backward_ ? backward_->rescues() : forward_->redraws(); }

}  // namespace weir
