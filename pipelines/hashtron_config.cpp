#include "pipelines/hashtron_config.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <type_traits>
#include <variant>

#include "core/learning/hashtron_edge.hpp"
#include "pipelines/config_section.hpp"
#include "pipelines/config_words.hpp"
#include "pipelines/yaml_lines.hpp"

namespace weir {
namespace {

using config::Findings;
using config::Kind;
using config::Section;
using words::Word;

constexpr std::array<Word<TrainingDirection>, 2> kDirections = {
    {{TrainingDirection::kBackward, "backward"}, {TrainingDirection::kForward, "forward"}}};
constexpr std::array<Word<SelectionRule>, 4> kSelections = {{{SelectionRule::kGold, "gold"},
                                                             {SelectionRule::kRandom, "random"},
                                                             {SelectionRule::kFixed, "fixed"},
                                                             {SelectionRule::kEdge, "edge"}}};
constexpr std::array<Word<bool>, 2> kAccept = {{{false, "no_worse"}, {true, "always"}}};
constexpr std::array<Word<bool>, 2> kThresholds = {{{false, "zero"}, {true, "mean"}}};
constexpr std::array<Word<bool>, 2> kOnOff = {{{true, "on"}, {false, "off"}}};
constexpr std::array<Word<HashtronAdd>, 3> kAdds = {
    {{HashtronAdd::kNone, "none"}, {HashtronAdd::kSample, "sample"}, {HashtronAdd::kLayer, "layer"}}};
constexpr std::array<std::string_view, 7> kCombiners = {"majority_pool",   "full_window", "parity",     "random_wiring",
                                                        "cross_attention", "sum",         "convolution"};

// Each combiner's keys, once: `visit(name, value)`, for reading and for printing.
template <class Spec, class Visit> void keys_of(Spec& spec, Visit&& visit) {
  using T = std::remove_const_t<Spec>;
  if constexpr (std::is_same_v<T, MajorityPool>) {
    visit("width", spec.width), visit("height", spec.height);
    visit("sub_width", spec.sub_width), visit("sub_height", spec.sub_height);
    visit("window_width", spec.window_width), visit("window_height", spec.window_height);
    visit("repeat", spec.repeat), visit("bias", spec.bias);
  } else if constexpr (std::is_same_v<T, FullWindow>) {
    visit("size", spec.size), visit("bits", spec.bits), visit("bits_max", spec.bits_max);
  } else if constexpr (std::is_same_v<T, ParityOfAll>) {
    visit("size", spec.size);
  } else if constexpr (std::is_same_v<T, RandomWiring>) {
    visit("size", spec.size), visit("bits_max", spec.bits_max), visit("seed", spec.seed);
  } else if constexpr (std::is_same_v<T, CrossAttention>) {
    visit("dim", spec.dim), visit("heads", spec.heads);
    visit("query_key_value", spec.query_key_value), visit("masked", spec.masked);
  } else if constexpr (std::is_same_v<T, SumAlong>) {
    visit("dims", spec.dims), visit("axis", spec.axis);
  } else {
    static_assert(std::is_same_v<T, Convolution>);
    visit("width", spec.width), visit("height", spec.height);
    visit("sub_width", spec.sub_width), visit("sub_height", spec.sub_height);
    visit("repeat", spec.repeat), visit("shift", spec.shift);
  }
}

// A list of whole numbers; false if it is none.
void read_wholes(Section& s, std::string_view key, std::vector<std::uint32_t>& out) {
  std::vector<double> numbers;
  s.numbers(key, numbers);
  if (numbers.empty()) return;
  out.clear();
  for (const double number : numbers) {
    if (number < 0 || number > 4294967295.0 || number != std::floor(number))
      return s.refuse(*s.node()->find(key), key, "whole numbers from 0 to 4294967295, as in [3, 2, 1]");
    out.push_back(static_cast<std::uint32_t>(number));
  }
}

void read_combiner(Section& parent, std::optional<CombinerSpec>& out) {
  const YamlNode* node = parent.get("combiner");
  if (node == nullptr) return;
  Section s(parent.findings(), node, parent.path_of("combiner"));
  if (!s.present()) return;
  std::string kind;
  s.text("kind", kind);
  static const CombinerSpec kSpecs[] = {MajorityPool{},   FullWindow{}, ParityOfAll{}, RandomWiring{},
                                        CrossAttention{}, SumAlong{},   Convolution{}};
  const auto found = std::find(kCombiners.begin(), kCombiners.end(), kind);
  if (found == kCombiners.end()) {
    const std::vector<std::string_view> known(kCombiners.begin(), kCombiners.end());
    parent.findings()
        .add(*node, s.path_of("kind"), kind.empty() ? "nothing" : config::quoted(kind), "one of " + config::joined(known))
        .suggestion = config::nearest(kind, known);
    return;
  }
  out = kSpecs[found - kCombiners.begin()];
  std::visit(
      [&](auto& spec) {
        keys_of(spec, [&](std::string_view key, auto& value) {
          using T = std::remove_reference_t<decltype(value)>;
          if constexpr (std::is_same_v<T, bool>)
            s.flag(key, value);
          else if constexpr (std::is_same_v<T, std::vector<std::uint32_t>>)
            read_wholes(s, key, value);
          else
            s.whole(key, value, std::numeric_limits<T>::min());
        });
      },
      *out);
  s.finish();
}

void read_capacity(Section& parent, CapacitySettings& out) {
  Section s(parent.findings(), parent.get("capacity"), parent.path_of("capacity"));
  s.flag("law", out.law);
  s.whole("clamp", out.clamp, 1U, 1000000U);
  s.whole("gold_clamp", out.gold_clamp, 1U, 1000000U);
  s.whole("min", out.capacity_min, 1U);
  s.flag("escape", out.escape);
  std::vector<std::uint32_t> smoothing(out.smoothing.begin(), out.smoothing.end());
  read_wholes(s, "smoothing", smoothing);
  if (smoothing.size() != 3 || smoothing[0] == 0 || *std::max_element(smoothing.begin(), smoothing.end()) > 1000000)
    s.refuse(*s.node()->find("smoothing"), "smoothing", "three weights from 0 to 1000000, the first not 0, as in [3, 2, 1]");
  else
    std::copy(smoothing.begin(), smoothing.end(), out.smoothing.begin());
  s.flag("round_first", out.round_first);
  s.finish();
}

void read_forward(Section& parent, ForwardSettings& out) {
  Section s(parent.findings(), parent.get("forward"), "forward");
  s.whole("jobs", out.jobs_max, std::uint64_t(1), std::uint64_t(0xffffffff));
  s.whole("capacity_half", out.capacity_half);
  s.whole("capacity_full", out.capacity_full);
  s.flag("measure_part", out.measure_part);
  s.whole("redraw_after", out.redraw_after);
  s.whole("undo", out.undo_max);
  s.whole("pair_layers", out.pair_layers);
  s.finish();
  if ((out.capacity_half == 0) != (out.capacity_full == 0))
    parent.findings().add(*s.node(), "forward.capacity_half", "only one of capacity_half and capacity_full",
                          "both, or neither (0: keys as they are)");
}

}  // namespace

void read_backward(Section& section, BackwardSettings& out) {
  bool literal = false;
  section.flag("literal", literal);
  section.word("selection", kSelections, out.selection);
  const bool by_edge = out.selection == SelectionRule::kEdge;
  if (literal && by_edge) section.refuse(*section.get("selection"), "selection", "not edge beside literal: true");
  // Each of the two stands for defaults of its own; keys that are there win over them.
  if (literal || by_edge) {
    BackwardSettings own = by_edge ? BackwardSettings::by_edge() : BackwardSettings::literal();
    own.seed = out.seed;
    own.selection = out.selection;
    if (!by_edge) own.sweeps_max = out.sweeps_max;
    out = own;
  }
  section.word("sum_cache", kOnOff, out.sum_cache);
  section.whole("ring", out.ring, 1U, 1000000U);
  section.whole("edge_min", out.edge_min, 0U, kEdgeTenthsMax);
  section.whole("explore_every", out.explore_every);
  section.flag("pin_final", out.pin_final);
  section.flag("rescue", out.rescue);
  section.word("accept", kAccept, out.accept_always);
  section.whole("attempts", out.attempts, 1U);
  section.whole("stuck_sweeps", out.stuck_sweeps_max);
  section.flag("fixed_salts", out.fixed_salts);
  section.flag("stale_sums", out.stale_sums);
  section.word("threshold", kThresholds, out.tally.mean_threshold);
  section.flag("fill", out.tally.fill);
  read_capacity(section, out.capacity);
}

void read_alerts(Section& section, HashtronAlertSettings& out) {
  Section s(section.findings(), section.get("alerts"), section.path_of("alerts"));
  s.whole("memorised", out.memorised, 0U, 100U);
  s.whole("gap", out.gap, 0U, 100U);
  s.whole("sweeps", out.sweeps, 1U);
  s.finish();
}

std::string backward_yaml(const BackwardSettings& b, int level) {
  YamlLines to;
  to.line(level, "sum_cache", words::text_of(kOnOff, b.sum_cache));
  to.whole(level, "ring", b.ring);
  to.line(level, "selection", words::text_of(kSelections, b.selection));
  to.whole(level, "edge_min", b.edge_min);
  to.whole(level, "explore_every", b.explore_every);
  to.flag(level, "pin_final", b.pin_final);
  to.flag(level, "rescue", b.rescue);
  to.line(level, "accept", words::text_of(kAccept, b.accept_always));
  to.whole(level, "attempts", b.attempts);
  to.whole(level, "stuck_sweeps", b.stuck_sweeps_max);
  to.flag(level, "fixed_salts", b.fixed_salts);
  to.flag(level, "stale_sums", b.stale_sums);
  to.line(level, "threshold", words::text_of(kThresholds, b.tally.mean_threshold));
  to.flag(level, "fill", b.tally.fill);
  const CapacitySettings& g = b.capacity;
  to.line(level, "capacity", "");
  to.flag(level + 1, "law", g.law);
  to.whole(level + 1, "clamp", g.clamp);
  to.whole(level + 1, "gold_clamp", g.gold_clamp);
  to.whole(level + 1, "min", g.capacity_min);
  to.flag(level + 1, "escape", g.escape);
  to.line(level + 1, "smoothing",
          "[" + std::to_string(g.smoothing[0]) + ", " + std::to_string(g.smoothing[1]) + ", " + std::to_string(g.smoothing[2]) + "]");
  to.flag(level + 1, "round_first", g.round_first);
  return to.take();
}

std::string alerts_yaml(const HashtronAlertSettings& settings, int level) {
  YamlLines to;
  to.line(level, "alerts", "");
  to.whole(level + 1, "memorised", settings.memorised);
  to.whole(level + 1, "gap", settings.gap);
  to.whole(level + 1, "sweeps", settings.sweeps);
  return to.take();
}

void read_hashtron_layers(Section& parent, std::string_view key, std::vector<HashtronLayer>& out) {
  const YamlNode* list = parent.list(key);
  if (list == nullptr) return;
  out.clear();
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    Section s(parent.findings(), &list->items[i], parent.path_of(key) + "." + std::to_string(i));
    HashtronLayer layer;
    s.whole("neurons", layer.neurons, 1U, kHashtronNeuronsMax);
    s.whole("premodulo", layer.premodulo);
    s.word("add", kAdds, layer.add);
    read_combiner(s, layer.combiner);
    s.finish();
    if (s.present() && s.node()->find("neurons") == nullptr)
      parent.findings().add(list->items[i], s.path_of("neurons"), "nothing", "how many neurons the layer has");
    out.push_back(std::move(layer));
  }
}

Result<HashtronTrainingConfig> parse_hashtron_config(std::string_view yaml, std::string_view file_name,
                                                     const std::vector<std::string>& sets) {
  HashtronTrainingConfig out;
  Findings findings(file_name, sets);
  YamlNode tree;
  YamlFailure failure;
  if (!parse_yaml(yaml, 0, tree, failure)) {
    findings.add(0, failure.line, "", failure.what, "one YAML mapping");
  } else {
    for (std::size_t i = 0; i < sets.size(); ++i)
      if (!apply_set(sets[i], static_cast<std::uint32_t>(i + 1), tree, failure))
        findings.add(static_cast<std::uint32_t>(i + 1), 0, "", failure.what, "PATH=VALUE with VALUE in YAML, as in seed=2");
    if (tree.kind == Kind::kNull) tree.kind = Kind::kMap;
    Section root(findings, &tree, "");
    std::uint32_t version = 1;
    root.whole("version", version, 1U);
    if (version != 1) root.refuse(*tree.find("version"), "version", "1: this program reads version 1 only");
    root.text("task", out.task);
    root.whole("split", out.split);
    BackwardSettings& b = out.run.backward;
    read_backward(root, b);
    const bool by_edge = b.selection == SelectionRule::kEdge;
    ForwardSettings& f = out.run.forward;
    root.whole("seed", b.seed);
    f.seed = b.seed;
    root.word("direction", kDirections, out.run.direction);
    // 0 only by edge, which converges: else a job that makes as many samples right is accepted, perhaps for ever.
    root.whole("sweeps", b.sweeps_max, by_edge ? 0U : 1U, 100000000U);
    read_hashtron_layers(root, "layers", out.layers);
    f.ring = b.ring;
    f.mean_threshold = b.tally.mean_threshold;
    read_forward(root, f);
    read_alerts(root, out.run.alerts);
    root.whole("snapshot_every", out.snapshot_every, 1U);
    root.finish();
    if (!out.layers.empty())
      if (const auto network = HashtronNetwork::make(out.layers); !network.ok())
        findings.add(*tree.find("layers"), "layers", "layers that do not fit together", network.error().what);
  }
  std::string what;
  for (const ConfigProblem& problem : findings.take()) what += (what.empty() ? "" : "\n") + problem.text();
  if (!what.empty()) return Error{ErrorCode::kConfig, what};
  return out;
}

Result<HashtronTrainingConfig> load_hashtron_config(const std::string& path, const std::vector<std::string>& sets) {
  if (path.empty()) return parse_hashtron_config("version: 1\n", "defaults", sets);
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, path + ": no such config file, or not readable"};
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (file.bad()) return Error{ErrorCode::kIo, path + ": reading failed; expected a config file"};
  return parse_hashtron_config(text, path, sets);
}

std::string to_yaml(const std::vector<HashtronLayer>& layers) {
  std::string out = "[";
  for (const HashtronLayer& layer : layers) {
    out += (out.size() > 1 ? ", " : "") + std::string("{neurons: ") + std::to_string(layer.neurons) +
           ", premodulo: " + std::to_string(layer.premodulo) + ", add: " + std::string(words::text_of(kAdds, layer.add));
    if (layer.combiner) {
      out += ", combiner: {kind: " + std::string(kCombiners[layer.combiner->index()]);
      std::visit(
          [&](const auto& spec) {
            keys_of(spec, [&](std::string_view key, const auto& value) {
              using T = std::remove_cvref_t<decltype(value)>;
              out += ", " + std::string(key) + ": ";
              if constexpr (std::is_same_v<T, bool>) {
                out += value ? "true" : "false";
              } else if constexpr (std::is_same_v<T, std::vector<std::uint32_t>>) {
                out += "[";
                for (std::size_t i = 0; i < value.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(value[i]);
                out += "]";
              } else {
                out += std::to_string(value);
              }
            });
          },
          *layer.combiner);
      out += "}";
    }
    out += "}";
  }
  return out + "]";
}

std::string to_yaml(const HashtronTrainingConfig& c) {
  const BackwardSettings& b = c.run.backward;
  const ForwardSettings& f = c.run.forward;
  std::string quoted_task = "\"";
  for (const char byte : c.task) quoted_task += byte == '"' || byte == '\\' ? std::string("\\") + byte : std::string(1, byte);
  YamlLines to;
  to.whole(0, "version", 1);
  to.line(0, "task", quoted_task + "\"");
  to.whole(0, "split", c.split);
  to.whole(0, "seed", b.seed);
  to.line(0, "direction", words::text_of(kDirections, c.run.direction));
  to.whole(0, "sweeps", b.sweeps_max);
  to.line(0, "layers", to_yaml(c.layers));
  to.raw(backward_yaml(b, 0));
  to.line(0, "forward", "");
  to.whole(1, "jobs", f.jobs_max);
  to.whole(1, "capacity_half", f.capacity_half);
  to.whole(1, "capacity_full", f.capacity_full);
  to.flag(1, "measure_part", f.measure_part);
  to.whole(1, "redraw_after", f.redraw_after);
  to.whole(1, "undo", f.undo_max);
  to.whole(1, "pair_layers", f.pair_layers);
  to.raw(alerts_yaml(c.run.alerts, 0));
  to.whole(0, "snapshot_every", c.snapshot_every);
  return to.take();
}

bool HashtronTrainingConfig::operator==(const HashtronTrainingConfig& other) const { return to_yaml(*this) == to_yaml(other); }

}  // namespace weir
