#include "bench/kafka_job.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/base/clock.hpp"

namespace weir::bench {
namespace {

constexpr double kStartSecondsMax = 120.0;  // An engine that waits for a group's session takes most of it.
constexpr double kStillSecondsMax = 30.0;   // Without any progress.
// An outcome is sent when the topic of predictions has grown by so many past its log: more than the control records in it.
constexpr std::int64_t kLead = 5000;
constexpr std::int64_t kBehindAtRate = 1000;  // The same at a fixed rate, and in event time.

void pause_ms(int ms) { sleep_until_seconds(now_seconds() + ms * 1e-3); }

// Sends the job's records in order of their ids; with `line` other logs.
class JobSender {
 public:
  using Line = std::function<void(std::int64_t id, std::int64_t time_us, std::string& out)>;
  JobSender(const JobTopics& topics, int linger_ms, Line line = {}) : topics_(topics), sender_(topics.brokers, linger_ms), line_(std::move(line)) {}
  void log() {
    const std::int64_t time_us = first_us_ + 1000 * logs_;
    if (line_) line_(logs_, time_us, text_);
    else records_.log(logs_, time_us, text_);
    send(topics_.logs(), logs_++, time_us);
  }
  void outcome(std::int64_t id) {
    const std::int64_t time_us = first_us_ + 1000 * (id + kBehindAtRate);
    records_.outcome(id, time_us, text_);
    send(topics_.outcomes(), id, time_us);
    ++outcomes_;
  }
  std::int64_t logs() const { return logs_; }  // Also the next id.
  std::int64_t outcomes() const { return outcomes_; }
  void poll() { sender_.poll(); }
  void flush() { sender_.flush(); }

 private:
  void send(const std::string& topic, std::int64_t id, std::int64_t time_us) {
    sender_.send(topic, topics_.partition_of(id), std::to_string(id), text_, time_us);
    if (++sent_ % 1000 == 0) sender_.poll();
  }
  const JobTopics& topics_;
  Sender sender_;
  const Line line_;
  const std::int64_t first_us_ = system_clock().wall_us() - 3'600'000'000;  // An hour of them does not reach the future.
  JobRecords records_;
  std::string text_;
  std::int64_t logs_ = 0, outcomes_ = 0, sent_ = 0;
};

// Of how many steps each partition's model must show in the end: its share of the outcomes of ids 0 to `outcomes`.
std::vector<std::int64_t> steps_wanted(const JobTopics& topics, std::int64_t outcomes) {
  std::vector<std::int64_t> out;
  for (int p = 0; p < topics.partitions; ++p) out.push_back(topics.records_of(p, outcomes));
  return out;
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
  std::int64_t out = 0;
  for (const std::int64_t value : values) out += value;
  return out;
}

std::string_view bytes_of(const rd_kafka_message_t& message) { return {static_cast<const char*>(message.payload), message.len}; }

// Sends further logs until their predictions show that the models have made the wanted steps; how many are short when nothing
// moves any more.
std::int64_t wait_until_learnt(JobRun& run, JobSender& sender, const std::vector<std::int64_t>& wanted) {
  const JobTopics& topics = run.topics();
  std::vector<std::int64_t> from, steps(wanted.size(), 0);
  const EndOfTopic end(topics.brokers, topics.predictions());
  for (int p = 0; p < topics.partitions; ++p) from.push_back(end.get(p));
  Reader reader(topics.brokers, topics.predictions(), from, /*committed=*/false);
  double moved = now_seconds();
  double next = moved;
  while (steps != wanted) {
    run.check_alive();
    if (now_seconds() - moved > kStillSecondsMax) break;
    if (now_seconds() >= next) {
      for (int p = 0; p < topics.partitions; ++p) sender.log();
      sender.poll();
      next = now_seconds() + 0.01;
    }
    while (const Reader::Message message = reader.next(5)) {
      const SeenPrediction seen = parse_prediction(bytes_of(*message));
      if (seen.partition < 0 || static_cast<std::size_t>(seen.partition) >= steps.size()) throw Void("a prediction without its record's partition");
      std::int64_t& known = steps[static_cast<std::size_t>(seen.partition)];
      if (seen.steps > known) moved = now_seconds();
      known = std::max(known, seen.steps);
    }
  }
  return sum(wanted) - sum(steps);
}

Proof prove(JobRun& run, std::int64_t sent, const std::vector<std::int64_t>& wanted) {
  const JobTopics& topics = run.topics();
  Reader reader(topics.brokers, topics.predictions(), std::vector<std::int64_t>(wanted.size(), Reader::kBegin), /*committed=*/true);
  Prover prover(sent, wanted);
  for (double moved = now_seconds(); now_seconds() - moved < (prover.proof().missing > 0 ? kStillSecondsMax : 0.5);) {
    const Reader::Message message = reader.next(20);
    if (message == nullptr) continue;
    moved = now_seconds();
    prover.take(parse_prediction(bytes_of(*message)), double(rd_kafka_message_timestamp(message.get(), nullptr)) * 1e-3);
  }
  return prover.proof();
}

double directory_mb(const std::string& path) {
  double bytes = 0.0;
  std::error_code ec;  // Files may go while they are counted.
  for (auto at = std::filesystem::recursive_directory_iterator(path, ec); at != std::filesystem::recursive_directory_iterator(); at.increment(ec)) {
    const auto size = at->is_regular_file(ec) ? at->file_size(ec) : 0;
    if (!ec) bytes += double(size);
  }
  return bytes * 1e-6;
}

void must_be_clean(const Proof& proof) {
  if (!proof.clean()) throw Void(proof.text());
}

void wait_for_first(JobRun& run, const Arrivals& arrivals, const std::function<void()>& meanwhile) {
  for (const double since = now_seconds(); arrivals.count() == 0;) {
    run.check_alive();
    if (now_seconds() - since > kStartSecondsMax) throw Void("no prediction came within " + std::to_string(int(kStartSecondsMax)) + " s");
    meanwhile();
  }
}

}  // namespace

Engine weir_engine(const std::string& config, std::vector<std::string> sets) {
  return {"Weir", [config, sets = std::move(sets)](const JobTopics& topics, const std::string& directory) {
            std::vector<std::string> out = {weir_binary(), "run", config, "--data", directory, "--quiet"};
            const auto set = [&](const std::string& text) { out.insert(out.end(), {"--set", text}); };
            set("name=" + topics.name);
            set("topics.logs=" + topics.logs());
            set("topics.outcomes=" + topics.outcomes());
            set("log.brokers=" + topics.brokers);
            set("log.partitions=" + std::to_string(topics.partitions));
            for (const std::string& text : sets) set(text);
            return out;
          }};
}

double JobRecords::normal() {  // Box and Muller's, polar.
  if (std::exchange(has_spare_, false)) return spare_;
  for (;;) {
    const double x = 2.0 * rng_.uniform() - 1.0, y = 2.0 * rng_.uniform() - 1.0, s = x * x + y * y;
    if (s >= 1.0 || s == 0.0) continue;
    const double factor = std::sqrt(-2.0 * std::log(s) / s);
    spare_ = y * factor;
    has_spare_ = true;
    return x * factor;
  }
}

void JobRecords::log(std::int64_t id, std::int64_t time_us, std::string& out) {
  char text[512];
  int n = std::snprintf(text, sizeof text, "{\"id\":%lld,\"ts\":%lld", static_cast<long long>(id), static_cast<long long>(time_us));
  const auto add = [&](const char* format, auto... values) { n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), format, values...); };
  for (int i = 0; i < 12; ++i) add(",\"f%d\":%.5f", i, 3.0 * normal() + 1.0);
  const std::uint64_t chance = rng_.next_u64();
  add(",\"c0\":\"%c\",\"c1\":\"r%d\"}", char('a' + chance % 4), int(chance / 4 % 8));
  out.assign(text, static_cast<std::size_t>(n));
}

void JobRecords::outcome(std::int64_t id, std::int64_t time_us, std::string& out) const {
  const int label = int((static_cast<std::uint64_t>(id) * 2654435761u >> 7) & 1);
  out = "{\"id\":" + std::to_string(id) + ",\"ts\":" + std::to_string(time_us) + ",\"label\":" + std::to_string(label) + "}";
}

JobRun::JobRun(const KafkaBroker& broker, const Engine& engine, int partitions) : engine_(engine) {
  static int number = 0;
  topics_ = {broker.address(), "bench-" + std::to_string(::getpid()) + "-" + std::to_string(++number), partitions};
  directory_ = scratch("kafka-job");
  log_ = directory_ + ".log";
  create_topics(topics_);
}

JobRun::~JobRun() {
  child_.reset();
  delete_topics(topics_);
  remove(directory_);
}

void JobRun::start() { child_.emplace(Child::start(engine_.command(topics_, directory_), log_)); }

void JobRun::check_alive() {
  if (!child_->running()) throw Void("the engine ended with " + std::to_string(child_->wait().exit_code) + "; see " + log_);
}

std::string Proof::text() const {
  return std::to_string(missing) + " missing, " + std::to_string(doubled) + " doubled, " + std::to_string(state_errors) + " state errors";
}

Prover::Prover(std::int64_t sent, std::vector<std::int64_t> steps)
    : seen_(static_cast<std::size_t>(sent)), steps_(std::move(steps)), learnt_(steps_.size(), 0.0) {
  proof_.missing = sent;
}

void Prover::take(const SeenPrediction& p, double append_s) {
  if (p.id < 0 || static_cast<std::size_t>(p.id) >= seen_.size() || p.partition < 0 || static_cast<std::size_t>(p.partition) >= steps_.size())
    throw Void("a prediction of a record that was never sent: id " + std::to_string(p.id) + ", partition " + std::to_string(p.partition));
  if (std::exchange(seen_[static_cast<std::size_t>(p.id)], 1)) ++proof_.doubled;
  else --proof_.missing;
  if (p.n != p.offset + 1) ++proof_.state_errors;
  if (proof_.first_append == 0.0 || append_s < proof_.first_append) proof_.first_append = append_s;
  const auto partition = static_cast<std::size_t>(p.partition);
  if (learnt_[partition] == 0.0 && p.steps >= steps_[partition]) learnt_[partition] = append_s;
}

Proof Prover::proof() const {
  Proof out = proof_;
  const bool all = std::find(learnt_.begin(), learnt_.end(), 0.0) == learnt_.end();
  out.learnt_append = all ? *std::max_element(learnt_.begin(), learnt_.end()) : 0.0;
  return out;
}

RateFigures measure_rate(const KafkaBroker& broker, const Engine& engine, int partitions, std::int64_t count, Feed feed) {
  JobRun run(broker, engine, partitions);
  const JobTopics& topics = run.topics();
  JobSender sender(topics, /*linger_ms=*/5);
  // The last outcomes wait for so many more predictions.
  const std::int64_t lead = feed == Feed::kPreloaded ? 0 : std::min(kLead, count / 10);
  const std::int64_t lead_share = lead / partitions;
  const std::vector<std::int64_t> wanted = steps_wanted(topics, count);
  for (std::int64_t i = 0; i < count + 2 * lead; ++i) {
    sender.log();
    if (feed == Feed::kPreloaded && i >= kBehindAtRate) sender.outcome(i - kBehindAtRate);
  }
  if (feed == Feed::kPreloaded)
    for (std::int64_t id = std::max<std::int64_t>(0, count - kBehindAtRate); id < count; ++id) sender.outcome(id);
  sender.flush();

  const EndOfTopic end(topics.brokers, topics.predictions());
  const auto grown = [&] {
    std::vector<std::int64_t> out;
    for (int p = 0; p < topics.partitions; ++p) out.push_back(end.get(p));
    return out;
  };
  run.start();
  const double started = now_seconds();
  while (sum(grown()) == 0) {
    run.check_alive();
    if (now_seconds() - started > kStartSecondsMax) throw Void("no prediction came within " + std::to_string(int(kStartSecondsMax)) + " s");
    pause_ms(5);
  }
  const double cpu_before = run.child().cpu_seconds();

  std::vector<std::int64_t> fed(static_cast<std::size_t>(partitions), 0);
  std::int64_t known = 0;
  double moved = now_seconds();
  const auto grown_still = [&] {  // Throws where nothing moves any more.
    run.check_alive();
    std::vector<std::int64_t> ends = grown();
    if (sum(ends) > known) moved = now_seconds();
    known = sum(ends);
    if (now_seconds() - moved > kStillSecondsMax) throw Void("it stands still at " + std::to_string(known) + " of " + std::to_string(sender.logs()) + " logs");
    return ends;
  };
  while (feed == Feed::kBehind && sender.outcomes() < count) {
    const std::vector<std::int64_t> ends = grown_still();
    for (int p = 0; p < partitions; ++p) {
      std::int64_t& next = fed[static_cast<std::size_t>(p)];
      for (; next < wanted[static_cast<std::size_t>(p)] && next + lead_share < ends[static_cast<std::size_t>(p)]; ++next) sender.outcome(next * partitions + p);
    }
    sender.poll();
    pause_ms(10);
  }
  // Who read the predictions as they come would take a fifth of a core from the engine, and broker's work.
  while (sum(grown_still()) < sender.logs()) pause_ms(10);
  const std::int64_t unlearnt = wait_until_learnt(run, sender, wanted);
  RateFigures out;
  out.cpu_per_million = (run.child().cpu_seconds() - cpu_before) / double(count) * 1e6;
  out.rss_peak_mb = run.child().rss_peak_mb();
  sender.flush();
  if (unlearnt != 0) throw Void(std::to_string(unlearnt) + " of " + std::to_string(count) + " outcomes became no step");
  const Proof proof = prove(run, sender.logs(), wanted);
  must_be_clean(proof);
  out.events_per_second = double(count) / (proof.learnt_append - proof.first_append);
  return out;
}

LatencyFigures measure_latency(const KafkaBroker& broker, const Engine& engine, int partitions, double rate, double warm_up_s, double seconds,
                               const std::function<void(JobRun&)>& during) {
  JobRun run(broker, engine, partitions);
  const JobTopics& topics = run.topics();
  const auto count = static_cast<std::int64_t>(rate * (warm_up_s + seconds));
  const std::int64_t ids_max = count + static_cast<std::int64_t>(kStartSecondsMax * 20.0) + 1;
  const Arrivals committed(topics, ids_max, true), acked(topics, ids_max, false);
  JobSender sender(topics, /*linger_ms=*/0);
  run.start();
  wait_for_first(run, committed, [&] {
    sender.log();
    for (int i = 0; i < 10 && committed.count() == 0; ++i) sender.poll(), pause_ms(5);
  });
  pause_ms(1000);

  const std::int64_t base = sender.logs();
  const double begin = now_seconds();
  double cpu = 0.0, cpu_since = begin;
  for (std::int64_t i = 0; i < count; ++i) {
    const double due = begin + double(i) / rate;
    if (i == static_cast<std::int64_t>(rate * warm_up_s)) cpu = run.child().cpu_seconds(), cpu_since = now_seconds();
    while (now_seconds() < due) {
      sender.poll();
      const double left = due - now_seconds();
      if (left > 0.0) sleep_until_seconds(now_seconds() + std::min(left, 0.001));
    }
    sender.log();
    while (sender.outcomes() < sender.logs() - kBehindAtRate) sender.outcome(sender.outcomes());
    sender.poll();
  }
  LatencyFigures out;
  out.cores = (run.child().cpu_seconds() - cpu) / (now_seconds() - cpu_since);
  if (during) during(run);
  for (const double since = now_seconds(); committed.count() < sender.logs() || acked.count() < sender.logs();) {
    run.check_alive();
    if (now_seconds() - since > kStillSecondsMax) throw Void(std::to_string(sender.logs() - committed.count()) + " predictions never came");
    sender.poll();
    pause_ms(20);
  }
  for (std::int64_t i = static_cast<std::int64_t>(rate * warm_up_s); i < count; ++i) {
    const double due = begin + double(i) / rate;
    out.committed_ms.push_back((committed.at(base + i) - due) * 1e3);
    out.acked_ms.push_back((acked.at(base + i) - due) * 1e3);
  }
  std::sort(out.committed_ms.begin(), out.committed_ms.end());
  std::sort(out.acked_ms.begin(), out.acked_ms.end());
  const std::vector<std::int64_t> wanted = steps_wanted(topics, sender.outcomes());
  if (const std::int64_t unlearnt = wait_until_learnt(run, sender, wanted); unlearnt != 0) throw Void(std::to_string(unlearnt) + " outcomes became no step");
  sender.flush();
  must_be_clean(prove(run, sender.logs(), wanted));
  return out;
}

namespace {

// A job that finds a hundred logs in its topic.
struct FilledRun {
  static constexpr std::int64_t kLogs = 100;
  JobRun run;
  Arrivals committed;
  JobSender sender;

  FilledRun(const KafkaBroker& broker, const Engine& engine, int partitions)
      : run(broker, engine, partitions), committed(run.topics(), kLogs, true), sender(run.topics(), /*linger_ms=*/0) {
    while (sender.logs() < kLogs) sender.log();
    sender.flush();
  }
  // Seconds until it has answered one.
  double start() {
    const double begin = now_seconds();
    run.start();
    wait_for_first(run, committed, [] { pause_ms(1); });
    return committed.at(committed.first()) - begin;
  }
};

}  // namespace

double measure_start(const KafkaBroker& broker, const Engine& engine, int partitions) {
  return FilledRun(broker, engine, partitions).start();
}

RestartFigures measure_restart(const KafkaBroker& broker, const Engine& engine, int partitions, const RestartLoad& load) {
  JobRun run(broker, engine, partitions);
  const JobTopics& topics = run.topics();
  const double loaded_s = load.kills * (load.seconds_before + kStartSecondsMax) + 10.0;
  const Arrivals committed(topics, load.fill + static_cast<std::int64_t>(loaded_s * load.rate + kStartSecondsMax * 20.0), true);
  JobSender sender(topics, /*linger_ms=*/load.fill > 0 ? 1 : 0, load.log);
  const auto feed = [&] {  // Outcomes of what a reader has the prediction of, in order.
    while (!load.log && sender.outcomes() < sender.logs() && committed.at(sender.outcomes()) != 0.0) sender.outcome(sender.outcomes());
    sender.poll();
  };
  const auto load_until = [&](const std::function<bool()>& enough) {
    for (double due = now_seconds(); !enough(); due += 1.0 / load.rate) {
      sleep_until_seconds(due);
      sender.log();
      feed();
    }
  };
  const auto wait_for_all = [&] {
    std::int64_t known = -1;
    for (double moved = now_seconds(); committed.count() < sender.logs() && now_seconds() - moved < kStillSecondsMax;) {
      run.check_alive();
      feed();
      if (committed.count() > known) moved = now_seconds();
      known = committed.count();
      pause_ms(5);
    }
    feed();
  };
  while (sender.logs() < load.fill) sender.log();
  sender.flush();
  run.start();
  wait_for_first(run, committed, [&] {
    sender.log();
    for (int i = 0; i < 10 && committed.count() == 0; ++i) sender.poll(), pause_ms(5);
  });
  wait_for_all();

  RestartFigures out;
  for (int kill = 0; kill < load.kills; ++kill) {
    for (std::int64_t i = 0; i < load.between; ++i) sender.log();
    wait_for_all();
    const double loaded = now_seconds();
    load_until([&] { return now_seconds() - loaded > load.seconds_before; });
    out.rss_mb = run.child().rss_mb();
    out.local_mb = directory_mb(run.directory());
    const std::int64_t first_after = sender.logs();
    const double killed = now_seconds();
    run.child().kill();
    run.start();
    const auto seen_after = [&] {
      double at = 0.0;
      for (std::int64_t id = first_after; id < first_after + partitions; ++id)
        if (const double one = committed.at(id); one != 0.0 && (at == 0.0 || one < at)) at = one;
      return at;
    };
    load_until([&] {
      run.check_alive();
      if (now_seconds() - killed > kStartSecondsMax) throw Void("no prediction came within " + std::to_string(int(kStartSecondsMax)) + " s after the kill");
      return seen_after() != 0.0;
    });
    out.seconds.push_back(seen_after() - killed);
    wait_for_all();
  }
  const std::vector<std::int64_t> wanted = steps_wanted(topics, sender.outcomes());
  out.unlearnt = wait_until_learnt(run, sender, wanted);
  sender.flush();
  out.proof = prove(run, sender.logs(), wanted);
  return out;
}

IdleFigures measure_idle(const KafkaBroker& broker, const Engine& engine, int partitions, double seconds, const std::string& topic) {
  FilledRun filled(broker, engine, partitions);
  filled.start();
  JobRun& run = filled.run;
  pause_ms(2000);
  const EndOfTopic end(run.topics().brokers, run.topics().name + "." + topic);
  const auto records = [&] {
    std::int64_t out = 0;
    for (int p = 0; p < partitions; ++p) out += end.get(p);
    return out;
  };
  const std::int64_t before = records();
  const double cpu = run.child().cpu_seconds(), since = now_seconds();
  pause_ms(int(seconds * 1000.0));
  IdleFigures out;
  out.cores = (run.child().cpu_seconds() - cpu) / (now_seconds() - since);
  out.records = records() - before;
  run.check_alive();
  return out;
}

double percentile_of(const std::vector<double>& sorted, double fraction) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(fraction * double(sorted.size())))];
}

}  // namespace weir::bench
