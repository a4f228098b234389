#include "core/learning/generated_tasks.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "core/learning/capacity_law.hpp"
#include "core/models/hashtron_hash.hpp"

namespace weir {
namespace {

using Kind = GeneratedTask::Kind;

constexpr std::uint32_t kNoiseSalt = 0xbad, kPriorSalt = 0x9e3779b9;

struct KindRow {
  Kind kind;
  std::string_view name;
  bool has_scale, has_bit, has_noise;
  std::uint32_t scale, scale_max, split;
};
// Up to scale 7 the numbers of `majority` differ in the 15 bits that are looked at.
constexpr std::array<KindRow, 5> kKinds = {{{Kind::kSquareRootBit, "sqrt-bit", true, true, true, 5, 8, 0x5eed},
                                            {Kind::kSquareRoot, "sqrt", true, false, false, 5, 8, 0},
                                            {Kind::kPrior, "prior", true, false, false, 5, 8, 0x5eed},
                                            {Kind::kMajority, "majority", true, false, true, 6, 7, 0x5eed},
                                            {Kind::kIsAlphanumeric, "isalnum", false, false, false, 4, 4, 0}}};

const KindRow& row_of(Kind kind) { return *std::ranges::find(kKinds, kind, &KindRow::kind); }

// 16 bits whose lower 15 differ for every x below 2^15.
std::uint32_t spread(std::uint32_t x) { return x * 40503 & 0xffff; }

MajorityPool windows(std::uint32_t width, std::uint32_t group, std::uint32_t window) {
  return {.width = width, .sub_width = group, .window_width = window};
}

std::string hexadecimal(std::uint32_t value) {
  char digits[8];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return "0x" + std::string(digits, end);
}

}  // namespace

Result<GeneratedTask> GeneratedTask::parse(std::string_view text) {
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidInput, "task '" + std::string(text) + "': " + what};
  };
  const std::string_view kind_name = text.substr(0, text.find(':'));
  const auto row = std::ranges::find(kKinds, kind_name, &KindRow::name);
  if (row == kKinds.end()) {
    std::string names;
    for (const KindRow& known : kKinds) names += (names.empty() ? "" : ", ") + std::string(known.name);
    return wrong("expected one of " + names + ", and its settings behind a colon, as in sqrt-bit:C=5,b=3");
  }
  GeneratedTask task{.kind = row->kind, .scale = row->scale, .split = row->split};
  std::string_view rest = kind_name.size() == text.size() ? std::string_view() : text.substr(kind_name.size() + 1);
  if (kind_name.size() != text.size() && rest.empty()) return wrong("expected settings behind the colon");
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view setting = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (comma != std::string_view::npos && rest.empty()) return wrong("expected another setting behind the last comma");
    const std::size_t equals = setting.find('=');
    const std::string_view key = setting.substr(0, equals);
    std::uint32_t* into = key == "C" && row->has_scale       ? &task.scale
                          : key == "b" && row->has_bit       ? &task.bit
                          : key == "noise" && row->has_noise ? &task.noise
                          : key == "split"                   ? &task.split
                                                             : nullptr;
    if (into == nullptr)
      return wrong("found the setting '" + std::string(key) + "', expected " + (row->has_scale ? "C=, " : "") +
                   (row->has_bit ? "b=, " : "") + (row->has_noise ? "noise=, " : "") + "split=");
    std::string_view digits = equals == std::string_view::npos ? std::string_view() : setting.substr(equals + 1);
    const bool hexadecimal = digits.starts_with("0x");
    if (hexadecimal) digits.remove_prefix(2);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), *into, hexadecimal ? 16 : 10);
    if (problem != std::errc{} || end != digits.data() + digits.size())
      return wrong("setting '" + std::string(setting) +
                   "': expected a whole number from 0 to 4294967295 behind an equals sign");
  }
  if (row->has_scale && (task.scale < 1 || task.scale > row->scale_max))
    return wrong("found C = " + std::to_string(task.scale) + ", expected 1 to " + std::to_string(row->scale_max));
  if (row->has_bit && task.bit >= task.scale)
    return wrong("found b = " + std::to_string(task.bit) + ", expected below C, which is " + std::to_string(task.scale));
  if (task.noise > 100) return wrong("found noise = " + std::to_string(task.noise) + ", expected 0 to 100");
  return task;
}

std::string GeneratedTask::name() const {
  const KindRow& row = row_of(kind);
  std::string settings;
  const auto add = [&](std::string_view key, const std::string& value) {
    settings += (settings.empty() ? ":" : ",") + std::string(key) + "=" + value;
  };
  if (row.has_scale) add("C", std::to_string(scale));
  if (row.has_bit) add("b", std::to_string(bit));
  if (noise != 0) add("noise", std::to_string(noise));
  if (split != row.split) add("split", hexadecimal(split));
  return std::string(row.name) + settings;
}

std::uint32_t GeneratedTask::count() const { return 1U << (2 * scale); }
std::uint32_t GeneratedTask::features() const { return kind == Kind::kSquareRoot || kind == Kind::kIsAlphanumeric ? 1 : 8; }
std::uint32_t GeneratedTask::cells() const { return kind == Kind::kSquareRoot ? scale : 1; }

void GeneratedTask::features_of(std::uint32_t x, std::span<std::uint32_t> out) const {
  for (std::uint32_t n = 0; n < out.size(); ++n) out[n] = kind == Kind::kMajority ? spread(x) >> n & 0xff : x >> n;
}

bool GeneratedTask::is_held_out(std::uint32_t x) const { return split != 0 && hashtron_hash(x, split, kHeldOutOneIn) == 0; }

std::uint16_t GeneratedTask::value(std::uint32_t x) const {
  const auto out = [](auto value) { return static_cast<std::uint16_t>(value); };
  switch (kind) {
    case Kind::kSquareRootBit: return out(integer_sqrt(x) >> bit & 1);
    case Kind::kSquareRoot: return out(integer_sqrt(x));
    case Kind::kPrior: return out(hashtron_hash(x, kPriorSalt, 100) < 65);
    case Kind::kMajority: return out(std::popcount(spread(x) & 0x7fff) > 7);
    case Kind::kIsAlphanumeric: return out((x >= '0' && x <= '9') || (x >= 'A' && x <= 'Z') || (x >= 'a' && x <= 'z'));
  }
  CHECK(false);
}

std::uint16_t GeneratedTask::label(std::uint32_t x) const {
  const bool turned = noise != 0 && !is_held_out(x) && hashtron_hash(x, kNoiseSalt, 100) < noise;
  return value(x) ^ static_cast<std::uint16_t>(turned ? 1 : 0);
}

SplitSamples GeneratedTask::samples() const {
  std::uint32_t held_out = 0;
  for (std::uint32_t x = 0; x < count(); ++x) held_out += is_held_out(x) ? 1 : 0;
  SplitSamples out{HashtronSamples(features(), count() - held_out), HashtronSamples(features(), held_out)};
  std::vector<std::uint32_t> room(features());
  std::uint32_t train_at = 0, held_out_at = 0;
  for (std::uint32_t x = 0; x < count(); ++x) {
    features_of(x, room);
    if (is_held_out(x))
      out.held_out.set(held_out_at++, room, label(x));
    else
      out.train.set(train_at++, room, label(x));
  }
  return out;
}

std::vector<HashtronLayer> GeneratedTask::layers() const {
  switch (kind) {
    case Kind::kSquareRoot:
      return {{.neurons = 375, .premodulo = 32, .combiner = windows(375, 1, 5)},
              {.neurons = 75, .premodulo = 32, .combiner = windows(25, 3, 25)},
              {.neurons = scale, .combiner = {}}};
    case Kind::kIsAlphanumeric: return {{.neurons = 1, .combiner = {}}};
    case Kind::kSquareRootBit:
    case Kind::kPrior:
    case Kind::kMajority:
      return {{.neurons = 25, .premodulo = 1024, .combiner = windows(25, 1, 5)},
              {.neurons = 5, .premodulo = 32, .combiner = windows(5, 1, 5)},
              {.neurons = 1, .combiner = {}}};
  }
  CHECK(false);
}

std::vector<GeneratedTask> generated_matrix() {
  std::vector<GeneratedTask> out;
  for (const std::uint32_t split : {0x5eedU, 0x5eeeU})
    for (const std::uint32_t noise : {0U, 10U, 20U, 30U})
      for (std::uint32_t scale = 4; scale <= 7; ++scale)
        for (std::uint32_t bit = 0; bit < scale; ++bit)
          out.push_back({.kind = Kind::kSquareRootBit, .scale = scale, .bit = bit, .noise = noise, .split = split});
  out.resize(140);
  return out;
}

}  // namespace weir
