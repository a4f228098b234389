#pragma once
// The topics of a pipeline: names, what lives in them, and how long. The one table for it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// The numbers are stored (docs/formats.md).
enum class Topic : std::uint8_t {
  kLogs = 0,
  kOutcomes = 1,
  kExamples = 2,
  kSums = 3,
  kCapacity = 4,
  kCandidates = 5,
  kModels = 6,
  kMetrics = 7,
  kPredictions = 8,
  kAbstained = 9,
  kUnjoined = 10,
  kAlerts = 11,
  kDeadLetters = 12,
};
inline constexpr std::size_t kTopicCount = 13;
inline constexpr std::size_t index_of(Topic topic) { return static_cast<std::size_t>(topic); }

enum class ValueFormat : std::uint8_t { kYours, kJson, kProtobuf };

struct TopicTraits {
  Topic topic;
  std::string_view name;         // Short name; the full one is "<pipeline>.<name>".
  ValueFormat format;            // Unless a config says otherwise, where it may.
  std::string_view json_schema;  // File in docs/schemas; empty: never JSON.
  std::string_view message;      // In weir.proto; empty: never Protobuf.
  std::string_view key;          // What the key is.
  bool compacted;                // Keeps the newest record of each key instead of deleting by age.

  // The topics that are for you: a config chooses the format.
  constexpr bool has_choice() const { return !json_schema.empty() && !message.empty(); }
};

const std::array<TopicTraits, kTopicCount>& topic_table();
const TopicTraits& traits_of(Topic topic);
std::string_view short_name(Topic topic);
// By short name; nullopt if there is none.
std::optional<Topic> topic_by_name(std::string_view short_name);

// What a topic's values are written in, as a config chose it. Readers need not know: they take both (codec.hpp).
class ValueFormats {
 public:
  ValueFormats();
  ValueFormat of(Topic topic) const { return formats_[index_of(topic)]; }
  // REQUIRES: traits_of(topic).has_choice(), and one of the two.
  void set(Topic topic, ValueFormat format);
  bool operator==(const ValueFormats&) const = default;

 private:
  std::array<ValueFormat, kTopicCount> formats_;
};

}  // namespace weir
