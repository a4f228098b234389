#include "core/learning/sample_text.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "core/models/hashtron_hash.hpp"

namespace weir {
namespace {

enum class Column : std::uint8_t { kFeature, kLabel, kParity, kHeldOut };

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
    out.push_back(cell);
    if (comma == std::string_view::npos) return out;
    line.remove_prefix(comma + 1);
  }
}

// What may be shown of a text that anybody wrote.
std::string shown(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 40)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out + (text.size() > 40 ? "...'" : "'");
}

}  // namespace

Result<SplitSamples> parse_sample_text(std::string_view text, std::uint32_t split) {
  std::uint32_t line_number = 0;
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidInput, "samples, line " + std::to_string(line_number) + ": " + what};
  };
  std::vector<Column> columns;
  std::vector<std::string> names;
  std::uint32_t features = 0;
  bool has_label = false, has_held_out = false;
  struct Row {
    std::vector<std::uint32_t> features;
    std::uint16_t label = 0, parity = 0;
    bool held_out = false;
  };
  std::vector<Row> rows;
  while (!text.empty()) {  // Ends: each turn takes a line.
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos || line.front() == '#') continue;
    const std::vector<std::string_view> cells = cells_of(line);
    if (columns.empty()) {
      for (const std::string_view name : cells) {
        if (name.empty()) return wrong("found a column without a name, expected names with commas between, one of them label");
        if (std::ranges::find(names, name) != names.end())
          return wrong("found the column " + shown(name) + " a second time, expected each once");
        names.emplace_back(name);
        columns.push_back(name == "label"      ? Column::kLabel
                          : name == "parity"   ? Column::kParity
                          : name == "held_out" ? Column::kHeldOut
                                               : Column::kFeature);
        features += columns.back() == Column::kFeature ? 1 : 0;
        has_label |= columns.back() == Column::kLabel;
        has_held_out |= columns.back() == Column::kHeldOut;
      }
      if (!has_label || features == 0)
        return wrong("found no " + std::string(has_label ? "feature" : "column label") +
                     ", expected names of columns: features, and label");
      continue;
    }
    if (cells.size() != columns.size())
      return wrong("found " + std::to_string(cells.size()) + " columns, expected " + std::to_string(columns.size()));
    Row row;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::uint32_t most = columns[i] == Column::kFeature ? 0xffffffffU : columns[i] == Column::kHeldOut ? 1U : 0xffffU;
      std::uint32_t value = 0;
      const auto [stop, problem] = std::from_chars(cells[i].data(), cells[i].data() + cells[i].size(), value);
      if (problem != std::errc{} || stop != cells[i].data() + cells[i].size() || value > most)
        return wrong("column " + shown(names[i]) + ": found " + shown(cells[i]) + ", expected a whole number from 0 to " +
                     std::to_string(most));
      switch (columns[i]) {
        case Column::kFeature: row.features.push_back(value); break;
        case Column::kLabel: row.label = static_cast<std::uint16_t>(value); break;
        case Column::kParity: row.parity = static_cast<std::uint16_t>(value); break;
        case Column::kHeldOut: row.held_out = value == 1; break;
      }
    }
    if (!has_held_out)
      row.held_out = split != 0 && hashtron_hash(static_cast<std::uint32_t>(rows.size()), split, kHeldOutOneIn) == 0;
    rows.push_back(std::move(row));
  }
  if (columns.empty()) return wrong("found no line with the names of columns");
  const auto held_out = static_cast<std::uint32_t>(std::ranges::count(rows, true, &Row::held_out));
  SplitSamples out{HashtronSamples(features, static_cast<std::uint32_t>(rows.size()) - held_out),
                   HashtronSamples(features, held_out)};
  std::uint32_t train_at = 0, held_out_at = 0;
  for (const Row& row : rows) {
    if (row.held_out)
      out.held_out.set(held_out_at++, row.features, row.label, row.parity);
    else
      out.train.set(train_at++, row.features, row.label, row.parity);
  }
  return out;
}

}  // namespace weir
