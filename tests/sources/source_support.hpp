#pragma once
// Files in all their forms, and a source read to its end.

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "sources/input_source.hpp"

namespace weir {

inline void write_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}
inline void append_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::app).write(content.data(), static_cast<std::streamsize>(content.size()));
}

// One gzip member.
inline std::string gzip(std::string_view content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
// One zstd frame, with a checksum, as the program writes it.
inline std::string zstd(std::string_view content) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  return out;
}

struct ReadLine {
  std::int64_t offset = -1;  // -1: a header.
  std::string text;
  std::uint64_t line_bytes = 0;
  std::uint32_t line_crc = 0;
  std::uint64_t cursor = 0;
};

inline void add_lines(const LineBatch& batch, std::vector<ReadLine>& lines) {
  std::int64_t offset = batch.base.value;
  for (const LineBatch::Line& line : batch.lines) {
    lines.push_back({line.header ? -1 : offset++, std::string(batch.bytes.view(line.begin, line.bytes)), line.line_bytes,
                     line.line_crc, line.cursor});
  }
}

// Reads until there is nothing now; `error` gets what ended it otherwise.
inline std::vector<ReadLine> read_all(InputSource& source, std::size_t bytes_hint = 64 * 1024, std::string* error = nullptr) {
  std::vector<ReadLine> lines;
  LineBatch batch;
  while (true) {
    const Result<bool> more = source.read(batch, bytes_hint);
    if (!more.ok()) {
      if (error == nullptr) ADD_FAILURE() << more.error().what;
      else *error = more.error().what;
      return lines;
    }
    if (!*more) return lines;
    EXPECT_FALSE(batch.lines.empty());
    add_lines(batch, lines);
  }
}

inline std::vector<std::string> texts(const std::vector<ReadLine>& lines) {
  std::vector<std::string> out;
  for (const ReadLine& line : lines) out.push_back(line.text);
  return out;
}

}  // namespace weir
