#pragma once
// What stands between two layers of hashtrons: it makes 32-bit features of the bits of the layer before.
//
// Every combiner is a sum: feature m adds bits shifted to their places, each the value of a *term*, a small Boolean function of
// the inputs (an input itself, a majority, ...). That is worked out once, when the combiner is made; what a change of one input
// can reach, and how many samples are done at a time, follow from it (core/models/hashtron_activations).

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/base/result.hpp"

namespace weir {

// Groups of sub_width * sub_height neighbours vote; a pooled bit is (votes for - votes against > bias), so a tie gives 0 at
// bias 0. Feature m reads the window of pooled bits that begins at x = (g mod width) * window_width, y = (g / width) *
// window_height, g = m mod (width * height * group) / group; it wraps in both directions; row by row, the first bit highest.
// Note that m counts inputs: with groups of more than one, neighbouring features are the same. The whole is there `repeat`
// times.
struct MajorityPool {
  std::uint32_t width = 1, height = 1;                // Of the pooled bits.
  std::uint32_t sub_width = 1, sub_height = 1;        // Of a group.
  std::uint32_t window_width = 1, window_height = 1;  // Of what a feature reads.
  std::uint32_t repeat = 1;
  std::int32_t bias = 0;
  bool operator==(const MajorityPool&) const = default;
};
// Feature m: bits_max inputs from m * bits on, the first highest; 0 if they run past the end.
struct FullWindow {
  std::uint32_t size = 0, bits = 1, bits_max = 1;
  bool operator==(const FullWindow&) const = default;
};
// Every feature: whether an odd number of inputs is set.
struct ParityOfAll {
  std::uint32_t size = 0;
  bool operator==(const ParityOfAll&) const = default;
};
// Feature m: bits_max inputs in a fixed pseudo-random wiring, input hash(seed XOR m, k, size) at place k, the first highest.
struct RandomWiring {
  std::uint32_t size = 0, bits_max = 1, seed = 0;
  bool operator==(const RandomWiring&) const = default;
};
// Blocks of `dim` inputs, even ones keys, odd ones values: a feature counts the partners in its block that are set, if it is
// set. Query, key, value: triples; a block is 3 * dim features. A query's feature counts q & k & v over the block's first dim
// inputs, a key's q & (input m = v), a value's q & k & input m. Masked: only partners (triples) up to the feature's own place
// count.
struct CrossAttention {
  std::uint32_t dim = 0, heads = 1;
  bool query_key_value = false, masked = false;
  bool operator==(const CrossAttention&) const = default;
};
// Inputs are an array of these dimensions, the first one fastest; feature m counts along one of them, from input m *
// dims[axis].
struct SumAlong {
  std::vector<std::uint32_t> dims;
  std::uint32_t axis = 0;
  bool operator==(const SumAlong&) const = default;
};
// Feature m counts the set inputs of a window of a picture, for each position of the window; the whole is there `repeat` times.
// With a shift, what was counted moves up by as many bits as `shift` has before each of its multiples.
struct Convolution {
  std::uint32_t width = 0, height = 0, sub_width = 1, sub_height = 1, repeat = 1, shift = 0;
  bool operator==(const Convolution&) const = default;
};

using CombinerSpec = std::variant<MajorityPool, FullWindow, ParityOfAll, RandomWiring, CrossAttention, SumAlong, Convolution>;

inline constexpr std::uint32_t kCombinerInputsMax = 1U << 20;
inline constexpr std::uint32_t kCombinerPartsMax =
    1U << 24;  // Inputs read, over all features. A network that needs more is refused.

struct CombinerTerm {
  enum class Kind : std::uint8_t {
    kInput,              // The one input.
    kMajority,           // 2 * (inputs set) - (inputs) > bias
    kParity,             // An odd number of inputs is set.
    kAll,                // All inputs are set.
    kFirstAndRestEqual,  // The first of three is set and the other two are equal.
  };
  Kind kind = Kind::kInput;
  std::int32_t bias = 0;
  std::uint32_t begin = 0, end = 0;  // Its inputs, in Combiner::term_inputs().
};
struct CombinerPart {
  std::uint32_t term = 0;
  std::uint32_t shift = 0;  // Below 32: what would leave the 32 bits is left out.
};

class Combiner {
 public:
  // For a next layer that reads features 0 to features - 1. kConfig: sizes of zero or beyond the bounds, or a feature that
  // would read an input that is not there.
  static Result<Combiner> make(const CombinerSpec& spec, std::uint32_t features);

  std::uint32_t inputs() const { return inputs_; }
  std::uint32_t features() const { return static_cast<std::uint32_t>(feature_begin_.size() - 1); }

  // From bits of 0 and 1, one a byte. REQUIRES: bits.size() == inputs(), m < features().
  std::uint32_t feature(std::span<const std::uint8_t> bits, std::uint32_t m) const;
  // Each term's value, 0 or 1, from bits of at least inputs() entries.
  void term_values(std::span<const std::uint8_t> bits, std::vector<std::uint8_t>& out) const;
  // The same, without work where every term is just the input of its number. `room` holds them otherwise.
  const std::uint8_t* terms_of(const std::vector<std::uint8_t>& bits, std::vector<std::uint8_t>& room) const {
    if (plain_) return bits.data();
    term_values(bits, room);
    return room.data();
  }
  // Whether turning input n round would change no feature at all. REQUIRES: as above, n < inputs().
  bool disregard(std::span<const std::uint8_t> bits, std::uint32_t n) const;

  std::span<const CombinerTerm> terms() const { return terms_; }
  std::span<const std::uint32_t> inputs_of(const CombinerTerm& term) const {
    return std::span(term_inputs_).subspan(term.begin, term.end - term.begin);
  }
  std::span<const CombinerPart> parts(std::uint32_t m) const {
    return std::span(parts_).subspan(feature_begin_[m], feature_begin_[m + 1] - feature_begin_[m]);
  }
  // Which terms read an input, and which features a term is part of; both ascending.
  std::span<const std::uint32_t> terms_of_input(std::uint32_t n) const {
    return std::span(input_terms_).subspan(input_terms_begin_[n], input_terms_begin_[n + 1] - input_terms_begin_[n]);
  }
  std::span<const std::uint32_t> features_of_term(std::uint32_t term) const {
    return std::span(term_features_)
        .subspan(term_features_begin_[term], term_features_begin_[term + 1] - term_features_begin_[term]);
  }

 private:
  Combiner() = default;
  void index();

  std::uint32_t inputs_ = 0;
  bool plain_ = true;
  std::vector<CombinerTerm> terms_;
  std::vector<std::uint32_t> term_inputs_;
  std::vector<CombinerPart> parts_;
  std::vector<std::uint32_t> feature_begin_ = {0};
  std::vector<std::uint32_t> input_terms_, input_terms_begin_, term_features_, term_features_begin_;
  friend class CombinerBuilder;
};

}  // namespace weir
