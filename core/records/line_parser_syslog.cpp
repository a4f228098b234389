// Syslog: RFC 5424, and RFC 3164 as it is written in practice (priority optional, as in files; a time of either kind).
//
// The parts of a message are fields by the names of event_schema.hpp; "-" (nil) is missing. The message itself is free text:
// key=value pairs in it are fields, whatever else is in it is not looked at. A pair named like a part is not that part.

#include <array>
#include <cstring>
#include <string>

#include "core/records/key_value_text.hpp"
#include "core/records/record_builder.hpp"

namespace weir {
namespace {

enum Part { kPriority, kFacility, kSeverity, kVersion, kTimestamp, kHostname, kAppname, kProcid, kMsgid, kMessage, kPartCount };
constexpr std::array<std::string_view, kPartCount> kPartNames = {"priority", "facility", "severity", "version", "timestamp",
                                                                 "hostname", "appname",  "procid",   "msgid",   "message"};

bool printable(char c) { return c >= 33 && c <= 126; }

class SyslogLineParser final : public LineParser {
 public:
  SyslogLineParser(const EventSchema& schema, LineRole role)
      : builder_(schema, role), rfc5424_(schema.format == LineFormat::kSyslog5424) {
    for (int part = 0; part < kPartCount; ++part) slots_[part] = builder_.find(kPartNames[part]);
  }

  void parse(std::string_view line, ParseArena& arena, ParsedRecord& out) override {
    std::string_view body;
    if (!builder_.begin(line, arena, out, body)) return;
    line_ = out.line.data();
    at_ = body.data();
    end_ = body.data() + body.size();
    if (rfc5424_ ? header_5424() : header_3164()) message();
    builder_.finish();
  }
  Result<void> header(std::string_view) override { return {}; }
  bool wants_header() const override { return false; }

 private:
  bool fail(std::string_view what) {
    builder_.malformed(what, at_ - line_);
    return false;
  }
  void part(Part which, std::string_view text) {
    if (slots_[which] != kNoSlot && text != "-") builder_.text(slots_[which], text);
  }
  void number_part(Part which, unsigned value) {
    if (slots_[which] == kNoSlot) return;
    char* const text = arena_bytes(builder_.arena(), 3);
    std::size_t size = 0;
    if (value >= 100) text[size++] = static_cast<char>('0' + value / 100);
    if (value >= 10) text[size++] = static_cast<char>('0' + value / 10 % 10);
    text[size++] = static_cast<char>('0' + value % 10);
    builder_.text(slots_[which], {text, size});
  }
  // Up to the next blank, which is skipped; printable ASCII, not empty.
  bool word(std::string_view& text) {
    const char* const begin = at_;
    while (at_ != end_ && printable(*at_)) ++at_;
    text = {begin, static_cast<std::size_t>(at_ - begin)};
    if (text.empty() || (at_ != end_ && *at_ != ' ')) return fail("expected a word of printable ASCII");
    return true;
  }
  bool blank() {
    if (at_ == end_ || *at_ != ' ') return fail("expected a blank and the next part");
    ++at_;
    return true;
  }

  // "<34>"
  bool priority() {
    const char* const begin = ++at_;
    unsigned value = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - begin < 3) value = value * 10 + static_cast<unsigned>(*at_++ - '0');
    const auto digits = at_ - begin;
    if (digits == 0 || at_ == end_ || *at_ != '>' || value > 191 || (digits > 1 && *begin == '0')) {
      at_ = begin;
      return fail("expected a priority from 0 to 191 and '>'");
    }
    ++at_;
    number_part(kPriority, value);
    number_part(kFacility, value / 8);
    number_part(kSeverity, value % 8);
    return true;
  }

  bool header_5424() {
    if (at_ == end_ || *at_ != '<') return fail("expected '<' and a priority");
    if (!priority()) return false;
    const char* const version = at_;
    unsigned value = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - version < 3) value = value * 10 + static_cast<unsigned>(*at_++ - '0');
    if (at_ == version || *version == '0') return fail("expected a version (1)");
    number_part(kVersion, value);
    for (const Part which : {kTimestamp, kHostname, kAppname, kProcid, kMsgid}) {
      std::string_view text;
      if (!blank() || !word(text)) return false;
      part(which, text);
    }
    if (!blank()) return false;
    if (at_ == end_) return fail("expected structured data, or '-' for none");
    if (*at_ == '-') {
      ++at_;
    } else if (!structured_data()) {
      return false;
    }
    if (at_ == end_) return true;
    if (*at_ != ' ') return fail("expected a blank and the message");
    ++at_;
    if (end_ - at_ >= 3 && std::memcmp(at_, "\xef\xbb\xbf", 3) == 0) at_ += 3;
    return true;
  }

  bool name(std::string_view& text) {
    const char* const begin = at_;
    while (at_ != end_ && printable(*at_) && *at_ != '=' && *at_ != ']' && *at_ != '"') ++at_;
    text = {begin, static_cast<std::size_t>(at_ - begin)};
    return text.empty() ? fail("expected a name in the structured data") : true;
  }

  // [id name="value" …][…]
  bool structured_data() {
    if (*at_ != '[') return fail("expected structured data, or '-' for none");
    while (at_ != end_ && *at_ == '[') {
      ++at_;
      std::string_view id, parameter;
      if (!name(id)) return false;
      while (at_ != end_ && *at_ == ' ') {
        ++at_;
        if (!name(parameter)) return false;
        if (end_ - at_ < 2 || at_[0] != '=' || at_[1] != '"') return fail("expected '=' and a value in quotes");
        at_ += 2;
        std::string_view value;
        if (!parameter_value(value)) return false;
        full_name_.assign(id);
        full_name_ += '.';
        full_name_ += parameter;
        builder_.text(builder_.find(full_name_), value);
      }
      if (at_ == end_ || *at_ != ']') return fail("expected ']' at the end of a structured data element");
      ++at_;
    }
    return true;
  }

  // After the opening quote. A backslash before anything but '"', '\' and ']' is a backslash.
  bool parameter_value(std::string_view& value) {
    const char* const begin = at_;
    bool escaped = false;
    const auto escapes = [&](const char* at) { return *at == '\\' && at + 1 != end_ && (at[1] == '"' || at[1] == '\\' || at[1] == ']'); };
    while (at_ != end_ && *at_ != '"') {
      if (*at_ == ']') return fail("a ']' in a value must follow a backslash");
      if (escapes(at_)) {
        escaped = true;
        ++at_;
      }
      ++at_;
    }
    if (at_ == end_) return fail("the line ends inside a value in quotes");
    value = {begin, static_cast<std::size_t>(at_ - begin)};
    if (escaped) {
      char* const out = arena_bytes(builder_.arena(), value.size());
      std::size_t size = 0;
      for (const char* at = begin; at != at_; ++at) {
        if (escapes(at)) ++at;
        out[size++] = *at;
      }
      value = {out, size};
    }
    ++at_;
    return true;
  }

  bool header_3164() {
    if (at_ != end_ && *at_ == '<' && !priority()) return false;
    std::string_view text;
    if (at_ != end_ && *at_ >= '0' && *at_ <= '9') {
      if (!word(text)) return false;
    } else {
      if (end_ - at_ < 15) return fail("expected a time like Jan  2 03:04:05");
      text = {at_, 15};
      at_ += 15;
    }
    part(kTimestamp, text);
    if (!blank() || !word(text)) return false;
    part(kHostname, text);
    if (at_ == end_) return true;
    ++at_;
    tag();
    return true;
  }

  // "su[10]: " or "su: " before the message; a message without one begins here.
  void tag() {
    const char* at = at_;
    while (at != end_ && printable(*at) && *at != '[' && *at != ':') ++at;
    const std::string_view app(at_, static_cast<std::size_t>(at - at_));
    if (app.empty() || at == end_) return;
    std::string_view process;
    if (*at == '[') {
      const char* const begin = ++at;
      while (at != end_ && printable(*at) && *at != ']') ++at;
      if (at == end_ || *at != ']') return;
      process = {begin, static_cast<std::size_t>(at - begin)};
      ++at;
      if (at != end_ && *at == ':') ++at;
    } else if (*at == ':') {
      ++at;
    } else {
      return;
    }
    if (at != end_ && *at != ' ') return;
    if (at != end_) ++at;
    at_ = at;
    part(kAppname, app);
    if (!process.empty()) part(kProcid, process);
  }

  void message() {
    const std::string_view text(at_, static_cast<std::size_t>(end_ - at_));
    if (slots_[kMessage] != kNoSlot) builder_.text(slots_[kMessage], text);
    KeyValueReader reader(at_, end_, builder_.arena());
    std::string_view name, value;
    while (true) {
      const KeyValueReader::Step step = reader.next(name, value);
      if (step == KeyValueReader::Step::kEnd) return;
      if (step == KeyValueReader::Step::kWrong) {
        reader.skip_word();
        continue;
      }
      const SlotIndex slot = builder_.find(name);
      if (slot == kNoSlot) continue;
      bool is_part = false;
      for (const SlotIndex known : slots_) is_part |= known == slot;
      if (!is_part) builder_.text(slot, value);
    }
  }

  RecordBuilder builder_;
  const bool rfc5424_;
  std::array<SlotIndex, kPartCount> slots_{};
  std::string full_name_;
  const char* line_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

}  // namespace

std::unique_ptr<LineParser> make_syslog_line_parser(const EventSchema& schema, LineRole role) {
  return std::make_unique<SyslogLineParser>(schema, role);
}

}  // namespace weir
