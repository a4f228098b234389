#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/base/rng.hpp"
#include "core/models/parameters.hpp"

namespace weir {
namespace {

Parameters sample_parameters() {
  Parameters p;
  p.add_block("dense", {2, 3});
  p.add_block("empty", {0, 4});
  p.add_block("scalar", {});
  p.add_block("name with \"quotes\" \\ and \x01", {1});
  for (std::uint32_t i = 0; i < p.size(); ++i) p.set(i, 0.5f * static_cast<float>(i) - 1.0f);
  return p;
}

std::string file_of(std::string header, std::string_view data) {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + std::string(data);
}

TEST(Safetensors, RoundTripsBlocksValuesAndMetadata) {
  const Parameters p = sample_parameters();
  const SafetensorsMetadata metadata = {{"kind", "logistic"}, {"note", "line\nbreak"}};
  SafetensorsMetadata read;
  const auto back = from_safetensors(to_safetensors(p, metadata), &read);
  ASSERT_TRUE(back.ok()) << back.error().what;
  EXPECT_TRUE(back->same_shape(p));
  EXPECT_EQ(back->crc(), p.crc());
  EXPECT_EQ(read, metadata);
}

TEST(Safetensors, WritesTheBytesOfTheFormat) {  // Held against the format's description, not against our reader.
  Parameters p;
  p.add_block("w", {2});
  p.set(0, 1.0f);
  p.set(1, -2.0f);
  std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(to_safetensors(p, {}), file_of(header, std::string("\0\0\x80\x3f\0\0\0\xc0", 8)));
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  const auto p = from_safetensors(file_of(
      R"( {"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"}})" + 0,
      std::string(8, '\0')));
  EXPECT_FALSE(p.ok());  // A header begins with '{'.
  const auto q = from_safetensors(file_of(
      R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"}})",
      std::string(8, '\0')));
  ASSERT_TRUE(q.ok()) << q.error().what;
  EXPECT_EQ(q->blocks()[0].name, "a");
  EXPECT_EQ(q->blocks()[1].name, "b");
}

TEST(Safetensors, RefusesWhatTheFormatDoesNotAllow) {
  const std::string four(4, '\0'), eight(8, '\0');
  const auto code = [](std::string_view bytes) {
    const auto result = from_safetensors(bytes);
    return result.ok() ? std::string("ok") : std::string(name_of(result.error().code));
  };
  EXPECT_EQ(code(""), "kCorruption");
  EXPECT_EQ(code(std::string(8, '\xff')), "kCorruption");
  EXPECT_EQ(code(file_of("{}", "")), "ok");
  EXPECT_EQ(code(file_of("{}", "x")), "kCorruption");  // Bytes left over.
  EXPECT_EQ(code(file_of("{} x", "")), "kCorruption");
  EXPECT_EQ(code(file_of("{", "")), "kCorruption");
  EXPECT_EQ(code(file_of("[]", "")), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four)), "ok");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", eight)), "kInvalidInput");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight)), "kCorruption");  // A gap.
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four)), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abc")), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four)), "kCorruption");  // Overlap.
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight)), "kCorruption");  // Twice.
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four)), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}})", four)), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "")), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[65536,65536,65536,65536,0],"data_offsets":[0,0]}})", "")), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", four)), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", four)), "kCorruption");
  EXPECT_EQ(code(file_of("{\"\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", four)), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four)), "kCorruption");
  EXPECT_EQ(code(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", std::string("\0\0\xc0\x7f", 4))), "kInvalidInput");  // NaN
}

// Any bytes may be given: what it accepts must round-trip, what it does not is an error; nothing else happens.
TEST(Safetensors, SurvivesMutations) {
  const std::string good = to_safetensors(sample_parameters(), {{{"k", "v"}}});
  Rng rng(20);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good;
    const std::uint64_t edits = 1 + rng.below(4);
    for (std::uint64_t e = 0; e < edits; ++e) {
      const std::size_t at = rng.below(bytes.size());
      switch (rng.below(4)) {
        case 0: bytes[at] = static_cast<char>(rng.below(256)); break;
        case 1: bytes[at] = "{}[]\",:0123456789\\u "[rng.below(20)]; break;
        case 2: bytes.erase(at, 1 + rng.below(8)); break;
        default: bytes.insert(at, 1 + rng.below(3), static_cast<char>(rng.below(128))); break;
      }
      if (bytes.empty()) bytes = "x";
    }
    SafetensorsMetadata metadata;
    const auto read = from_safetensors(bytes, &metadata);
    if (!read.ok()) {
      ++refused;
      EXPECT_FALSE(read.error().what.empty());
      continue;
    }
    ++accepted;
    const auto again = from_safetensors(to_safetensors(*read, metadata));
    ASSERT_TRUE(again.ok()) << again.error().what;
    EXPECT_EQ(again->crc(), read->crc());
  }
  EXPECT_GT(accepted, 100);  // Edits of data bytes and of names.
  EXPECT_GT(refused, 10000);
}

TEST(Parameters, MarksThePagesItChanges) {
  Parameters p;
  p.add_block("w", {200});
  EXPECT_EQ(p.dirty_pages().size(), 4U);
  p.set(64, 1.0f);
  EXPECT_EQ(std::string(p.dirty_pages().data(), 4), std::string("\0\1\0\0", 4));
  Parameters q = p;
  q.clear_dirty();
  p.set(199, 2.0f);
  q.assign(p);
  EXPECT_EQ(q[199], 2.0f);
  EXPECT_EQ(std::string(q.dirty_pages().data(), 4), std::string("\0\0\0\1", 4));
  p.set(0, INFINITY);
  EXPECT_FALSE(p.finite());
}

TEST(Safetensors, KeepsTensorsOfBytes) {  // Of a model that has them; those of hashtrons: hashtron_model_test.
  std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},"b":{"dtype":"U8","shape":[0],"data_offsets":[7,7]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string file = file_of(header, std::string("\0\0\x80\x3fxyz", 7));
  const auto p = from_safetensors(file);
  ASSERT_TRUE(p.ok()) << p.error().what;
  EXPECT_EQ(p->size(), 1U);
  ASSERT_EQ(p->opaque_count(), 2U);
  ByteBuffer bytes;
  p->opaque()->append(0, bytes);
  EXPECT_EQ(bytes.view(), "xyz");
  EXPECT_EQ(p->opaque()->name(1), "b");
  EXPECT_EQ(to_safetensors(*p, {}), file);
  const auto mixed = from_safetensors(file_of(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", std::string(8, '\0')));
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().code, ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace weir
