#include "storage/kafka_changelog.hpp"

#include <algorithm>

#include "core/base/crc32c.hpp"

namespace weir {
namespace {

void append_positions(const Positions& positions, ByteBuffer& out) {
  out.append_varint(positions.size());
  for (const Position& p : positions) {
    out.append_fixed(static_cast<std::uint8_t>(p.input));
    out.append_varint(static_cast<std::uint32_t>(p.partition.value));
    out.append_varint(static_cast<std::uint64_t>(p.next.value));
    out.append_varint(p.cursor);
  }
}

bool read_positions(ByteReader& reader, Positions& positions) {
  const std::uint64_t count = reader.varint();
  positions.clear();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    Position p;
    const auto input = reader.fixed<std::uint8_t>();
    if (input >= kInputCount) return false;
    p.input = static_cast<InputId>(input);
    p.partition = PartitionId(static_cast<std::int32_t>(reader.varint()));
    p.next = Offset(static_cast<std::int64_t>(reader.varint()));
    p.cursor = reader.varint();
    positions.push_back(p);
  }
  return reader.ok();
}

std::string numbered_key(std::string_view letter, std::uint64_t number) {
  std::string out(letter);
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
  return out;
}

std::string printable(std::string_view key) {
  std::string out;
  for (const char c : key.substr(0, 64)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

}  // namespace

std::string changelog_bundle_key(std::uint64_t number) { return numbered_key(kChangelogBundle, number); }

std::string changelog_order_key(CommitId commit) { return numbered_key(kChangelogOrder, commit.value); }

CommitId changelog_order_commit(std::string_view key) {
  std::uint64_t value = 0;
  for (const char c : key.substr(1)) value = value << 8 | static_cast<unsigned char>(c);
  return CommitId(value);
}

void append_sealed(std::string_view key, std::string_view body, ByteBuffer& out) {
  const std::size_t at = out.size();
  out.append_fixed(std::uint32_t{0});
  out.append(static_cast<char>(kChangelogValueVersion));
  out.append(body);
  out.set_fixed(at, crc32c(out.view(at + 4, body.size() + 1), crc32c(key)));
}

Result<std::string_view> unseal_changelog(std::string_view key, std::string_view value, std::string_view where) {
  const auto entry = [&] { return std::string(where) + ", key '" + printable(key) + "': "; };
  ByteReader reader(value);
  const auto crc = reader.fixed<std::uint32_t>();
  const std::string_view sealed = reader.rest();
  if (!reader.ok() || sealed.empty()) return Error{ErrorCode::kCorruption, entry() + std::to_string(value.size()) + " bytes; expected a sealed value"};
  if (crc32c(sealed, crc32c(key)) != crc) return Error{ErrorCode::kCorruption, entry() + "its CRC32C does not fit"};
  const auto version = static_cast<std::uint8_t>(sealed.front());
  if (version != kChangelogValueVersion)
    return Error{ErrorCode::kVersion, entry() + "value version " + std::to_string(version) + ", this program knows " +
                                          std::to_string(kChangelogValueVersion)};
  return sealed.substr(1);
}

void encode(const ChangelogTaskEntry& entry, ByteBuffer& out) {
  out.append_fixed(entry.owner);
  out.append_varint(entry.last_commit.value);
  out.append_varint(static_cast<std::uint64_t>(std::ranges::count_if(entry.attempts, [](std::uint32_t n) { return n > 0; })));
  for (std::size_t input = 0; input < kInputCount; ++input) {
    if (entry.attempts[input] == 0) continue;
    out.append_fixed(static_cast<std::uint8_t>(input));
    out.append_varint(entry.attempts[input]);
  }
  for (const std::uint64_t value : {entry.bundles.oldest, entry.bundles.next, entry.bundles.bytes, entry.bundles.live_bytes}) out.append_varint(value);
  append_positions(entry.positions, out);
}

bool decode(std::string_view body, ChangelogTaskEntry& entry) {
  ByteReader reader(body);
  entry.owner = reader.fixed<std::uint64_t>();
  entry.last_commit = CommitId(reader.varint());
  entry.attempts = {};
  const std::uint64_t attempted = reader.varint();
  if (attempted > kInputCount) return false;
  for (std::uint64_t i = 0; i < attempted; ++i) {
    const auto input = reader.fixed<std::uint8_t>();
    if (input >= kInputCount) return false;
    entry.attempts[input] = static_cast<std::uint32_t>(reader.varint());
  }
  for (std::uint64_t* value : {&entry.bundles.oldest, &entry.bundles.next, &entry.bundles.bytes, &entry.bundles.live_bytes}) *value = reader.varint();
  return read_positions(reader, entry.positions) && reader.finished();
}

void encode(const ChangelogOrderEntry& entry, ByteBuffer& out) {
  append_positions(entry.positions, out);
  out.append(entry.order);
}

bool decode(std::string_view body, ChangelogOrderEntry& entry) {
  ByteReader reader(body);
  if (!read_positions(reader, entry.positions)) return false;
  entry.order = reader.rest();
  return true;
}

void encode(const LocalStamp& stamp, ByteBuffer& out) {
  out.append_varint_bytes(stamp.cluster);
  out.append_varint(static_cast<std::uint64_t>(stamp.next.value));
  out.append_fixed(stamp.time_us);
}

bool decode(std::string_view body, LocalStamp& stamp) {
  ByteReader reader(body);
  stamp.cluster = std::string(reader.varint_bytes());
  stamp.next = Offset(static_cast<std::int64_t>(reader.varint()));
  stamp.time_us = reader.fixed<std::int64_t>();
  return reader.finished();
}

}  // namespace weir
