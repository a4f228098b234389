#include "pipelines/pipeline_config.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "core/features/knots.hpp"
#include "core/models/model.hpp"
#include "pipelines/config_section.hpp"
#include "pipelines/config_words.hpp"
#include "pipelines/hashtron_config.hpp"
#include "pipelines/process_name.hpp"
#include "pipelines/secret.hpp"
#include "pipelines/yaml_tree.hpp"

namespace weir {
namespace {

using namespace config;

constexpr double kNoLimit = 1.7e308;
constexpr std::uint32_t kPartitionsMax = 256;  // Four threads each.

void read_source(Section& parent, std::string_view key, SourceConfig& out) {
  Section s(parent.findings(), parent.get(key), parent.path_of(key));
  s.texts("files", out.files);
  s.flag("follow", out.follow);
  s.flag("accept_loss", out.accept_loss);
  s.flag("stdin", out.standard_input);
  s.finish();
  if (!s.present()) return;
  for (const std::string& file : out.files)
    if (file.empty()) s.refuse(*s.node()->find("files"), "files", "paths or globs that are not empty");
  if (out.standard_input && !out.files.empty())
    parent.findings().add(*s.node()->find("stdin"), s.path_of("stdin"), "'true' beside files", "one of the two: files or stdin");
  if (out.follow && out.files.empty())
    parent.findings().add(*s.node()->find("follow"), s.path_of("follow"), "'true' without files", "a file to follow");
  if (out.follow && (out.files.size() > 1 || (!out.files.empty() && out.files[0].find_first_of("*?[") != std::string::npos)))
    parent.findings().add(*s.node()->find("follow"), s.path_of("follow"), "'true' with several files or a glob", "one file, by its name; rotated ones beside it are found");
  if (out.accept_loss && !out.follow && !out.from_topic())
    parent.findings().add(*s.node()->find("accept_loss"), s.path_of("accept_loss"), "'true' without follow", "this key with follow: true, or with a topic (no files)");
}

void read_field(Findings& findings, const YamlNode& node, const std::string& path, EventSchema& schema) {
  FieldSpec field;
  if (node.kind == Kind::kScalar) {  // Short for {name: X, kind: number}.
    field.name = node.scalar;
  } else {
    Section s(findings, &node, path);
    if (!s.present()) {
      if (node.kind == Kind::kNull) findings.add(node, path, "nothing", "a field: {name: …, kind: …}");
      return;
    }
    if (!s.text("name", field.name)) findings.add(node, s.path_of("name"), "nothing", "the field's name in the line");
    s.word("kind", words::kFieldKinds, field.kind);
    s.word("missing", words::kMissing, field.missing);
    s.number("clip", field.clip, 0, 1e6);
    s.numbers("bins", field.bins);
    s.numbers("knots", field.knots);
    s.flag("scaled", field.scaled);
    s.number("step", field.step, 0, 1e12);
    s.whole("levels", field.levels, 1u, 32u);
    s.flag("one_hot", field.one_hot);
    s.finish();
    const auto only = [&](std::string_view key, FieldKind kind, std::string_view what) {
      if (const YamlNode* at = node.find(key); at != nullptr && field.kind != kind)
        findings.add(*at, s.path_of(key), found_text(*at), "this key on " + std::string(what) + " only");
    };
    only("clip", FieldKind::kNumber, "numbers");
    only("bins", FieldKind::kNumber, "numbers");
    only("knots", FieldKind::kNumber, "numbers");
    if (const YamlNode* at = node.find("knots"); at != nullptr && !field.knots.empty()) {
      if (const char* wrong = complaint_on_knots(field.knots)) findings.add(*at, s.path_of("knots"), wrong, "at least two ascending numbers");
      else if (!field.bins.empty()) findings.add(*at, s.path_of("knots"), "knots beside bins", "one of the two");
    }
    only("scaled", FieldKind::kNumber, "numbers");
    only("step", FieldKind::kNumber, "numbers");
    only("levels", FieldKind::kNumber, "numbers");
    only("one_hot", FieldKind::kCategory, "categories");
    for (std::size_t i = 1; i < field.bins.size(); ++i)
      if (!(field.bins[i - 1] < field.bins[i])) {
        findings.add(*node.find("bins"), s.path_of("bins"), Section::shown(field.bins[i]) + " after " + Section::shown(field.bins[i - 1]), "ascending edges");
        break;
      }
  }
  if (field.name.empty()) return;
  for (const FieldSpec& other : schema.fields)
    if (other.name == field.name) {
      findings.add(node, path, "field " + quoted(field.name) + " a second time", "each field once");
      return;
    }
  schema.fields.push_back(std::move(field));
}

// `base`: what an absent key of `outcomes` takes over from `logs`; nullptr for `logs` itself.
void read_schema(Section& parent, std::string_view key, const EventSchema* base, EventSchema& out) {
  Section s(parent.findings(), parent.get(key), parent.path_of(key));
  if (base != nullptr) {
    out.format = base->format;
    out.id = base->id;
    out.time = base->time;
    out.time_format = base->time_format;
    out.year = base->year;
    out.delimiter = base->delimiter;
  }
  s.word("format", words::kLineFormats, out.format);
  s.text("id", out.id);
  if (base == nullptr) s.text("key", out.key);
  s.text("time", out.time);
  s.word("time_format", words::kTimeFormats, out.time_format);
  s.whole("year", out.year, 1900, 2200);
  std::string delimiter;
  if (s.text("delimiter", delimiter)) {
    if (delimiter == "\\t" || delimiter == "tab") delimiter = "\t";
    if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r")
      s.refuse(*s.node()->find("delimiter"), "delimiter", "one character that is no quote, or tab");
    else
      out.delimiter = delimiter[0];
  }
  s.texts("columns", out.columns);
  s.text("label", out.label);
  if (base == nullptr) {
    if (const YamlNode* fields = s.list("fields"))
      for (std::size_t i = 0; i < fields->items.size(); ++i)
        read_field(s.findings(), fields->items[i], s.path_of("fields") + "." + std::to_string(i), out);
  } else {
    out.label_required = true;
  }
  s.finish();
  if (base != nullptr && !s.present()) return;
  const YamlNode& at = s.present() ? *s.node() : parent.present() ? *parent.node() : YamlNode();
  if (out.id.empty()) s.findings().add(at, s.path_of("id"), "nothing", "the name of the field that identifies a record");
  if (out.time.empty()) s.findings().add(at, s.path_of("time"), "nothing", "the name of the field with the event time");
  if (base != nullptr && out.label.empty()) s.findings().add(at, s.path_of("label"), "nothing", "the name of the field with the label");
  if (!out.columns.empty() && out.format != LineFormat::kCsv)
    s.findings().add(*s.node()->find("columns"), s.path_of("columns"), "a list", "columns with format: csv only");
  if (out.format == LineFormat::kCsv && !out.columns.empty()) {
    const auto has = [&](const std::string& name) { return std::find(out.columns.begin(), out.columns.end(), name) != out.columns.end(); };
    const auto need = [&](const std::string& name, const std::string& where) {
      if (!name.empty() && !has(name)) s.findings().add(*s.node()->find("columns"), s.path_of("columns"), "no column " + quoted(name), "every column that " + where + " names");
    };
    need(out.id, "id");
    need(out.time, "time");
    need(out.key, "key");
    need(out.label, "label");
    for (const FieldSpec& field : out.fields) need(field.name, "fields");
  }
}

// What features may name.
struct Names {
  const EventSchema& schema;
  std::vector<std::string_view> all() const {
    std::vector<std::string_view> out;
    for (const FieldSpec& field : schema.fields) out.push_back(field.name);
    return out;
  }
  const FieldSpec* find(std::string_view name) const {
    for (const FieldSpec& field : schema.fields)
      if (field.name == name) return &field;
    return nullptr;
  }
};

// The node of the i-th text of key, for a problem about it.
const YamlNode& item_node(const YamlNode& map, std::string_view key, std::size_t i) {
  const YamlNode* list = map.find(key);
  if (list == nullptr) return map;
  return list->kind == Kind::kList && i < list->items.size() ? list->items[i] : *list;
}

void check_fields_exist(Findings& findings, const Names& names, const YamlNode& node, const std::string& path, std::string_view key,
                        const std::vector<std::string>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (names.find(fields[i]) == nullptr)
      findings.add(item_node(node, key, i), path + "." + std::string(key), quoted(fields[i]), "a field of schema.logs.fields").suggestion =
          nearest(fields[i], names.all());
}

void read_aggregate(Findings& findings, const YamlNode& node, const std::string& path, const Names& names, bool has_label,
                    FeatureSpec& out) {
  AggregateSpec a;
  Section s(findings, &node, path);
  s.word("aggregate", words::kAggregates, a.kind);
  std::string of;
  const bool given = s.text("of", of);
  if (!given)
    a.of = a.kind == AggregateKind::kCount || a.kind == AggregateKind::kRate ? AggregateOf::kEvents : AggregateOf::kLabel;
  else if (of == "label")
    a.of = AggregateOf::kLabel;
  else if (of == "events")
    a.of = AggregateOf::kEvents;
  else
    a.of = AggregateOf::kField, a.field = of;
  s.texts("by", a.by);
  Duration time{};
  const bool half_life = s.duration("half_life", time, Duration(1));
  if (half_life) a.half_life_us = time.count();
  const bool window = s.duration("window", time, Duration(1));
  if (window) a.window_us = time.count();
  const bool prior = s.number("prior", a.prior, 0, 1e9);
  if (s.duration("prior_half_life", time, Duration(1))) a.prior_half_life_us = time.count();
  double fallback = 0;
  if (s.number("default", fallback, -kNoLimit, kNoLimit)) a.default_value = fallback;
  const bool age_from = s.word("age_from", words::kAgesFrom, a.age_from);
  s.word("transform", words::kTransforms, a.transform);
  s.flag("include_self", a.include_self);
  s.finish();

  const auto refuse = [&](std::string_view key, std::string found, std::string expected) {
    const YamlNode* at = node.find(key);
    findings.add(at == nullptr ? node : *at, s.path_of(key), std::move(found), std::move(expected));
  };
  if (a.of == AggregateOf::kField) {
    const FieldSpec* field = names.find(a.field);
    if (field == nullptr) {
      auto known = names.all();
      known.push_back("label");
      known.push_back("events");
      findings.add(*node.find("of"), s.path_of("of"), quoted(a.field), "a number of schema.logs.fields, label or events").suggestion = nearest(a.field, known);
    } else if (field->kind != FieldKind::kNumber && a.kind != AggregateKind::kCount) {
      refuse("of", quoted(a.field) + ", which is no number", "a number, label or events");
    }
  }
  if (a.of == AggregateOf::kEvents && a.kind != AggregateKind::kCount && a.kind != AggregateKind::kRate)
    refuse("of", "events", "a field or label: only count and rate are of events");
  if (a.of == AggregateOf::kLabel && !has_label)
    refuse("of", "an aggregate of the label", "schema.outcomes (or schema.logs.label): without outcomes there is no label");
  check_fields_exist(findings, names, node, path, "by", a.by);
  const bool extreme = a.kind == AggregateKind::kMin || a.kind == AggregateKind::kMax || a.kind == AggregateKind::kLast;
  if (half_life && window) refuse("window", "a window beside a half_life", "one of the two");
  if (half_life && extreme) refuse("half_life", "a half_life", "a window: min, max and last do not decay");
  if (a.kind == AggregateKind::kRate && !half_life && !window) refuse("aggregate", "rate without half_life and window", "one of the two");
  if (prior && a.kind != AggregateKind::kMean) refuse("prior", "a prior", "a prior with aggregate: mean only");
  if (age_from && a.of != AggregateOf::kLabel) refuse("age_from", "age_from without a label", "age_from with of: label only");
  if (a.include_self && a.of == AggregateOf::kLabel) refuse("include_self", "true", "false: a record's own label is not known when it is predicted");
  if (a.transform == Transform::kLogit && a.kind != AggregateKind::kMean) refuse("transform", "logit", "logit with aggregate: mean only");
  out.aggregates.push_back(std::move(a));
}

void read_features(Section& root, const PipelineConfig& config, FeatureSpec& out) {
  const YamlNode* list = root.list("features");
  if (list == nullptr) return;
  const Names names{config.logs_schema};
  const bool has_label = !config.outcomes_schema.label.empty() || !config.logs_schema.label.empty();
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const YamlNode& node = list->items[i];
    const std::string path = "features." + std::to_string(i);
    if (node.find("aggregate") != nullptr) {
      read_aggregate(root.findings(), node, path, names, has_label, out);
    } else if (node.find("cross") != nullptr) {
      Section s(root.findings(), &node, path);
      CrossSpec cross;
      const bool read = s.texts("cross", cross.fields);
      s.finish();
      if (!read) continue;
      if (cross.fields.size() < 2) s.refuse(*node.find("cross"), "cross", "at least two fields");
      check_fields_exist(root.findings(), names, node, path, "cross", cross.fields);
      bool with_knots = false;
      for (std::size_t k = 0; k < cross.fields.size(); ++k) {
        const FieldSpec* field = names.find(cross.fields[k]);
        if (field != nullptr && field->kind == FieldKind::kNumber && field->bins.empty() && field->knots.empty())
          root.findings().add(item_node(node, "cross", k), path + ".cross", quoted(field->name) + ", a number without bins or knots",
                              "a category, a text, or a number with bins or knots");
        if (field != nullptr && !field->knots.empty() && std::exchange(with_knots, true))
          root.findings().add(item_node(node, "cross", k), path + ".cross", quoted(field->name) + ", a second number with knots", "one at most");
        for (std::size_t j = 0; j < k; ++j)
          if (cross.fields[j] == cross.fields[k])
            root.findings().add(item_node(node, "cross", k), path + ".cross", quoted(cross.fields[k]) + " twice", "each field once");
      }
      out.crosses.push_back(std::move(cross));
    } else {
      std::string suggestion;
      for (const YamlNode::Entry& entry : node.entries)
        if (suggestion.empty()) suggestion = nearest(entry.key, {"aggregate", "cross"});
      root.findings().add(node, path, node.kind == Kind::kMap ? "neither aggregate nor cross" : found_text(node),
                          "{aggregate: …} or {cross: [a, b]}").suggestion = std::move(suggestion);
    }
  }
}

void read_normalization(Section& root, FeatureSpec& out) {
  Section s(root.findings(), root.get("normalization"), "normalization");
  Duration time{};
  if (s.duration("half_life", time)) out.scaler.half_life_us = time.count();
  s.number("half_life_records", out.scaler.half_life_events, 0, 1e12);
  s.flag("include_self", out.scaler.include_self);
  s.number("aggregate_clip", out.scaler.aggregate_clip, 0, 1e6);
  s.whole("one_hot_limit", out.one_hot_limit, 0u, 1u << 20);
  s.whole("sparse_size", out.sparse_size, 16u, 1u << 26);
  s.finish();
  if (out.scaler.half_life_us > 0 && out.scaler.half_life_events > 0)
    s.refuse(*s.node()->find("half_life_records"), "half_life_records", "one of half_life and half_life_records");
  if ((out.sparse_size & (out.sparse_size - 1)) != 0) s.refuse(*s.node()->find("sparse_size"), "sparse_size", "a power of two");
}

void read_layers(Section& model, std::vector<HashtronLayer>& out) {
  const std::size_t problems = model.findings().count();
  read_hashtron_layers(model, "layers", out);
  if (out.empty() || model.findings().count() != problems) return;
  const YamlNode& list = *model.node()->find("layers");
  const auto network = HashtronNetwork::make(out);
  if (!network.ok())
    model.findings().add(list, model.path_of("layers"), "layers that do not fit together", network.error().what);
  else if (network->cells() != 1)
    model.findings().add(list, model.path_of("layers"), std::to_string(network->cells()) + " neurons in the last layer", "one: labels are 0 and 1");
}

void read_model(Section& root, ModelConfig& out) {
  Section s(root.findings(), root.get("model"), "model");
  s.number("initial_bias", out.initial_bias, -100, 100);
  s.flag("shared", out.shared);
  read_layers(s, out.layers);
  if (s.text("kind", out.kind)) {
    const std::vector<std::string_view> kinds = model_kinds();
    if (std::find(kinds.begin(), kinds.end(), out.kind) == kinds.end())
      s.refuse(*s.node()->find("kind"), "kind", "one of " + joined(kinds), nearest(out.kind, kinds));
  }
  s.finish();
}

void read_gate(Section& root, GateConfig& out) {
  Section s(root.findings(), root.get("gate"), "gate");
  s.word("kind", words::kGates, out.kind);
  s.number("coverage", out.coverage, 0, 1, true);
  s.whole("window", out.window, 10u, 10'000'000u);
  s.number("gamma", out.gamma, 0, 1);
  s.word("policy", words::kGatePolicies, out.policy);
  s.whole("warm_up", out.warm_up, 0u);
  s.finish();
}

void read_groups(Section& trainer, TrainerConfig& out) {
  const YamlNode* list = trainer.list("groups");
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const YamlNode& node = list->items[i];
    Section s(trainer.findings(), &node, "trainer.groups." + std::to_string(i));
    if (!s.present()) continue;
    TrainerGroupConfig group;
    group.l2 = out.l2;
    if (!s.text("block", group.block)) trainer.findings().add(node, s.path_of("block"), "nothing", "a block of the model: dense, bias or sparse");
    s.number("rate_factor", group.rate_factor, 0, 1e6, true);
    s.number("l2", group.l2, 0, 1e3);
    s.finish();
    for (const TrainerGroupConfig& other : out.groups)
      if (other.block == group.block) trainer.findings().add(node, s.path_of("block"), quoted(group.block) + " twice", "each block once");
    out.groups.push_back(std::move(group));
  }
}

void read_hashtron(Section& trainer, HashtronLearningConfig& out) {
  Section s(trainer.findings(), trainer.get("hashtron"), trainer.path_of("hashtron"));
  s.whole("every", out.every, 1u);
  s.whole("jobs", out.jobs, 1u, 10'000u);
  s.whole("samples_min", out.samples_min, 1u);
  s.whole("hold_out", out.hold_out, 0u, 1000u);
  read_backward(s, out.backward);
  read_alerts(s, out.alerts);
  s.finish();
}

void read_trainer(Section& root, TrainerConfig& out) {
  Findings& findings = root.findings();
  Section s(findings, root.get("trainer"), "trainer");
  s.word("optimizer", words::kOptimizers, out.optimizer);
  s.number("learning_rate", out.learning_rate, 0, 1e3, true);
  s.number("l1", out.l1, 0, 1e3);
  s.number("l2", out.l2, 0, 1e3);
  s.number("momentum", out.momentum, 0, 0.9999);
  s.flag("nesterov", out.nesterov);
  s.number("beta1", out.beta1, 0, 0.9999999);
  s.number("beta2", out.beta2, 0, 0.9999999);
  s.number("epsilon", out.epsilon, 0, 1, true);
  s.number("initial_sum", out.initial_sum, 0, 1e9);
  s.number("ftrl_beta", out.ftrl_beta, 0, 1e6);
  s.number("clip", out.clip, 0, 1e9);
  s.word("clip_by", words::kClips, out.clip_by);
  read_groups(s, out);
  s.whole("local_steps", out.local_steps, 1u, 1000u);
  s.whole("idle_steps", out.idle_steps, 0u, 1'000'000u);
  {
    Section r(findings, s.get("replay"), "trainer.replay");
    r.whole("capacity", out.replay.capacity, 0u, 10'000'000u);
    r.word("keep", words::kReplayKeeps, out.replay.keep);
    r.whole("every", out.replay.every, 0u);
    r.whole("batch", out.replay.batch, 1u, 100'000u);
    r.finish();
    if (out.replay.every > 0 && out.replay.capacity == 0)
      r.refuse(*r.node()->find("capacity"), "capacity", "at least 1 where replay.every is set");
  }
  {
    Section c(findings, s.get("schedule"), "trainer.schedule");
    c.word("kind", words::kSchedules, out.schedule.kind);
    c.number("factor", out.schedule.factor, 0, 1, true);
    c.whole("steps", out.schedule.steps, std::uint64_t(1));
    c.whole("warm_up", out.schedule.warm_up);
    c.finish();
  }
  read_hashtron(s, out.hashtron);
  s.finish();
  if (!s.present()) return;
  const std::string_view chosen = words::text_of(words::kOptimizers, out.optimizer);
  const auto unused = [&](std::string_view key, bool differs, bool used, std::string_view users) {
    if (differs && !used)
      findings.warn(*s.node()->find(key), s.path_of(key), "a value that optimizer " + std::string(chosen) + " does not use", "this key with " + std::string(users));
  };
  const bool adam = out.optimizer == OptimizerKind::kAdam || out.optimizer == OptimizerKind::kAdamW;
  const TrainerConfig defaults;
  unused("l1", out.l1 != defaults.l1, out.optimizer == OptimizerKind::kFtrl, "ftrl");
  unused("momentum", out.momentum != defaults.momentum, out.optimizer == OptimizerKind::kSgd, "sgd");
  unused("nesterov", out.nesterov != defaults.nesterov, out.optimizer == OptimizerKind::kSgd, "sgd");
  unused("beta1", out.beta1 != defaults.beta1, adam, "adam and adamw");
  unused("beta2", out.beta2 != defaults.beta2, adam, "adam and adamw");
  unused("ftrl_beta", out.ftrl_beta != defaults.ftrl_beta, out.optimizer == OptimizerKind::kFtrl, "ftrl");
}

void read_predictions(Section& root, PredictionsConfig& out) {
  Section s(root.findings(), root.get("predictions"), "predictions");
  s.flag("count", out.count);
  s.finish();
}

void read_run(Section& s, PlacementConfig& out) {
  std::vector<std::string> tasks;
  if (!s.texts("run", tasks) || tasks == std::vector<std::string>{"auto"}) return;
  const YamlNode& at = *s.node()->find("run");
  const std::vector<std::string_view> known(kTaskNames.begin(), kTaskNames.end());
  const std::string expected = "auto, or a list of tasks without one twice, of " + joined(known);
  for (const std::string& task : tasks)
    if (std::find(known.begin(), known.end(), task) == known.end() || std::count(tasks.begin(), tasks.end(), task) > 1)
      return void(s.findings().add(at, s.path_of("run"), quoted(task), expected).suggestion =
                      std::find(known.begin(), known.end(), task) == known.end() ? nearest(task, known) : std::string());
  if (tasks.empty()) return s.refuse(at, "run", expected);
  for (const std::string_view task : known)
    if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) out.run.emplace_back(task);
}

void read_placement(Section& root, PlacementConfig& out) {
  Section s(root.findings(), root.get("placement"), "placement");
  read_run(s, out);
  const auto numbers = [&](const YamlNode& list, std::string_view key, const std::string& expected) {
    std::vector<std::uint32_t> read;
    for (const YamlNode& item : list.items) {
      double number = 0;
      if (!Section::read_number(item, number) || number < 0 || number > 4095 || number != std::floor(number))
        s.refuse(item, key, expected);
      else
        read.push_back(static_cast<std::uint32_t>(number));
    }
    if (list.items.empty()) s.refuse(list, key, expected);
    return read;
  };
  if (const YamlNode* pin = s.get("pin")) {
    const std::string expected = "auto, off, or a list of processor numbers, as in [0, 1]";
    if (pin->kind == Kind::kList) {
      out.pin = PinMode::kCpus;
      out.cpus = numbers(*pin, "pin", expected);
    } else if (pin->scalar == "auto" || pin->scalar == "off") {
      out.pin = pin->scalar == "auto" ? PinMode::kAuto : PinMode::kOff;
    } else {
      s.refuse(*pin, "pin", expected, nearest(pin->scalar, {"auto", "off"}));
    }
  }
  s.flag("lock_memory", out.lock_memory);
  s.word("wait", words::kWaitModes, out.wait);
  s.word("parse", words::kParseModes, out.parse);
  if (const YamlNode* partitions = s.get("partitions")) {
    const std::string expected = "auto, or a list of the partitions that run in this process, as in [0, 2]";
    if (partitions->kind == Kind::kList) out.partitions = numbers(*partitions, "partitions", expected);
    else if (partitions->scalar != "auto") s.refuse(*partitions, "partitions", expected);
  }
  s.finish();
}

void read_http(Section& root, HttpConfig& out) {
  Section s(root.findings(), root.get("http"), "http");
  if (const YamlNode* listen = s.get("listen")) {
    const auto endpoint = listen->kind == Kind::kScalar ? parse_endpoint(listen->scalar) : std::nullopt;
    if (endpoint) out.listen = endpoint;
    else if (listen->kind == Kind::kScalar && listen->scalar == "off") out.listen.reset();
    else s.refuse(*listen, "listen", "ADDRESS:PORT, as in 127.0.0.1:9464 (port 0: any that is free), or off");
  }
  s.secret("token", out.token);
  s.finish();
  if (out.listen && !out.listen->loopback() && !out.token.given())
    s.findings().add(*s.node()->find("listen"), s.path_of("token"), "nothing, though others can connect to " + out.listen->text(),
                     "a token for them (env:NAME or file:PATH), or an address of this machine alone, as in 127.0.0.1:9464");
}

std::vector<std::string_view> topic_words() {
  std::vector<std::string_view> out;
  for (const TopicTraits& traits : topic_table()) out.push_back(traits.name);
  return out;
}

void read_security(Section& log, SecurityConfig& out) {
  const YamlNode* node = log.get("security");
  if (node != nullptr && node->kind != Kind::kMap) {  // Perhaps the secret itself.
    log.findings().add(*node, "log.security", "a value that is not shown", "a mapping (key: value)");
    return;
  }
  Section s(log.findings(), node, "log.security");
  s.word("protocol", words::kProtocols, out.protocol);
  s.word("mechanism", words::kMechanisms, out.mechanism);
  s.text("username", out.username);
  s.secret("password", out.password);
  s.text("ca", out.ca);
  s.text("certificate", out.certificate);
  s.text("key", out.key);
  s.secret("key_password", out.key_password);
  s.flag("verify_host", out.verify_host);
  s.secret("token", out.token);
  s.text("token_endpoint", out.token_endpoint);
  s.text("client_id", out.client_id);
  s.secret("client_secret", out.client_secret);
  s.text("scope", out.scope);
  s.finish();
  if (!s.present()) return;

  const bool sasl = out.protocol == KafkaProtocol::kSaslPlaintext || out.protocol == KafkaProtocol::kSaslSsl;
  const bool tls = out.protocol == KafkaProtocol::kSsl || out.protocol == KafkaProtocol::kSaslSsl;
  const bool named = out.mechanism == KafkaMechanism::kPlain || out.mechanism == KafkaMechanism::kScramSha256 || out.mechanism == KafkaMechanism::kScramSha512;
  const bool bearer = out.mechanism == KafkaMechanism::kOAuthBearer;
  const std::string protocol = "log.security.protocol: " + std::string(words::text_of(words::kProtocols, out.protocol));
  const std::string mechanism = "log.security.mechanism: " + std::string(words::text_of(words::kMechanisms, out.mechanism));
  const auto at = [&](std::string_view key) -> const YamlNode& {
    const YamlNode* found = node->find(key);
    return found == nullptr ? *node : *found;
  };
  const auto missing = [&](std::string_view key, bool given, const std::string& beside) {
    if (!given) s.findings().add(at(key), s.path_of(key), "nothing beside " + beside, "this key too");
  };
  const auto unused = [&](std::string_view key, bool given, bool used, const std::string& beside, std::string expected) {
    if (given && !used) s.findings().add(at(key), s.path_of(key), "this key beside " + beside, std::move(expected));
  };
  missing("mechanism", !sasl || out.mechanism != KafkaMechanism::kNone, protocol);
  unused("mechanism", out.mechanism != KafkaMechanism::kNone, sasl, protocol, "it with sasl_ssl or sasl_plaintext only");
  missing("username", !named || !out.username.empty(), mechanism);
  missing("password", !named || out.password.given(), mechanism);
  unused("username", !out.username.empty(), named, mechanism, "it with plain and scram only");
  unused("password", out.password.given(), named, mechanism, "it with plain and scram only");
  for (const auto& [key, given] : {std::pair("ca", !out.ca.empty()), std::pair("certificate", !out.certificate.empty()), std::pair("key", !out.key.empty()),
                                   std::pair("key_password", out.key_password.given()), std::pair("verify_host", !out.verify_host)})
    unused(key, given, tls, protocol, "it with ssl or sasl_ssl only");
  missing("key", out.certificate.empty() || !out.key.empty(), "a certificate");
  missing("certificate", out.key.empty() || !out.certificate.empty(), "a key");
  unused("key_password", out.key_password.given(), !out.key.empty(), "no key", "it with a key only");
  const bool endpoint = !out.token_endpoint.empty();
  missing("token", !bearer || out.token.given() || endpoint, mechanism + " and no token_endpoint");
  unused("token", out.token.given(), bearer && !endpoint, endpoint ? "a token_endpoint" : mechanism, "it with oauthbearer and without an endpoint only");
  missing("client_id", !endpoint || !out.client_id.empty(), "a token_endpoint");
  missing("client_secret", !endpoint || out.client_secret.given(), "a token_endpoint");
  unused("token_endpoint", endpoint, bearer, mechanism, "it with oauthbearer only");
  for (const auto& [key, given] : {std::pair("client_id", !out.client_id.empty()), std::pair("client_secret", out.client_secret.given()), std::pair("scope", !out.scope.empty())})
    unused(key, given, endpoint, "no token_endpoint", "it with a token_endpoint only");
  if (endpoint && bearer && !kafka_client_has("oidc"))
    s.findings().add(at("token_endpoint"), s.path_of("token_endpoint"), "an endpoint, and a librdkafka that was built without OIDC", "a token that somebody keeps fresh: token: file:PATH");
  if (out.protocol == KafkaProtocol::kSaslPlaintext && (out.mechanism == KafkaMechanism::kPlain || bearer))
    s.findings().warn(at("protocol"), s.path_of("protocol"), "sasl_plaintext, which sends the secret in the clear", "sasl_ssl");
  if (tls && !out.verify_host)
    s.findings().warn(at("verify_host"), s.path_of("verify_host"), "false: whoever has a certificate of these authorities can pass for a broker", "certificates for the names in log.brokers");
}

// A name's dots may also be steps, as in --set log.properties.socket.keepalive.enable=true.
void read_properties(Findings& findings, const YamlNode& node, const std::string& name, KafkaProperties& out) {
  const std::string path = "log.properties" + (name.empty() ? "" : "." + name);
  if (node.kind == Kind::kMap && (name.size() < 200)) {
    for (const YamlNode::Entry& entry : node.entries) read_properties(findings, entry.value, name + (name.empty() ? "" : ".") + entry.key, out);
    return;
  }
  if (node.kind != Kind::kScalar || name.empty()) {
    findings.add(node, path, "a value that is not shown", name.empty() ? "a mapping of the client's properties (name: value)" : "text or a number");
    return;
  }
  if (!out.emplace(name, node.scalar).second) {
    findings.add(node, path, "the property a second time", "each property once");
    return;
  }
  if (const auto fine = check_kafka_property(name, node.scalar); !fine.ok()) findings.add(node, path, "a property that cannot be set: " + fine.error().what, "one that it can be");
}

void read_retention(Section& root, PipelineConfig& config) {
  Section s(root.findings(), root.get("retention"), "retention");
  if (!s.present()) return;
  for (const std::string_view name : topic_words()) {
    const YamlNode* node = s.get(name);
    if (node == nullptr) continue;
    const Topic topic = *topic_by_name(name);
    Section t(root.findings(), node, s.path_of(name));
    Retention retention;
    retention.compact = traits_of(topic).compacted;
    Duration age{};
    if (t.duration("age", age, Duration(1))) retention.age = age;
    if (std::uint64_t bytes = 0; t.size("bytes", bytes, 1, std::uint64_t(1) << 50), bytes > 0) retention.bytes = bytes;
    t.finish();
    config.retention[topic] = retention;
  }
  s.finish();
}

void read_topics(Section& root, PipelineConfig& config) {
  Section s(root.findings(), root.get("topics"), "topics");
  for (const Topic topic : {Topic::kLogs, Topic::kOutcomes}) {
    std::string name;
    if (!s.text(short_name(topic), name)) continue;
    if (!valid_name(name))
      s.refuse(*s.node()->find(short_name(topic)), short_name(topic), "a topic name: letters, digits, '.', '_' and '-', at most 200");
    config.topics[topic] = name;
  }
  ValueFormat of_all = ValueFormat::kJson;
  s.word("format", words::kValueFormats, of_all);
  for (const TopicTraits& traits : topic_table()) {
    if (!traits.has_choice()) continue;
    ValueFormat format = of_all;
    Section of_one(s.findings(), s.get(traits.name), s.path_of(traits.name));
    of_one.word("format", words::kValueFormats, format);
    of_one.finish();
    config.formats.set(traits.topic, format);
  }
  s.finish();
}

// With several partitions.
void check_partitions(Findings& findings, const YamlNode& root, const PipelineConfig& config) {
  const std::string count = std::to_string(config.log.partitions) + " partitions";
  const YamlNode* sources = root.find("sources");
  for (const auto& [name, source] : {std::pair(std::string("logs"), &config.logs), std::pair(std::string("outcomes"), &config.outcomes)}) {
    if (!source->ends()) continue;  // Else it was given, so its node is there.
    const YamlNode& files = *sources->find(name)->find("files");
    findings.add(files, "sources." + name + ".files", "a list of files beside log.partitions: " + std::to_string(config.log.partitions) + ", and a list is one partition",
                 "follow: true, or files: [] and 'weir produce " + name + " FILE': both bring each line to the partition of its id");
  }
  const YamlNode& at = *root.find("log")->find("partitions");
  const auto spans = [&](const AggregateSpec& a) { return std::find(a.by.begin(), a.by.end(), config.logs_schema.id) == a.by.end(); };
  if (std::any_of(config.features.aggregates.begin(), config.features.aggregates.end(), spans))
    findings.warn(at, "log.partitions", count + " beside aggregates by keys that occur in all of them", "1 where an aggregate must see all events of its key: each partition sees its own ids only");
  if (config.placement.pin == PinMode::kCpus && config.placement.cpus.size() < config.log.partitions)
    findings.warn(*root.find("placement")->find("pin"), "placement.pin", std::to_string(config.placement.cpus.size()) + " processors for " + count,
                  "one for each partition: the other tasks are not pinned");
}

// What only networks of hashtrons use, and what they do not.
void check_hashtron(Findings& findings, const YamlNode& root, const PipelineConfig& config) {
  const YamlNode* model = root.find("model");
  const YamlNode* trainer = root.find("trainer");
  const std::string kind = "model.kind: " + config.model.kind;
  if (!config.learns_by_jobs()) {
    if (!config.model.layers.empty()) findings.warn(*model->find("layers"), "model.layers", "layers beside " + kind, "them with model.kind: hashtron");
    if (config.trainer.hashtron != HashtronLearningConfig()) findings.warn(*trainer->find("hashtron"), "trainer.hashtron", "settings beside " + kind, "them with model.kind: hashtron");
    return;
  }
  if (config.model.initial_bias != 0.0) findings.warn(*model->find("initial_bias"), "model.initial_bias", "a bias beside " + kind, "none: how often an answer is right is counted");
  const ReplayConfig& replay = config.trainer.replay;
  const bool given = trainer != nullptr && trainer->find("replay") != nullptr && trainer->find("replay")->find("capacity") != nullptr;
  if (replay.capacity < config.trainer.hashtron.samples_min)
    findings.add(given ? *trainer->find("replay")->find("capacity") : root, "trainer.replay.capacity",
                 std::to_string(replay.capacity) + " beside " + kind + " and trainer.hashtron.samples_min: " + std::to_string(config.trainer.hashtron.samples_min),
                 "at least samples_min: it learns from what is kept");
  if (config.logs_schema.fields.empty() && config.features.aggregates.empty())
    findings.add(root, "schema.logs.fields", "no field and no feature beside " + kind, "one at least: networks read features");
}

// One model for several partitions, and tasks in processes of their own.
void check_placement(Findings& findings, const YamlNode& root, const PipelineConfig& config) {
  const std::string_view coupled = " beside learning: coupled";
  const std::string free = "learning: free: a learning task of its own, which the inference tasks hear of over topics";
  if (config.model.shared) {
    const YamlNode& shared = *root.find("model")->find("shared");
    if (config.learning == Learning::kCoupled) findings.add(shared, "model.shared", "'true'" + std::string(coupled), free);
    if (config.features.one_hot_limit != 0)
      findings.add(*root.find("normalization")->find("one_hot_limit"), "normalization.one_hot_limit",
                   std::to_string(config.features.one_hot_limit) + " beside model.shared",
                   "0: slots go to values in the order in which a partition meets them, and one model for all partitions needs the same place in each");
  }
  if (config.runs_all()) return;
  const std::vector<std::string_view> named(config.placement.run.begin(), config.placement.run.end()), all = config.task_names();
  if (const auto& here = config.placement.partitions; here && config.model.shared && !config.runs(kInferenceTask) && std::ranges::find(*here, 0u) == here->end())
    findings.add(*root.find("placement")->find("partitions"), "placement.partitions", "no 0 beside run: [" + joined(named) + "] and model.shared", "a list with 0, or auto: a shared model is learnt where partition 0 is");
  const YamlNode& run = *root.find("placement")->find("run");
  const std::string only = "only " + joined(named);
  if (config.learning == Learning::kCoupled) findings.add(run, "placement.run", only + std::string(coupled), free);
  else
    for (const std::string_view task : named)
      if (std::ranges::find(all, task) == all.end())
        findings.add(run, "placement.run", quoted(task) + " beside model.kind: " + config.model.kind, "of " + joined(all) + ": only networks of hashtrons have it as a task of its own");
  if (config.log.kind != LogKind::kKafka)
    findings.add(run, "placement.run", only + " beside log.kind: " + std::string(words::text_of(words::kLogKinds, config.log.kind)),
                 "[" + joined(all) + "], or log.kind: kafka: only one process can have the directory of the log open");
}

void check_whole(Findings& findings, const YamlNode& root, const PipelineConfig& config) {
  const auto node = [&](std::initializer_list<std::string_view> path) -> const YamlNode& {
    const YamlNode* at = &root;
    for (const std::string_view part : path) {
      const YamlNode* next = at->find(part);
      if (next == nullptr) return *at;
      at = next;
    }
    return *at;
  };
  const bool labels = !config.outcomes_schema.label.empty() || !config.logs_schema.label.empty();
  const YamlNode* schema = root.find("schema");
  if (schema != nullptr && schema->find("logs") != nullptr && !labels && schema->find("outcomes") == nullptr)
    findings.add(node({"schema"}), "schema.outcomes", "nothing", "where the label is: schema.outcomes, or schema.logs.label");
  if (const YamlNode* sources = root.find("sources");
      sources != nullptr && sources->find("outcomes") != nullptr && schema != nullptr && schema->find("outcomes") == nullptr)
    findings.add(node({"sources", "outcomes"}), "sources.outcomes", "a source of outcomes", "schema.outcomes: what their lines look like");
  if (config.logs_schema.fields.empty() && config.features.aggregates.empty() && schema != nullptr)
    findings.warn(node({"schema", "logs"}), "schema.logs.fields", "no fields and no features", "the model will know nothing but the base rate");
  for (const FieldSpec& field : config.logs_schema.fields)
    if (field.name == config.logs_schema.label)
      findings.add(node({"schema", "logs", "label"}), "schema.logs.label", quoted(field.name) + ", which is also a field", "a label that no feature sees");
  if (const auto& fields = config.logs_schema.fields; config.predictions.count && config.features.aggregates.empty() &&
      std::none_of(fields.begin(), fields.end(), [](const FieldSpec& f) { return f.kind == FieldKind::kNumber && f.scaled; }))
    findings.add(node({"predictions", "count"}), "predictions.count", "'true' where nothing is scaled", "a scaled number or an aggregate: what is counted are the records in their moments");
  if (config.logs.standard_input && config.outcomes.standard_input)
    findings.add(node({"sources", "outcomes", "stdin"}), "sources.outcomes.stdin", "'true' for both sources", "one reader of standard input");
  check_hashtron(findings, root, config);
  check_placement(findings, root, config);
  if (config.log.partitions > 1) check_partitions(findings, root, config);
  if (config.placement.partitions) {
    const YamlNode& at = node({"placement", "partitions"});
    for (const std::uint32_t partition : *config.placement.partitions)
      if (partition >= config.log.partitions)
        findings.add(at, "placement.partitions", std::to_string(partition), "partitions from 0 to " + std::to_string(config.log.partitions - 1) + ": log.partitions is " + std::to_string(config.log.partitions));
    if (config.log.kind != LogKind::kKafka) findings.add(at, "placement.partitions", "a list, and a log that one process has to itself", "auto, or log.kind: kafka");
    if (config.standby > 0) findings.add(node({"standby"}), "standby", std::to_string(config.standby) + " beside placement.partitions", "0: only shared partitions have standbys");
  }
  if (config.standby > 0 && config.log.kind != LogKind::kKafka) findings.add(node({"standby"}), "standby", std::to_string(config.standby) + ", and a log that one process has to itself", "0, or log.kind: kafka");
  if (config.log.kind == LogKind::kKafka && config.log.brokers.empty())
    findings.add(node({"log", "kind"}), "log.brokers", "nothing beside log.kind: kafka", "where the brokers are, as in 127.0.0.1:9092");
  if (config.log.kind != LogKind::kKafka && config.delivery == Delivery::kAtLeastOnce)
    findings.warn(node({"delivery"}), "delivery", "'at_least_once' without log.kind: kafka", "exactly_once: the other logs know nothing else, and it costs nothing there");
  if (config.log.kind != LogKind::kKafka && !config.log.brokers.empty())
    findings.warn(node({"log", "brokers"}), "log.brokers", quoted(config.log.brokers) + ", which only log.kind: kafka uses", "log.kind: kafka, or no brokers");
  if (config.log.kind != LogKind::kKafka && (config.log.security != SecurityConfig() || !config.log.properties.empty()))
    findings.warn(node({"log", config.log.properties.empty() ? "security" : "properties"}), config.log.properties.empty() ? "log.security" : "log.properties",
                  "settings that only log.kind: kafka uses", "log.kind: kafka, or none of them");
}

}  // namespace

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

std::vector<std::string_view> PipelineConfig::task_names() const {
  if (learning == Learning::kFree && learns_by_jobs()) return {kTaskNames.begin(), kTaskNames.end()};
  return {kInferenceTask, kLearningTask};
}

bool PipelineConfig::runs(std::string_view task) const {
  return placement.run.empty() || std::ranges::find(placement.run, task) != placement.run.end();
}

bool PipelineConfig::runs_all() const { return std::ranges::all_of(task_names(), [this](std::string_view task) { return runs(task); }); }

OrderMode PipelineConfig::resolved_order() const {
  if (order != OrderMode::kAuto) return order;
  return logs.ends() && (outcomes.ends() || !has_outcomes()) ? OrderMode::kEventTime : OrderMode::kArrival;
}

std::optional<Duration> PipelineConfig::resolved_idle_timeout() const {
  if (idle_timeout) return *idle_timeout == kNever ? std::nullopt : idle_timeout;
  if (logs.ends() && (outcomes.ends() || !has_outcomes())) return std::nullopt;
  return std::chrono::seconds(10);
}

bool HashtronLearningConfig::operator==(const HashtronLearningConfig& other) const {
  return every == other.every && jobs == other.jobs && samples_min == other.samples_min && hold_out == other.hold_out &&
         backward_yaml(backward, 0) == backward_yaml(other.backward, 0) && alerts_yaml(alerts, 0) == alerts_yaml(other.alerts, 0);
}

bool PipelineConfig::learns_by_jobs() const { return weir::learns_by_jobs(model.kind); }

std::string PipelineConfig::resolved_process() const { return process.empty() ? process_name(data_dir) : process; }

Duration PipelineConfig::resolved_commit_interval() const {
  // A transaction on Kafka costs its client about 2 ms of CPU.
  return commit_interval.value_or(std::chrono::milliseconds(log.kind == LogKind::kKafka ? 20 : 1));
}

std::vector<std::pair<std::string, SecretRef>> PipelineConfig::secrets() const {
  std::vector<std::pair<std::string, SecretRef>> out;
  const auto add = [&](const char* key, const SecretRef& ref) {
    if (ref.given()) out.emplace_back(key, ref);
  };
  add("log.security.password", log.security.password);
  add("log.security.key_password", log.security.key_password);
  add("log.security.token", log.security.token);
  add("log.security.client_secret", log.security.client_secret);
  add("http.token", http.token);
  return out;
}

std::string PipelineConfig::topic_name(Topic topic) const {
  const auto own = topics.find(topic);
  return own != topics.end() ? own->second : name + "." + std::string(short_name(topic));
}

Retention PipelineConfig::retention_of(Topic topic) const {
  if (const auto own = retention.find(topic); own != retention.end()) return own->second;
  Retention none;
  none.compact = traits_of(topic).compacted;
  return none;
}

std::string ConfigProblem::text() const {
  std::string out = where + ": " + (warning ? "warning: " : "") + key + (key.empty() ? "" : ": ") + "found " + found + "; expected " + expected;
  if (!suggestion.empty()) out += ". Did you mean '" + suggestion + "'?";
  return out;
}

bool ConfigCheck::ok() const {
  return std::all_of(problems.begin(), problems.end(), [](const ConfigProblem& p) { return p.warning; });
}

std::string ConfigCheck::text() const {
  std::string out;
  for (const ConfigProblem& problem : problems) out += problem.text() + "\n";
  return out;
}

Result<PipelineConfig> ConfigCheck::result() const {
  if (ok()) return config;
  std::string what;
  for (const ConfigProblem& problem : problems)
    if (!problem.warning) what += (what.empty() ? "" : "\n") + problem.text();
  return Error{ErrorCode::kConfig, what};
}

ConfigCheck parse_config(std::string_view yaml, std::string_view file_name, const std::vector<std::string>& sets) {
  ConfigCheck check;
  PipelineConfig& config = check.config;
  Findings findings(file_name, sets);
  YamlNode tree;
  YamlFailure failure;
  if (!parse_yaml(yaml, 0, tree, failure)) {
    findings.add(0, failure.line, "", failure.what, "one YAML mapping");
    check.problems = findings.take();
    return check;
  }
  for (std::size_t i = 0; i < sets.size(); ++i)
    if (!apply_set(sets[i], static_cast<std::uint32_t>(i + 1), tree, failure))
      findings.add(static_cast<std::uint32_t>(i + 1), 0, "", failure.what, "PATH=VALUE with VALUE in YAML, as in gate.coverage=0.95");

  if (tree.kind == Kind::kNull) tree.kind = Kind::kMap;
  Section root(findings, &tree, "");
  root.whole("version", config.version, 1u);
  if (config.version != 1)
    root.refuse(*tree.find("version"), "version", "1: this program reads version 1 only");
  else if (const YamlNode* version = tree.find("version"); root.present() && (version == nullptr || version->kind == Kind::kNull))
    findings.add(tree, "version", "nothing", "version: 1");
  if (root.text("name", config.name)) {
    if (!valid_name(config.name)) root.refuse(*tree.find("name"), "name", "letters, digits, '.', '_' and '-', at most 200");
  } else if (const YamlNode* name = tree.find("name"); root.present() && (name == nullptr || name->kind == Kind::kNull)) {
    findings.add(tree, "name", "nothing", "the pipeline's name");
  }
  root.whole("seed", config.seed);
  if (!root.text("data_dir", config.data_dir) || config.data_dir.empty()) config.data_dir = "weir-data/" + config.name;

  {
    Section sources(findings, root.get("sources"), "sources");
    read_source(sources, "logs", config.logs);
    read_source(sources, "outcomes", config.outcomes);
    sources.finish();
  }
  {
    Section log(findings, root.get("log"), "log");
    log.word("kind", words::kLogKinds, config.log.kind);
    log.text("brokers", config.log.brokers);
    log.whole("partitions", config.log.partitions, 1u, kPartitionsMax);
    log.duration("maintenance_interval", config.log.maintenance_interval, std::chrono::milliseconds(1));
    log.duration("stall_after", config.log.stall_after, std::chrono::milliseconds(1));
    read_security(log, config.log.security);
    if (const YamlNode* properties = log.get("properties")) read_properties(findings, *properties, "", config.log.properties);
    log.finish();
  }
  root.size("max_line", config.max_line, 1024, std::uint64_t(64) << 20);
  const YamlNode* schema_node = root.get("schema");
  if (schema_node == nullptr && root.present()) {
    findings.add(tree, "schema", "nothing", "schema: {logs: …, outcomes: …}: what a line looks like");
  } else {
    Section schema(findings, schema_node, "schema");
    read_schema(schema, "logs", nullptr, config.logs_schema);
    read_schema(schema, "outcomes", &config.logs_schema, config.outcomes_schema);
    schema.finish();
  }
  config.logs_schema.line_bytes_max = config.max_line;
  config.outcomes_schema.line_bytes_max = config.max_line;
  read_features(root, config, config.features);
  read_model(root, config.model);
  if (config.model.shared) config.features.one_hot_limit = 0;  // Its default there.
  read_normalization(root, config.features);
  root.word("learning", words::kLearning, config.learning);
  read_gate(root, config.gate);
  read_predictions(root, config.predictions);
  read_trainer(root, config.trainer);
  {
    Section s(findings, root.get("promotion"), "promotion");
    s.whole("every", config.promotion.every, std::uint64_t(1));
    s.finish();
  }
  {
    Section s(findings, root.get("join"), "join");
    s.duration("wait", config.join.wait, Duration(1));
    s.whole("rows_max", config.join.rows_max, std::uint64_t(1), std::uint64_t(1) << 40);
    s.finish();
  }
  root.whole("crc_every", config.crc_every, std::uint64_t(1));
  root.whole("snapshot_every", config.snapshot_every, std::uint64_t(1));
  root.word("order", words::kOrders, config.order);
  root.duration_or_auto("idle_timeout", config.idle_timeout, /*may_be_never=*/true);
  root.duration("max_jump", config.max_jump, Duration(1));
  root.duration_or_auto("commit_interval", config.commit_interval);
  root.word("sync", words::kSyncModes, config.sync);
  root.duration("sync_interval", config.sync_interval, Duration(1000));
  root.duration("backup_interval", config.backup_interval);
  root.word("delivery", words::kDeliveries, config.delivery);
  root.size("memory_budget", config.memory_budget, std::uint64_t(1) << 20, std::uint64_t(1) << 44);
  read_placement(root, config.placement);
  if (root.text("process", config.process)) {
    if (config.process == "auto") config.process.clear();
    else if (!valid_name(config.process)) root.refuse(*tree.find("process"), "process", "auto, or a name: letters, digits, '.', '_' and '-', at most 200");
  }
  root.whole("standby", config.standby, std::uint32_t(0), std::uint32_t(16));
  read_http(root, config.http);
  read_retention(root, config);
  read_topics(root, config);
  {
    Section s(findings, root.get("report"), "report");
    s.texts("last_outcome_by", config.features.last_outcome_by);
    s.finish();
    if (s.present()) check_fields_exist(findings, Names{config.logs_schema}, *s.node(), "report", "last_outcome_by", config.features.last_outcome_by);
  }
  root.finish();
  check_whole(findings, tree, config);
  check.problems = findings.take();
  return check;
}

Result<ConfigCheck> check_config_file(const std::string& path, const std::vector<std::string>& sets) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return Error{ErrorCode::kConfig, path + ": found a directory, expected a config file"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, path + ": no such config file, or not readable"};
  std::ostringstream read;
  read << file.rdbuf();
  const std::string text = std::move(read).str();
  if (file.bad()) return Error{ErrorCode::kIo, path + ": reading failed; expected a config file"};
  return parse_config(text, path, sets);
}

Result<PipelineConfig> load_config(const std::string& path, const std::vector<std::string>& sets, std::vector<std::string>* warnings) {
  TRY_ASSIGN(const ConfigCheck check, check_config_file(path, sets));
  if (warnings != nullptr)
    for (const ConfigProblem& problem : check.problems)
      if (problem.warning) warnings->push_back(problem.text());
  return check.result();
}

}  // namespace weir
