#include "actors/replay_buffer.hpp"

#include "core/learning/hold_out.hpp"

namespace weir {

const Example* example_of(RecordView& record, ExampleScratch& scratch, Example& storage, Output& out) {
  if (record.example != nullptr) return record.example;
  if (!decode_example(record.record.value, scratch, storage)) {
    out.fail({ErrorCode::kCorruption, "examples, offset " + std::to_string(record.source.offset.value) + ": does not decode"});
    return nullptr;
  }
  return record.example = &storage;
}

void ReplayBufferStage::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kExamples) {
    const Example* example = example_of(record, scratch_, example_, out);
    if (example == nullptr) return;
    if (is_held_out(example->sample, hold_out_)) return out.emit(record);
    if (const auto slot = buffer_->offer()) {
      bytes_.clear();
      encode_example(*example, bytes_);
      buffer_->put(*slot, bytes_.view());
    }
  }
  out.emit(record);
}

}  // namespace weir
