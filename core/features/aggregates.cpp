#include "core/features/aggregates.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "core/features/decay.hpp"

namespace weir {
namespace {

constexpr std::int64_t kRingParts = 16;
constexpr double kValueMax = 1e100;   // Larger values count as this: sums of squares stay finite.
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
// Decayed sums are kept as they would be at the beginning of an epoch of so many half-lives: then one power of two per
// half-life and record serves every entry, and moving on an epoch is an exact scaling.
constexpr std::int64_t kEpochHalfLives = 256;
constexpr std::int64_t kHalfLifeMaxUs = 100LL * 366 * 86'400 * 1'000'000;
constexpr std::int64_t kTimeMax = 4'000'000'000'000'000'000;  // About 127,000 years; times beyond it count as that.
constexpr std::string_view kLayoutKey = "layout";
constexpr std::string_view kGlobalKey = "global";
constexpr std::uint8_t kLayoutVersion = 1;

// An entry is a run of 8-byte words; all zeros means that nothing was seen. Times and bucket numbers are stored with the
// top bit turned, so that 0 is none of them.
using Word = std::uint64_t;
std::int64_t as_time(Word word) { return std::bit_cast<std::int64_t>(word ^ (Word{1} << 63)); }
Word time_word(std::int64_t time) { return std::bit_cast<Word>(time) ^ (Word{1} << 63); }
double as_number(Word word) { return std::bit_cast<double>(word); }
Word number_word(double x) { return std::bit_cast<Word>(x); }

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

// a - b in microseconds, without overflow; 0 where it would be negative.
double age_us(std::int64_t a, std::int64_t b) {
  return a <= b ? 0.0 : static_cast<double>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

enum class Shape : std::uint8_t {
  kDecayed,   // [weight, sum]; the sum is left out where every value is 1.
  kRing,      // [newest bucket, kRingParts × (weight, sum)]
  kExtreme,   // [seen, value]
  kExtremeRing,  // [newest bucket, kRingParts × (seen, value)]
  kLast,      // [time, value]
};

struct Accumulator {
  Shape shape = Shape::kDecayed;
  AggregateOf of = AggregateOf::kEvents;
  std::uint32_t field = 0;
  bool maximum = false;
  bool from_event = false;        // Labels: AgeFrom::kEvent.
  std::uint32_t rate = 0;         // kDecayed: which half-life.
  std::int64_t window_us = 0;
  std::int64_t bucket_us = 0;
  std::uint32_t at = 0;           // First word.

  bool same_as(const Accumulator& o) const {
    return shape == o.shape && of == o.of && field == o.field && maximum == o.maximum && from_event == o.from_event &&
           rate == o.rate && window_us == o.window_us;
  }
  std::uint32_t words() const {
    switch (shape) {
      case Shape::kDecayed: return of == AggregateOf::kEvents ? 1 : 2;
      case Shape::kRing:
      case Shape::kExtremeRing: return 1 + 2 * kRingParts;
      case Shape::kExtreme:
      case Shape::kLast: break;
    }
    return 2;
  }
};

// One half-life, and what it makes of the time of the record at hand.
struct Rate {
  std::int64_t half_life_us = 0;  // 0: never fades.
  std::int64_t epoch_us = 0;      // An epoch's length,
  std::int64_t epoch = INT64_MIN; // and the one at hand:
  std::int64_t epoch_begin = INT64_MIN;
  double growth = 1.0;            // 2^(time since epoch_begin / half-life): what a value that comes now adds,
  double fade = 1.0;              // and 1 / growth: what makes a sum that of now.
  bool from_event = false;        // Whether labels fade from their events on,
  double event_growth = 1.0;      // and what such a label of the outcome at hand adds.

  void move_to(std::int64_t now) {
    if (half_life_us == 0) return;
    epoch = floor_div(now, epoch_us);
    epoch_begin = epoch * epoch_us;
    fade = half_life_decay(static_cast<double>(now - epoch_begin) / static_cast<double>(half_life_us));
    growth = 1.0 / fade;
  }
  // What scales a sum that was last changed at `time` to the epoch at hand. REQUIRES: time is not after it.
  double carry_over(std::int64_t time) const {
    if (time >= epoch_begin) return 1.0;
    return half_life_decay(static_cast<double>(epoch - floor_div(time, epoch_us)) * static_cast<double>(kEpochHalfLives));
  }
};

// What one event or outcome changes in an entry: its accumulators, and the latest time they were changed at.
struct Part {
  std::vector<Accumulator> accumulators;
  // The same once more for add(), which most of a tick's time goes to: the decayed sums, and the rest.
  std::vector<Accumulator> decayed;
  std::vector<Accumulator> others;
  std::uint32_t time_at = 0;      // That time's word.
  bool empty() const { return accumulators.empty(); }
};

struct Output {
  AggregateKind kind = AggregateKind::kMean;
  std::uint32_t index = 0;        // Its place among the features.
  bool label = false;             // Which part.
  std::uint32_t accumulator = 0;
  double prior = 0.0;
  std::uint32_t prior_mean = 0;   // Which running mean.
  bool decayed_mean = false;      // The common case, read without a call:
  std::uint32_t at = 0;           // its words
  std::uint32_t rate = 0;         // and half-life.
  double fallback = kMissing;
  double scale = 1.0;             // kRate: per second.
  bool of_events = false;
};

struct Group {
  PartSet set;
  Part parts[2];                  // Events and fields; label.
  std::vector<Output> before;     // Read before the event is added,
  std::vector<Output> after;      // and after it: include_self.
  std::uint32_t words = 0;
  std::uint32_t label_key = UINT32_MAX;
  bool keyed() const { return !set.parts.empty(); }
};

std::string describe(const AggregateSpec& a, std::size_t number) {
  static constexpr const char* kKinds[] = {"mean", "count", "sum", "min", "max", "rate", "last"};
  std::string text = "aggregate " + std::to_string(number) + " (" + kKinds[static_cast<std::size_t>(a.kind)] + " of ";
  text += a.of == AggregateOf::kEvents ? "events" : a.of == AggregateOf::kLabel ? "label" : a.field;
  for (std::size_t i = 0; i < a.by.size(); ++i) text += (i == 0 ? " by " : ", ") + a.by[i];
  return text + ")";
}

const char* complaint(const AggregateSpec& a) {
  const bool extreme = a.kind == AggregateKind::kMin || a.kind == AggregateKind::kMax;
  if (a.half_life_us < 0 || a.window_us < 0 || a.prior_half_life_us < 0) return "a time span is negative";
  if (a.half_life_us > kHalfLifeMaxUs || a.prior_half_life_us > kHalfLifeMaxUs) return "a half-life is longer than 100 years";
  if (a.half_life_us > 0 && a.window_us > 0) return "half_life and window exclude each other";
  if (a.window_us > 0 && a.window_us < kRingParts) return "the window is shorter than 16 microseconds";
  if (extreme && a.half_life_us > 0) return "min and max take a window or nothing, not a half_life";
  if (a.kind == AggregateKind::kLast && a.half_life_us > 0) return "last takes a window or nothing, not a half_life";
  if (a.kind == AggregateKind::kRate && a.half_life_us == 0 && a.window_us == 0) return "rate needs half_life or window";
  if (a.of == AggregateOf::kEvents && a.kind != AggregateKind::kCount && a.kind != AggregateKind::kRate)
    return "of events only count and rate make sense";
  if (a.age_from == AgeFrom::kEvent && a.of != AggregateOf::kLabel) return "age_from: only a label comes later than its event";
  if (a.include_self && a.of == AggregateOf::kLabel) return "include_self: a label is not known at its own event";
  if (!(a.prior >= 0) || !std::isfinite(a.prior)) return "prior is not a number >= 0";
  if (a.prior > 0 && a.kind != AggregateKind::kMean) return "only a mean takes a prior";
  if (a.default_value && !std::isfinite(*a.default_value)) return "the default is not finite";
  return nullptr;
}

}  // namespace

struct Aggregates::Impl {
  explicit Impl(std::size_t budget) : entries(budget) {}

  std::vector<Group> groups;      // The first has no key.
  std::vector<Word> global;       // Its entry.
  bool global_dirty = false;
  std::size_t output_count = 0;
  std::size_t label_keys = 0;
  std::uint32_t last_group = UINT32_MAX;
  std::uint32_t last_at = 0;
  std::uint64_t layout = 0;
  bool layout_saved = false;
  KeyedState entries;
  std::vector<std::uint64_t> keys;   // Of the event at hand, per group.
  std::vector<std::uint32_t> prior_at;   // Words of the running means in the global entry,
  std::vector<double> running_means;     // and their values for the event at hand; NaN before the first.
  std::vector<Rate> rates;
  std::int64_t clock = -kTimeMax;        // The latest time of any event or outcome.
  const Event* current = nullptr;

  std::uint32_t group_for(const PartSet& set) {
    for (std::uint32_t i = 0; i < groups.size(); ++i)
      if (groups[i].set.parts == set.parts) return i;
    groups.push_back({});
    groups.back().set = set;
    return static_cast<std::uint32_t>(groups.size() - 1);
  }

  Result<std::uint32_t> accumulator_for(Group& group, Accumulator wanted, std::int64_t half_life_us) {
    const bool label = wanted.of == AggregateOf::kLabel;
    Part& part = group.parts[label];
    if (wanted.shape == Shape::kDecayed) {
      const auto at = std::find_if(rates.begin(), rates.end(), [&](const Rate& r) { return r.half_life_us == half_life_us; });
      wanted.rate = static_cast<std::uint32_t>(at - rates.begin());
      if (at == rates.end()) {
        Rate rate;
        rate.half_life_us = half_life_us;
        rate.epoch_us = half_life_us * kEpochHalfLives;
        rates.push_back(rate);
      }
      rates[wanted.rate].from_event |= wanted.from_event;
    }
    if (wanted.window_us > 0) wanted.bucket_us = (wanted.window_us + kRingParts - 1) / kRingParts;
    for (std::uint32_t i = 0; i < part.accumulators.size(); ++i)
      if (part.accumulators[i].same_as(wanted)) return i;
    if (part.empty()) {
      part.time_at = group.words++;
      if (label && group.keyed()) group.label_key = static_cast<std::uint32_t>(label_keys++);
    }
    wanted.at = group.words;
    group.words += wanted.words();
    part.accumulators.push_back(wanted);
    (wanted.shape == Shape::kDecayed ? part.decayed : part.others).push_back(wanted);
    return static_cast<std::uint32_t>(part.accumulators.size() - 1);
  }

  // The value that this accumulator takes in, clamped; NaN if there is none.
  double value_of(const Accumulator& a, double label) const {
    double x = 1.0;
    if (a.of == AggregateOf::kLabel) x = label;
    if (a.of == AggregateOf::kField) {
      const FieldValue& field = current->fields[a.field];
      if (field.missing || !std::isfinite(field.number)) return kMissing;
      x = field.number;
    }
    return std::clamp(x, -kValueMax, kValueMax);
  }

  static void add_to_ring(const Accumulator& a, Word* words, std::int64_t time, double x) {
    const std::int64_t bucket = floor_div(time, a.bucket_us);
    Word* cells = words + 1;
    const auto cell = [&](std::int64_t b) { return cells + 2 * (((b % kRingParts) + kRingParts) % kRingParts); };
    if (words[0] == 0) {
      words[0] = time_word(bucket);
    } else {
      const std::int64_t newest = as_time(words[0]);
      if (bucket <= newest - kRingParts) return;
      if (bucket > newest) {
        if (bucket - newest >= kRingParts) std::memset(cells, 0, 2 * kRingParts * sizeof(Word));
        else
          for (std::int64_t b = newest + 1; b <= bucket; ++b) cell(b)[0] = cell(b)[1] = 0;
        words[0] = time_word(bucket);
      }
    }
    Word* at = cell(bucket);
    if (a.shape == Shape::kRing) {
      at[0] = number_word(as_number(at[0]) + 1.0);
      at[1] = number_word(as_number(at[1]) + x);
    } else {
      const double old = as_number(at[1]);
      at[1] = number_word(at[0] == 0 ? x : a.maximum ? std::max(old, x) : std::min(old, x));
      at[0] = 1;
    }
  }

  // `event_time`: that of the label's event; else `time`.
  void add(const Part& part, Word* entry, std::int64_t time, std::int64_t event_time, double label) {
    const std::int64_t before = as_time(entry[part.time_at]);
    entry[part.time_at] = time_word(clock);
    const double late_us = age_us(clock, time);
    for (const Accumulator& a : part.decayed) {
      Word* words = entry + a.at;
      const double x = value_of(a, label);
      const bool present = x == x;
      const Rate& rate = rates[a.rate];
      const double carried = rate.carry_over(before);
      double w = !present ? 0.0 : a.from_event ? rate.event_growth : rate.growth;
      if (late_us > 0.0 && rate.half_life_us > 0 && !a.from_event)
        w *= half_life_decay(late_us / static_cast<double>(rate.half_life_us));
      words[0] = number_word(as_number(words[0]) * carried + w);
      if (a.of != AggregateOf::kEvents) words[1] = number_word(as_number(words[1]) * carried + (present ? w * x : 0.0));
    }
    for (const Accumulator& a : part.others) {
      Word* words = entry + a.at;
      const std::int64_t at = a.from_event ? event_time : time;
      const double x = value_of(a, label);
      const bool present = x == x;
      switch (a.shape) {
        case Shape::kDecayed: break;
        case Shape::kRing:
        case Shape::kExtremeRing:
          if (present) add_to_ring(a, words, at, x);
          break;
        case Shape::kExtreme:
          if (!present) break;
          if (words[0] == 0) words[1] = number_word(x);
          else words[1] = number_word(a.maximum ? std::max(as_number(words[1]), x) : std::min(as_number(words[1]), x));
          words[0] = 1;
          break;
        case Shape::kLast:
          if (!present || (words[0] != 0 && at < as_time(words[0]))) break;
          words[0] = time_word(at);
          words[1] = number_word(x);
          break;
      }
    }
  }

  // The means behind priors; they change between events only, but for include_self aggregates without key.
  void set_running_means() {
    for (std::size_t i = 0; i < prior_at.size(); ++i) {
      const double weight = as_number(global[prior_at[i]]);
      running_means[i] = weight > 0.0 ? as_number(global[prior_at[i] + 1]) / weight : kMissing;
    }
  }

  // What makes a sum of this entry that of now.
  double factor_of(const Part& part, const Word* entry, std::uint32_t rate) const {
    return rates[rate].fade * rates[rate].carry_over(as_time(entry[part.time_at]));
  }

  // `entry`: null if there is none.
  double read(const Group& group, const Output& o, const Word* entry) const {
    const std::int64_t now = clock;
    const Accumulator& a = group.parts[o.label].accumulators[o.accumulator];
    double weight = 0.0;
    double sum = 0.0;
    if (entry != nullptr) {
      const Word* words = entry + a.at;
      switch (a.shape) {
        case Shape::kDecayed: {
          const double factor = factor_of(group.parts[o.label], entry, a.rate);
          weight = as_number(words[0]) * factor;
          sum = o.of_events ? weight : as_number(words[1]) * factor;
          break;
        }
        case Shape::kRing: {
          if (words[0] == 0) break;
          const std::int64_t newest = as_time(words[0]);
          const std::int64_t oldest = std::max(floor_div(now, a.bucket_us), newest) - kRingParts + 1;
          for (std::int64_t b = oldest; b <= newest; ++b) {
            const Word* cell = words + 1 + 2 * (((b % kRingParts) + kRingParts) % kRingParts);
            weight += as_number(cell[0]);
            sum += as_number(cell[1]);
          }
          break;
        }
        case Shape::kExtreme:
          return words[0] == 0 ? o.fallback : as_number(words[1]);
        case Shape::kExtremeRing: {
          if (words[0] == 0) return o.fallback;
          const std::int64_t newest = as_time(words[0]);
          const std::int64_t oldest = std::max(floor_div(now, a.bucket_us), newest) - kRingParts + 1;
          bool seen = false;
          double extreme = 0.0;
          for (std::int64_t b = oldest; b <= newest; ++b) {
            const Word* cell = words + 1 + 2 * (((b % kRingParts) + kRingParts) % kRingParts);
            if (cell[0] == 0) continue;
            const double x = as_number(cell[1]);
            extreme = !seen ? x : a.maximum ? std::max(extreme, x) : std::min(extreme, x);
            seen = true;
          }
          return seen ? extreme : o.fallback;
        }
        case Shape::kLast:
          if (words[0] == 0) return o.fallback;
          if (a.window_us > 0 && age_us(now, as_time(words[0])) > static_cast<double>(a.window_us)) return o.fallback;
          return as_number(words[1]);
      }
    } else if (a.shape != Shape::kDecayed && a.shape != Shape::kRing) {
      return o.fallback;
    }
    switch (o.kind) {
      case AggregateKind::kCount: return weight;
      case AggregateKind::kSum: return sum;
      case AggregateKind::kRate: return sum * o.scale;
      default: break;
    }
    if (o.prior > 0.0) {
      const double mean = running_means[o.prior_mean];
      if (mean == mean) return (sum + o.prior * mean) / (weight + o.prior);
    }
    return weight > 0.0 ? sum / weight : o.fallback;
  }

  void advance(std::int64_t time) {
    if (time <= clock) return;
    clock = time;
    for (Rate& rate : rates) rate.move_to(clock);
    global[0] = time_word(clock);
    global_dirty = true;
  }

  void write(const Group& group, std::span<const Output> outputs, const Word* entry, bool has_key, std::span<float> out) {
    for (const Output& o : outputs) {
      double x;
      if (o.decayed_mean && entry != nullptr) {
        const double factor = factor_of(group.parts[o.label], entry, o.rate);
        double weight = as_number(entry[o.at]) * factor;
        double sum = as_number(entry[o.at + 1]) * factor;
        if (o.prior > 0.0) {
          const double mean = running_means[o.prior_mean];
          if (mean == mean) weight += o.prior, sum += o.prior * mean;
        }
        x = weight > 0.0 ? sum / weight : o.fallback;
      } else if (has_key) {
        x = read(group, o, entry);
      } else {
        const double mean = o.prior > 0.0 ? running_means[o.prior_mean] : kMissing;
        x = mean == mean ? mean : o.fallback;
      }
      out[o.index] = static_cast<float>(std::clamp(x, -3e38, 3e38));  // NaN stays NaN.
    }
  }
};

Aggregates::Aggregates(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Aggregates::~Aggregates() = default;

Result<std::unique_ptr<Aggregates>> Aggregates::make(const FeatureSpec& spec, const EventSchema& schema, EventParts& parts,
                                                     std::size_t budget_bytes) {
  auto made = std::make_unique<Impl>(budget_bytes);
  Impl& s = *made;
  s.groups.push_back({});  // No key; also the clock, and the running means behind priors.
  s.groups[0].words = 1;
  std::string layout;
  for (std::size_t i = 0; i < spec.aggregates.size(); ++i) {
    const AggregateSpec& a = spec.aggregates[i];
    const auto fail = [&](const std::string& what) { return Error{ErrorCode::kConfig, describe(a, i + 1) + ": " + what}; };
    if (const char* what = complaint(a)) return fail(what);
    auto set = parts.add(a.by, /*numbers_need_bins=*/false);
    if (!set.ok()) return fail(set.error().what);
    Accumulator wanted;
    wanted.of = a.of;
    wanted.from_event = a.age_from == AgeFrom::kEvent;
    wanted.window_us = a.window_us;
    if (a.of == AggregateOf::kField) {
      const auto at = std::find_if(schema.fields.begin(), schema.fields.end(), [&](const auto& f) { return f.name == a.field; });
      if (at == schema.fields.end()) return fail("'" + a.field + "' is not a field of the schema");
      if (at->kind != FieldKind::kNumber) return fail("'" + a.field + "' is not a number");
      wanted.field = static_cast<std::uint32_t>(at - schema.fields.begin());
    }
    const bool extreme = a.kind == AggregateKind::kMin || a.kind == AggregateKind::kMax;
    wanted.maximum = a.kind == AggregateKind::kMax;
    if (a.kind == AggregateKind::kLast) wanted.shape = Shape::kLast;
    else if (extreme) wanted.shape = a.window_us > 0 ? Shape::kExtremeRing : Shape::kExtreme;
    else wanted.shape = a.window_us > 0 ? Shape::kRing : Shape::kDecayed;

    Output output;
    output.kind = a.kind;
    output.index = static_cast<std::uint32_t>(i);
    output.label = a.of == AggregateOf::kLabel;
    output.of_events = a.of == AggregateOf::kEvents;
    output.prior = a.prior;
    if (a.default_value) output.fallback = *a.default_value;
    // A steady rate r has a decayed count of r * half_life / ln 2.
    if (a.half_life_us > 0) output.scale = 0.69314718055994531 * 1e6 / static_cast<double>(a.half_life_us);
    if (a.window_us > 0) output.scale = 1e6 / static_cast<double>(a.window_us);
    if (a.prior > 0) {
      Accumulator mean;
      mean.of = a.of;
      mean.field = wanted.field;
      auto at = s.accumulator_for(s.groups[0], mean, a.prior_half_life_us);
      if (!at.ok()) return fail(at.error().what);
      const std::uint32_t words = s.groups[0].parts[output.label].accumulators[*at].at;
      const auto known = std::find(s.prior_at.begin(), s.prior_at.end(), words);
      output.prior_mean = static_cast<std::uint32_t>(known - s.prior_at.begin());
      if (known == s.prior_at.end()) s.prior_at.push_back(words);
    }
    Group& group = s.groups[s.group_for(*set)];
    auto accumulator = s.accumulator_for(group, wanted, a.half_life_us);
    if (!accumulator.ok()) return fail(accumulator.error().what);
    output.accumulator = *accumulator;
    const Accumulator& made_one = group.parts[output.label].accumulators[*accumulator];
    output.decayed_mean = a.kind == AggregateKind::kMean && made_one.shape == Shape::kDecayed;
    output.at = made_one.at;
    output.rate = made_one.rate;
    (a.include_self ? group.after : group.before).push_back(output);
  }
  s.output_count = spec.aggregates.size();
  if (!spec.last_outcome_by.empty()) {
    auto set = parts.add(spec.last_outcome_by, /*numbers_need_bins=*/false);
    if (!set.ok()) return Error{ErrorCode::kConfig, "report.last_outcome_by: " + set.error().what};
    s.last_group = s.group_for(*set);
    Accumulator last;
    last.shape = Shape::kLast;
    last.of = AggregateOf::kLabel;
    auto at = s.accumulator_for(s.groups[s.last_group], last, 0);
    if (!at.ok()) return Error{ErrorCode::kConfig, "report.last_outcome_by: " + at.error().what};
    s.last_at = s.groups[s.last_group].parts[1].accumulators[*at].at;
  }
  s.global.assign(s.groups[0].words, 0);
  s.running_means.assign(s.prior_at.size(), kMissing);
  s.keys.assign(s.groups.size(), 0);
  // What the words of an entry mean, and which key belongs to what.
  s.layout = kLayoutVersion;
  for (const Group& group : s.groups) {
    s.layout = mix_hash(s.layout, group.set.seed + group.words);
    for (const Part& part : group.parts)
      for (const Accumulator& a : part.accumulators) {
        s.layout = mix_hash(s.layout, static_cast<Word>(a.shape) << 8 | static_cast<Word>(a.of) << 4 | Word{a.from_event} << 1 | Word{a.maximum});
        s.layout = mix_hash(s.layout, static_cast<Word>(a.window_us));
        if (a.shape == Shape::kDecayed) s.layout = mix_hash(s.layout, static_cast<Word>(s.rates[a.rate].half_life_us));
        if (a.of == AggregateOf::kField) s.layout = mix_hash(s.layout, hash64(schema.fields[a.field].name));
      }
  }
  return std::unique_ptr<Aggregates>(new Aggregates(std::move(made)));
}

std::size_t Aggregates::count() const { return impl_->output_count; }
std::size_t Aggregates::label_key_count() const { return impl_->label_keys; }
KeyedState& Aggregates::keyed() { return impl_->entries; }

namespace {
std::string_view key_bytes(const std::uint64_t& key) { return {reinterpret_cast<const char*>(&key), sizeof key}; }
}  // namespace

void Aggregates::event(const Event& event, std::span<const std::uint64_t> parts, std::span<float> out,
                       std::span<std::uint64_t> label_keys, float& last_outcome) {
  Impl& s = *impl_;
  s.current = &event;
  last_outcome = -1.0f;
  const std::int64_t now = std::clamp(event.event_time.value, -kTimeMax, kTimeMax);
  s.advance(now);
  for (std::size_t g = 1; g < s.groups.size(); ++g) {
    s.keys[g] = s.groups[g].set.combine(parts);
    s.entries.prefetch_index(key_bytes(s.keys[g]));
  }
  s.set_running_means();
  for (std::size_t g = 1; g < s.groups.size(); ++g) s.entries.prefetch_entry(key_bytes(s.keys[g]));
  for (std::size_t g = 1; g < s.groups.size(); ++g) {
    const Group& group = s.groups[g];
    const std::uint64_t key = s.keys[g];
    if (group.label_key != UINT32_MAX) label_keys[group.label_key] = key;
    const bool changes = !group.parts[0].empty();
    Word* entry = nullptr;
    if (key != 0) {
      const KeyedState::Found found = changes
                                          ? s.entries.upsert(key_bytes(key), group.words * static_cast<std::uint32_t>(sizeof(Word)))
                                          : s.entries.find(key_bytes(key));
      // Never of another size but for a state that was damaged beyond its checksum.
      if (found.size == group.words * sizeof(Word)) entry = reinterpret_cast<Word*>(found.data);
    }
    s.write(group, group.before, entry, key != 0, out);
    if (g == s.last_group && entry != nullptr && entry[s.last_at] != 0)
      last_outcome = static_cast<float>(as_number(entry[s.last_at + 1]));
    if (changes && entry != nullptr) s.add(group.parts[0], entry, now, now, 0.0);
    if (!group.after.empty()) {
      s.write(group, group.after, entry, key != 0, out);
    }
  }
  const Group& global = s.groups[0];
  Word* entry = s.global.data();
  s.write(global, global.before, entry, true, out);
  if (!global.parts[0].empty()) {
    s.add(global.parts[0], entry, now, now, 0.0);
    s.global_dirty = true;
  }
  if (!global.after.empty()) {
    s.set_running_means();
    s.write(global, global.after, entry, true, out);
  }
  if (s.last_group == 0 && entry[s.last_at] != 0) last_outcome = static_cast<float>(as_number(entry[s.last_at + 1]));
}

void Aggregates::outcome(EventTime time, EventTime event_time, double label, std::span<const std::uint64_t> label_keys) {
  Impl& s = *impl_;
  CHECK(label_keys.size() == s.label_keys);
  for (const std::uint64_t& key : label_keys) s.entries.prefetch_index(key_bytes(key));
  const std::int64_t now = std::clamp(time.value, -kTimeMax, kTimeMax);
  const std::int64_t event = std::clamp(event_time.value, -kTimeMax, kTimeMax);
  s.advance(now);
  const double age = age_us(s.clock, event);
  for (Rate& rate : s.rates)
    if (rate.from_event)
      rate.event_growth = rate.half_life_us == 0
                              ? 1.0
                              : rate.growth * half_life_decay(age / static_cast<double>(rate.half_life_us));
  for (const std::uint64_t& key : label_keys) s.entries.prefetch_entry(key_bytes(key));
  for (const Group& group : s.groups) {
    const Part& part = group.parts[1];
    if (part.empty()) continue;
    if (!group.keyed()) {
      s.add(part, s.global.data(), now, event, label);
      s.global_dirty = true;
      continue;
    }
    const std::uint64_t key = label_keys[group.label_key];
    if (key == 0) continue;
    const auto found = s.entries.upsert(key_bytes(key), group.words * static_cast<std::uint32_t>(sizeof(Word)));
    s.add(part, reinterpret_cast<Word*>(found.data), now, event, label);
  }
}

void Aggregates::keys(std::span<const std::uint64_t> parts, KeyList& out) const {
  for (const Group& group : impl_->groups) {
    if (!group.keyed()) continue;
    const std::uint64_t key = group.set.combine(parts);
    if (key != 0) out.add(key_bytes(key));
  }
}

void Aggregates::save(StateWriter& writer) {
  Impl& s = *impl_;
  if (!s.layout_saved) {
    writer.put(kLayoutKey, key_bytes(s.layout));
    s.layout_saved = true;
  }
  if (s.global_dirty) {
    writer.put(kGlobalKey, {reinterpret_cast<const char*>(s.global.data()), s.global.size() * sizeof(Word)});
    s.global_dirty = false;
  }
  s.entries.save(writer);
}

Result<void> Aggregates::load(const StageState& state) {
  Impl& s = *impl_;
  std::string value;
  TRY_ASSIGN(const bool known, state.get(kLayoutKey, value));
  if (known && value != key_bytes(s.layout))
    return Error{ErrorCode::kConfig, "the stored aggregates were made with another `features` list: go back to it, or start "
                                     "with a new data directory"};
  s.layout_saved = known;
  std::fill(s.global.begin(), s.global.end(), 0);
  TRY_ASSIGN(const bool has_global, state.get(kGlobalKey, value));
  if (has_global) {
    if (value.size() != s.global.size() * sizeof(Word))
      return Error{ErrorCode::kCorruption, "aggregates without key: " + std::to_string(value.size()) + " bytes, expected " +
                                               std::to_string(s.global.size() * sizeof(Word))};
    std::memcpy(s.global.data(), value.data(), value.size());
  }
  s.global_dirty = false;
  s.clock = s.global[0] == 0 ? -kTimeMax : as_time(s.global[0]);
  for (Rate& rate : s.rates) rate.move_to(s.clock);
  return s.entries.load(state);
}

}  // namespace weir
