#include "pipelines/hashtron_matrix.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/hash.hpp"
#include "pipelines/formatted.hpp"

namespace weir {
namespace {

struct Moments {
  double mean = 0.0, variance = 0.0;
};
Moments moments_of(const std::vector<double>& values) {
  Moments out;
  for (const double value : values) out.mean += value / double(values.size());
  for (const double value : values) out.variance += (value - out.mean) * (value - out.mean) / double(values.size() - 1);
  return out;
}

// Student's t that 2.5 % lie above, for at least 2 degrees of freedom: the expansion about the normal distribution's, good to
// 0.3 % from 4 on.
double student_quantile(double freedom) {
  constexpr double z = 1.959963984540054;
  const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

// What the arms are compared by.
struct Measure {
  const char* name;
  double (*of)(const MatrixRow&);
};
constexpr Measure kMeasures[] = {
    {"held-out accuracy", [](const MatrixRow& row) { return 100 * row.held_out.accuracy; }},
    {"held-out lift over the base rate", [](const MatrixRow& row) { return 100 * row.held_out.lift(); }},
    {"held-out balanced accuracy", [](const MatrixRow& row) { return 100 * row.held_out.balanced; }}};

std::optional<ArmComparison> compare(const std::vector<MatrixRow>& rows, const MatrixOptions& options, const Measure& measure) {
  std::array<std::vector<double>, 2> values;
  for (const MatrixRow& row : rows) values[row.arm].push_back(measure.of(row));
  if (!options.paired) return compare_two(values[0], values[1]);
  const std::size_t pairs = std::min(values[0].size(), values[1].size());  // One more in the first, where it was stopped.
  values[0].resize(pairs);
  values[1].resize(pairs);
  return compare_paired(values[0], values[1]);
}

std::string joined(const std::vector<std::string>& words, const char* between, const char* quote) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + (quote + word) + quote;
  return out;
}

}  // namespace

std::uint32_t arm_of(std::string_view experiment, std::string_view task) {
  return static_cast<std::uint32_t>(mix_hash(hash64(experiment), hash64(task)) >> 63);
}

std::optional<ArmComparison> compare_paired(const std::vector<double>& first, const std::vector<double>& second) {
  if (first.size() != second.size() || first.size() < 3) return std::nullopt;
  std::vector<double> differences(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) differences[i] = second[i] - first[i];
  const double n = double(first.size());
  const Moments moments = moments_of(differences);
  const double half = student_quantile(n - 1) * std::sqrt(moments.variance / n);
  const auto count = static_cast<std::uint32_t>(first.size());
  return ArmComparison{.tasks = {count, count},
                       .means = {moments_of(first).mean, moments_of(second).mean},
                       .difference = moments.mean,
                       .low = moments.mean - half,
                       .high = moments.mean + half};
}

std::optional<ArmComparison> compare_two(const std::vector<double>& first, const std::vector<double>& second) {
  if (first.size() < 3 || second.size() < 3) return std::nullopt;
  const Moments a = moments_of(first), b = moments_of(second);
  const double va = a.variance / double(first.size()), vb = b.variance / double(second.size());
  const double spread = va * va / double(first.size() - 1) + vb * vb / double(second.size() - 1);
  const double freedom = spread > 0 ? (va + vb) * (va + vb) / spread : double(first.size() + second.size() - 2);
  const double difference = b.mean - a.mean, half = student_quantile(freedom) * std::sqrt(va + vb);
  return ArmComparison{.tasks = {static_cast<std::uint32_t>(first.size()), static_cast<std::uint32_t>(second.size())},
                       .means = {a.mean, b.mean},
                       .difference = difference,
                       .low = difference - half,
                       .high = difference + half};
}

Result<std::vector<MatrixRow>> run_matrix(const std::vector<GeneratedTask>& tasks, const MatrixOptions& options,
                                          const std::function<void(const MatrixRow&)>& on_row) {
  std::vector<MatrixRow> rows;
  for (const GeneratedTask& task : tasks) {
    std::vector<std::uint32_t> arms = {0};
    if (!options.experiment.empty()) arms = {arm_of(options.experiment, task.name())};
    if (options.paired) arms = {0, 1};
    for (const std::uint32_t arm : arms) {
      TRY_ASSIGN(auto run, HashtronRun::make(task.layers(), options.arms[arm], task.samples()));
      bool more = true;
      while (more) {
        if (options.stop != nullptr && *options.stop != 0) return rows;
        TRY_ASSIGN(more, run->step());
      }
      const HashtronNetwork model = run->model();
      const HashtronTrainer& trainer = run->trainer();
      MatrixRow row{.task = task.name(),
                    .phase = std::string(run->phase()),
                    .arm = arm,
                    .jobs = run->jobs(),
                    .accepted = run->accepted(),
                    .sweeps = run->sweep(),
                    .train = figures_of(HashtronActivations(model, trainer.train()), trainer.train()),
                    .held_out = figures_of(HashtronActivations(model, trainer.held_out()), trainer.held_out()),
                    .constant = trainer.final_constant(),
                    .cache_bytes = run->sums().bytes()};
      for (const HashtronAlert alert : kHashtronAlerts)
        if (run->alerts().begun(alert) > 0) row.alerts.emplace_back(name_of(alert));
      if (on_row) on_row(row);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string matrix_head() {
  return "task                                    arm  train  (base)  held out  (base)    lift  balanced    jobs accepted  "
         "ended"
         "         constant alerts\n";
}

std::string matrix_line(const MatrixRow& row, bool arms) {
  return formatted("%-40s %2s  %5.1f  %6.1f  %8.1f  %6.1f  %+6.1f  %8.1f  %6u %8u  %-14s %-8s ", row.task.c_str(),
                   !arms          ? ""
                   : row.arm == 0 ? "A"
                                  : "B",
                   100 * row.train.accuracy, 100 * row.train.majority, 100 * row.held_out.accuracy, 100 * row.held_out.majority,
                   100 * row.held_out.lift(), 100 * row.held_out.balanced, row.jobs, row.accepted, row.phase.c_str(),
                   row.constant ? "constant" : "") +
         joined(row.alerts, ", ", "") + "\n";
}

std::string matrix_summary(const std::vector<MatrixRow>& rows, const MatrixOptions& options) {
  std::uint64_t bytes = 0, jobs = 0, constant = 0, above = 0;
  double train = 0, held_out = 0, lift = 0, balanced = 0;
  for (const MatrixRow& row : rows) {
    bytes += row.cache_bytes;
    jobs += row.jobs;
    constant += row.constant ? 1 : 0;
    above += row.held_out.lift() > 0 ? 1 : 0;
    train += 100 * row.train.accuracy / double(rows.size());
    held_out += 100 * row.held_out.accuracy / double(rows.size());
    lift += 100 * row.held_out.lift() / double(rows.size());
    balanced += 100 * row.held_out.balanced / double(rows.size());
  }
  std::string out =
      formatted("%zu trainings to their end, %llu jobs; train %.1f %%, held out %.1f %% (lift %+.1f, balanced %.1f)\n",
                rows.size(), static_cast<unsigned long long>(jobs), train, held_out, lift, balanced);
  out += formatted("%llu above the base rate, %llu constant; caches of sums together %.2f MB\n",
                   static_cast<unsigned long long>(above), static_cast<unsigned long long>(constant), double(bytes) / 1e6);
  if (options.experiment.empty() && !options.paired) return out;
  for (const Measure& measure : kMeasures) {
    const auto result = compare(rows, options, measure);
    if (!result) {
      out += std::string(measure.name) + ": too few tasks in an arm to compare\n";
      continue;
    }
    out += formatted("%s: A %.2f (%u tasks), B %.2f (%u), B - A = %+.2f, 95 %% in [%+.2f, %+.2f] (%s)\n", measure.name,
                     result->means[0], result->tasks[0], result->means[1], result->tasks[1], result->difference, result->low,
                     result->high, options.paired ? "pairs" : "two samples");
  }
  return out;
}

std::string figures_json(const HashtronFigures& f) {
  return formatted("{\"count\":%u,\"correct\":%u,\"accuracy\":%.6g,\"majority\":%.6g,\"lift\":%.6g,\"balanced\":%.6g}", f.count,
                   f.correct, f.accuracy, f.majority, f.lift(), f.balanced);
}

std::string matrix_json(const std::vector<MatrixRow>& rows, const MatrixOptions& options) {
  std::string out = "{\"trainings\":[";
  std::uint64_t bytes = 0;
  for (const MatrixRow& row : rows) {
    bytes += row.cache_bytes;
    out += (&row == rows.data() ? "" : ",") + std::string("{\"task\":\"") + row.task + "\",\"arm\":\"" +
           (row.arm == 0 ? "A" : "B") + "\",\"train\":" + figures_json(row.train) +
           ",\"held_out\":" + figures_json(row.held_out) +
           formatted(",\"jobs\":%u,\"accepted\":%u,\"sweeps\":%u,\"ended\":\"", row.jobs, row.accepted, row.sweeps) +
           row.phase + "\",\"constant\":" + (row.constant ? "true" : "false") + ",\"alerts\":[" +
           joined(row.alerts, ",", "\"") + "],\"cache_bytes\":" + std::to_string(row.cache_bytes) + "}";
  }
  out += "],\"cache_bytes\":" + std::to_string(bytes) + ",\"comparisons\":[";
  bool first = true;
  if (!options.experiment.empty() || options.paired) {
    for (const Measure& measure : kMeasures) {
      const auto result = compare(rows, options, measure);
      if (!result) continue;
      out += (first ? "" : ",") + std::string("{\"of\":\"") + measure.name +
             formatted("\",\"tasks\":[%u,%u],\"means\":[%.6g,%.6g],\"difference\":%.6g,\"low\":%.6g,\"high\":%.6g}",
                       result->tasks[0], result->tasks[1], result->means[0], result->means[1], result->difference, result->low,
                       result->high);
      first = false;
    }
  }
  return out + "]}\n";
}

}  // namespace weir
