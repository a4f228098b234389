#pragma once
// Events made by hand, and an Output that keeps what a stage did: for tests of stages by plain calls.

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "actors/stage.hpp"
#include "core/base/hash.hpp"

namespace weir {

// An event that owns its fields; numbers and texts by position in the schema.
struct EventBuilder {
  explicit EventBuilder(std::size_t field_count, std::int64_t time_us = 0) : fields(field_count) {
    event.event_time = EventTime{time_us};
  }
  EventBuilder& number(std::size_t field, double x) {
    fields[field].number = x;
    fields[field].missing = false;
    return *this;
  }
  EventBuilder& text(std::size_t field, std::string value) {
    texts.push_back(std::move(value));
    fields[field].text = texts.back();
    fields[field].hash = hash64(texts.back());
    fields[field].missing = false;
    return *this;
  }
  const Event& get() {
    event.fields = fields;
    return event;
  }

  std::vector<FieldValue> fields;
  std::deque<std::string> texts;
  Event event;
};

class KeptOutput : public Output {
 public:
  void emit(RecordView&) override { ++emitted; }
  void feed_back(InputId, RecordView&) override { ++fed_back; }
  void append(Topic, const Record&) override { ++appended; }
  void fail(Error error) override {
    if (!failure) failure = std::move(error);
  }
  int emitted = 0, fed_back = 0, appended = 0;
  std::optional<Error> failure;
};

}  // namespace weir
