#include "actors/model_topic.hpp"

#include <charconv>

#include "core/base/crc32c.hpp"
#include "core/records/neuron_records.hpp"
#include "core/records/state_pages.hpp"

namespace weir {
namespace {
constexpr char kPartTag = 'a';

std::string name_of_version(const ModelVersionRecord& record) {
  return "models: version " + std::to_string(record.partition.value) + "/" + std::to_string(record.version.value);
}
}  // namespace

ModelVersionRecord ModelWriter::record_of(const ServedModel& model, EventTime time) const {
  ModelVersionRecord record;
  record.partition = partition_;
  record.version = model.version;
  record.kind = model.model->kind();
  record.crc = model.parameters.crc();
  record.parameters = std::uint64_t(model.parameters.size()) + model.parameters.opaque_count();
  record.event_time = time;
  return record;
}

void ModelWriter::append(const ModelVersionRecord& record, const Source& source, Output& out) {
  char key[48];
  char* at = std::to_chars(key, key + 12, partition_.value).ptr;
  *at++ = '/';
  at = std::to_chars(at, at + 20, record.version.value).ptr;
  if (record.parts > 1) {  // A key of its own each: compaction keeps all of them.
    *at++ = '/';
    at = std::to_chars(at, key + sizeof key, record.part).ptr;
  }
  value_.clear();
  encode_model_version(record, value_);
  out.append(Topic::kModels, keyed_record({key, static_cast<std::size_t>(at - key)}, value_.view(), record.event_time, source));
}

void ModelWriter::append_crc(const ServedModel& model, EventTime time, const Source& source, Output& out) {
  append(record_of(model, time), source, out);
}

void ModelWriter::append_whole(const ServedModel& model, EventTime time, const Source& source, Output& out) {
  file_.clear();
  append_safetensors(model.parameters, {}, file_);
  for_each_part(record_of(model, time), file_.view(), crc32c(file_.view()),
                [&](const ModelVersionRecord& record) { append(record, source, out); });
}

void ModelWriter::append_candidate(const ServedModel& model, double loss, std::uint64_t examples, EventTime time,
                                   const Source& source, Output& out) {
  file_.clear();
  append_safetensors(model.parameters, {}, file_);
  for_each_part(record_of(model, time), file_.view(), crc32c(file_.view()), [&](const ModelVersionRecord& record) {
    // The newest one is what counts: its parts take the places of those before.
    const std::string key = std::to_string(partition_.value) + "/" + std::to_string(record.part);
    value_.clear();
    encode_model_version(record, value_);
    candidate_.clear();
    encode_candidate({value_.view(), loss, examples}, candidate_);
    out.append(Topic::kCandidates, keyed_record(key, candidate_.view(), time, source));
  });
}

Result<bool> ModelAssembly::take(std::string_view value, ServedModel& model) {
  ModelVersionRecord record;
  if (!decode_model_version(value, record)) return Error{ErrorCode::kCorruption, "models: a record that does not decode"};
  if (record.parts == 0 || record.version <= model.version) return false;
  if (record.part == 0) {
    stale_ = std::max(stale_, saved_);
    saved_ = 0;
    parts_.clear();
  } else {
    ModelVersionRecord first;
    const bool fits = record.part == parts_.size() && decode_model_version(parts_.front(), first) &&
                      first.version == record.version && first.parts == record.parts && first.file_crc == record.file_crc;
    if (!fits)
      return Error{ErrorCode::kCorruption, name_of_version(record) + ": part " + std::to_string(record.part) +
                                               " out of place, expected part " + std::to_string(parts_.size())};
  }
  parts_.emplace_back(value);
  if (parts_.size() < record.parts) return false;
  Result<bool> result = complete(model);
  stale_ = std::max(stale_, saved_);
  saved_ = 0;
  parts_.clear();
  return result;
}

Result<bool> ModelAssembly::complete(ServedModel& model) {
  std::string file;
  ModelVersionRecord record;
  for (const std::string& part : parts_) {
    CHECK(decode_model_version(part, record));
    file += record.safetensors;
  }
  if (file.size() != record.file_bytes || crc32c(file) != record.file_crc)
    return Error{ErrorCode::kCorruption, name_of_version(record) + ": its parts do not have the file's length and CRC"};
  TRY_ASSIGN(const Parameters parameters, from_safetensors(file));
  if (record.kind != model.model->kind() || !parameters.same_shape(model.parameters))
    return Error{ErrorCode::kInvalidInput, name_of_version(record) + " is a '" + std::string(record.kind) + "' of " +
                                               std::to_string(parameters.size()) + " parameters, expected a '" +
                                               std::string(model.model->kind()) + "' of " +
                                               std::to_string(model.parameters.size())};
  if (parameters.crc() != record.crc)
    return Error{ErrorCode::kCorruption, name_of_version(record) + ": its parameters do not have its CRC"};
  TRY(model.parameters.take(parameters));
  model.version = record.version;
  return true;
}

void ModelAssembly::save(StateWriter& writer) {
  for (std::uint32_t i = static_cast<std::uint32_t>(parts_.size()); i < stale_; ++i) writer.erase(view_of(page_key(kPartTag, i)));
  stale_ = 0;
  for (; saved_ < parts_.size(); ++saved_) writer.put(view_of(page_key(kPartTag, saved_)), parts_[saved_]);
}

Result<void> ModelAssembly::load(const StageState& state) {
  parts_.clear();
  TRY(state.scan({&kPartTag, 1}, [&](std::string_view, std::string_view value) {
    parts_.emplace_back(value);
    return true;
  }));
  saved_ = static_cast<std::uint32_t>(parts_.size());
  stale_ = 0;
  return {};
}

}  // namespace weir
