#include "sources/file_list.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/crc32c.hpp"
#include "core/base/rng.hpp"
#include "tests/sources/source_support.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

using Strings = std::vector<std::string>;

class FileListTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string write(const std::string& name, std::string_view content) {
    write_file(path(name), content);
    return path(name);
  }
  static std::unique_ptr<InputSource> open(const Strings& paths, bool header = false, std::uint64_t line_bytes_max = 1 << 20) {
    auto source = open_file_list({.paths = paths, .line_bytes_max = line_bytes_max, .header = header});
    if (!source.ok()) {
      ADD_FAILURE() << source.error().what;
      return nullptr;
    }
    return std::move(source).value();
  }
  static Error open_error(const Strings& paths) {
    const auto source = open_file_list({.paths = paths});
    return source.ok() ? Error{ErrorCode::kFull, "opened"} : source.error();
  }
  // What a restart says after `line` of a first run.
  static Result<void> resume_after(InputSource& source, const ReadLine& line, const std::string& identity) {
    return source.resume(Offset(line.offset + 1), line.cursor, identity);
  }

  TemporaryDirectory directory_;
};

TEST_F(FileListTest, NumbersLinesOverTheWholeListWhateverTheFilesForm) {
  const Strings paths = {write("a", "one\ntwo\n"), write("b.gz", gzip("three\nfour\n")), write("c.zst", zstd("five\nsix\n")),
                         write("d", ""), write("e", "seven")};
  auto source = open(paths);
  EXPECT_FALSE(source->ended());
  const auto lines = read_all(*source);
  EXPECT_EQ(texts(lines), (Strings{"one", "two", "three", "four", "five", "six", "seven"}));
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].offset, static_cast<std::int64_t>(i));
  EXPECT_TRUE(source->ended());
  EXPECT_EQ(source->bytes_read(), source->bytes_total());
}

TEST_F(FileListTest, KnowsCompressionByTheFirstBytesNotByTheName) {
  EXPECT_EQ(texts(read_all(*open({write("a.txt", gzip("x\n")), write("b.gz", "plain\n")}))), (Strings{"x", "plain"}));
}

TEST_F(FileListTest, ReadsEveryMemberOfAGzipAndEveryFrameOfAZstd) {
  const std::string many = gzip("a\nb") + gzip("") + gzip("c\n") + gzip("d\n");
  EXPECT_EQ(texts(read_all(*open({write("m.gz", many)}))), (Strings{"a", "bc", "d"}));
  EXPECT_EQ(texts(read_all(*open({write("p.gz", many + std::string(1000, '\0'))}))), (Strings{"a", "bc", "d"}));
  EXPECT_EQ(texts(read_all(*open({write("m.zst", zstd("a\nb") + zstd("") + zstd("c\n"))}))), (Strings{"a", "bc"}));
}

TEST_F(FileListTest, TakesEmptyLinesAndALastLineWithoutNewline) {
  EXPECT_EQ(texts(read_all(*open({write("a", "\n\nx\r\n\ny")}))), (Strings{"", "", "x\r", "", "y"}));
  EXPECT_EQ(texts(read_all(*open({write("b", "")}))), Strings{});
  EXPECT_EQ(texts(read_all(*open({write("c.gz", gzip(""))}))), Strings{});
  EXPECT_EQ(texts(read_all(*open({write("d", "\n")}))), Strings{""});
}

TEST_F(FileListTest, ExpandsPatternsSortedByBytes) {
  for (const char* name : {"x10", "x2", "x1", "y"}) write(name, std::string(name) + "\n");
  EXPECT_EQ(texts(read_all(*open({path("y"), path("x*")}))), (Strings{"y", "x1", "x10", "x2"}));
  write("odd[1]", "odd\n");
  EXPECT_EQ(texts(read_all(*open({path("odd[1]")}))), Strings{"odd"});
}

TEST_F(FileListTest, NamesAFileThatWillNotDoAndSaysWhatToDo) {
  const std::string good = write("good", "x\n");
  EXPECT_EQ(open_error({good, path("none")}).code, ErrorCode::kNotFound);
  EXPECT_NE(open_error({good, path("none")}).what.find(path("none") + "': there is none"), std::string::npos);
  EXPECT_EQ(open_error({path("none*")}).code, ErrorCode::kNotFound);
  EXPECT_NE(open_error({path("none*")}).what.find("no file matches"), std::string::npos);
  EXPECT_EQ(open_error({directory_.path().string()}).code, ErrorCode::kInvalidInput);
  EXPECT_NE(open_error({directory_.path().string()}).what.find("is a directory; name its files"), std::string::npos);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_NE(open_error({path("pipe")}).what.find("not a regular file"), std::string::npos);
  EXPECT_NE(open_error({good, good}).what.find("twice"), std::string::npos);
  ASSERT_EQ(::symlink("loop", path("loop").c_str()), 0);
  EXPECT_NE(open_error({path("loop")}).what.find("circle"), std::string::npos);
}

TEST_F(FileListTest, KeepsHeadLengthAndCrcOfALineBeyondTheLimit) {
  const std::string exact(10'000, 'a'), longer(10'001, 'b'), huge(3'000'000, 'c'), after = "after";
  const std::string content = exact + "\n" + exact + "\r\n" + longer + "\n" + after + "\n" + huge + "\n" + after + "\n" + huge;
  for (const std::string& stored : {content, gzip(content), zstd(content)}) {
    for (const std::size_t hint : {std::size_t(1), std::size_t(100'000)}) {
      const auto lines = read_all(*open({write("f", stored)}, false, 10'000), hint);
      ASSERT_EQ(lines.size(), 7u);
      EXPECT_EQ(lines[0].text, exact);
      EXPECT_EQ(lines[1].text, exact + "\r");
      for (const auto& [index, line] : {std::pair(2, &longer), std::pair(4, &huge), std::pair(6, &huge)}) {
        EXPECT_EQ(lines[index].text, line->substr(0, 4096));
        EXPECT_EQ(lines[index].line_bytes, line->size());
        EXPECT_EQ(lines[index].line_crc, crc32c(*line));
      }
      EXPECT_EQ(lines[3].text, after);
      EXPECT_EQ(lines[5].text, after);
    }
  }
}

TEST_F(FileListTest, GivesTheSameLinesForEverySizeOfTheSteps) {
  Rng rng(7);
  std::string content;
  for (int i = 0; i < 3000; ++i) content += std::string(rng.below(8) == 0 ? rng.below(9000) : rng.below(60), static_cast<char>('a' + i % 26)) + "\n";
  const Strings paths = {write("a", content), write("b.gz", gzip(content) + gzip(content)), write("c.zst", zstd(content))};
  const Strings expected = texts(read_all(*open(paths)));
  EXPECT_EQ(expected.size(), 12'000u);
  for (const std::size_t hint : {1, 100, 4097, 1'000'000}) EXPECT_EQ(texts(read_all(*open(paths), hint)), expected) << hint;
}

TEST_F(FileListTest, MarksTheHeaderOfEachFile) {
  auto source = open({write("a.csv", "h1\n1\n2\n"), write("b.csv", "h2\n3\n"), write("c.csv", ""), write("d.csv", "h4")}, true);
  const auto lines = read_all(*source);
  EXPECT_EQ(texts(lines), (Strings{"h1", "1", "2", "h2", "3", "h4"}));
  const std::vector<std::int64_t> offsets = {-1, 0, 1, -1, 2, -1};
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].offset, offsets[i]);
}

TEST_F(FileListTest, GoesOnBehindAnyLineByItsCursorOrByCounting) {
  const std::string content = "first\nsecond line\n\nfourth\nlast";
  for (const bool header : {false, true}) {
    const Strings paths = {write("a", content), write("b.gz", gzip(content)), write("c.zst", zstd(content))};
    auto whole = open(paths, header);
    const auto lines = read_all(*whole);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].offset < 0) continue;
      for (const std::uint64_t cursor : {lines[i].cursor, std::uint64_t{0}, lines[i].cursor + 1, std::uint64_t(77) << 44}) {
        // A wrong place is noticed unless a line begins there, too.
        if (cursor == lines[i].cursor + 1 && i + 1 < lines.size() && lines[i + 1].text.empty()) continue;
        auto source = open(paths, header);
        const auto resumed = source->resume(Offset(lines[i].offset + 1), cursor, whole->identity());
        ASSERT_TRUE(resumed.ok()) << resumed.error().what;
        std::vector<ReadLine> rest = read_all(*source, 1);
        if (header) {
          // The header of the file it stands in comes again.
          ASSERT_FALSE(rest.empty());
          EXPECT_EQ(rest[0].offset, -1);
          EXPECT_EQ(rest[0].text, "first");
          rest.erase(rest.begin());
        }
        EXPECT_EQ(texts(rest), texts({lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, lines.end()})) << i << " " << cursor;
        for (const ReadLine& line : rest)
          if (line.offset >= 0) {
            EXPECT_EQ(line.offset, lines[i].offset + 1);
            break;
          }
      }
    }
  }
}

TEST_F(FileListTest, TellsHowAFileHasChangedSinceItWasRead) {
  const std::string content = "one\ntwo\nthree\n";
  const Strings paths = {write("a", content), write("b", content)};
  auto first = open(paths);
  const auto lines = read_all(*first);
  const std::string identity = first->identity();
  const auto resume = [&](const Strings& list) {
    auto source = open(list);
    const Result<void> resumed = resume_after(*source, lines[4], identity);
    if (resumed.ok()) return std::string("resumed");
    EXPECT_EQ(resumed.error().code, ErrorCode::kInvalidInput);
    return resumed.error().what;
  };
  const auto put = [&](std::string_view name, std::string_view text) {
    write_file(path(std::string(name)), text);
    // A write within the clock's grain would keep the time of the last one.
    const timespec times[2] = {{1'700'000'000, 0}, {1'700'000'000 + static_cast<long>(text.size()), text.size() % 7 == 0 ? 5 : 9}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path(std::string(name)).c_str(), times, 0), 0);
  };
  EXPECT_EQ(resume(paths), "resumed");
  put("a", content);
  EXPECT_EQ(resume(paths), "resumed");  // Touched, but the same.
  put("a", content + "four\n");
  EXPECT_NE(resume(paths).find("grown from 14 to 19 bytes"), std::string::npos) << resume(paths);
  put("a", "one\n");
  EXPECT_NE(resume(paths).find("shrunk from 14 to 4 bytes"), std::string::npos);
  put("a", "one\ntwo\nthrEe\n");
  EXPECT_NE(resume(paths).find("other content"), std::string::npos);
  EXPECT_NE(resume(paths).find(path("a")), std::string::npos);
  put("a", content);
  EXPECT_NE(resume({paths[1], paths[0]}).find("file 1 was '" + paths[0]), std::string::npos);
  EXPECT_NE(resume({paths[0]}).find("no longer in it"), std::string::npos);
  write("c", "more\n");
  EXPECT_EQ(resume({paths[0], paths[1], path("c")}), "resumed");  // Grown at its end.
}

TEST_F(FileListTest, GoesOnWithFilesAddedAtTheEndOfTheList) {
  const Strings paths = {write("a", "1\n2\n")};
  auto first = open(paths);
  const auto lines = read_all(*first);
  write("b", "3\n");
  auto second = open({paths[0], path("b")});
  ASSERT_TRUE(resume_after(*second, lines[1], first->identity()).ok());
  const auto rest = read_all(*second);
  ASSERT_EQ(texts(rest), Strings{"3"});
  EXPECT_EQ(rest[0].offset, 2);
}

TEST_F(FileListTest, GivesWhatCameBeforeDamageAndThenAnErrorWithFileAndByte) {
  std::string content;
  for (int i = 0; i < 20'000; ++i) content += "line " + std::to_string(i * 7919) + "\n";
  for (const bool is_gzip : {true, false}) {
    const std::string stored = is_gzip ? gzip(content) : zstd(content);
    for (const std::size_t cut : {stored.size() - 1, stored.size() / 2, std::size_t(5)}) {
      std::string error;
      const auto lines = read_all(*open({write("cut", stored.substr(0, cut))}), 1000, &error);
      EXPECT_NE(error.find(path("cut")), std::string::npos) << error;
      EXPECT_NE(error.find("byte " + std::to_string(cut)), std::string::npos) << error;
      EXPECT_NE(error.find("truncated"), std::string::npos) << error;
      for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i].text, "line " + std::to_string(i * 7919));
      EXPECT_GE(lines.size(), cut > 1000 ? 1000u : 0u);
    }
    // Every damaged byte is noticed, at the latest by the checksum. (A gzip header has bytes without meaning.)
    std::size_t unnoticed = 0;
    for (std::size_t at = 0; at < stored.size(); at += stored.size() / 50) {
      std::string damaged = stored;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      std::string error;
      const auto lines = read_all(*open({write("bad", damaged)}), 1000, &error);
      unnoticed += at >= 10 && error.empty() && texts(lines).size() == 20'000;
    }
    EXPECT_EQ(unnoticed, 0u);
  }
  std::string error;
  const auto lines = read_all(*open({write("tail", gzip("a\n") + "garbage")}), 1000, &error);
  EXPECT_EQ(texts(lines), Strings{"a"}) << error;
  EXPECT_NE(error.find("gzip data, byte"), std::string::npos) << error;
}

TEST_F(FileListTest, NoticesThatAFileIsShortenedWhileItIsRead) {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += "line\n";
  auto source = open({write("a", content)});
  LineBatch batch;
  ASSERT_TRUE(*source->read(batch, 1000));
  std::filesystem::resize_file(path("a"), 100);
  std::string error;
  read_all(*source, 1000, &error);
  EXPECT_NE(error.find("shortened while it was read"), std::string::npos) << error;
}

TEST_F(FileListTest, ReadsNoFurtherThanTheFileWasLongWhenItWasOpened) {
  auto source = open({write("a", "one\ntwo\n")});
  LineBatch batch;
  ASSERT_TRUE(*source->read(batch, 1));
  append_file(path("a"), "three\n");
  std::vector<ReadLine> lines;
  add_lines(batch, lines);
  for (const ReadLine& line : read_all(*source)) lines.push_back(line);
  EXPECT_EQ(texts(lines), (Strings{"one", "two"}));
}

TEST_F(FileListTest, RefusesAnIdentityOfANewerVersionOrWithDamage) {
  const Strings paths = {write("a", "1\n2\n")};
  auto first = open(paths);
  const auto lines = read_all(*first);
  std::string identity = first->identity();
  EXPECT_EQ(resume_after(*open(paths), lines[0], identity.substr(0, 4)).error().code, ErrorCode::kCorruption);
  identity[0] = 2;
  EXPECT_EQ(resume_after(*open(paths), lines[0], identity).error().code, ErrorCode::kVersion);
}

}  // namespace
}  // namespace weir
