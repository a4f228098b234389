#include "core/learning/hashtron_synthesis.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/models/hashtron_hash.hpp"

namespace weir {
namespace {

constexpr std::uint64_t kModuloMax = 1U << 26;  // Four bytes each are kept.

using Sets = std::array<std::vector<std::uint32_t>, 2>;

// Which image came of which set, without clearing between tries: a mark counts if it is of this try.
class Images {
 public:
  // Whether a salt keeps the sets' images apart, and lets some fall together or leaves two in all.
  bool accepts(const Sets& sets, std::uint32_t salt, std::uint32_t modulo) {
    if (marks_.size() < modulo) marks_.assign(modulo, 0);
    // Marks of this try are 2 * try_ + 1 for the one set, 2 * try_ + 2 for the other.
    if (++try_ > (0xffffffffULL - 2) / 2) {
      marks_.assign(marks_.size(), 0);
      try_ = 1;
    }
    std::size_t images = 0;
    for (std::uint32_t which = 0; which < 2; ++which) {
      const auto mine = static_cast<std::uint32_t>(2 * try_ + which), other = mine ^ 1;
      for (const std::uint32_t value : sets[which]) {
        std::uint32_t& mark = marks_[hashtron_hash(value, salt, modulo)];
        if (mark == other) return false;
        images += mark != mine ? 1 : 0;
        mark = mine;
      }
    }
    if (images < sets[0].size() + sets[1].size()) return true;
    // Two are left, wrong ones: any others will do. The same ones again would go on for ever.
    return images == 2 &&
           (hashtron_hash(sets[0][0], salt, modulo) != sets[0][0] || hashtron_hash(sets[1][0], salt, modulo) != sets[1][0]);
  }

 private:
  std::vector<std::uint32_t> marks_;
  std::uint64_t try_ = 0;
};

std::uint32_t larger(const Sets& sets) { return static_cast<std::uint32_t>(std::max(sets[0].size(), sets[1].size())); }

void to_images(Sets& sets, std::uint32_t salt, std::uint32_t modulo) {
  for (auto& set : sets) {
    for (std::uint32_t& value : set) value = hashtron_hash(value, salt, modulo);
    std::ranges::sort(set);
    set.erase(std::unique(set.begin(), set.end()), set.end());
  }
}

bool solved(const Sets& sets) { return sets[0] == std::vector<std::uint32_t>{0} && sets[1] == std::vector<std::uint32_t>{1}; }

}  // namespace

Result<Hashtron> synthesize_hashtron(std::span<const std::uint32_t> falses, std::span<const std::uint32_t> trues,
                                     const SynthesisSettings& settings) {
  const auto invalid = [](const std::string& what) { return Error{ErrorCode::kInvalidInput, "hashtron synthesis: " + what}; };
  if (settings.factor == 0 || settings.subtractor == 0 || settings.nonces_max == 0 || settings.retries == 0)
    return invalid("found a setting of 0, expected at least 1");
  if (falses.empty() && trues.empty()) return invalid("found two empty sets, expected a number in one of them at least");
  Sets whole = {std::vector(falses.begin(), falses.end()), std::vector(trues.begin(), trues.end())};
  for (auto& set : whole) {
    std::ranges::sort(set);
    set.erase(std::unique(set.begin(), set.end()), set.end());
  }
  std::vector<std::uint32_t> both;
  std::ranges::set_intersection(whole[0], whole[1], std::back_inserter(both));
  if (!both.empty()) return invalid("found " + std::to_string(both[0]) + " in both sets, expected each number in one");
  for (std::uint32_t which = 0; which < 2; ++which) {
    if (!whole[which].empty()) continue;
    // An empty set gets the smallest number that the other one has not.
    std::uint32_t free = 0;
    for (const std::uint32_t value : whole[1 - which]) free += value == free ? 1 : 0;
    whole[which].push_back(free);
  }

  if (std::uint64_t{larger(whole)} * larger(whole) / settings.factor > kModuloMax)
    return invalid("found " + std::to_string(larger(whole)) +
                   " numbers in one set, expected so few that their square over the factor is at most " +
                   std::to_string(kModuloMax) + ": build a filter");

  Images images;
  // Ends: `retries` rounds. In a round every turn of the loop appends a pair, of which there are at most `pairs_max`; or,
  // without a pair yet, shrinks the modulo; or lets it grow by one, up to that of the pair before.
  std::uint32_t center = 0;  // Where the search begins: a round goes on where the one before gave up, so it finds other salts.
  for (std::uint32_t u = settings.retries; u > 0; --u) {
    Sets sets = whole;
    std::vector<HashtronPair> program;
    std::uint32_t added = 0;
    auto modulo =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(std::uint64_t{larger(sets)} * larger(sets) / settings.factor, 2));
    std::uint32_t modulo_max = modulo;
    const std::size_t pairs_max = 4 * (whole[0].size() + whole[1].size()) + 1000;
    while (modulo <= modulo_max && program.size() < pairs_max) {
      std::optional<std::uint32_t> salt;
      for (std::uint32_t nonce = 0; nonce < settings.nonces_max && !salt; ++nonce) {
        const std::uint32_t tried = center ^ (nonce + added);
        if (tried != 0xffffffffU && images.accepts(sets, tried, modulo)) salt = tried;
      }
      if (!salt) {
        if (program.empty()) {
          modulo = static_cast<std::uint32_t>(std::uint64_t{modulo} * u / (std::uint64_t{settings.retries} + 1));
          if (modulo < 2) break;
        } else {
          ++modulo;
        }
        continue;
      }
      program.push_back({*salt, modulo});
      to_images(sets, *salt, modulo);
      if (solved(sets)) return Hashtron{.program = std::move(program), .filter = {}};
      const std::uint64_t size = larger(sets), sub = settings.subtractor > size ? size - 1 : settings.subtractor;
      __extension__ using Wide = unsigned __int128;
      const auto next = static_cast<std::uint32_t>(Wide{modulo} * (size - sub) * (size - sub) / (size * size));
      if (next >= modulo) {
        added = *salt ^ center;
      } else {
        modulo_max = modulo;
        modulo = next;
        added = 0;
      }
      center = *salt;
      modulo = std::max(modulo, static_cast<std::uint32_t>(size));
      if (modulo < 2 && !solved(sets)) modulo = 2;
    }
  }
  return Error{ErrorCode::kNotFound, "hashtron synthesis: no program found for " + std::to_string(whole[0].size()) + " and " +
                                         std::to_string(whole[1].size()) + " numbers with " +
                                         std::to_string(settings.nonces_max) + " salts a step: try more, or build a filter"};
}

}  // namespace weir
