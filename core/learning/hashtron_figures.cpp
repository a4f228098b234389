#include "core/learning/hashtron_figures.hpp"

#include <algorithm>
#include <map>

#include "core/base/check.hpp"

namespace weir {

HashtronFigures figures_of(std::span<const std::uint16_t> outputs, const HashtronSamples& samples) {
  CHECK(outputs.size() == samples.count());
  struct Value {
    std::uint32_t count = 0, correct = 0;
  };
  std::map<std::uint16_t, Value> values;
  HashtronFigures out{.count = samples.count()};
  for (std::uint32_t s = 0; s < out.count; ++s) {
    const std::uint16_t target = samples.targets()[s];
    Value& value = values[target ^ samples.parities()[s]];
    ++value.count;
    value.correct += outputs[s] == target ? 1 : 0;
  }
  if (out.count == 0) return out;
  std::uint32_t most = 0;
  for (const auto& [_, value] : values) {
    out.correct += value.correct;
    most = std::max(most, value.count);
    out.balanced += double(value.correct) / value.count / double(values.size());
  }
  out.accuracy = double(out.correct) / out.count;
  out.majority = double(most) / out.count;
  return out;
}

}  // namespace weir
