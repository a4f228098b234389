#pragma once
// The first stage: gives every parsed line its way. Events and outcomes go on; refused lines of `logs` end as dead letters,
// refused outcomes as `unjoined` with reason `invalid` or `no_id`. What fed-back records carry is passed on untouched.

#include <array>
#include <cstdint>

#include "actors/stage.hpp"
#include "core/records/codec.hpp"

namespace weir {

// Since the first offset; part of the state.
struct IngestionCounts {
  std::uint64_t events = 0;                                       // Passed on.
  std::uint64_t outcomes = 0;
  std::array<std::uint64_t, kReasonCount> dead_letters{};         // Of `logs`, by reason.
  std::array<std::uint64_t, kReasonCount> refused_outcomes{};     // By the parser's reason.
  std::uint64_t invalid = 0;                                      // The same by what `unjoined` says.
  std::uint64_t no_id = 0;
  bool operator==(const IngestionCounts&) const = default;
};

class Ingestion final : public Stage {
 public:
  explicit Ingestion(const ValueFormats& formats = {}) : formats_(formats) {}

  std::string_view name() const override { return "ingestion"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  const IngestionCounts& counts() const { return counts_; }

 private:
  void dead_letter(const RecordView& record, Output& out);
  void unjoined(const RecordView& record, Output& out);

  ValueFormats formats_;
  IngestionCounts counts_;
  bool dirty_ = false;
  ByteBuffer value_;
  ByteBuffer detail_;
};

// The stored form of a stage's counts: a format version, then each number as a fixed u64.
// kVersion: written by a newer format; kCorruption: another length.
void encode_counts(std::span<const std::uint64_t> counts, ByteBuffer& out);
Result<void> decode_counts(std::string_view stage, std::string_view bytes, std::span<std::uint64_t> counts);

}  // namespace weir
