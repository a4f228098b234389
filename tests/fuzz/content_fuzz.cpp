// Files of any bytes, as they are or behind a valid gzip or zstd start: lines or an error, never more than the file can hold, and
// the same lines whatever the size of the steps.
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "core/base/crc32c.hpp"
#include "sources/file_list.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace weir;

struct Read {
  std::vector<std::string> lines;
  std::uint64_t content_bytes = 0;
  std::string error;
  bool operator==(const Read&) const = default;
};

Read read_all(const std::string& path, std::size_t hint) {
  Read out;
  auto source = open_file_list({.paths = {path}, .line_bytes_max = 5000});
  FUZZ_CHECK(source.ok());
  LineBatch batch;
  // A small file may decode to a very long content: the beginning will do.
  while (out.lines.size() < 20'000 && out.content_bytes < (8u << 20)) {
    const auto more = (*source)->read(batch, hint);
    if (!more.ok()) {
      out.error = more.error().what;
      return out;
    }
    if (!*more) return out;
    FUZZ_CHECK(!batch.lines.empty());
    for (const LineBatch::Line& line : batch.lines) {
      FUZZ_CHECK(line.bytes <= 5001 && line.begin + line.bytes <= batch.bytes.size());
      if (line.line_bytes == line.bytes) FUZZ_CHECK(line.line_crc == 0);
      out.lines.push_back(std::string(batch.bytes.view(line.begin, line.bytes)) + "/" + std::to_string(line.line_bytes) + "/" +
                          std::to_string(line.line_crc));
      out.content_bytes += line.line_bytes;
    }
  }
  out.lines.resize(std::min<std::size_t>(out.lines.size(), 20'000));
  out.error = "more";
  return out;
}

void put(int fd, std::string_view bytes) {
  FUZZ_CHECK(::ftruncate(fd, 0) == 0);
  FUZZ_CHECK(::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int fd = ::memfd_create("fuzz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string stored;
  switch (data[0] % 4) {
    case 0: stored = text; break;
    case 1: stored = "\x1f\x8b\x08" + std::string(7, '\0') + text; break;
    case 2: stored = "\x28\xb5\x2f\xfd" + text; break;
    default: {  // Whole files: the content must come out as it went in.
      std::string packed(compressBound(text.size()) + 64, '\0');
      z_stream stream{};
      FUZZ_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
      stream.avail_in = static_cast<uInt>(text.size());
      stream.next_out = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_out = static_cast<uInt>(packed.size());
      FUZZ_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
      packed.resize(stream.total_out);
      deflateEnd(&stream);
      std::string frame(ZSTD_compressBound(text.size()), '\0');
      frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 1));
      put(fd, "p" + text);
      const Read plain = read_all(path, 1000);
      put(fd, packed);
      const Read gzip = read_all(path, 1000);
      put(fd, frame);
      const Read zstd = read_all(path, 1000);
      FUZZ_CHECK(gzip == zstd && gzip.error.empty());
      FUZZ_CHECK(plain.error.empty());
      if (gzip.lines.size() > 1) FUZZ_CHECK(gzip.lines.back() == plain.lines.back());
      return 0;
    }
  }
  put(fd, stored);
  const Read small = read_all(path, 1);
  const Read large = read_all(path, 100'000);
  if (small.error != "more" && large.error != "more") {
    FUZZ_CHECK(small == large);
  }
  return 0;
}
