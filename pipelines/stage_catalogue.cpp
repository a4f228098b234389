#include "pipelines/stage_catalogue.hpp"

#include <algorithm>

#include "actors/backward_trainer.hpp"
#include "actors/capacity_control.hpp"
#include "actors/features.hpp"
#include "actors/gate.hpp"
#include "actors/gradient_trainer.hpp"
#include "actors/ingestion.hpp"
#include "actors/normalization.hpp"
#include "actors/outcome_join.hpp"
#include "actors/predictor.hpp"
#include "actors/promotion.hpp"
#include "actors/replay_buffer.hpp"
#include "actors/sum_cache.hpp"
#include "core/models/hashtron_model.hpp"

namespace weir {
namespace {

OptimizerSettings optimizer_settings(const TrainerConfig& config) {
  OptimizerSettings out;
  switch (config.optimizer) {
    case OptimizerKind::kSgd: out.kind = OptimizerSettings::Kind::kSgd; break;
    case OptimizerKind::kAdam: out.kind = OptimizerSettings::Kind::kAdam; break;
    case OptimizerKind::kAdamW: out.kind = OptimizerSettings::Kind::kAdamW; break;
    case OptimizerKind::kAdaGrad: out.kind = OptimizerSettings::Kind::kAdaGrad; break;
    case OptimizerKind::kFtrl: out.kind = OptimizerSettings::Kind::kFtrl; break;
  }
  out.learning_rate = config.learning_rate;
  out.momentum = config.momentum;
  out.nesterov = config.nesterov;
  out.beta1 = config.beta1;
  out.beta2 = config.beta2;
  out.epsilon = config.epsilon;
  out.l1 = config.l1;
  out.l2 = config.l2;
  out.ftrl_beta = config.ftrl_beta;
  out.initial_sum = config.initial_sum;
  out.clip = config.clip == 0.0              ? OptimizerSettings::Clip::kOff
             : config.clip_by == ClipBy::kValue ? OptimizerSettings::Clip::kValue
                                                : OptimizerSettings::Clip::kNorm;
  for (const TrainerGroupConfig& group : config.groups) out.groups.push_back({group.block, group.rate_factor, group.l2});
  out.clip_at = config.clip;
  switch (config.schedule.kind) {
    case ScheduleKind::kConstant: out.schedule.kind = ScheduleSettings::Kind::kConstant; break;
    case ScheduleKind::kStep: out.schedule.kind = ScheduleSettings::Kind::kStep; break;
    case ScheduleKind::kExponential: out.schedule.kind = ScheduleSettings::Kind::kExponential; break;
    case ScheduleKind::kCosine: out.schedule.kind = ScheduleSettings::Kind::kCosine; break;
  }
  out.schedule.factor = config.schedule.factor;
  out.schedule.steps = config.schedule.steps;
  out.schedule.warm_up = config.schedule.warm_up;
  return out;
}

TrainerSettings trainer_settings(const PipelineConfig& config, PartitionId partition) {
  TrainerSettings out;
  out.optimizer = optimizer_settings(config.trainer);
  out.local_steps = config.trainer.local_steps;
  out.replay_every = config.trainer.replay.every;
  out.replay_batch = config.trainer.replay.batch;
  out.coupled = config.learning == Learning::kCoupled;
  out.crc_every = config.crc_every;
  out.snapshot_every = config.snapshot_every;
  out.partition = partition;
  return out;
}

// Chance of one partition: its streams are the same whatever other partitions there are.
Rng partition_rng(const PipelineConfig& config, PartitionId partition) {
  return Rng(config.seed).derive("partition " + std::to_string(partition.value));
}

BackwardSettings backward_settings(const PipelineConfig& config, PartitionId partition) {
  BackwardSettings out = config.trainer.hashtron.backward;
  out.sweeps_max = 0;  // A stream has no end.
  out.seed = partition_rng(config, partition).derive("jobs").next_u64();
  return out;
}

BackwardTrainerSettings backward_trainer_settings(const PipelineConfig& config, PartitionId partition) {
  BackwardTrainerSettings out;
  out.backward = backward_settings(config, partition);
  out.every = config.trainer.hashtron.every;
  out.jobs = config.trainer.hashtron.jobs;
  out.samples_min = config.trainer.hashtron.samples_min;
  out.hold_out = config.trainer.hashtron.hold_out;
  if (config.learning == Learning::kFree) out.candidate_every = config.promotion.every;
  out.alerts = config.trainer.hashtron.alerts;
  out.formats = config.formats;
  out.partition = partition;
  return out;
}

PromotionSettings promotion_settings(const PipelineConfig& config, PartitionId partition) {
  PromotionSettings out;
  out.every = config.promotion.every;
  if (config.learns_by_jobs()) out.hold_out = config.trainer.hashtron.hold_out;
  out.partition = partition;
  out.formats = config.formats;
  return out;
}

GateSettings gate_settings(const PipelineConfig& config, TaskKind task, PartitionId partition) {
  GateSettings out;
  out.kind = config.gate.kind == GateKind::kOff ? GateSettings::Kind::kOff : GateSettings::Kind::kConformal;
  switch (config.gate.policy) {
    case GatePolicy::kFlag: out.policy = GateSettings::Policy::kFlag; break;
    case GatePolicy::kBaseRate: out.policy = GateSettings::Policy::kBaseRate; break;
    case GatePolicy::kDrop: out.policy = GateSettings::Policy::kDrop; break;
  }
  out.conformal.coverage = config.gate.coverage;
  out.conformal.window = config.gate.window;
  out.conformal.gamma = config.gate.gamma;
  out.conformal.warm_up = config.gate.warm_up;
  out.count = config.predictions.count;
  out.task = task;
  out.partition = config.model_of(partition);
  out.formats = config.formats;
  return out;
}

Result<std::shared_ptr<ServedModel>> fresh_model(const PipelineConfig& config, PartitionId partition) {
  TRY_ASSIGN(const auto normalization, Normalization::make(config.features, config.logs_schema, config.learns_by_jobs()));
  ModelSettings settings;
  settings.kind = config.model.kind;
  settings.layers = config.model.layers;
  settings.shape = normalization->shape();
  TRY_ASSIGN(std::unique_ptr<Model> model, make_model(settings));
  Rng rng = partition_rng(config, config.model_of(partition)).derive("model");
  auto served = std::make_shared<ServedModel>();
  served->parameters = model->initial(rng);
  if (config.model.initial_bias != 0.0)
    for (const Parameters::Block& block : served->parameters.blocks())
      if (block.name == "bias")
        for (std::uint32_t i = 0; i < block.size; ++i)
          served->parameters.set(block.begin + i, static_cast<float>(config.model.initial_bias));
  served->model = std::move(model);
  return served;
}

std::shared_ptr<ReplayBuffer> replay_buffer(const PipelineConfig& config, PartitionId partition) {
  const ReplayConfig& replay = config.trainer.replay;
  if (replay.capacity == 0 || (!config.learns_by_jobs() && replay.every == 0 && config.trainer.idle_steps == 0)) return nullptr;
  return std::make_shared<ReplayBuffer>(replay.capacity, partition_rng(config, partition).derive("replay_buffer"),
                                        replay.keep == ReplayKeep::kNewest ? ReplayBuffer::Keep::kNewest : ReplayBuffer::Keep::kUniform);
}

void add_replay(Chain& chain, const PipelineConfig& config, const std::shared_ptr<ReplayBuffer>& replay) {
  if (replay == nullptr) return;
  chain.stages.push_back(std::make_unique<ReplayBufferStage>(replay, config.learns_by_jobs() ? config.trainer.hashtron.hold_out : 0));
}

const BackwardTrainer* add_backward_trainer(Chain& chain, const PipelineConfig& config, PartitionId partition,
                                            const std::shared_ptr<ServedModel>& challenger) {
  const auto replay = replay_buffer(config, partition);
  add_replay(chain, config, replay);
  auto trainer = std::make_unique<BackwardTrainer>(challenger, backward_trainer_settings(config, partition), replay);
  const BackwardTrainer* added = trainer.get();
  chain.jobs = [added] { return added->counts().jobs; };
  chain.stages.push_back(std::move(trainer));
  return added;
}

void publish_sums(const SumCache& sums, TaskStatus& status) {
  status.has_sums.store(true, std::memory_order_relaxed);
  status.sums.store(sums.records(), std::memory_order_relaxed);
}

void publish_jobs(const BackwardTrainer& trainer, TaskStatus& status) {
  status.learns_by_jobs.store(true, std::memory_order_relaxed);
  TaskStatus::Jobs& jobs = status.jobs;
  jobs.held_out.store(trainer.counts().held_out, std::memory_order_relaxed);
  jobs.held_out_right.store(trainer.counts().held_out_right, std::memory_order_relaxed);
  for (const HashtronAlert alert : kHashtronAlerts)
    jobs.alerts[static_cast<std::size_t>(alert)].store(trainer.alerts().active(alert), std::memory_order_relaxed);
  const std::optional<SumRecord>& last = trainer.watched().last;
  publish_sums(trainer.sums(), status);
  jobs.any.store(last.has_value(), std::memory_order_relaxed);
  if (!last) return;
  jobs.sweep.store(last->sweep, std::memory_order_relaxed);
  jobs.layer.store(trainer.watched().layer, std::memory_order_relaxed);
  jobs.neuron.store(last->neuron, std::memory_order_relaxed);
  jobs.accuracy.store(double(last->accepted != 0 ? last->correct_after : last->correct_before) / double(last->n), std::memory_order_relaxed);
  jobs.gold.store(trainer.sums().gold(0, trainer.sums().neurons()).size(), std::memory_order_relaxed);
}

void count_jobs(const BackwardTrainer& trainer, TaskCounts& counts) {
  counts.jobs = trainer.watched().results;
  counts.held_out = trainer.counts().held_out;
  counts.held_out_right = trainer.counts().held_out_right;
  for (const HashtronAlert alert : kHashtronAlerts) counts.alerts[static_cast<std::size_t>(alert)] = trainer.alerts().begun(alert);
}

void count_judged(const Promotion& judge, TaskCounts& counts) {
  counts.promotions = judge.promotions();
  counts.rollbacks = judge.rollbacks();
}

const Promotion* add_judge(Chain& chain, std::unique_ptr<Promotion> judge) {
  const Promotion* added = judge.get();
  chain.stages.push_back(std::move(judge));
  return added;
}

const GradientTrainer* add_trainer(Chain& chain, std::unique_ptr<GradientTrainer> trainer) {
  const GradientTrainer* added = trainer.get();
  chain.stages.push_back(std::move(trainer));
  return added;
}

void publish_steps_undone(const GradientTrainer& trainer, TaskStatus& status) {
  const std::uint64_t undone = trainer.refused_steps();
  if (undone == status.steps_undone.load(std::memory_order_relaxed)) return;
  status.steps_undone.store(undone, std::memory_order_relaxed);
  status.warn("task '" + status.task + "': training steps that were not finite have been undone; `status` counts them (steps_undone). A smaller learning rate or a clip helps");
}

}  // namespace

Result<TaskKind> task_kind(const PipelineConfig& config) {
  TRY_ASSIGN(const auto model, make_model({config.model.kind, ModelShape(), config.model.layers}));
  return model->task();
}

Result<void> check_stages(const PipelineConfig& config) {
  TRY(check(optimizer_settings(config.trainer)));
  TRY(check(gate_settings(config, TaskKind::kClassification, PartitionId(0)).conformal));
  TRY_ASSIGN([[maybe_unused]] const auto features, Features::make(config.features, config.logs_schema, 1 << 20));
  TRY_ASSIGN(const auto served, fresh_model(config, PartitionId(0)));
  if (config.learns_by_jobs()) {
    TRY(backward_settings(config, PartitionId(0)).check());
    if (served->model->shape().hashed == 0)
      return Error{ErrorCode::kConfig, "schema.logs.fields: found none that gives a feature, expected one at least beside model.kind: hashtron"};
  }
  for (const TrainerGroupConfig& group : config.trainer.groups) {
    std::string blocks;
    bool known = false;
    for (const Parameters::Block& block : served->parameters.blocks()) {
      known = known || block.name == group.block;
      blocks += (blocks.empty() ? "" : ", ") + block.name;
    }
    if (!known) return Error{ErrorCode::kConfig, "trainer.groups: found block '" + group.block + "', expected one of " + blocks};
  }
  return {};
}

Result<Chain> make_inference_chain(const PipelineConfig& config, PartitionId partition) {
  Chain chain;
  TRY_ASSIGN(auto served, fresh_model(config, partition));
  // Half for the aggregates by key, half for the waiting rows; the pipeline's tasks share it.
  const std::size_t budget = static_cast<std::size_t>(config.memory_budget) / config.log.partitions / 2;
  TRY_ASSIGN(auto features, Features::make(config.features, config.logs_schema, budget));
  TRY_ASSIGN(auto normalization, Normalization::make(config.features, config.logs_schema, config.learns_by_jobs()));
  const TaskKind task = served->model->task();
  OutcomeJoinSettings join_settings;
  join_settings.wait = config.join.wait;
  join_settings.rows_max = config.join.rows_max;
  join_settings.budget_bytes = budget;
  join_settings.task = task;
  join_settings.formats = config.formats;
  auto join = std::make_unique<OutcomeJoin>(join_settings);
  OutcomeJoin* joined = join.get();

  auto ingestion = std::make_unique<Ingestion>(config.formats);
  const Ingestion* ingested = ingestion.get();
  auto gate = std::make_unique<Gate>(gate_settings(config, task, partition));
  const Gate* gated = gate.get();

  chain.stages.push_back(std::move(ingestion));
  chain.stages.push_back(std::move(features));
  chain.stages.push_back(std::move(normalization));
  chain.stages.push_back(std::make_unique<Predictor>(served));
  chain.stages.push_back(std::move(gate));
  chain.stages.push_back(std::move(join));
  const GradientTrainer* trainer = nullptr;
  const BackwardTrainer* job_trainer = nullptr;
  const Promotion* judge = nullptr;
  if (config.learning == Learning::kCoupled && config.learns_by_jobs()) {
    const auto challenger = std::make_shared<ServedModel>(*served);
    judge = add_judge(chain, std::make_unique<Promotion>(challenger, promotion_settings(config, partition), served));
    job_trainer = add_backward_trainer(chain, config, partition, challenger);
  } else if (config.learning == Learning::kCoupled) {
    const auto replay = replay_buffer(config, partition);
    add_replay(chain, config, replay);
    trainer = add_trainer(chain, std::make_unique<GradientTrainer>(served, trainer_settings(config, partition), replay));
  }
  chain.publish = [joined, gated, served, trainer, job_trainer, judge](TaskStatus& status) {
    if (trainer != nullptr) publish_steps_undone(*trainer, status);
    if (job_trainer != nullptr) publish_jobs(*job_trainer, status);
    status.judges.store(judge != nullptr, std::memory_order_relaxed);
    status.waiting_rows.store(joined->counts().rows_waiting, std::memory_order_relaxed);
    status.waiting_labels.store(joined->counts().outcomes_waiting, std::memory_order_relaxed);
    status.with_set.store(gated->counts().labelled, std::memory_order_relaxed);
    status.covered.store(gated->counts().covered, std::memory_order_relaxed);
    status.model_version.store(served->version.value, std::memory_order_relaxed);
    status.log_loss_sum.store(joined->counts().loss_sum, std::memory_order_relaxed);
    status.log_loss_count.store(joined->counts().labelled, std::memory_order_relaxed);
  };
  chain.count = [ingested, gated, joined, trainer, job_trainer, judge](TaskCounts& counts) {
    const IngestionCounts& in = ingested->counts();
    const OutcomeJoinCounts& join = joined->counts();
    counts.predicted = gated->published().predicted;
    counts.abstained = gated->published().abstained;
    counts.examples = join.labelled;
    counts.with_set = gated->counts().labelled;
    counts.covered = gated->counts().covered;
    counts.loss = join.loss_sum;
    counts.dead_letters = in.dead_letters;
    counts.unjoined = join.unjoined;  // Of these two reasons the join knows nothing.
    counts.unjoined[static_cast<std::size_t>(UnjoinedReason::kInvalid)] = in.invalid;
    counts.unjoined[static_cast<std::size_t>(UnjoinedReason::kNoId)] = in.no_id;
    if (trainer != nullptr) counts.steps_undone = trainer->refused_steps();
    if (job_trainer != nullptr) count_jobs(*job_trainer, counts);
    if (judge != nullptr) count_judged(*judge, counts);
  };
  chain.waiting_labels = [joined]() -> Result<std::vector<Offset>> {
    std::vector<Offset> out;
    TRY(joined->waiting_outcomes([&](const Source& source) { out.push_back(source.offset); }));
    std::ranges::sort(out);
    return out;
  };
  chain.version = [served] { return served->version; };
  return chain;
}

Result<Chain> make_learning_chain(const PipelineConfig& config, PartitionId partition) {
  Chain chain;
  TRY_ASSIGN(auto challenger, fresh_model(config, partition));
  chain.waiting_labels = [] { return std::vector<Offset>(); };
  chain.version = [challenger] { return challenger->version; };
  if (config.learns_by_jobs()) {
    const BackwardTrainer* trainer = add_backward_trainer(chain, config, partition, challenger);
    chain.publish = [trainer, challenger](TaskStatus& status) {
      publish_jobs(*trainer, status);
      status.model_version.store(challenger->version.value, std::memory_order_relaxed);
    };
    chain.count = [trainer](TaskCounts& counts) { count_jobs(*trainer, counts); };
    return chain;
  }
  const auto replay = replay_buffer(config, partition);
  const Promotion* judge = add_judge(chain, std::make_unique<Promotion>(challenger, promotion_settings(config, partition)));
  add_replay(chain, config, replay);
  const GradientTrainer* trainer = add_trainer(chain, std::make_unique<GradientTrainer>(challenger, trainer_settings(config, partition), replay));
  chain.publish = [trainer, challenger](TaskStatus& status) {
    publish_steps_undone(*trainer, status);
    status.judges.store(true, std::memory_order_relaxed);
    status.model_version.store(challenger->version.value, std::memory_order_relaxed);
  };
  chain.count = [trainer, judge](TaskCounts& counts) {
    counts.steps_undone = trainer->refused_steps();
    count_judged(*judge, counts);
  };
  return chain;
}

Result<Chain> make_capacity_chain(const PipelineConfig& config, PartitionId partition) {
  Chain chain;
  TRY_ASSIGN(const auto fresh, fresh_model(config, partition));
  const BackwardSettings settings = backward_settings(config, partition);
  const auto cache = std::make_shared<SumCache>(network_of(fresh->parameters).size(), settings.ring);
  chain.stages.push_back(std::make_unique<SumCacheStage>(cache));
  chain.stages.push_back(std::make_unique<CapacityControl>(cache, CapacityControlSettings{settings.capacity, settings.sum_cache, partition}));
  chain.publish = [cache](TaskStatus& status) { publish_sums(*cache, status); };
  chain.waiting_labels = [] { return std::vector<Offset>(); };
  chain.version = [] { return ModelVersion(); };
  return chain;
}

Result<Chain> make_promotion_chain(const PipelineConfig& config, PartitionId partition) {
  Chain chain;
  TRY_ASSIGN(const auto fresh, fresh_model(config, partition));
  const Promotion* judge = add_judge(chain, Promotion::of_candidates(*fresh, promotion_settings(config, partition)));
  chain.publish = [judge](TaskStatus& status) {
    status.judges.store(true, std::memory_order_relaxed);
    status.model_version.store(judge->champion().version.value, std::memory_order_relaxed);
  };
  chain.count = [judge](TaskCounts& counts) { count_judged(*judge, counts); };
  chain.waiting_labels = [] { return std::vector<Offset>(); };
  chain.version = [judge] { return judge->champion().version; };
  return chain;
}

}  // namespace weir
