#pragma once
// Samples for networks of hashtrons: 32-bit features, the value to predict, and its parity; feature by feature, sample beside
// sample, since networks are run over many samples at once.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace weir {

// Samples are worked on in words of this many bits; rows are padded to it with zeros.
inline constexpr std::uint32_t kSampleWord = 64;

class HashtronSamples {
 public:
  // All zeros. REQUIRES: features > 0.
  HashtronSamples(std::uint32_t features, std::uint32_t count)
      : features_(features),
        count_(count),
        words_((count + kSampleWord - 1) / kSampleWord),
        rows_(std::size_t{features} * words_ * kSampleWord),
        targets_(std::size_t{words_} * kSampleWord),
        parities_(targets_.size()) {
    CHECK(features > 0);
  }

  // `parity` is a mask known beforehand that balances the labels: what the network learns and gives is output XOR parity.
  // REQUIRES: s < count(), features.size() == features().
  void set(std::uint32_t s, std::span<const std::uint32_t> features, std::uint16_t output, std::uint16_t parity = 0) {
    CHECK(s < count_);
    CHECK(features.size() == features_);
    for (std::uint32_t f = 0; f < features_; ++f) rows_[std::size_t{f} * words_ * kSampleWord + s] = features[f];
    targets_[s] = output ^ parity;
    parities_[s] = parity;
  }

  std::uint32_t features() const { return features_; }
  std::uint32_t count() const { return count_; }
  std::uint32_t words() const { return words_; }  // Of kSampleWord samples, the last one filled up.
  // Feature n of every sample, words() * kSampleWord of them; there are as many as anybody asks for: they come round again.
  std::span<const std::uint32_t> row(std::uint32_t n) const {
    const std::size_t length = std::size_t{words_} * kSampleWord;
    return std::span(rows_).subspan(n % features_ * length, length);
  }
  std::uint32_t feature(std::uint32_t s, std::uint32_t n) const { return row(n)[s]; }
  std::span<const std::uint16_t> targets() const { return std::span(targets_).first(count_); }  // output XOR parity
  std::span<const std::uint16_t> parities() const { return std::span(parities_).first(count_); }

  // Of everything in it: tells one data set from another.
  std::uint64_t digest() const {
    const auto bytes = [](const auto& values) {
      return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
    };
    std::uint64_t digest = mix_hash(features_, count_);
    digest = mix_hash(digest, hash64(bytes(rows_)));
    digest = mix_hash(digest, hash64(bytes(targets_)));
    return mix_hash(digest, hash64(bytes(parities_)));
  }

 private:
  std::uint32_t features_, count_, words_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::uint16_t> targets_, parities_;
};

}  // namespace weir
