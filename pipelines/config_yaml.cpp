// to_yaml: the config as a file again.
#include <charconv>

#include "pipelines/config_words.hpp"
#include "pipelines/hashtron_config.hpp"
#include "pipelines/pipeline_config.hpp"
#include "pipelines/yaml_lines.hpp"

namespace weir {
namespace {

std::string number(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// In double quotes unless it is a plain word that YAML takes as text, whatever stands round it.
std::string text(std::string_view value) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/'; };
  bool quote = value.empty() || !plain(value[0]) || value == "null" || value == "true" || value == "false" || value == "auto";
  for (const char c : value)
    if (!plain(c) && !(c >= '0' && c <= '9') && c != '.' && c != '-') quote = true;
  if (!quote) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

template <class T, class Fn>
std::string list(const std::vector<T>& items, Fn&& show) {
  std::string out = "[";
  for (const T& item : items) out += (out.size() > 1 ? ", " : "") + show(item);
  return out + "]";
}
std::string texts(const std::vector<std::string>& items) {
  return list(items, [](const std::string& item) { return text(item); });
}

void write_source(YamlLines& w, std::string_view key, const SourceConfig& source) {
  w.line(1, key, "");
  w.line(2, "files", texts(source.files));
  w.flag(2, "follow", source.follow);
  w.flag(2, "accept_loss", source.accept_loss);
  w.flag(2, "stdin", source.standard_input);
}

void write_schema(YamlLines& w, std::string_view key, const EventSchema& schema, bool events) {
  w.line(1, key, "");
  w.line(2, "format", words::text_of(words::kLineFormats, schema.format));
  w.line(2, "id", text(schema.id));
  if (events && !schema.key.empty()) w.line(2, "key", text(schema.key));
  w.line(2, "time", text(schema.time));
  w.line(2, "time_format", words::text_of(words::kTimeFormats, schema.time_format));
  w.line(2, "year", std::to_string(schema.year));
  w.line(2, "delimiter", schema.delimiter == '\t' ? std::string("tab") : text(std::string(1, schema.delimiter)));
  if (!schema.columns.empty()) w.line(2, "columns", texts(schema.columns));
  if (!schema.label.empty()) w.line(2, "label", text(schema.label));
  if (!events) return;
  w.line(2, "fields", schema.fields.empty() ? "[]" : "");
  for (const FieldSpec& field : schema.fields) {
    std::string line = "      - {name: " + text(field.name) + ", kind: " + std::string(words::text_of(words::kFieldKinds, field.kind)) +
                       ", missing: " + std::string(words::text_of(words::kMissing, field.missing));
    if (field.kind == FieldKind::kNumber) {
      line += ", clip: " + number(field.clip) + ", scaled: " + (field.scaled ? "true" : "false") + ", step: " + number(field.step) +
              ", levels: " + std::to_string(field.levels);
      if (!field.knots.empty()) line += ", knots: " + list(field.knots, number);
      if (!field.bins.empty()) line += ", bins: " + list(field.bins, number);
    }
    if (field.kind == FieldKind::kCategory) line += std::string(", one_hot: ") + (field.one_hot ? "true" : "false");
    w.raw(line + "}\n");
  }
}

void write_features(YamlLines& w, const FeatureSpec& features) {
  w.line(0, "features", features.aggregates.empty() && features.crosses.empty() ? "[]" : "");
  for (const AggregateSpec& a : features.aggregates) {
    std::string line = "  - {aggregate: " + std::string(words::text_of(words::kAggregates, a.kind)) + ", of: " +
                       (a.of == AggregateOf::kLabel ? "label" : a.of == AggregateOf::kEvents ? "events" : text(a.field)) + ", by: " + texts(a.by);
    if (a.half_life_us > 0) line += ", half_life: " + duration_text(Duration(a.half_life_us));
    if (a.of == AggregateOf::kLabel) line += ", age_from: " + std::string(words::text_of(words::kAgesFrom, a.age_from));
    if (a.window_us > 0) line += ", window: " + duration_text(Duration(a.window_us));
    if (a.kind == AggregateKind::kMean) line += ", prior: " + number(a.prior);
    if (a.prior_half_life_us > 0) line += ", prior_half_life: " + duration_text(Duration(a.prior_half_life_us));
    if (a.default_value) line += ", default: " + number(*a.default_value);
    if (a.transform != Transform::kNone) line += ", transform: " + std::string(words::text_of(words::kTransforms, a.transform));
    line += std::string(", include_self: ") + (a.include_self ? "true" : "false");
    w.raw(line + "}\n");
  }
  for (const CrossSpec& cross : features.crosses) w.raw("  - {cross: " + texts(cross.fields) + "}\n");
  w.line(0, "normalization", "");
  w.line(1, "half_life", duration_text(Duration(features.scaler.half_life_us)));
  w.line(1, "half_life_records", number(features.scaler.half_life_events));
  w.flag(1, "include_self", features.scaler.include_self);
  w.line(1, "aggregate_clip", number(features.scaler.aggregate_clip));
  w.whole(1, "one_hot_limit", features.one_hot_limit);
  w.whole(1, "sparse_size", features.sparse_size);
}

// Of secrets, where they are.
void write_security(YamlLines& w, const SecurityConfig& s) {
  w.line(1, "security", "");
  w.line(2, "protocol", words::text_of(words::kProtocols, s.protocol));
  w.line(2, "mechanism", words::text_of(words::kMechanisms, s.mechanism));
  w.line(2, "username", text(s.username));
  w.line(2, "password", text(s.password.text()));
  w.line(2, "ca", text(s.ca));
  w.line(2, "certificate", text(s.certificate));
  w.line(2, "key", text(s.key));
  w.line(2, "key_password", text(s.key_password.text()));
  w.flag(2, "verify_host", s.verify_host);
  w.line(2, "token", text(s.token.text()));
  w.line(2, "token_endpoint", text(s.token_endpoint));
  w.line(2, "client_id", text(s.client_id));
  w.line(2, "client_secret", text(s.client_secret.text()));
  w.line(2, "scope", text(s.scope));
}

void write_hashtron(YamlLines& w, const HashtronLearningConfig& h) {
  w.line(1, "hashtron", "");
  w.whole(2, "every", h.every);
  w.whole(2, "jobs", h.jobs);
  w.whole(2, "samples_min", h.samples_min);
  w.whole(2, "hold_out", h.hold_out);
  w.flag(2, "literal", false);  // What it stands for is in the others.
  w.raw(backward_yaml(h.backward, 2));
  w.raw(alerts_yaml(h.alerts, 2));
}

std::string auto_or(const std::optional<Duration>& duration) {
  return !duration ? "auto" : *duration == kNever ? "never" : duration_text(*duration);
}

}  // namespace

std::string to_yaml(const PipelineConfig& c) {
  YamlLines w;
  w.whole(0, "version", c.version);
  w.line(0, "name", text(c.name));
  w.whole(0, "seed", c.seed);
  w.line(0, "data_dir", text(c.data_dir));
  w.line(0, "sources", "");
  write_source(w, "logs", c.logs);
  if (c.has_outcomes()) write_source(w, "outcomes", c.outcomes);
  w.line(0, "schema", "");
  write_schema(w, "logs", c.logs_schema, true);
  if (!c.outcomes_schema.label.empty()) write_schema(w, "outcomes", c.outcomes_schema, false);
  write_features(w, c.features);
  w.line(0, "model", "");
  w.line(1, "kind", text(c.model.kind));
  w.line(1, "initial_bias", number(c.model.initial_bias));
  w.flag(1, "shared", c.model.shared);
  w.line(1, "layers", to_yaml(c.model.layers));
  w.line(0, "learning", words::text_of(words::kLearning, c.learning));
  w.line(0, "gate", "");
  w.line(1, "kind", words::text_of(words::kGates, c.gate.kind));
  w.line(1, "coverage", number(c.gate.coverage));
  w.whole(1, "window", c.gate.window);
  w.line(1, "gamma", number(c.gate.gamma));
  w.line(1, "policy", words::text_of(words::kGatePolicies, c.gate.policy));
  w.whole(1, "warm_up", c.gate.warm_up);
  w.line(0, "predictions", "");
  w.flag(1, "count", c.predictions.count);
  w.line(0, "trainer", "");
  w.line(1, "optimizer", words::text_of(words::kOptimizers, c.trainer.optimizer));
  w.line(1, "learning_rate", number(c.trainer.learning_rate));
  w.line(1, "l1", number(c.trainer.l1));
  w.line(1, "l2", number(c.trainer.l2));
  w.line(1, "momentum", number(c.trainer.momentum));
  w.flag(1, "nesterov", c.trainer.nesterov);
  w.line(1, "beta1", number(c.trainer.beta1));
  w.line(1, "beta2", number(c.trainer.beta2));
  w.line(1, "epsilon", number(c.trainer.epsilon));
  w.line(1, "initial_sum", number(c.trainer.initial_sum));
  w.line(1, "ftrl_beta", number(c.trainer.ftrl_beta));
  w.line(1, "clip", number(c.trainer.clip));
  w.line(1, "clip_by", words::text_of(words::kClips, c.trainer.clip_by));
  w.line(1, "groups", c.trainer.groups.empty() ? "[]" : "");
  for (const TrainerGroupConfig& group : c.trainer.groups)
    w.raw("    - {block: " + text(group.block) + ", rate_factor: " + number(group.rate_factor) + ", l2: " + number(group.l2) + "}\n");
  w.whole(1, "local_steps", c.trainer.local_steps);
  w.whole(1, "idle_steps", c.trainer.idle_steps);
  w.line(1, "replay", "");
  w.whole(2, "capacity", c.trainer.replay.capacity);
  w.line(2, "keep", words::text_of(words::kReplayKeeps, c.trainer.replay.keep));
  w.whole(2, "every", c.trainer.replay.every);
  w.whole(2, "batch", c.trainer.replay.batch);
  w.line(1, "schedule", "");
  w.line(2, "kind", words::text_of(words::kSchedules, c.trainer.schedule.kind));
  w.line(2, "factor", number(c.trainer.schedule.factor));
  w.whole(2, "steps", c.trainer.schedule.steps);
  w.whole(2, "warm_up", c.trainer.schedule.warm_up);
  write_hashtron(w, c.trainer.hashtron);
  w.line(0, "promotion", "");
  w.whole(1, "every", c.promotion.every);
  w.line(0, "join", "");
  w.line(1, "wait", duration_text(c.join.wait));
  w.whole(1, "rows_max", c.join.rows_max);
  w.whole(0, "crc_every", c.crc_every);
  w.whole(0, "snapshot_every", c.snapshot_every);
  w.line(0, "order", words::text_of(words::kOrders, c.order));
  w.line(0, "idle_timeout", auto_or(c.idle_timeout));
  w.line(0, "max_jump", duration_text(c.max_jump));
  w.line(0, "commit_interval", auto_or(c.commit_interval));
  w.line(0, "sync", words::text_of(words::kSyncModes, c.sync));
  w.line(0, "sync_interval", duration_text(c.sync_interval));
  w.line(0, "backup_interval", duration_text(c.backup_interval));
  w.line(0, "delivery", words::text_of(words::kDeliveries, c.delivery));
  w.line(0, "memory_budget", size_text(c.memory_budget));
  w.line(0, "max_line", size_text(c.max_line));
  w.line(0, "log", "");
  w.line(1, "kind", words::text_of(words::kLogKinds, c.log.kind));
  w.line(1, "brokers", text(c.log.brokers));
  w.whole(1, "partitions", c.log.partitions);
  w.line(1, "maintenance_interval", duration_text(c.log.maintenance_interval));
  w.line(1, "stall_after", duration_text(c.log.stall_after));
  write_security(w, c.log.security);
  w.line(1, "properties", c.log.properties.empty() ? "{}" : "");
  for (const auto& [name, value] : c.log.properties) w.line(2, text(name), text(value));
  w.line(0, "placement", "");
  w.line(1, "run", c.placement.run.empty() ? "auto" : list(c.placement.run, [](const std::string& task) { return task; }));
  w.line(1, "pin", c.placement.pin == PinMode::kCpus ? list(c.placement.cpus, [](std::uint32_t cpu) { return std::to_string(cpu); })
                   : c.placement.pin == PinMode::kAuto ? "auto" : "off");
  w.flag(1, "lock_memory", c.placement.lock_memory);
  w.line(1, "wait", words::text_of(words::kWaitModes, c.placement.wait));
  w.line(1, "parse", words::text_of(words::kParseModes, c.placement.parse));
  w.line(1, "partitions", c.placement.partitions ? list(*c.placement.partitions, [](std::uint32_t p) { return std::to_string(p); }) : "auto");
  w.line(0, "process", c.process.empty() ? "auto" : text(c.process));
  w.whole(0, "standby", c.standby);
  w.line(0, "http", "");
  w.line(1, "listen", c.http.listen ? text(c.http.listen->text()) : "off");
  w.line(1, "token", text(c.http.token.text()));
  w.line(0, "retention", c.retention.empty() ? "{}" : "");
  for (const auto& [topic, retention] : c.retention) {
    std::string parts;
    if (retention.age) parts += "age: " + duration_text(*retention.age);
    if (retention.bytes) parts += (parts.empty() ? "" : ", ") + ("bytes: " + size_text(*retention.bytes));
    w.line(1, short_name(topic), "{" + parts + "}");
  }
  w.line(0, "topics", c.topics.empty() && c.formats == ValueFormats() ? "{}" : "");
  for (const auto& [topic, name] : c.topics) w.line(1, short_name(topic), text(name));
  for (const TopicTraits& traits : topic_table())
    if (const ValueFormat format = c.formats.of(traits.topic); format != traits.format)
      w.line(1, traits.name, "{format: " + std::string(words::text_of(words::kValueFormats, format)) + "}");
  w.line(0, "report", "");
  w.line(1, "last_outcome_by", texts(c.features.last_outcome_by));
  return w.take();
}

}  // namespace weir
