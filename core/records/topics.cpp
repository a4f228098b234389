#include "core/records/topics.hpp"

#include "core/base/check.hpp"

namespace weir {

const std::array<TopicTraits, kTopicCount>& topic_table() {
  // Partitioning is the same rule everywhere: a record goes to the partition of the input record that caused it, and
  // inputs are partitioned by murmur2 of their id.
  static constexpr std::array<TopicTraits, kTopicCount> table = {{
      {Topic::kLogs, "logs", ValueFormat::kYours, "", "", "id", false},
      {Topic::kOutcomes, "outcomes", ValueFormat::kYours, "", "", "id", false},
      {Topic::kExamples, "examples", ValueFormat::kProtobuf, "", "weir.v1.Example", "id", false},
      {Topic::kSums, "sums", ValueFormat::kProtobuf, "", "weir.v1.Sums", "neuron", false},
      {Topic::kCapacity, "capacity", ValueFormat::kProtobuf, "", "weir.v1.Capacity", "neuron", true},
      {Topic::kCandidates, "candidates", ValueFormat::kProtobuf, "", "weir.v1.Candidate", "partition/part", true},
      {Topic::kModels, "models", ValueFormat::kProtobuf, "", "weir.v1.ModelVersion", "partition/version or block", true},
      {Topic::kMetrics, "metrics", ValueFormat::kProtobuf, "", "weir.v1.Metrics", "process", false},
      {Topic::kPredictions, "predictions", ValueFormat::kJson, "prediction.schema.json", "weir.v1.PublishedPrediction", "id", false},
      {Topic::kAbstained, "abstained", ValueFormat::kJson, "prediction.schema.json", "weir.v1.PublishedPrediction", "id", false},
      {Topic::kUnjoined, "unjoined", ValueFormat::kJson, "unjoined.schema.json", "weir.v1.Unjoined", "id, if it has one", false},
      {Topic::kAlerts, "alerts", ValueFormat::kJson, "alert.schema.json", "weir.v1.Alert", "alert", false},
      {Topic::kDeadLetters, "dead-letters", ValueFormat::kJson, "dead_letter.schema.json", "weir.v1.DeadLetter", "none", false},
  }};
  return table;
}

const TopicTraits& traits_of(Topic topic) { return topic_table()[index_of(topic)]; }

std::string_view short_name(Topic topic) { return traits_of(topic).name; }

std::optional<Topic> topic_by_name(std::string_view short_name) {
  for (const TopicTraits& traits : topic_table())
    if (traits.name == short_name) return traits.topic;
  return std::nullopt;
}

ValueFormats::ValueFormats() {
  for (const TopicTraits& traits : topic_table()) formats_[index_of(traits.topic)] = traits.format;
}

void ValueFormats::set(Topic topic, ValueFormat format) {
  CHECK(traits_of(topic).has_choice());
  CHECK(format == ValueFormat::kJson || format == ValueFormat::kProtobuf);
  formats_[index_of(topic)] = format;
}

}  // namespace weir
