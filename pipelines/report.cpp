#include "pipelines/report.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "core/records/read_mark.hpp"
#include "core/records/codec.hpp"
#include "core/records/json_text.hpp"
#include "core/stats/prequential.hpp"
#include "pipelines/formatted.hpp"

namespace weir {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Labelled {
  double value;
  double label;
  double low, high;
  std::int64_t offset;
  std::size_t partition;
  float last_outcome;
  bool has_set;
  bool in_set[2];
};

template <class Fn>
Result<void> scan(TopicLog& log, const TopicDescription& topic, Fn&& fn) {
  for (const PartitionDescription& partition : topic.partitions) {
    TRY_ASSIGN(const auto reader, log.open_reader(topic.spec.topic, partition.partition, partition.begin));
    for (;;) {
      TRY_ASSIGN(const auto batch, reader->poll(Duration(0)));
      if (batch == nullptr) break;
      if (!batch->for_each([&](Offset offset, const Record& record) { fn(partition.partition, offset, record, batch->append_time_us()); }))
        return Error{ErrorCode::kCorruption, topic.spec.name + " partition " + std::to_string(partition.partition.value) + ": the batch at offset " +
                                                 std::to_string(batch->base().value) + " does not decode"};
    }
  }
  return {};
}

// `from_offset`: by partition; empty: all.
Quality quality_of(const std::vector<Labelled>& all, const std::vector<std::int64_t>& from_offset, bool regression) {
  Quality q;
  Prequential classified;
  PrequentialRegression regressed;
  double width = 0;
  std::uint64_t with_set = 0, covered = 0;
  for (const Labelled& row : all) {
    if (!from_offset.empty() && row.offset < from_offset[row.partition]) continue;
    ++q.labelled;
    if (row.has_set) {
      ++with_set;
      if (regression) {
        covered += row.label >= row.low && row.label <= row.high;
        width += row.high - row.low;
      } else {
        covered += row.in_set[row.label > 0.5];
        ++q.set_sizes[std::size_t(row.in_set[0]) + std::size_t(row.in_set[1])];
      }
    }
    if (regression) regressed.add(row.value, row.label);
    else classified.add(row.value, row.label, row.last_outcome);
  }
  if (with_set > 0) q.coverage = double(covered) / double(with_set);
  if (regression) {
    const RegressionFigures f = regressed.figures();
    q.mae = f.mae.value_or(kNone);
    q.rmse = f.rmse.value_or(kNone);
    q.mean_rmse = f.mean_rmse.value_or(kNone);
    if (with_set > 0) q.set_width = width / double(with_set);
    return q;
  }
  const ClassificationFigures f = classified.figures();
  q.log_loss = f.log_loss.value_or(kNone);
  q.auc = f.auc.value_or(kNone);
  q.accuracy = f.accuracy.value_or(kNone);
  q.f1 = f.f1.value_or(kNone);
  q.brier = f.brier.value_or(kNone);
  q.calibration_error = f.calibration_error.value_or(kNone);
  q.base_rate = f.base_rate.value_or(kNone);
  q.base_rate_log_loss = f.base_rate_log_loss.value_or(kNone);
  q.majority_accuracy = f.majority_accuracy.value_or(kNone);
  q.last_outcome_accuracy = f.last_outcome_accuracy.value_or(kNone);
  return q;
}

class JsonObject {
 public:
  JsonObject() { out_.append('{'); }
  void key(std::string_view name) {
    if (out_.size() > 1) out_.append(',');
    json::append_string(out_, name);
    out_.append(':');
  }
  void count(std::string_view name, std::uint64_t value) { raw(name, std::to_string(value)); }
  void number(std::string_view name, double value) { key(name), json::append_number(out_, value); }
  void raw(std::string_view name, std::string_view json) { key(name), out_.append(json); }
  void text_or_null(std::string_view name, std::string_view value) {
    key(name);
    if (value.empty()) out_.append("null");
    else json::append_string(out_, value);
  }
  void texts_or_null(std::string_view name, const std::vector<std::string>& values) {
    key(name);
    out_.append('[');
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_.append(',');
      if (values[i].empty()) out_.append("null");
      else json::append_string(out_, values[i]);
    }
    out_.append(']');
  }
  std::string take() {
    out_.append('}');
    return std::string(out_.view());
  }

 private:
  ByteBuffer out_;
};

void write_quality(JsonObject& o, const Quality& q) {
  o.number("log_loss", q.log_loss);
  o.number("auc", q.auc);
  o.number("accuracy", q.accuracy);
  o.number("f1", q.f1);
  o.number("brier", q.brier);
  o.number("calibration_error", q.calibration_error);
  o.number("base_rate", q.base_rate);
  o.number("majority_accuracy", q.majority_accuracy);
  o.number("coverage", q.coverage);
  o.number("mae", q.mae);
  o.number("rmse", q.rmse);
}

std::string counts_json(const std::map<std::string, std::uint64_t>& counts) {
  JsonObject o;
  for (const auto& [reason, count] : counts) o.count(reason, count);
  return o.take();
}

std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (int at = int(digits.size()) - 3; at > 0; at -= 3) digits.insert(std::size_t(at), 1, ',');
  return digits;
}

std::string shown(double value, int digits) { return std::isnan(value) ? "–" : formatted("%.*f", digits, value); }

// Right-aligned in `width` columns; the dash of an absent figure takes three bytes and one column.
std::string right(const std::string& text, std::size_t width) {
  const std::size_t columns = text == "–" ? 1 : text.size();
  return std::string(columns < width ? width - columns : 0, ' ') + text;
}

std::string reasons_text(const std::map<std::string, std::uint64_t>& counts) {
  std::string out;
  for (const auto& [reason, count] : counts) out += (out.empty() ? "" : ", ") + reason + " " + grouped(count);
  return out.empty() ? out : "   " + out;
}

std::string latency_text(const LatencySummary& l) {
  return l.count == 0 ? "not measured" : formatted("P50 %.1f   P99 %.1f   P99.9 %.1f   max %.1f µs", l.p50, l.p99, l.p999, l.max);
}

}  // namespace

Quality::Quality()
    : log_loss(kNone), auc(kNone), accuracy(kNone), f1(kNone), brier(kNone), calibration_error(kNone), base_rate(kNone),
      majority_accuracy(kNone), coverage(kNone), mae(kNone), rmse(kNone), base_rate_log_loss(kNone), last_outcome_accuracy(kNone), mean_rmse(kNone), set_width(kNone) {}

Result<Report> make_report(TopicLog& log, const ReportInputs& inputs) {
  Report report;
  std::optional<TopicDescription> described[kTopicCount];
  for (TopicDescription& topic : log.list()) described[index_of(topic.spec.topic)] = std::move(topic);
  const auto topic = [&](Topic t) -> const std::optional<TopicDescription>& { return described[index_of(t)]; };

  std::uint64_t dropped = 0, bad_outcomes = 0, examples = 0;
  std::int64_t first_append = 0, last_append = 0;
  std::size_t partitions = 1;
  for (const auto& t : described)
    if (t) partitions = std::max(partitions, t->partitions.size());
  std::vector<std::int64_t> last_offset(partitions, -1);
  report.model_versions.resize(partitions);
  const auto seen = [&](std::int64_t append_time, PartitionId partition, Offset offset) {
    if (first_append == 0 || append_time < first_append) first_append = append_time;
    last_append = std::max(last_append, append_time);
    std::int64_t& last = last_offset[static_cast<std::size_t>(partition.value)];
    last = std::max(last, offset.value);
  };
  if (topic(Topic::kPredictions)) {
    TRY(scan(log, *topic(Topic::kPredictions), [&](PartitionId partition, Offset, const Record& record, std::int64_t append_time) {
      ++report.predicted;
      seen(append_time, partition, record.source.offset);
      const auto facts = prediction_facts(record.value);
      if (!facts) return;
      report.abstained += facts->certified ? 0 : 1;
      report.regression = !facts->classification;
      std::string& version = report.model_versions[static_cast<std::size_t>(partition.value)];
      version = std::to_string(facts->partition.value);
      version += '/';
      version += std::to_string(facts->version.value);
    }));
  }
  if (topic(Topic::kAbstained))
    TRY(scan(log, *topic(Topic::kAbstained), [&](PartitionId partition, Offset, const Record& record, std::int64_t append_time) {
      ++dropped;
      seen(append_time, partition, record.source.offset);
    }));
  report.abstained += dropped;
  if (topic(Topic::kDeadLetters)) {
    const std::string outcomes_full = topic(Topic::kOutcomes) ? topic(Topic::kOutcomes)->spec.name : "outcomes";
    TRY(scan(log, *topic(Topic::kDeadLetters), [&](PartitionId partition, Offset, const Record& record, std::int64_t append_time) {
      if (record.source.topic == "outcomes" || record.source.topic == outcomes_full) {
        ++bad_outcomes;
        return;
      }
      ++report.dead_letters;
      ++report.dead_letters_by_reason[std::string(reason_in(Topic::kDeadLetters, record.value))];
      seen(append_time, partition, record.source.offset);
    }));
  }
  if (topic(Topic::kUnjoined))
    TRY(scan(log, *topic(Topic::kUnjoined), [&](PartitionId, Offset, const Record& record, std::int64_t) {
      ++report.unjoined;
      ++report.unjoined_by_reason[std::string(reason_in(Topic::kUnjoined, record.value))];
    }));
  report.events = report.predicted + report.dead_letters + dropped;

  std::vector<Labelled> rows;
  if (topic(Topic::kExamples)) {
    ExampleScratch scratch;
    bool whole = true;
    TRY(scan(log, *topic(Topic::kExamples), [&](PartitionId partition, Offset, const Record& record, std::int64_t) {
      ++examples;
      Example example;
      if (!decode_example(record.value, scratch, example)) {
        whole = false;
        return;
      }
      const Prediction& p = example.prediction;
      rows.push_back({p.value, example.label, p.low, p.high, example.source.offset.value, static_cast<std::size_t>(partition.value), example.last_outcome, p.has_set, {p.in_set[0], p.in_set[1]}});
    }));
    if (!whole) return Error{ErrorCode::kCorruption, topic(Topic::kExamples)->spec.name + ": a record that is no Example"};
  }
  report.labelled = examples;
  report.quality = quality_of(rows, {}, report.regression);
  std::vector<std::int64_t> middle;
  for (const std::int64_t last : last_offset) middle.push_back((last + 1) / 2);
  report.last_half = quality_of(rows, middle, report.regression);

  std::uint64_t consumed = inputs.outcomes_consumed.value_or(0);
  report.lost = inputs.lost;
  for (std::size_t p = 0; !inputs.outcomes_consumed && p < partitions; ++p) {
    TRY_ASSIGN(const auto task, log.open_task({"inference", PartitionId(static_cast<std::int32_t>(p))}));
    TRY_ASSIGN(const Recovered recovered, task->recover());
    for (const Position& position : recovered.positions)
      if (position.input == InputId::kOutcomes) consumed += std::uint64_t(position.next.value);
    for (const InputId input : {InputId::kLogs, InputId::kOutcomes}) {
      TRY_ASSIGN(const std::uint64_t lost, lost_of(*recovered.state, input));
      report.lost += lost;
    }
  }
  const std::uint64_t settled = examples + report.unjoined + bad_outcomes;
  report.waiting = consumed > settled ? consumed - settled : 0;

  const std::optional<RunSummary> run = inputs.run ? inputs.run : remembered_run(inputs.data_dir);
  if (run && run->total.events > 0) {
    report.seconds = run->total.seconds;
    report.steps_undone = run->steps_undone;
    report.tick = run->tick;
    report.committed = run->committed;
    if (report.seconds > 0) report.events_per_second = double(run->total.events) / report.seconds;
  } else {
    report.seconds = double(last_append - first_append) * 1e-6;
    if (report.seconds > 0) report.events_per_second = double(report.events) / report.seconds;
  }
  return report;
}

std::string report_json(const Report& r) {
  JsonObject o;
  o.count("events", r.events);
  o.count("predicted", r.predicted);
  o.count("abstained", r.abstained);
  o.count("labelled", r.labelled);
  o.count("waiting", r.waiting);
  o.count("unjoined", r.unjoined);
  o.raw("unjoined_by_reason", counts_json(r.unjoined_by_reason));
  o.count("dead_letters", r.dead_letters);
  o.raw("dead_letters_by_reason", counts_json(r.dead_letters_by_reason));
  write_quality(o, r.quality);
  if (r.model_versions.size() == 1) o.text_or_null("model_version", r.model_versions[0]);
  else o.texts_or_null("model_version", r.model_versions);
  o.count("steps_undone", r.steps_undone);
  o.count("lost", r.lost);
  o.number("seconds", r.seconds);
  o.number("events_per_second", r.events_per_second);
  JsonObject half;
  half.count("labelled", r.last_half.labelled);
  write_quality(half, r.last_half);
  o.raw("last_half", half.take());
  return o.take();
}

std::string report_text(const Report& r, const std::string& data_dir) {
  std::string out;
  const auto line = [&](std::string_view name, std::string text) {
    out += formatted("  %-16s", std::string(name).c_str()) + text + "\n";
  };
  const auto count = [&](std::string_view name, std::uint64_t value, std::string more = {}) { line(name, right(grouped(value), 11) + more); };
  out += "Records\n";
  count("events", r.events, r.events_per_second > 0 ? formatted("   in %.2f s: ", r.seconds) + grouped(std::uint64_t(r.events_per_second)) + " events/s" : "");
  count("predicted", r.predicted);
  count("abstained", r.abstained, "   not certified by the gate");
  count("labelled", r.labelled);
  count("waiting", r.waiting, "   outcomes whose event has not come");
  count("unjoined", r.unjoined, reasons_text(r.unjoined_by_reason));
  count("dead letters", r.dead_letters, reasons_text(r.dead_letters_by_reason));

  const auto row = [&](std::string_view name, double all, double half, int digits, std::string beside = {}) {
    line(name, right(shown(all, digits), 11) + right(shown(half, digits), 13) + (beside.empty() ? "" : "   " + beside));
  };
  const Quality& q = r.quality;
  const Quality& h = r.last_half;
  out += "\nQuality, each prediction made before its outcome was known\n";
  line("", "        all    last half");
  if (r.regression) {
    row("MAE", q.mae, h.mae, 4);
    row("RMSE", q.rmse, h.rmse, 4, "always the mean: " + shown(q.mean_rmse, 4));
  } else {
    row("log-loss", q.log_loss, h.log_loss, 4, "always the base rate: " + shown(q.base_rate_log_loss, 4));
    row("AUC", q.auc, h.auc, 4, "always the base rate: 0.5000");
    row("accuracy", q.accuracy, h.accuracy, 4,
        "majority class: " + shown(q.majority_accuracy, 4) + (!std::isnan(q.last_outcome_accuracy) ? "   route's last outcome: " + shown(q.last_outcome_accuracy, 4) : ""));
    row("F1", q.f1, h.f1, 4);
    row("Brier", q.brier, h.brier, 4, std::isnan(q.base_rate) ? "" : "always the base rate: " + shown(q.base_rate * (1 - q.base_rate), 4));
    row("calibration err.", q.calibration_error, h.calibration_error, 4);
    row("base rate", q.base_rate, h.base_rate, 4);
  }
  row("coverage", q.coverage, h.coverage, 4);
  if (r.regression) {
    row("width of sets", q.set_width, h.set_width, 4);
  } else if (const std::uint64_t sets = q.set_sizes[0] + q.set_sizes[1] + q.set_sizes[2]; sets > 0) {
    const auto share = [&](std::size_t size) { return formatted("%.1f %%", 100.0 * double(q.set_sizes[size]) / double(sets)); };
    line("set sizes", "  none " + share(0) + ", one label " + share(1) + ", both " + share(2));
  }
  out += "\nLatency of the last run\n";
  line("tick", "  " + latency_text(r.tick));
  line("committed", "  " + latency_text(r.committed));
  std::string versions;
  for (const std::string& version : r.model_versions)
    if (!version.empty()) versions += (versions.empty() ? "" : ", ") + version;
  if (!versions.empty())
    line("model version", "  " + versions + (r.steps_undone > 0 ? "   " + grouped(r.steps_undone) + " training steps undone: not finite" : ""));
  out += "\nThe predictions are on topic `predictions` in " + data_dir + ". To look further:\n";
  out += "  weir tail predictions --data " + data_dir + " --from-beginning --json | head\n";
  out += "  weir topics --data " + data_dir + "\n";
  out += "  weir verify --data " + data_dir + " --recompute\n";
  return out;
}

namespace {
void write_latency(std::ostream& out, const LatencySummary& l) {
  out << l.count << ' ' << l.p50 << ' ' << l.p90 << ' ' << l.p99 << ' ' << l.p999 << ' ' << l.max << '\n';
}
void read_latency(std::istream& in, LatencySummary& l) { in >> l.count >> l.p50 >> l.p90 >> l.p99 >> l.p999 >> l.max; }
}  // namespace

Result<void> remember_run(const std::string& data_dir, const RunSummary& summary) {
  if (summary.total.events == 0) return {};
  std::error_code error;
  std::filesystem::create_directories(data_dir + "/run", error);
  const std::string path = data_dir + "/run/last_run";
  {
    std::ofstream out(path + ".new", std::ios::trunc);
    out.precision(17);
    out << "2\n" << summary.total.events << ' ' << summary.total.outcomes << ' ' << summary.total.seconds << '\n';
    write_latency(out, summary.tick);
    write_latency(out, summary.committed);
    out << summary.steps_undone << '\n';
    if (!out.flush()) return Error{ErrorCode::kIo, path + ".new: cannot be written"};
  }
  std::filesystem::rename(path + ".new", path, error);
  if (error) return Error{ErrorCode::kIo, path + ": " + error.message()};
  return {};
}

std::optional<RunSummary> remembered_run(const std::string& data_dir) {
  std::ifstream in(data_dir + "/run/last_run");
  int version = 0;
  RunSummary summary;
  if (!(in >> version) || version != 2) return std::nullopt;
  in >> summary.total.events >> summary.total.outcomes >> summary.total.seconds;
  read_latency(in, summary.tick);
  read_latency(in, summary.committed);
  in >> summary.steps_undone;
  if (!in) return std::nullopt;
  return summary;
}

}  // namespace weir
