// key=value (logfmt): a line is pairs and nothing else. An empty value is missing.

#include "core/records/key_value_text.hpp"
#include "core/records/record_builder.hpp"

namespace weir {
namespace {

class KeyValueLineParser final : public LineParser {
 public:
  KeyValueLineParser(const EventSchema& schema, LineRole role) : builder_(schema, role) {}

  void parse(std::string_view line, ParseArena& arena, ParsedRecord& out) override {
    std::string_view body;
    if (!builder_.begin(line, arena, out, body)) return;
    KeyValueReader reader(body.data(), body.data() + body.size(), arena);
    std::string_view name, value;
    bool any = false;
    while (true) {
      const KeyValueReader::Step step = reader.next(name, value);
      if (step == KeyValueReader::Step::kPair) {
        any = true;
        builder_.text(builder_.find(name), value);
        continue;
      }
      if (step == KeyValueReader::Step::kWrong) {
        builder_.malformed(reader.what(), reader.at() - out.line.data());
      } else if (!any) {
        builder_.malformed("an empty line, expected name=value");
      }
      break;
    }
    builder_.finish();
  }
  Result<void> header(std::string_view) override { return {}; }
  bool wants_header() const override { return false; }

 private:
  RecordBuilder builder_;
};

}  // namespace

std::unique_ptr<LineParser> make_key_value_line_parser(const EventSchema& schema, LineRole role) {
  return std::make_unique<KeyValueLineParser>(schema, role);
}

}  // namespace weir
