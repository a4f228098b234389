#include "core/models/combiners.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "core/models/hashtron_hash.hpp"

namespace weir {

using Kind = CombinerTerm::Kind;

// Collects a combiner's parts, feature by feature; remembers the first thing that is wrong.
class CombinerBuilder {
 public:
  explicit CombinerBuilder(std::string name) : name_(std::move(name)) {}

  // False, with the reason kept, unless 1 to kCombinerInputsMax inputs come of the factors.
  bool size(std::initializer_list<std::uint32_t> factors) {
    std::uint64_t inputs = 1;
    for (const std::uint32_t factor : factors) {
      inputs *= factor;
      if (inputs == 0 || inputs > kCombinerInputsMax) {
        return refuse("found " + std::string(inputs == 0 ? "a size of zero" : "more than that") + ", expected 1 to " +
                      std::to_string(kCombinerInputsMax) + " inputs");
      }
    }
    out_.inputs_ = static_cast<std::uint32_t>(inputs);
    return true;
  }
  bool refuse(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
    return false;
  }

  // A bit of the feature that is being made, `shift` places up. Equal terms are one.
  void part(std::uint64_t shift, Kind kind, std::initializer_list<std::uint64_t> inputs) {
    part(shift, kind, 0, std::vector(inputs));
  }
  void part(std::uint64_t shift, Kind kind, std::int32_t bias, const std::vector<std::uint64_t>& inputs) {
    if (!wrong_.empty()) return;
    work_ += inputs.size();
    if (work_ > kCombinerPartsMax) {
      refuse("more than " + std::to_string(kCombinerPartsMax) + " bits over all features: make a layer smaller");
      return;
    }
    if (shift >= 32) return;
    for (const std::uint64_t input : inputs) {
      if (input < out_.inputs_) continue;
      refuse("feature " + std::to_string(out_.features()) + " reads input " + std::to_string(input) + ", but there are " +
             std::to_string(out_.inputs_) + ": make the layer after it smaller");
      return;
    }
    auto [at, is_new] = known_.try_emplace({kind, inputs}, static_cast<std::uint32_t>(out_.terms_.size()));
    if (is_new) {
      const auto begin = static_cast<std::uint32_t>(out_.term_inputs_.size());
      for (const std::uint64_t input : inputs) out_.term_inputs_.push_back(static_cast<std::uint32_t>(input));
      out_.terms_.push_back({kind, bias, begin, static_cast<std::uint32_t>(out_.term_inputs_.size())});
    }
    out_.parts_.push_back({at->second, static_cast<std::uint32_t>(shift)});
  }
  bool ok() const { return wrong_.empty(); }
  void end_feature() { out_.feature_begin_.push_back(static_cast<std::uint32_t>(out_.parts_.size())); }

  Result<Combiner> done() && {
    if (!wrong_.empty()) return Error{ErrorCode::kConfig, "combiner " + name_ + ": " + wrong_};
    out_.index();
    return std::move(out_);
  }

 private:
  std::string name_, wrong_;
  std::uint64_t work_ = 0;
  Combiner out_;
  std::map<std::pair<Kind, std::vector<std::uint64_t>>, std::uint32_t> known_;
};

namespace {

// name_of, prepare (sizes) and add_feature (its parts), one of each a kind.
std::string name_of(const MajorityPool&) { return "majority_pool"; }
bool prepare(const MajorityPool& c, CombinerBuilder& to) {
  if (!to.size({c.sub_width, c.sub_height, c.width, c.height, c.repeat})) return false;
  return (c.window_width > 0 && c.window_height > 0 && std::uint64_t{c.window_width} * c.window_height <= kCombinerInputsMax) ||
         to.refuse("found a window of " + std::to_string(c.window_width) + " x " + std::to_string(c.window_height) +
                   ", expected at least one pooled bit");
}
void add_feature(const MajorityPool& c, std::uint64_t m, CombinerBuilder& to) {
  const std::uint64_t group = std::uint64_t{c.sub_width} * c.sub_height, block = std::uint64_t{c.width} * c.height * group;
  const std::uint64_t base = m / block * block, g = m % block / group;
  const std::uint64_t x = g % c.width * c.window_width, y = g / c.width * c.window_height;
  std::uint64_t shift = std::uint64_t{c.window_width} * c.window_height;
  std::vector<std::uint64_t> inputs(group);
  for (std::uint64_t dy = 0; dy < c.window_height; ++dy) {
    for (std::uint64_t dx = 0; dx < c.window_width; ++dx) {
      const std::uint64_t first = base + group * (c.width * ((y + dy) % c.height) + (x + dx) % c.width);
      for (std::uint64_t i = 0; i < group; ++i) inputs[i] = first + i;
      if (group == 1 && c.bias == 0)
        to.part(--shift, Kind::kInput, 0, inputs);
      else
        to.part(--shift, Kind::kMajority, c.bias, inputs);
    }
  }
}

std::string name_of(const FullWindow&) { return "full"; }
bool prepare(const FullWindow& c, CombinerBuilder& to) { return to.size({c.size}); }
void add_feature(const FullWindow& c, std::uint64_t m, CombinerBuilder& to) {
  const std::uint64_t first = m * c.bits;
  if (first + c.bits_max > c.size) return;
  for (std::uint64_t k = 0; k < c.bits_max; ++k) to.part(c.bits_max - 1 - k, Kind::kInput, {first + k});
}

std::string name_of(const ParityOfAll&) { return "parity"; }
bool prepare(const ParityOfAll& c, CombinerBuilder& to) { return to.size({c.size}); }
void add_feature(const ParityOfAll& c, std::uint64_t, CombinerBuilder& to) {
  std::vector<std::uint64_t> all(c.size);
  for (std::uint64_t i = 0; i < c.size; ++i) all[i] = i;
  to.part(0, Kind::kParity, 0, all);
}

std::string name_of(const RandomWiring&) { return "random_wiring"; }
bool prepare(const RandomWiring& c, CombinerBuilder& to) {
  return to.size({c.size}) &&
         (c.bits_max <= kCombinerInputsMax || to.refuse("found " + std::to_string(c.bits_max) + " bits a feature"));
}
void add_feature(const RandomWiring& c, std::uint64_t m, CombinerBuilder& to) {
  for (std::uint32_t k = 0; k < c.bits_max; ++k)
    to.part(c.bits_max - 1 - k, Kind::kInput, {hashtron_hash(c.seed ^ static_cast<std::uint32_t>(m), k, c.size)});
}

std::string name_of(const CrossAttention& c) { return c.query_key_value ? "cross_attention_qkv" : "cross_attention"; }
bool prepare(const CrossAttention& c, CombinerBuilder& to) { return to.size({c.dim, c.heads}); }
void add_feature(const CrossAttention& c, std::uint64_t m, CombinerBuilder& to) {
  if (!c.query_key_value) {
    const std::uint64_t base = m / c.dim * c.dim;
    for (std::uint64_t x = 1 - m % 2; x < c.dim; x += 2)
      if (!c.masked || x / 2 <= m % c.dim) to.part(0, Kind::kAll, {base + x, m});
    return;
  }
  const std::uint64_t block = 3 * std::uint64_t{c.dim}, base = m / block * block;
  for (std::uint64_t x = 0; x < c.dim; x += 3) {
    if (c.masked && x / 3 > m % block / 3) continue;
    const std::uint64_t q = base + x, k = q + 1, v = q + 2;
    if (m % 3 == 0)
      to.part(0, Kind::kAll, {q, k, v});
    else if (m % 3 == 1)
      to.part(0, Kind::kFirstAndRestEqual, {q, m, v});
    else
      to.part(0, Kind::kAll, {q, k, m});
  }
}

std::string name_of(const SumAlong&) { return "sum"; }
bool prepare(const SumAlong& c, CombinerBuilder& to) {
  if (c.axis >= c.dims.size())
    return to.refuse("found axis " + std::to_string(c.axis) + ", expected one of its " + std::to_string(c.dims.size()) +
                     " dimensions");
  std::uint64_t inputs = 1;
  for (const std::uint32_t dim : c.dims) {
    inputs *= dim;
    if (inputs > kCombinerInputsMax) break;  // size() says so.
  }
  return to.size({static_cast<std::uint32_t>(std::min<std::uint64_t>(inputs, kCombinerInputsMax + 1))});
}
void add_feature(const SumAlong& c, std::uint64_t m, CombinerBuilder& to) {
  std::uint64_t step = 1, inputs = 1;
  for (std::uint32_t d = 0; d < c.dims.size(); ++d) {
    if (d < c.axis) step *= c.dims[d];
    inputs *= c.dims[d];
  }
  for (std::uint64_t j = 0; j < c.dims[c.axis]; ++j) to.part(0, Kind::kInput, {(m * c.dims[c.axis] + j * step) % inputs});
}

std::string name_of(const Convolution&) { return "convolution"; }
bool prepare(const Convolution& c, CombinerBuilder& to) {
  if (!to.size({c.width, c.height, c.repeat})) return false;
  return (c.sub_width > 0 && c.sub_height > 0 && c.sub_width <= c.width && c.sub_height <= c.height) ||
         to.refuse("found a window of " + std::to_string(c.sub_width) + " x " + std::to_string(c.sub_height) +
                   ", expected one within " + std::to_string(c.width) + " x " + std::to_string(c.height));
}
void add_feature(const Convolution& c, std::uint64_t m, CombinerBuilder& to) {
  const std::uint64_t across = c.width - c.sub_width + 1, down = c.height - c.sub_height + 1;
  // As existing networks have it: blocks are as long as there are positions, and rows are counted by the other side's
  // positions.
  const std::uint64_t block = across * down, at = m % block, base = m / block * block;
  const std::uint64_t y = at / down, x = at % across, first = base + c.width * y + x;
  const std::uint64_t window = std::uint64_t{c.sub_width} * c.sub_height;
  const std::uint64_t step = c.shift == 0 ? 0 : static_cast<std::uint64_t>(std::bit_width(c.shift));
  for (std::uint64_t i = 0; i < c.sub_height; ++i) {
    for (std::uint64_t j = 0; j < c.sub_width; ++j) {
      // How often what is counted here is still moved up: once for each multiple of the shift behind it.
      const std::uint64_t place = i * c.sub_width + j;
      const std::uint64_t moves = c.shift == 0 ? 0 : (window - 1) / c.shift - place / c.shift;
      to.part(moves * step, Kind::kInput, {first + c.width * i + j});
    }
  }
}

}  // namespace

Result<Combiner> Combiner::make(const CombinerSpec& spec, std::uint32_t features) {
  return std::visit(
      [&](const auto& kind) -> Result<Combiner> {
        CombinerBuilder to(name_of(kind));
        if (features > kCombinerInputsMax)
          to.refuse("found " + std::to_string(features) + " features, expected at most " + std::to_string(kCombinerInputsMax));
        else if (prepare(kind, to))
          for (std::uint64_t m = 0; m < features && to.ok(); ++m, to.end_feature()) add_feature(kind, m, to);
        return std::move(to).done();
      },
      spec);
}

void Combiner::index() {
  for (std::uint32_t t = 0; t < terms_.size(); ++t)
    plain_ = plain_ && terms_[t].kind == Kind::kInput && term_inputs_[terms_[t].begin] == t;
  // Counting sort, both ways; a term that reads an input twice, or a feature that adds a term twice, is listed once.
  const auto invert = [](std::uint32_t keys, std::uint32_t values, auto&& for_each_key_of, std::vector<std::uint32_t>& out,
                         std::vector<std::uint32_t>& begin) {
    std::vector<std::uint32_t> last(keys, ~0U);
    begin.assign(keys + 1, 0);
    for (std::uint32_t v = 0; v < values; ++v)
      for_each_key_of(v, [&](std::uint32_t key) {
        if (std::exchange(last[key], v) != v) ++begin[key + 1];
      });
    for (std::uint32_t k = 0; k < keys; ++k) begin[k + 1] += begin[k];
    out.resize(begin[keys]);
    std::vector<std::uint32_t> to(begin.begin(), begin.end() - 1);
    last.assign(keys, ~0U);
    for (std::uint32_t v = 0; v < values; ++v)
      for_each_key_of(v, [&](std::uint32_t key) {
        if (std::exchange(last[key], v) != v) out[to[key]++] = v;
      });
  };
  const auto terms = static_cast<std::uint32_t>(terms_.size());
  invert(
      inputs_, terms,
      [&](std::uint32_t term, auto&& visit) {
        for (const std::uint32_t input : inputs_of(terms_[term])) visit(input);
      },
      input_terms_, input_terms_begin_);
  invert(
      terms, features(),
      [&](std::uint32_t m, auto&& visit) {
        for (const CombinerPart& part : parts(m)) visit(part.term);
      },
      term_features_, term_features_begin_);
}

namespace {

bool value(const CombinerTerm& term, std::span<const std::uint32_t> inputs, std::span<const std::uint8_t> bits) {
  switch (term.kind) {
    case Kind::kInput: return bits[inputs[0]] != 0;
    case Kind::kMajority: {
      std::int64_t sum = 0;
      for (const std::uint32_t input : inputs) sum += bits[input] != 0 ? 1 : -1;
      return sum > term.bias;
    }
    case Kind::kParity: {
      std::uint8_t odd = 0;
      for (const std::uint32_t input : inputs) odd ^= bits[input];
      return odd != 0;
    }
    case Kind::kAll:
      for (const std::uint32_t input : inputs)
        if (bits[input] == 0) return false;
      return true;
    case Kind::kFirstAndRestEqual: return bits[inputs[0]] != 0 && bits[inputs[1]] == bits[inputs[2]];
  }
  return false;
}

}  // namespace

std::uint32_t Combiner::feature(std::span<const std::uint8_t> bits, std::uint32_t m) const {
  std::uint32_t out = 0;
  for (const CombinerPart& part : parts(m))
    out += std::uint32_t{value(terms_[part.term], inputs_of(terms_[part.term]), bits)} << part.shift;
  return out;
}

void Combiner::term_values(std::span<const std::uint8_t> bits, std::vector<std::uint8_t>& out) const {
  out.resize(terms_.size());
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    const CombinerTerm& term = terms_[t];
    out[t] = term.kind == Kind::kInput ? bits[term_inputs_[term.begin]] : std::uint8_t{value(term, inputs_of(term), bits)};
  }
}

bool Combiner::disregard(std::span<const std::uint8_t> bits, std::uint32_t n) const {
  std::vector<std::uint8_t> turned(bits.begin(), bits.end());
  turned[n] ^= 1;
  std::vector<std::uint32_t> reached;
  for (const std::uint32_t term : terms_of_input(n))
    if (value(terms_[term], inputs_of(terms_[term]), bits) != value(terms_[term], inputs_of(terms_[term]), turned))
      std::ranges::copy(features_of_term(term), std::back_inserter(reached));
  return std::ranges::all_of(reached, [&](std::uint32_t m) { return feature(bits, m) == feature(turned, m); });
}

}  // namespace weir
