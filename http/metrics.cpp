#include "http/metrics.hpp"

#include <set>
#include <string_view>
#include <vector>

#include "actors/runtime/memory_lock.hpp"
#include "core/base/simd.hpp"
#include "http/process_metrics.hpp"
#include "http/prometheus.hpp"
#include "pipelines/topology.hpp"

namespace weir {
namespace {

using Type = PrometheusText::Type;
using Labels = PrometheusText::Labels;

struct TaskMetrics {
  const TaskStatus* status;
  bool here;  // Its partition is this process's, now: else it has sums of the past only, and nothing to measure.
  std::string partition;
  Labels labels;  // task, partition.

  Labels with(std::string_view name, std::string_view value) const {
    Labels out = labels;
    out.emplace_back(name, value);
    return out;
  }
};

class Writer {
 public:
  Writer(PrometheusText& out, const std::vector<TaskMetrics>& all) : out_(out), all_(all) {
    for (const TaskMetrics& task : all)
      if (task.status->task == kInferenceTask) inference_.push_back(task);
    for (const TaskMetrics& task : all)
      if (!task.status->inputs.all().empty()) tasks_.push_back(task);
    for (const TaskMetrics& task : tasks_) {
      if (task.status->learns_by_jobs) learning_.push_back(task);
      if (task.status->learns_by_jobs && task.status->jobs.any) learnt_.push_back(task);
      if (task.status->judges) judges_.push_back(task);
      if (task.status->has_sums) sums_.push_back(task);
    }
  }

  const std::vector<TaskMetrics>& all() const { return all_; }              // And what brings lines into topics.
  const std::vector<TaskMetrics>& tasks() const { return tasks_; }          // With a chain.
  const std::vector<TaskMetrics>& inference() const { return inference_; }

  const std::vector<TaskMetrics>& learning() const { return learning_; }    // By jobs; those of them
  const std::vector<TaskMetrics>& learnt() const { return learnt_; }        // that have done one.
  const std::vector<TaskMetrics>& judges() const { return judges_; }
  const std::vector<TaskMetrics>& sums() const { return sums_; }

  template <class Read>
  void family(std::string_view name, Type type, std::string_view help, const std::vector<TaskMetrics>& of, Read&& read) {
    out_.family(name, type, help);
    for (const TaskMetrics& task : of)
      if (task.here || type == Type::kCounter) out_.sample(task.labels, read(*task.status));
  }
  template <class Read>
  void counter(std::string_view name, std::string_view help, const std::vector<TaskMetrics>& of, Read&& read) {
    family(name, Type::kCounter, help, of, read);
  }
  template <class Read>
  void gauge(std::string_view name, std::string_view help, const std::vector<TaskMetrics>& of, Read&& read) {
    family(name, Type::kGauge, help, of, read);
  }
  void latency(std::string_view name, std::string_view help, const std::vector<TaskMetrics>& of, const LatencyHistogram TaskStatus::*histogram) {
    out_.family(name, Type::kHistogram, help);
    for (const TaskMetrics& task : of) out_.histogram(task.labels, task.status->*histogram);
  }

 private:
  PrometheusText& out_;
  const std::vector<TaskMetrics>& all_;
  std::vector<TaskMetrics> tasks_, inference_, learning_, learnt_, judges_, sums_;
};

std::uint64_t taken(const TaskStatus& s, InputId input) { return s.counts.records[static_cast<std::size_t>(input)]; }

void append_records(PrometheusText& out, Writer& w) {
  w.counter("weir_events_total", "Log records whose result is committed: predicted, abstained or a dead letter.", w.inference(),
            [](const TaskStatus& s) { return taken(s, InputId::kLogs); });
  w.counter("weir_outcomes_total", "Outcomes taken.", w.inference(), [](const TaskStatus& s) { return taken(s, InputId::kOutcomes); });
  w.counter("weir_predictions_total", "Records on topic predictions.", w.inference(), [](const TaskStatus& s) { return s.counts.predicted.load(); });
  w.counter("weir_abstained_total", "Predictions that the gate does not certify: flagged, replaced or dropped, as gate.policy says.", w.inference(),
            [](const TaskStatus& s) { return s.counts.abstained.load(); });
  w.counter("weir_examples_total", "Outcomes joined to their predictions.", w.inference(), [](const TaskStatus& s) { return s.counts.examples.load(); });
  out.family("weir_unjoined_total", Type::kCounter, "Outcomes that met no prediction, by reason.");
  for (const TaskMetrics& task : w.inference())
    for (std::size_t i = 0; i < kUnjoinedReasonCount; ++i)
      out.sample(task.with("reason", name_of(static_cast<UnjoinedReason>(i))), task.status->counts.unjoined[i].load());
  out.family("weir_dead_letters_total", Type::kCounter, "Lines of logs that are no events, by reason.");
  for (const TaskMetrics& task : w.inference())
    for (std::size_t i = 0; i < kReasonCount; ++i)
      out.sample(task.with("reason", name_of(static_cast<Reason>(i))), task.status->counts.dead_letters[i].load());
  w.gauge("weir_waiting_rows", "Predictions that wait for their outcome.", w.inference(), [](const TaskStatus& s) { return s.waiting_rows.load(); });
  w.gauge("weir_waiting_labels", "Outcomes that wait for their event.", w.inference(), [](const TaskStatus& s) { return s.waiting_labels.load(); });
}

void append_lag(PrometheusText& out, Writer& w) {
  const std::int64_t now = system_clock().wall_us();
  const auto each = [&](auto&& fn) {
    for (const TaskMetrics& task : w.tasks())
      for (const InputStatus* input : task.status->inputs.all()) {
        if (input->topic.empty() || !task.here) continue;
        const std::string partition = std::to_string(input->partition.value);  // The topic's: a task may read several, or another's.
        Labels labels = task.with("input", name_of(input->input));
        labels.emplace_back("topic", input->topic);
        labels.emplace_back("topic_partition", partition);
        fn(*input, labels);
      }
  };
  out.family("weir_input_records_total", Type::kCounter, "Records taken from an input and committed.");
  for (const TaskMetrics& task : w.tasks()) {
    std::set<InputId> inputs;  // One sum for all partitions of an input.
    for (const InputStatus* input : task.status->inputs.all()) inputs.insert(input->input);
    for (const InputId input : inputs) out.sample(task.with("input", name_of(input)), taken(*task.status, input));
  }
  out.family("weir_input_lag_records", Type::kGauge, "Records of an input's topic that are not committed; files are not topics.");
  each([&](const InputStatus& input, const Labels& labels) { out.sample(labels, input.lag(now).records); });
  out.family("weir_input_lag_seconds", Type::kGauge, "Time since the oldest of them was appended, at most.");
  each([&](const InputStatus& input, const Labels& labels) { out.sample(labels, input.lag(now).seconds); });
  w.gauge("weir_task_waiting_records", "Records read ahead by a task and not processed.", w.tasks(), [](const TaskStatus& s) { return s.waiting.load(); });
  w.counter("weir_source_read_bytes_total", "Bytes read of files or standard input, as stored.", w.all(), [](const TaskStatus& s) { return s.bytes_read.load(); });
  w.gauge("weir_source_size_bytes", "Size of the files to read, as stored; 0: unknown.", w.all(), [](const TaskStatus& s) { return s.bytes_total.load(); });
}

void append_commits(Writer& w) {
  w.counter("weir_commits_total", "Transactions committed.", w.all(), [](const TaskStatus& s) { return s.commits.load(); });
  w.counter("weir_aborted_transactions_total", "Transactions aborted, and committed again.", w.tasks(), [](const TaskStatus& s) { return s.aborts.load(); });
  w.gauge("weir_last_commit_timestamp_seconds", "When the last transaction was committed, in seconds since 1970; 0: never.", w.all(),
          [](const TaskStatus& s) { return double(s.last_commit_us.load()) * 1e-6; });
  w.latency("weir_commit_seconds", "How long commits took.", w.tasks(), &TaskStatus::commit);
  w.latency("weir_tick_seconds", "From taking an event's line on the task's thread to its prediction.", w.inference(), &TaskStatus::tick);
  w.latency("weir_arrival_seconds", "From an event's arrival in its topic (on Kafka its timestamp) to its prediction; of events from a topic.", w.inference(), &TaskStatus::arrival);
  w.latency("weir_acked_seconds", "From reading a record until the log had what came of it.", w.tasks(), &TaskStatus::acked);
  w.latency("weir_committed_seconds", "From reading a record until readers of committed data saw what came of it.", w.tasks(), &TaskStatus::committed);
}

void append_model(PrometheusText& out, Writer& w, const PipelineConfig& config) {
  w.gauge("weir_model_version", "Updates applied to the model: served by inference, learnt by learning.", w.tasks(), [](const TaskStatus& s) { return s.model_version.load(); });
  w.counter("weir_loss_total", "Sum over the examples of their log-loss; of a regression, of the squared error.", w.inference(), [](const TaskStatus& s) { return s.counts.loss.load(); });
  w.counter("weir_sets_total", "Examples whose prediction had a set.", w.inference(), [](const TaskStatus& s) { return s.counts.with_set.load(); });
  w.counter("weir_sets_covered_total", "Of these, those whose outcome lay in it.", w.inference(), [](const TaskStatus& s) { return s.counts.covered.load(); });
  out.family("weir_log_loss", Type::kGauge, "Mean over all examples since the first offset; of a regression, of the squared error.");
  for (const TaskMetrics& task : w.inference())
    if (const auto count = task.status->log_loss_count.load(); count > 0 && task.here) out.sample(task.labels, task.status->log_loss_sum.load() / double(count));
  out.family("weir_coverage_ratio", Type::kGauge, "Share of the sets that held their outcome, since the first offset.");
  for (const TaskMetrics& task : w.inference())
    if (const auto count = task.status->with_set.load(); count > 0 && task.here) out.sample(task.labels, double(task.status->covered.load()) / double(count));
  if (config.gate.kind == GateKind::kConformal) {
    out.family("weir_coverage_target_ratio", Type::kGauge, "What gate.coverage asks for.");
    out.sample({}, config.gate.coverage);
  }
  w.counter("weir_training_steps_undone_total", "Training steps that were not finite.", w.tasks(), [](const TaskStatus& s) { return s.counts.steps_undone.load(); });
}

void append_jobs(PrometheusText& out, Writer& w) {
  out.family("weir_jobs_total", Type::kCounter, "Jobs done, by what became of them: accepted, worse (fewer samples right), no_gain.");
  for (const TaskMetrics& task : w.learning())
    for (const JobResult result : kJobResults)
      out.sample(task.with("result", name_of(result)), task.status->counts.jobs[static_cast<std::size_t>(result)].load());
  w.latency("weir_job_seconds", "How long a job took; of several for one example their mean, each.", w.learning(), &TaskStatus::job);
  w.gauge("weir_job_sweep", "Which sweep the last job was of.", w.learnt(), [](const TaskStatus& s) { return s.jobs.sweep.load(); });
  w.gauge("weir_job_layer", "Which layer its neuron is in, from 0.", w.learnt(), [](const TaskStatus& s) { return s.jobs.layer.load(); });
  w.gauge("weir_job_neuron", "Which neuron of the network it was, from 0.", w.learnt(), [](const TaskStatus& s) { return s.jobs.neuron.load(); });
  w.gauge("weir_train_accuracy_ratio", "Share of the samples to learn from that are right after it.", w.learnt(), [](const TaskStatus& s) { return s.jobs.accuracy.load(); });
  w.counter("weir_held_out_examples_total", "Examples that nobody learns from.", w.learning(), [](const TaskStatus& s) { return s.counts.held_out.load(); });
  w.counter("weir_held_out_correct_total", "Of these, those that what is learnt answered right when they came.", w.learning(),
            [](const TaskStatus& s) { return s.counts.held_out_right.load(); });
  out.family("weir_held_out_accuracy_ratio", Type::kGauge, "The share of the two, since the first offset.");
  for (const TaskMetrics& task : w.learning())
    if (const auto count = task.status->jobs.held_out.load(); count > 0 && task.here)
      out.sample(task.labels, double(task.status->jobs.held_out_right.load()) / double(count));
  w.gauge("weir_gold_neurons", "Neurons whose sum was in the gold zone after their last job.", w.learnt(), [](const TaskStatus& s) { return s.jobs.gold.load(); });
  w.gauge("weir_cached_sums", "Jobs that the cache of sums remembers.", w.sums(), [](const TaskStatus& s) { return s.sums.load(); });
  out.family("weir_alerts_total", Type::kCounter, "What began to go wrong with learning, by alert.");
  for (const TaskMetrics& task : w.learning())
    for (const HashtronAlert alert : kHashtronAlerts)
      out.sample(task.with("alert", name_of(alert)), task.status->counts.alerts[static_cast<std::size_t>(alert)].load());
  out.family("weir_alert_active", Type::kGauge, "1: it goes wrong now.");
  for (const TaskMetrics& task : w.learning())
    for (const HashtronAlert alert : kHashtronAlerts)
      if (task.here) out.sample(task.with("alert", name_of(alert)), std::uint64_t(task.status->jobs.alerts[static_cast<std::size_t>(alert)].load()));
  w.counter("weir_promotions_total", "Versions that replaced what was served.", w.judges(), [](const TaskStatus& s) { return s.counts.promotions.load(); });
  w.counter("weir_rollbacks_total", "Times that the version before came back.", w.judges(), [](const TaskStatus& s) { return s.counts.rollbacks.load(); });
}

void append_tasks(PrometheusText& out, Writer& w, const RunningPipeline& pipeline) {
  w.gauge("weir_task_running", "1: recovered and running; 0: starting, or ended; of tasks whose partition is this process's.", w.all(),
          [](const TaskStatus& s) { return std::uint64_t(s.phase.load() == TaskPhase::kRunning); });
  w.gauge("weir_task_stalled", "1: it waits for the log, or records wait for it, for longer than log.stall_after.", w.all(), [](const TaskStatus& s) { return std::uint64_t(!s.stall().empty()); });
  w.counter("weir_task_restarts_total", "Starts after a failure.", w.all(), [](const TaskStatus& s) { return s.restarts.load(); });
  out.family("weir_standby_lag_records", Type::kGauge, "Changes of state, of a task that another process runs, that the copy here does not hold yet.");
  for (const TaskMetrics& task : w.all())
    if (task.status->phase.load() == TaskPhase::kStandby) out.sample(task.labels, task.status->standby_lag.load());
  const RunSummary summary = pipeline.summary();
  out.family("weir_warnings", Type::kGauge, "Warnings that `weir status` lists.");
  out.sample({}, std::uint64_t(summary.warnings.size()));
  out.family("weir_uptime_seconds", Type::kGauge, "Since the pipeline was started in this process.");
  out.sample({}, summary.total.seconds);
}

}  // namespace

std::string metrics_text(const PipelineConfig& config, const RunningPipeline* pipeline) {
  const std::string process = config.resolved_process();
  PrometheusText out({{"pipeline", config.name}, {"process", process}});
  out.family("weir_build_info", Type::kGauge, "The program: 1.");
  out.sample({{"version", WEIR_VERSION}, {"simd_target", name_of(simd_target())}}, std::uint64_t(1));
  if (pipeline != nullptr) {
    const TaskStatuses statuses = pipeline->statuses();
    std::vector<TaskMetrics> tasks;
    tasks.reserve(statuses.size());
    for (const auto& status : statuses) {
      TaskMetrics& task = tasks.emplace_back();
      task.status = status.get();
      const TaskPhase phase = status->phase.load();
      task.here = phase != TaskPhase::kGivenUp && phase != TaskPhase::kStandby;
      task.partition = std::to_string(status->partition.value);
    }
    for (TaskMetrics& task : tasks) task.labels = {{"task", task.status->task}, {"partition", task.partition}};
    Writer writer(out, tasks);
    append_records(out, writer);
    append_lag(out, writer);
    append_commits(writer);
    append_model(out, writer, config);
    append_jobs(out, writer);
    append_tasks(out, writer, *pipeline);
  }
  const MemoryLockState memory = memory_lock_state();
  out.family("weir_memory_locked_bytes", Type::kGauge, "Memory of this process that cannot be paged out.");
  out.sample({}, memory.locked_bytes);
  append_process_metrics(out);
  return out.take();
}

}  // namespace weir
