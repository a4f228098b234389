#pragma once
// The bytes of Weir's own records: JSON or Protobuf for your programs (docs/schemas, weir.proto), Protobuf between tasks.
//
// Writers append to a buffer and allocate nothing once it is warm; readers give views into the bytes and into the caller's
// scratch, check every length, and never read past the end: any bytes may be given to them.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/records/event.hpp"
#include "core/records/record.hpp"
#include "core/records/topics.hpp"

namespace weir {

inline constexpr std::size_t kDeadLetterBytesMax = 64 << 10;  // Kept of the original.
inline constexpr std::size_t kPartBytesMax = 900'000;         // Our own records are cut into parts above this.

// --- What is for you: JSON, or Protobuf where the config says so (published.cpp) ---
//
// A value tells its format itself: JSON begins with '{', which begins no message of ours. Topics may hold both, one after the
// other; whatever reads them again takes either.

// Topics `predictions` and `abstained` (prediction.schema.json, PublishedPrediction). `partition`: of the task; in JSON
// model_version is "partition/version".
void write_prediction(ValueFormat format, const Event& event, const Prediction& prediction, const Source& source, TaskKind kind,
                      PartitionId partition, ByteBuffer& out, std::optional<std::uint64_t> n = std::nullopt);

// Topic `dead-letters` (dead_letter.schema.json, DeadLetter).
struct DeadLetter {
  Reason reason = Reason::kMalformed;
  std::string_view detail;
  Source source;
  std::optional<EventTime> event_time;
  std::string_view line;         // What there is of it; at most 64 KiB of it are written.
  std::uint64_t line_bytes = 0;  // Of the whole line.
  std::uint32_t line_crc = 0;    // CRC32C of the whole line.
};
void write_dead_letter(ValueFormat format, const DeadLetter& letter, ByteBuffer& out);
// From a refused or poisoned line; computes the CRC where the parser left it to us.
DeadLetter dead_letter_of(const ParsedRecord& parsed, Reason reason, std::string_view detail, const Source& source);

// Topic `unjoined` (unjoined.schema.json, Unjoined): an outcome that met no prediction. The numbers are stored.
enum class UnjoinedReason : std::uint8_t { kInvalid = 0, kNoId = 1, kDuplicate = 2, kExpired = 3, kUnmatched = 4 };
inline constexpr std::size_t kUnjoinedReasonCount = 5;
std::string_view name_of(UnjoinedReason reason);  // "invalid", "no_id", "duplicate", "expired", "unmatched"
struct Unjoined {
  std::optional<Id> id;
  UnjoinedReason reason = UnjoinedReason::kInvalid;
  std::string_view detail;
  std::optional<double> label;
  std::optional<EventTime> event_time;
  Source source;
};
void write_unjoined(ValueFormat format, const Unjoined& unjoined, ByteBuffer& out);

// Topic `alerts` (alert.schema.json, Alert).
struct Alert {
  std::string_view alert;     // What kind: "drift", "rollback", …; also the record's key.
  std::string_view message;   // For a person.
  EventTime event_time;
  PartitionId partition;
  std::optional<double> value;
  std::optional<double> threshold;
};
void write_alert(ValueFormat format, const Alert& alert, ByteBuffer& out);

// The Protobuf form, read. Fields that are not known are skipped. False if malformed: not Protobuf, strings that are not UTF-8, a
// reason that is none, neither probability nor value, a set that fits neither. Views point into `bytes`.
struct PublishedPrediction {
  Event event;            // id, key, event_time.
  Prediction prediction;
  Source source;
  TaskKind kind = TaskKind::kClassification;
  PartitionId partition;
  std::optional<std::uint64_t> n;
};
bool decode_prediction(std::string_view bytes, PublishedPrediction& out);
bool decode_dead_letter(std::string_view bytes, DeadLetter& out);
bool decode_unjoined(std::string_view bytes, Unjoined& out);
bool decode_alert(std::string_view bytes, Alert& out);

// What Weir itself reads again, from either format.
struct PredictionFacts {
  bool classification = false;
  bool certified = false;
  PartitionId partition;
  ModelVersion version;
};
std::optional<PredictionFacts> prediction_facts(std::string_view value);  // nullopt if it is no prediction of ours.
std::string_view reason_in(Topic topic, std::string_view value);          // Of `dead-letters` and `unjoined`; empty if there is none.

// The value of a record of `topic` as one JSON object without newline, for `weir tail --json`: JSON as it is, Protobuf rendered
// (a value that is for you becomes the JSON that would have been written), lines of yours as they are if they are JSON objects,
// else {"line": …} or {"line_base64": …}. False, with nothing appended, for malformed Protobuf or a topic without a message.
bool write_value_json(Topic topic, std::string_view value, ByteBuffer& out);

// --- Example (weir.proto) ---

// A row is an encoded Example without its outcome; row + outcome is the encoded Example, so joining copies and encodes nothing.
std::size_t row_bytes_max(const Example& row);       // Room that encode_row_to needs.
char* encode_row_to(const Example& row, char* to);   // Returns the end.
void encode_row(const Example& row, ByteBuffer& out);
std::size_t outcome_bytes_max(const Source& source);
char* encode_outcome_to(double label, EventTime event_time, const Source& source, char* to);
void encode_outcome(double label, EventTime event_time, const Source& source, ByteBuffer& out);
void encode_example(const Example& example, ByteBuffer& out);

// Numbers copied out of bytes that need not be aligned. Grows without setting what is overwritten at once.
template <class T>
class ScratchArray {
 public:
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  // Room for `count` more; the caller sets them.
  T* extend(std::size_t count) {
    if (size_ + count > capacity_) grow(size_ + count);
    size_ += count;
    return data_.get() + (size_ - count);
  }
  std::span<const T> span() const { return {data_.get(), size_}; }

 private:
  void grow(std::size_t needed) {
    capacity_ = needed * 2;
    std::unique_ptr<T[]> more(new T[capacity_]);
    std::copy_n(data_.get(), size_, more.get());
    data_ = std::move(more);
  }
  std::unique_ptr<T[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// What decoding copies. Reused: keeps its memory.
struct ExampleScratch {
  ScratchArray<float> dense;
  ScratchArray<std::uint32_t> indices;
  ScratchArray<float> values;
  ScratchArray<std::uint64_t> label_keys;
  ScratchArray<float> ones;  // All 1, as long as was needed so far.
};
// Views in `out` live as long as `bytes` and until `scratch` is used again. False if malformed: not Protobuf, another number
// of values than indices, strings that are not UTF-8. decode_example: false also without a label.
bool decode_row(std::string_view bytes, ExampleScratch& scratch, Example& out);
bool decode_example(std::string_view bytes, ExampleScratch& scratch, Example& out);

// --- ModelVersion (weir.proto) ---

struct ModelVersionRecord {
  PartitionId partition;
  ModelVersion version;
  std::string_view kind;
  std::uint32_t crc = 0;               // Of the parameters' bytes.
  std::uint64_t parameters = 0;        // How many.
  std::string_view safetensors;        // This part of the file.
  std::uint32_t part = 0;
  std::uint32_t parts = 0;             // 0: CRC only.
  std::uint32_t file_crc = 0;
  std::uint64_t file_bytes = 0;
  EventTime event_time;
};
void encode_model_version(const ModelVersionRecord& record, ByteBuffer& out);
bool decode_model_version(std::string_view bytes, ModelVersionRecord& out);
// Calls fn(const ModelVersionRecord&) for each part of `file`: the same record with its piece, in order. At least one.
template <class Fn>
void for_each_part(ModelVersionRecord record, std::string_view file, std::uint32_t file_crc, Fn&& fn) {
  record.file_crc = file_crc;
  record.file_bytes = file.size();
  record.parts = file.empty() ? 1 : static_cast<std::uint32_t>((file.size() + kPartBytesMax - 1) / kPartBytesMax);
  for (record.part = 0; record.part < record.parts; ++record.part) {
    record.safetensors = file.substr(record.part * kPartBytesMax, kPartBytesMax);
    fn(static_cast<const ModelVersionRecord&>(record));
  }
}

// --- Metrics (weir.proto) ---

struct MetricSample {
  std::string_view name;
  double value = 0.0;
};
void encode_metrics(std::string_view process, EventTime time, std::span<const MetricSample> samples, ByteBuffer& out);
// False if malformed.
bool decode_metrics(std::string_view bytes, std::string_view& process, EventTime& time, std::vector<MetricSample>& samples);

}  // namespace weir
