#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "cli/training_view.hpp"
#include "pipelines/hashtron_training.hpp"

namespace weir::cli {

// A model file into a snapshot that a training goes on from: its neurons stay, its sums come from one measuring pass.
Result<int> models_import_command(const ModelsArguments& arguments) {
  std::vector<std::string> sets;
  if (!arguments.task.empty()) sets.push_back("task=" + yaml_text(arguments.task));
  sets.insert(sets.end(), arguments.sets.begin(), arguments.sets.end());
  TrainingOptions options;
  TRY_ASSIGN(options.config, load_hashtron_config(arguments.config, sets));
  options.from = arguments.model;
  options.snapshot = arguments.snapshot;
  if (!arguments.snapshot.empty() && std::filesystem::exists(arguments.snapshot))
    return Error{ErrorCode::kConfig,
                 arguments.snapshot + ": there is a snapshot already; expected a name that is free, or remove it"};
  TRY_ASSIGN(const auto training, HashtronTraining::open(std::move(options)));
  const HashtronRun& run = training->core();
  std::string out = arguments.model + ": " + std::to_string(run.network().size()) + " neurons in " +
                    std::to_string(run.network().layers()) + " layers, " + std::to_string(run.network().text().size()) +
                    " bytes of text; on " + training->config().task + " " + figures_text("train", run.on_train()) + ", " +
                    figures_text("held out", run.on_held_out()) + "\n";
  if (!arguments.snapshot.empty()) out += arguments.snapshot + ": written; `weir train hashtron` goes on from it\n";
  print(out);
  return kDone;
}

Result<int> models_export_command(const ModelsArguments& arguments) {
  TRY_ASSIGN(const auto training, HashtronTraining::open_snapshot(arguments.snapshot));
  if (!training->warning().empty()) std::fprintf(stderr, "warning: %s\n", training->warning().c_str());
  const HashtronRun& run = training->core();
  if (arguments.model == "-") {
    print(run.model().text());
    return kDone;
  }
  TRY(write_model_file(arguments.model, run.model()));
  print(arguments.model + ": " + std::to_string(run.network().size()) + " neurons after " + std::to_string(run.jobs()) +
        " jobs of " + training->config().task + "\n");
  return kDone;
}

}  // namespace weir::cli
