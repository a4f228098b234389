#pragma once
// Keeps a uniform sample of all examples for the trainer to replay.

#include <memory>

#include "actors/stage.hpp"
#include "core/learning/replay_buffer.hpp"
#include "core/records/codec.hpp"

namespace weir {

// kExamples: offers each to the buffer and passes it on. The buffer is shared with the trainer of the same task. `hold_out`: those held
// out are not offered (core/learning/hold_out.hpp); 0: none is.
class ReplayBufferStage final : public Stage {
 public:
  explicit ReplayBufferStage(std::shared_ptr<ReplayBuffer> buffer, std::uint32_t hold_out = 0)
      : buffer_(std::move(buffer)), hold_out_(hold_out) {}

  std::string_view name() const override { return "replay_buffer"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override { buffer_->save(writer); }
  Result<void> load(const StageState& state) override { return buffer_->load(state); }

 private:
  std::shared_ptr<ReplayBuffer> buffer_;
  std::uint32_t hold_out_;
  ByteBuffer bytes_;
  ExampleScratch scratch_;
  Example example_;
};

// The example of a record: as it is, or decoded from the record's bytes, where the task reads a topic. Null after out.fail().
const Example* example_of(RecordView& record, ExampleScratch& scratch, Example& storage, Output& out);

}  // namespace weir
