#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "cli/training_view.hpp"
#include "pipelines/hashtron_matrix.hpp"
#include "pipelines/hashtron_training.hpp"

namespace weir::cli {
namespace {

// The config with what the command line says beside it: --set wins over --seed and the like, which win over the file.
Result<HashtronTrainingConfig> config_of(const TrainArguments& arguments) {
  std::vector<std::string> sets;
  if (!arguments.task.empty()) sets.push_back("task=" + yaml_text(arguments.task));
  if (arguments.seed) sets.push_back("seed=" + std::to_string(*arguments.seed));
  if (arguments.sweeps) sets.push_back("sweeps=" + std::to_string(*arguments.sweeps));
  // What the matrix is learnt best by (docs/hashtron.md), where nothing is said of how.
  const auto says_how = [](const std::string& set) { return set.starts_with("selection=") || set.starts_with("literal=") || set.starts_with("direction="); };
  if (arguments.matrix && arguments.config.empty() && std::ranges::none_of(arguments.sets, says_how)) sets.push_back("selection=edge");
  sets.insert(sets.end(), arguments.sets.begin(), arguments.sets.end());
  return load_hashtron_config(arguments.config, sets);
}

std::string summary_json(const HashtronTraining& training, const HashtronFigures& train, const HashtronFigures& held_out) {
  const HashtronRun& run = training.core();
  std::string out = "{\"task\":" + json_text(training.config().task) + ",\"direction\":\"" +
                    (run.settings().direction == TrainingDirection::kBackward ? "backward" : "forward") + "\",\"ended\":\"" +
                    std::string(run.finished() ? run.phase() : "stopped") + "\",\"sweeps\":" + std::to_string(run.sweep()) +
                    ",\"jobs\":" + std::to_string(run.jobs()) + ",\"accepted\":" + std::to_string(run.accepted()) +
                    ",\"resumed_at\":" + std::to_string(training.resumed_at()) +
                    ",\"rescues\":" + std::to_string(run.rescues()) + ",\"train\":" + figures_json(train) +
                    ",\"held_out\":" + figures_json(held_out) +
                    ",\"constant\":" + (run.trainer().final_constant() ? "true" : "false") +
                    ",\"cache_bytes\":" + std::to_string(run.sums().bytes()) + ",\"alerts\":{";
  for (const HashtronAlert alert : kHashtronAlerts)
    out += (alert == kHashtronAlerts[0] ? "\"" : ",\"") + std::string(name_of(alert)) +
           "\":{\"active\":" + (run.alerts().active(alert) ? "true" : "false") +
           ",\"begun\":" + std::to_string(run.alerts().begun(alert)) + "}";
  return out + "}}\n";
}

Result<int> train_one(const TrainArguments& arguments, HashtronTrainingConfig config) {
  TrainingOptions options;
  options.config = std::move(config);
  options.snapshot = arguments.snapshot;
  options.from = arguments.from;
  options.rollback = arguments.rollback == "soft"     ? TrainingRollback::kSoft
                     : arguments.rollback == "medium" ? TrainingRollback::kMedium
                                                      : TrainingRollback::kNone;
  options.stop = &stop_on_signals();
  if (!arguments.out.empty()) TRY(check_writable(arguments.out));  // Before the work, not after it.
  TRY_ASSIGN(const auto training, HashtronTraining::open(std::move(options)));
  if (!training->warning().empty()) std::fprintf(stderr, "warning: %s\n", training->warning().c_str());
  if (!arguments.quiet && training->resumed_at() > 0)
    std::fprintf(stderr, "goes on from %s, after job %u\n", arguments.snapshot.c_str(), training->resumed_at());
  TrainingProgress progress(arguments.quiet, ::isatty(STDERR_FILENO) != 0);
  TRY(training->run([&](const HashtronTraining& now) { progress.show(now); }));
  progress.finish(*training);

  const HashtronRun& run = training->core();
  const HashtronNetwork model = run.model();
  const HashtronTrainer& trainer = run.trainer();
  const HashtronFigures train = figures_of(HashtronActivations(model, trainer.train()), trainer.train());
  const HashtronFigures held_out = figures_of(HashtronActivations(model, trainer.held_out()), trainer.held_out());
  if (!arguments.out.empty() && (run.finished() || arguments.snapshot.empty())) TRY(write_model_file(arguments.out, model));
  if (arguments.json) {
    print(summary_json(*training, train, held_out));
    return kDone;
  }
  if (arguments.quiet) return kDone;
  const bool backward = run.settings().direction == TrainingDirection::kBackward;
  std::string line = training->config().task + ": " + (run.finished() ? std::string(run.phase()) : "stopped") + " after " +
                     std::to_string(run.jobs()) + " jobs, " + std::to_string(run.sweep()) + (backward ? " sweeps" : " paths") +
                     "; " + figures_text("train", train) + ", " + figures_text("held out", held_out) + "\n";
  if (trainer.final_constant()) line += "a cell of the last layer is constant: its accuracy is the base rate\n";
  if (!run.finished() && !arguments.snapshot.empty()) line += "the same command goes on from " + arguments.snapshot + "\n";
  print(line);
  return kDone;
}

Result<int> train_matrix(const TrainArguments& arguments, const HashtronTrainingConfig& config) {
  for (const auto& [option, given] : {std::pair{"--task", &arguments.task}, std::pair{"--snapshot", &arguments.snapshot},
                                      std::pair{"--from", &arguments.from}, std::pair{"--out", &arguments.out}})
    if (!given->empty())
      return Error{ErrorCode::kConfig,
                   std::string(option) + " beside --matrix: expected one of the two: the matrix has its own tasks"};
  if (!config.layers.empty())
    return Error{ErrorCode::kConfig,
                 "layers beside --matrix: expected none in the config: each task has the network it is measured on"};
  MatrixOptions options;
  options.stop = &stop_on_signals();
  options.experiment = arguments.experiment;
  options.paired = arguments.paired;
  options.arms = {config.run, config.run};
  const bool arms = !arguments.arm_sets.empty();
  if (arms != (!arguments.experiment.empty() || arguments.paired))
    return Error{ErrorCode::kConfig,
                 "experiment: expected --arm PATH=VALUE (what the second arm does otherwise) together with "
                 "--experiment NAME or --paired"};
  if (arms) {
    TrainArguments second = arguments;
    second.sets.insert(second.sets.end(), arguments.arm_sets.begin(), arguments.arm_sets.end());
    TRY_ASSIGN(const HashtronTrainingConfig other, config_of(second));
    options.arms[1] = other.run;
  }
  std::vector<GeneratedTask> tasks = generated_matrix();
  std::erase_if(tasks, [&](const GeneratedTask& task) { return arguments.scale != 0 && task.scale != arguments.scale; });
  if (!arguments.json) print(matrix_head());
  TRY_ASSIGN(const auto rows, run_matrix(tasks, options, [&](const MatrixRow& row) {
               if (!arguments.json) print(matrix_line(row, arms));
             }));
  print(arguments.json ? matrix_json(rows, options) : "\n" + matrix_summary(rows, options));
  return kDone;
}

}  // namespace

Result<int> train_command(const TrainArguments& arguments) {
  if (arguments.rollback == "hard") {
    if (arguments.out.empty())
      return Error{ErrorCode::kConfig, "rollback hard: expected --out MODEL, the model whose version before is to be back"};
    TRY(restore_previous_model(arguments.out));
    print(arguments.out + ": the version before is back; go on from it with --from " + arguments.out + " and a new snapshot\n");
    return kDone;
  }
  TRY_ASSIGN(HashtronTrainingConfig config, config_of(arguments));
  if (arguments.print) {
    TRY(load_training_samples(config));  // Fills in the layers.
    print(to_yaml(config));
    return kDone;
  }
  return arguments.matrix ? train_matrix(arguments, config) : train_one(arguments, std::move(config));
}

}  // namespace weir::cli
