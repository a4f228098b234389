#include "pipelines/sum_report.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "core/base/check.hpp"
#include "core/learning/capacity_law.hpp"
#include "pipelines/formatted.hpp"

namespace weir {

std::vector<LayerSums> layer_sums(const SumCache& sums, std::span<const std::uint32_t> layers) {
  CHECK(std::accumulate(layers.begin(), layers.end(), 0U) == sums.neurons());
  std::vector<LayerSums> out;
  std::uint32_t first = 0;
  for (const std::uint32_t neurons : layers) {
    LayerSums layer{.layer = static_cast<std::uint32_t>(out.size()), .first = first, .neurons = neurons};
    for (std::uint32_t n = first; n < first + neurons; ++n) {
      const SumRecord* latest = sums.latest(n);
      if (latest == nullptr) continue;
      ++layer.known;
      if (!layer.latest || latest->job >= layer.latest->job) layer.latest = *latest;
    }
    layer.gold = sums.gold(first, first + neurons);
    for (std::uint32_t& neuron : layer.gold) neuron -= first;
    layer.margins = sums.margins(first, first + neurons);
    out.push_back(std::move(layer));
    first += neurons;
  }
  return out;
}

Result<std::uint32_t> parse_neuron(std::string_view text, std::span<const std::uint32_t> layers) {
  const auto wrong = [&](const std::string& expected) {
    return Error{ErrorCode::kInvalidInput, "neuron '" + std::string(text) + "': expected " + expected};
  };
  std::uint32_t layer = 0, position = 0;
  const char* end = text.data() + text.size();
  const auto [dot, no_layer] = std::from_chars(text.data(), end, layer);
  if (no_layer != std::errc{} || dot == end || *dot != '.') return wrong("LAYER.POSITION, both from 0, as in 1.3");
  const auto [stop, no_position] = std::from_chars(dot + 1, end, position);
  if (no_position != std::errc{} || stop != end) return wrong("LAYER.POSITION, both from 0, as in 1.3");
  if (layer >= layers.size()) return wrong("a layer below " + std::to_string(layers.size()));
  if (position >= layers[layer])
    return wrong("a position below " + std::to_string(layers[layer]) + " in layer " + std::to_string(layer));
  return std::accumulate(layers.begin(), layers.begin() + layer, 0U) + position;
}

std::string neuron_name(std::uint32_t neuron, std::span<const std::uint32_t> layers) {
  std::size_t layer = 0;
  while (layer < layers.size() && neuron >= layers[layer]) neuron -= layers[layer++];
  return std::to_string(layer) + "." + std::to_string(neuron);
}

std::string margin_bars(const std::array<std::uint32_t, 10>& margins) {
  constexpr std::string_view kShades = " .:-=+*%@#";
  const std::uint32_t most = *std::max_element(margins.begin(), margins.end());
  std::string out;
  for (const std::uint32_t count : margins)
    out += count == 0 ? ' ' : kShades[std::max<std::size_t>(1, std::uint64_t{count} * (kShades.size() - 1) / most)];
  return out;
}

std::string sum_record_head() {
  return "   job sweep neuron   by       regime           S  (before)       N          G      c  keys   right before->after\n";
}

std::string sum_record_line(const SumRecord& r, std::span<const std::uint32_t> layers) {
  return formatted("%6u %5u %-8s %-8s %-9s %8d %9d %7u %10u %6u %5u %7u -> %-7u %s%s\n", r.job, r.sweep,
                   neuron_name(r.neuron, layers).c_str(), std::string(name_of(r.selected_by)).c_str(),
                   std::string(name_of(r.regime)).c_str(), r.sum, r.sum_before, r.n, r.capacity, integer_sqrt(r.capacity),
                   r.keys, r.correct_before, r.correct_after, r.accepted != 0 ? "accepted" : "not accepted",
                   r.clamped != 0 ? ", clamped" : "");
}

std::string sum_record_json(const SumRecord& r, std::span<const std::uint32_t> layers) {
  const auto key = [](const char* name, auto value) { return ",\"" + std::string(name) + "\":" + std::to_string(value); };
  return "{\"neuron\":\"" + neuron_name(r.neuron, layers) + "\"" + key("job", r.job) + key("sweep", r.sweep) +
         key("sum", r.sum) + key("sum_before", r.sum_before) + key("n", r.n) +
         formatted(",\"margin\":%.6g", r.n == 0 ? 0.0 : double(r.magnitude()) / r.n) + key("capacity", r.capacity) +
         key("c", integer_sqrt(r.capacity)) + key("salt", r.salt) + ",\"regime\":\"" + std::string(name_of(r.regime)) +
         "\",\"selected_by\":\"" + std::string(name_of(r.selected_by)) +
         "\",\"accepted\":" + (r.accepted != 0 ? "true" : "false") + ",\"clamped\":" + (r.clamped != 0 ? "true" : "false") +
         key("correct_before", r.correct_before) + key("correct_after", r.correct_after) + key("keys", r.keys) +
         key("votes", r.votes) + key("vote_sum", r.vote_sum) + key("rows", r.rows) + "}";
}

std::string sums_text(const SumCache& sums, std::span<const std::uint32_t> layers, std::optional<std::uint32_t> neuron) {
  std::string out;
  if (neuron) {
    const std::vector<SumRecord> trend = sums.trend(*neuron);
    out = "neuron " + neuron_name(*neuron, layers) + ": " + std::to_string(trend.size()) + " records, oldest first\n";
    if (!trend.empty()) out += sum_record_head();
    for (const SumRecord& record : trend) out += sum_record_line(record, layers);
    return out;
  }
  std::uint64_t records = 0;
  for (std::uint32_t n = 0; n < sums.neurons(); ++n) records += sums.trend(n).size();
  out = std::to_string(sums.neurons()) + " neurons, " + std::to_string(records) + " records, at most " +
        std::to_string(sums.ring()) + " a neuron, " + std::to_string(sums.bytes()) + " bytes\n\n";
  out += "layer neurons known  gold   |S|/N 0 [by tenths] 1, and how many\n";
  const std::vector<LayerSums> all = layer_sums(sums, layers);
  for (const LayerSums& layer : all) {
    out += formatted("%5u %7u %5u %5zu         [%s]  ", layer.layer, layer.neurons, layer.known, layer.gold.size(),
                     margin_bars(layer.margins).c_str());
    for (const std::uint32_t count : layer.margins) out += " " + std::to_string(count);
    out += "\n";
  }
  for (const LayerSums& layer : all) {
    if (layer.gold.empty()) continue;
    out += "gold in layer " + std::to_string(layer.layer) + ":";
    for (const std::uint32_t position : layer.gold) out += " " + std::to_string(position);
    out += "\n";
  }
  out += "\nthe newest job of each layer\n" + sum_record_head();
  for (const LayerSums& layer : all)
    if (layer.latest) out += sum_record_line(*layer.latest, layers);
  return out;
}

std::string sums_json(const SumCache& sums, std::span<const std::uint32_t> layers, std::optional<std::uint32_t> neuron) {
  const auto list = [](const auto& items, auto&& show) {
    std::string out = "[";
    for (const auto& item : items) out += (out.size() > 1 ? "," : "") + show(item);
    return out + "]";
  };
  const auto record = [&](const SumRecord& r) { return sum_record_json(r, layers); };
  const auto whole = [](std::uint32_t value) { return std::to_string(value); };
  if (neuron)
    return "{\"neuron\":\"" + neuron_name(*neuron, layers) + "\",\"records\":" + list(sums.trend(*neuron), record) + "}\n";
  std::vector<SumRecord> latest;
  for (std::uint32_t n = 0; n < sums.neurons(); ++n)
    if (const SumRecord* r = sums.latest(n); r != nullptr) latest.push_back(*r);
  return "{\"neurons\":" + std::to_string(sums.neurons()) + ",\"ring\":" + std::to_string(sums.ring()) +
         ",\"bytes\":" + std::to_string(sums.bytes()) + ",\"layers\":" +
         list(layer_sums(sums, layers),
              [&](const LayerSums& layer) {
                return "{\"layer\":" + std::to_string(layer.layer) + ",\"neurons\":" + std::to_string(layer.neurons) +
                       ",\"known\":" + std::to_string(layer.known) + ",\"gold\":" + list(layer.gold, whole) +
                       ",\"margins\":" + list(layer.margins, whole) + "}";
              }) +
         ",\"latest\":" + list(latest, record) + "}\n";
}

}  // namespace weir
