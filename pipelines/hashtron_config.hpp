#pragma once
// What an offline training of a network of hashtrons is told: task, architecture, settings and flags, as YAML. configs/train
// has every key with its default.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/learning/hashtron_run.hpp"

namespace weir {

namespace config {
class Section;
}

struct HashtronTrainingConfig {
  std::string task = "sqrt-bit:C=5,b=3,noise=20";  // A generated one, or a file of samples (*.csv).
  std::uint32_t split = 0x5eed;                    // Of a file that does not say what is held out; 0: nothing is.
  std::vector<HashtronLayer> layers;               // None: those that the generated task is measured on.
  HashtronRunSettings run;
  std::uint32_t snapshot_every = 1;  // Jobs.
  bool operator==(const HashtronTrainingConfig& other) const;
};

// Every mistake with where it stood (kConfig). `sets`: "PATH=VALUE", as of a pipeline's config.
Result<HashtronTrainingConfig> parse_hashtron_config(std::string_view yaml, std::string_view file_name,
                                                     const std::vector<std::string>& sets = {});
// The same from a file (kNotFound, kIo); no path: the defaults, with `sets`.
Result<HashtronTrainingConfig> load_hashtron_config(const std::string& path, const std::vector<std::string>& sets = {});
// All of it, so that parsing gives the same config again.
std::string to_yaml(const HashtronTrainingConfig& config);
std::string to_yaml(const std::vector<HashtronLayer>& layers);  // One flow list.

// How a network learns backward: the keys from `literal` to `capacity`, of offline training and of a pipeline's trainer.hashtron. `seed`
// and `sweeps_max` stay as they are.
void read_backward(config::Section& section, BackwardSettings& out);
// Those keys, a line each, `level` levels in. The first is sum_cache: what `literal` stands for is in the others.
std::string backward_yaml(const BackwardSettings& settings, int level);

// The key `alerts`.
void read_alerts(config::Section& section, HashtronAlertSettings& out);
std::string alerts_yaml(const HashtronAlertSettings& settings, int level);

// The key `layers`: a list of {neurons, premodulo, add, combiner: {kind, …}}. Not there: `out` stays as it is.
void read_hashtron_layers(config::Section& parent, std::string_view key, std::vector<HashtronLayer>& out);

}  // namespace weir
