// CSV as RFC 4180 has it, one row a line: a cell is bare or in double quotes, a quote inside is doubled. A row has as many cells
// as there are columns. An empty cell is missing, quoted or not: writers that quote everything mean the same by it.

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "core/records/record_builder.hpp"
#include "core/records/utf8.hpp"

namespace weir {
namespace {

class CsvLineParser final : public LineParser {
 public:
  CsvLineParser(const EventSchema& schema, LineRole role)
      : builder_(schema, role), delimiter_(schema.delimiter), wants_header_(schema.columns.empty()) {
    if (!wants_header_)
      for (const std::string& column : schema.columns) columns_.push_back(builder_.find(column));
  }

  void parse(std::string_view line, ParseArena& arena, ParsedRecord& out) override {
    std::string_view body;
    if (!builder_.begin(line, arena, out, body)) return;
    line_ = out.line.data();
    at_ = body.data();
    end_ = body.data() + body.size();
    row();
    builder_.finish();
  }

  bool wants_header() const override { return wants_header_; }

  Result<void> header(std::string_view line) override {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
    const auto error = [](std::string what) { return Error{ErrorCode::kInvalidInput, "CSV header: " + std::move(what)}; };
    if (!is_utf8(line)) return error("it is not UTF-8");
    arena_.clear();
    line_ = at_ = line.data();
    end_ = line.data() + line.size();
    std::vector<SlotIndex> columns;
    std::vector<bool> found(builder_.names().size(), false);
    for (bool more = true; more;) {
      std::string_view name;
      if (const char* wrong = cell(name, arena_)) return error("byte " + std::to_string(at_ - line_) + ": " + wrong);
      const SlotIndex slot = builder_.find(name);
      if (slot != kNoSlot) {
        if (found[static_cast<std::size_t>(slot)]) return error("column \"" + std::string(name) + "\" is there twice");
        found[static_cast<std::size_t>(slot)] = true;
      }
      columns.push_back(slot);
      more = at_ != end_;
      if (more) ++at_;
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i]) continue;
      return error("no column \"" + builder_.names()[i] + "\"; found: " + std::string(utf8_prefix(line, 200)));
    }
    columns_ = std::move(columns);
    return {};
  }

 private:
  void row() {
    std::size_t column = 0;
    while (true) {
      std::string_view text;
      if (const char* wrong = cell(text, builder_.arena())) {
        builder_.malformed(wrong, at_ - line_);
        return;
      }
      if (column < columns_.size()) builder_.text(columns_[column], text);
      ++column;
      if (at_ == end_) break;
      ++at_;
    }
    if (column == columns_.size()) return;
    char text[64] = "found ";
    char* at = std::to_chars(text + 6, text + 30, column).ptr;
    constexpr std::string_view kMiddle = " cells, expected ";
    at = std::copy(kMiddle.begin(), kMiddle.end(), at);
    at = std::to_chars(at, text + sizeof text, columns_.size()).ptr;
    builder_.malformed({text, static_cast<std::size_t>(at - text)});
  }

  // The cell at at_; leaves at the delimiter behind it or at the end. What is wrong with it, or nullptr.
  const char* cell(std::string_view& text, ParseArena& arena) {
    if (at_ == end_) {
      text = {};
      return nullptr;
    }
    if (*at_ != '"') {
      const auto* stop = static_cast<const char*>(std::memchr(at_, delimiter_, static_cast<std::size_t>(end_ - at_)));
      if (stop == nullptr) stop = end_;
      text = {at_, static_cast<std::size_t>(stop - at_)};
      if (const auto* quote = static_cast<const char*>(std::memchr(at_, '"', text.size()))) {
        at_ = quote;
        return "a quote inside a cell that does not begin with one";
      }
      at_ = stop;
      return nullptr;
    }
    const char* const open = at_++;
    const char* const begin = at_;
    std::size_t doubled = 0;
    while (true) {
      const auto* quote = static_cast<const char*>(std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_)));
      if (quote == nullptr) {
        at_ = open;
        return "a quote that is not closed (a cell cannot hold a line break)";
      }
      at_ = quote + 1;
      if (at_ == end_ || *at_ == delimiter_) {
        text = {begin, static_cast<std::size_t>(quote - begin)};
        break;
      }
      if (*at_ != '"') return "something between the closing quote and the end of the cell";
      ++doubled;
      ++at_;
    }
    if (doubled > 0) {
      char* const out = arena_bytes(arena, text.size() - doubled);
      std::size_t size = 0;
      for (std::size_t i = 0; i < text.size(); ++i) {
        out[size++] = text[i];
        if (text[i] == '"') ++i;
      }
      text = {out, size};
    }
    return nullptr;
  }

  RecordBuilder builder_;
  const char delimiter_;
  const bool wants_header_;
  std::vector<SlotIndex> columns_;
  ParseArena arena_;  // Of the header.
  const char* line_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

}  // namespace

std::unique_ptr<LineParser> make_csv_line_parser(const EventSchema& schema, LineRole role) {
  return std::make_unique<CsvLineParser>(schema, role);
}

}  // namespace weir
