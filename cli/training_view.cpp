#include "cli/training_view.hpp"

#include <algorithm>
#include <cstdio>

#include "core/learning/capacity_law.hpp"
#include "pipelines/formatted.hpp"
#include "pipelines/sum_report.hpp"

namespace weir::cli {
namespace {

std::vector<std::uint32_t> layer_sizes(const HashtronNetwork& network) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t l = 0; l < network.layers(); ++l) out.push_back(network.layer(l).neurons);
  return out;
}

// All neurons of a layer as they are now, which the cache, with the sums after each one's last job, does not know.
struct LayerNow {
  std::uint32_t gold = 0;
  std::array<std::uint32_t, 10> margins{};
};
LayerNow layer_now(const HashtronRun& run, std::uint32_t layer) {
  LayerNow out;
  const std::uint32_t first = run.network().first(layer), n = run.trainer().n();
  for (std::uint32_t i = 0; i < run.network().layer(layer).neurons; ++i) {
    const std::uint64_t magnitude = run.trainer().magnitude(first + i);
    out.gold += in_gold_zone(n, magnitude) ? 1 : 0;
    ++out.margins[std::min<std::uint64_t>(9, 10 * magnitude / n)];
  }
  return out;
}

std::string alerts_text(const HashtronRun& run) {
  std::string out;
  for (const HashtronAlert alert : kHashtronAlerts)
    if (run.alerts().active(alert)) out += (out.empty() ? "" : ", ") + std::string(name_of(alert));
  return out.empty() ? "none" : out;
}

}  // namespace

std::string figures_text(const char* what, const HashtronFigures& f) {
  if (f.count == 0) return std::string(what) + " none";
  return formatted("%s %.1f %% (base %.1f, lift %+.1f, balanced %.1f)", what, 100 * f.accuracy, 100 * f.majority,
                   100 * f.lift(), 100 * f.balanced);
}

std::vector<std::string> training_view(const HashtronTraining& training) {
  const HashtronRun& run = training.core();
  const HashtronNetwork& network = run.network();
  const std::vector<std::uint32_t> sizes = layer_sizes(network);
  const bool backward = run.settings().direction == TrainingDirection::kBackward;
  std::vector<std::string> out;
  const std::uint32_t sweeps = run.settings().backward.sweeps_max;
  out.push_back(training.config().task + "  " + (backward ? "backward" : "forward") + ", " + std::string(run.phase()) + ", " +
                (backward ? "sweep " : "path ") + std::to_string(run.sweep()) +
                (backward && sweeps != 0 ? " of " + std::to_string(sweeps) : "") + ", job " + std::to_string(run.jobs()) +
                ", " + std::to_string(run.accepted()) + " accepted" +
                (run.rescues() > 0 ? ", salts drawn anew " + std::to_string(run.rescues()) + " times" : ""));
  if (const SumRecord* job = run.last_job(); job != nullptr)
    out.push_back("layer " + std::to_string(network.layer_of(job->neuron)) + ", neuron " +
                  std::to_string(network.position_of(job->neuron)) +
                  formatted(" (%s, %s): S %d -> %d, G %u (c %u), %u keys, right %u -> %u, %s",
                            std::string(name_of(job->selected_by)).c_str(), std::string(name_of(job->regime)).c_str(),
                            job->sum_before, job->sum, job->capacity, integer_sqrt(job->capacity), job->keys,
                            job->correct_before, job->correct_after, job->accepted != 0 ? "accepted" : "not accepted"));
  // Each layer's last job, in the direction that jobs go: + accepted, - not.
  std::string flow;
  for (std::uint32_t i = 0; i < network.layers(); ++i) {
    const std::uint32_t l = backward ? network.layers() - 1 - i : i;
    const auto& job = training.last_jobs()[l];
    flow += (flow.empty() ? "" : " -> ") +
            (job ? neuron_name(job->neuron, sizes) + (job->accepted != 0 ? "+" : "-") : std::to_string(l) + ".?");
  }
  out.push_back("flow  " + flow);
  for (std::uint32_t l = 0; l < network.layers(); ++l) {
    const LayerNow now = layer_now(run, l);
    const auto& job = training.last_jobs()[l];
    out.push_back(
        formatted("layer %u  %5u neurons  gold %5u  |S|/N 0[%s]1  ", l, sizes[l], now.gold, margin_bars(now.margins).c_str()) +
        (job ? "last G " + std::to_string(job->capacity) : ""));
  }
  out.push_back(figures_text("train", run.on_train()) + "   " + figures_text("held out", run.on_held_out()));
  out.push_back("alerts: " + alerts_text(run));
  return out;
}

std::string training_line(const HashtronTraining& training, std::uint32_t sweep) {
  const HashtronRun& run = training.core();
  const bool backward = run.settings().direction == TrainingDirection::kBackward;
  return (backward && sweep == 0 ? std::string("phase 0") : formatted(backward ? "sweep %u" : "path %u", sweep)) +
         formatted(" done, %u jobs, %u accepted: ", run.jobs(), run.accepted()) + figures_text("train", run.on_train()) + ", " +
         figures_text("held out", run.on_held_out()) + "; alerts: " + alerts_text(run);
}

void TrainingProgress::draw(const HashtronTraining& training) {
  std::string out;
  if (drawn_ > 0) out += "\x1b[" + std::to_string(drawn_) + "A";
  const std::vector<std::string> lines = training_view(training);
  for (const std::string& line : lines) out += "\r\x1b[K" + line + "\n";
  drawn_ = lines.size();
  std::fputs(out.c_str(), stderr);
  std::fflush(stderr);
}

void TrainingProgress::show(const HashtronTraining& training) {
  if (quiet_) return;
  if (terminal_) {
    const auto now = std::chrono::steady_clock::now();
    if (drawn_ > 0 && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    draw(training);
    return;
  }
  for (; events_ < training.events().size(); ++events_) {
    const HashtronAlerts::Event& event = training.events()[events_];
    std::fprintf(stderr, "alert: sweep %u, job %u: %s %s: %s\n", event.sweep, event.job,
                 std::string(name_of(event.alert)).c_str(), event.begins ? "begins" : "ends", event.what.c_str());
  }
  // The sweep at hand, before the first job: that of the snapshot.
  if (!begun_) sweep_ = training.core().last_job()->sweep;
  begun_ = true;
  if (training.core().sweep() == sweep_ && !training.core().finished()) return;
  std::fprintf(stderr, "%s\n", training_line(training, sweep_).c_str());
  sweep_ = training.core().sweep();
}

void TrainingProgress::finish(const HashtronTraining& training) {
  if (!quiet_ && terminal_) draw(training);
}

}  // namespace weir::cli
