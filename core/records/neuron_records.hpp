#pragma once
// What the learning chain of hashtron networks says between its parts: Sums, Capacity and Candidate of weir.proto.

#include <cstdint>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/strong_id.hpp"
#include "core/records/codec.hpp"

namespace weir {

// Topic `sums`: a job, and what became of the neuron's sum (core/learning/sum_cache.hpp has the same, packed).
struct NeuronSum {
  PartitionId partition;
  std::uint32_t job = 0, sweep = 0, neuron = 0;
  std::int32_t sum = 0;
  std::uint32_t n = 0;
  std::int32_t sum_before = 0;
  std::uint32_t capacity = 0, salt = 0, correct_before = 0, correct_after = 0, keys = 0, votes = 0;
  std::int64_t vote_sum = 0;
  std::uint32_t rows = 0;
  std::string_view regime, selected_by;
  bool accepted = false, clamped = false;
  EventTime event_time;
  bool operator==(const NeuronSum&) const = default;
};
void encode_neuron_sum(const NeuronSum& sum, ByteBuffer& out);
bool decode_neuron_sum(std::string_view bytes, NeuronSum& out);  // False if malformed.

// Topic `capacity`: what the neuron's next job gets.
struct NeuronCapacity {
  PartitionId partition;
  std::uint32_t neuron = 0, job = 0, capacity = 0;  // job: the one that the capacity follows from.
  bool clamped = false;
  EventTime event_time;
  bool operator==(const NeuronCapacity&) const = default;
};
void encode_neuron_capacity(const NeuronCapacity& capacity, ByteBuffer& out);
bool decode_neuron_capacity(std::string_view bytes, NeuronCapacity& out);

// Topic `candidates`: a version, whole or a part of it (an encoded ModelVersion), and how it did on what it does not learn from.
struct CandidateRecord {
  std::string_view model;
  double loss = 0.0;
  std::uint64_t examples = 0;
};
void encode_candidate(const CandidateRecord& candidate, ByteBuffer& out);
bool decode_candidate(std::string_view bytes, CandidateRecord& out);

}  // namespace weir
