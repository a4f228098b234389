#include <cstdio>
#include <optional>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/hashtron_training.hpp"
#include "pipelines/sum_report.hpp"

namespace weir::cli {

Result<int> inspect_sums_command(const InspectSumsArguments& arguments) {
  TRY_ASSIGN(const auto training, HashtronTraining::open_snapshot(arguments.snapshot));
  if (!training->warning().empty()) std::fprintf(stderr, "warning: %s\n", training->warning().c_str());
  const HashtronNetwork& network = training->core().network();
  std::vector<std::uint32_t> layers;
  for (std::uint32_t l = 0; l < network.layers(); ++l) layers.push_back(network.layer(l).neurons);
  std::optional<std::uint32_t> neuron;
  if (!arguments.neuron.empty()) {
    TRY_ASSIGN(neuron, parse_neuron(arguments.neuron, layers));
  }
  const SumCache& sums = training->core().sums();
  print(arguments.json ? sums_json(sums, layers, neuron) : sums_text(sums, layers, neuron));
  return kDone;
}

}  // namespace weir::cli
