// What offline training reads back: snapshots of runs in both directions and of their sums, samples as text, tasks by name. The
// input says what is changed in a snapshot that is whole, and its checksum is made right again: whatever comes of it is refused
// with a reason, or is a state that goes on for some jobs and comes back the same.
#include <cstring>
#include <string>
#include <vector>

#include "core/base/crc32c.hpp"
#include "core/learning/hashtron_run.hpp"
#include "core/learning/sample_text.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace weir;

const GeneratedTask kTask{.scale = 2, .bit = 1, .noise = 20};

HashtronRunSettings settings(TrainingDirection direction) {
  HashtronRunSettings out;
  out.direction = direction;
  out.backward.ring = out.forward.ring = 4;
  out.forward.jobs_max = 12;
  out.forward.pair_layers = 2;
  out.forward.redraw_after = 0;
  return out;
}

// Of a run that has done some jobs.
std::string seed(TrainingDirection direction, bool alone) {
  HashtronRunSettings with = settings(direction);
  if (!alone) {
    auto run = HashtronRun::make(kTask.layers(), with, kTask.samples());
    FUZZ_CHECK(run.ok());
    for (int i = 0; i < 9; ++i) FUZZ_CHECK((*run)->step().ok());
    return (*run)->snapshot();
  }
  SplitSamples samples = kTask.samples();
  if (direction == TrainingDirection::kBackward) {
    auto pipeline = BackwardPipeline::make(kTask.layers(), with.backward, samples.train, samples.held_out);
    FUZZ_CHECK(pipeline.ok());
    for (int i = 0; i < 9; ++i) FUZZ_CHECK((*pipeline)->step().ok());
    return (*pipeline)->snapshot();
  }
  auto pipeline = ForwardPipeline::make(kTask.layers(), with.forward, samples.train, samples.held_out);
  FUZZ_CHECK(pipeline.ok());
  for (int i = 0; i < 9; ++i) FUZZ_CHECK((*pipeline)->step().ok());
  return (*pipeline)->snapshot();
}

std::string sums_seed() {
  SumCache sums(5, 3);
  for (std::uint32_t job = 0; job < 12; ++job)
    FUZZ_CHECK(sums.add({.job = job, .neuron = job % 4, .sum = 2, .n = 10, .capacity = job}).ok());
  return sums.snapshot();
}

// Each three bytes: where, and what stands there then; the last odd ones: how much is cut off. The checksum is put right.
std::string changed(std::string bytes, std::string_view script) {
  for (; script.size() >= 3; script.remove_prefix(3)) {
    std::uint16_t at = 0;
    std::memcpy(&at, script.data(), 2);
    if (bytes.size() > 4) bytes[at % (bytes.size() - 4)] = script[2];
  }
  if (!script.empty()) bytes.resize(bytes.size() - std::min(bytes.size(), std::size_t(static_cast<unsigned char>(script[0]))));
  if (bytes.size() < 4) return bytes;
  const std::uint32_t crc = crc32c(std::string_view(bytes).substr(0, bytes.size() - 4));
  std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
  return bytes;
}

void refused(const Error& error) {
  FUZZ_CHECK(!error.what.empty() && error.what.size() < 1000);
  FUZZ_CHECK(error.code == ErrorCode::kCorruption || error.code == ErrorCode::kVersion || error.code == ErrorCode::kConfig ||
             error.code == ErrorCode::kInvalidInput);
}

void goes_on(HashtronRun& run, TrainingDirection direction) {
  const auto same = HashtronRun::resume(kTask.layers(), settings(direction), kTask.samples(), run.snapshot());
  FUZZ_CHECK(same.ok() && (*same)->snapshot() == run.snapshot());
  for (int i = 0; i < 3; ++i) {
    const auto done = run.step();
    FUZZ_CHECK(done.ok());
    if (!*done) break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
    case 1: {
      const TrainingDirection direction = data[0] % 7 == 0 ? TrainingDirection::kBackward : TrainingDirection::kForward;
      static const std::string seeds[] = {seed(TrainingDirection::kBackward, false), seed(TrainingDirection::kForward, false)};
      auto run = HashtronRun::resume(kTask.layers(), settings(direction), kTask.samples(), changed(seeds[data[0] % 7], body));
      if (run.ok())
        goes_on(**run, direction);
      else
        refused(run.error());
      break;
    }
    case 2: {
      static const std::string whole = seed(TrainingDirection::kBackward, true);
      SplitSamples samples = kTask.samples();
      auto pipeline = BackwardPipeline::resume(kTask.layers(), settings(TrainingDirection::kBackward).backward, samples.train,
                                               samples.held_out, changed(whole, body));
      if (!pipeline.ok()) return refused(pipeline.error()), 0;
      for (int i = 0; i < 3; ++i) FUZZ_CHECK((*pipeline)->step().ok());
      break;
    }
    case 3: {
      static const std::string whole = seed(TrainingDirection::kForward, true);
      SplitSamples samples = kTask.samples();
      auto pipeline = ForwardPipeline::resume(kTask.layers(), settings(TrainingDirection::kForward).forward, samples.train,
                                              samples.held_out, changed(whole, body));
      if (!pipeline.ok()) return refused(pipeline.error()), 0;
      for (int i = 0; i < 3; ++i) FUZZ_CHECK((*pipeline)->step().ok());
      break;
    }
    case 4: {
      static const std::string whole = sums_seed();
      const auto sums = SumCache::load(changed(whole, body));
      if (!sums.ok()) return refused(sums.error()), 0;
      const auto again = SumCache::load(sums->snapshot());
      FUZZ_CHECK(again.ok() && *again == *sums);
      break;
    }
    case 5: {
      const auto samples = parse_sample_text(body, 0x5eed);
      if (!samples.ok()) {
        refused(samples.error());
        FUZZ_CHECK(is_utf8(samples.error().what));
        break;
      }
      FUZZ_CHECK(samples->train.features() == samples->held_out.features());
      break;
    }
    default: {
      const auto task = GeneratedTask::parse(body);
      if (!task.ok()) break;
      const auto again = GeneratedTask::parse(task->name());
      FUZZ_CHECK(again.ok() && *again == *task);
    }
  }
  return 0;
}
