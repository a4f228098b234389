#include "sources/follow.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sources/standard_input.hpp"
#include "tests/sources/source_support.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

using Strings = std::vector<std::string>;

class FollowTest : public testing::Test {
 protected:
  std::string path(const std::string& suffix = "") const { return (directory_ / ("app.log" + suffix)).string(); }
  std::unique_ptr<InputSource> open(bool accept_loss = false) {
    auto source = open_follow({.path = path(), .accept_loss = accept_loss});
    EXPECT_TRUE(source.ok());
    return std::move(source).value();
  }
  static Strings now(InputSource& source) { return texts(read_all(source)); }
  // As a rotation by renaming leaves it: the older, the earlier written.
  void rename(const std::string& from, const std::string& to, long written_at) {
    std::filesystem::rename(path(from), path(to));
    const timespec times[2] = {{written_at, 0}, {written_at, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path(to).c_str(), times, 0), 0);
  }

  TemporaryDirectory directory_;
};

TEST_F(FollowTest, WaitsForTheFileForGrowthAndForTheNewline) {
  auto source = open();
  EXPECT_EQ(now(*source), Strings{});
  write_file(path(), "one\ntw");
  EXPECT_EQ(now(*source), Strings{"one"});
  EXPECT_EQ(now(*source), Strings{});
  append_file(path(), "o");
  EXPECT_EQ(now(*source), Strings{});
  append_file(path(), "\nthree\n");
  const auto lines = read_all(*source);
  EXPECT_EQ(texts(lines), (Strings{"two", "three"}));
  EXPECT_EQ(lines[0].offset, 1);
  EXPECT_FALSE(source->ended());
}

TEST_F(FollowTest, WaitReturnsWhenTheFileGrows) {
  write_file(path(), "one\n");
  auto source = open();
  EXPECT_EQ(now(*source), Strings{"one"});
  append_file(path(), "two\n");
  source->wait(std::chrono::seconds(60));  // Would time the test out if the change were not noticed.
  EXPECT_EQ(now(*source), Strings{"two"});
}

TEST_F(FollowTest, ReadsARotatedFileToItsEndBeforeTheNewOne) {
  write_file(path(), "one\n");
  auto source = open();
  EXPECT_EQ(now(*source), Strings{"one"});
  std::filesystem::rename(path(), path(".1"));
  append_file(path(".1"), "two\n");
  EXPECT_EQ(now(*source), Strings{"two"});
  write_file(path(), "");
  append_file(path(".1"), "three\nlast without newline");  // The writer has not gone over to the new file yet.
  EXPECT_EQ(now(*source), Strings{"three"});
  append_file(path(), "four\n");
  EXPECT_EQ(now(*source), (Strings{"last without newline", "four"}));
}

TEST_F(FollowTest, MissesNoFileWhenItIsRotatedSeveralTimesBetweenTwoLooks) {
  write_file(path(), "one\n");
  auto source = open();
  EXPECT_EQ(now(*source), Strings{"one"});
  append_file(path(), "two\n");
  rename("", ".2", 1'000'000);
  write_file(path(), "three\n");
  rename("", ".1", 1'000'100);
  write_file(path(), "four\n");
  write_file(path("-errors"), "of another log\n");
  write_file(path(".1.gz"), "compressed\n");
  EXPECT_EQ(now(*source), (Strings{"two", "three", "four"}));
}

TEST_F(FollowTest, BeginsAgainWhenTheFileIsCutAlsoWhenItHasGrownBeyondItsOldLength) {
  write_file(path(), "one\ntwo\nunfinished");
  auto source = open();
  EXPECT_EQ(now(*source), (Strings{"one", "two"}));
  std::filesystem::resize_file(path(), 0);
  append_file(path(), "a\n");
  EXPECT_EQ(now(*source), (Strings{"unfinished", "a"}));
  std::filesystem::resize_file(path(), 0);
  append_file(path(), "a line that is longer than the whole file before\n");
  EXPECT_EQ(now(*source), Strings{"a line that is longer than the whole file before"});
}

TEST_F(FollowTest, GoesOnAfterARestartWhereTheCommittedLineEnds) {
  write_file(path(), "one\ntwo\nthree\nfo");
  auto first = open();
  const auto lines = read_all(*first);
  ASSERT_EQ(texts(lines), (Strings{"one", "two", "three"}));
  const std::string identity = first->identity();
  append_file(path(), "ur\n");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto second = open();
    ASSERT_TRUE(second->resume(Offset(lines[i].offset + 1), lines[i].cursor, identity).ok());
    const auto rest = read_all(*second);
    Strings expected = {"one", "two", "three", "four"};
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    EXPECT_EQ(texts(rest), expected);
    EXPECT_EQ(rest[0].offset, lines[i].offset + 1);
  }
}

TEST_F(FollowTest, FindsARenamedOrCopiedFileAgainAfterARestart) {
  write_file(path(), "one\ntwo\n");
  auto first = open();
  const auto lines = read_all(*first);
  const std::string identity = first->identity();
  append_file(path(), "three\n");
  const auto resumed = [&] {
    auto second = open();
    const auto result = second->resume(Offset(1), lines[0].cursor, identity);
    EXPECT_TRUE(result.ok());
    return now(*second);
  };
  rename("", ".2", 1'000'000);
  write_file(path(), "four\n");
  rename("", ".1", 1'000'100);
  write_file(path(), "five\n");
  EXPECT_EQ(resumed(), (Strings{"two", "three", "four", "five"}));
  // By copying: another file has the bytes.
  std::filesystem::remove(path(".1"));
  std::filesystem::rename(path(".2"), path(".old"));
  std::filesystem::copy_file(path(".old"), path(".1"));
  std::filesystem::remove(path(".old"));
  EXPECT_EQ(resumed(), (Strings{"two", "three", "five"}));
}

TEST_F(FollowTest, NamesAFileThatIsGoneInsteadOfLosingItsLines) {
  write_file(path(), "one\ntwo\n");
  auto first = open();
  const auto lines = read_all(*first);
  const std::string identity = first->identity();
  write_file(path(), "other content\n");
  auto second = open();
  const auto result = second->resume(Offset(2), lines[1].cursor, identity);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(result.error().what.find("8 bytes had been read is gone"), std::string::npos) << result.error().what;
  auto third = open(/*accept_loss=*/true);
  ASSERT_TRUE(third->resume(Offset(2), lines[1].cursor, identity).ok());
  const auto rest = read_all(*third);
  EXPECT_EQ(texts(rest), Strings{"other content"});
  EXPECT_EQ(rest[0].offset, 2);
}

TEST_F(FollowTest, RefusesADirectory) {
  const auto source = open_follow({.path = directory_.path().string()});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kInvalidInput);
}

TEST(StandardInputTest, GivesLinesAsTheyComeAndTheLastOneAtTheEnd) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const auto put = [&](std::string_view text) { ASSERT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size())); };
  auto source = open_standard_input(10'000, false, ends[0]);
  ASSERT_TRUE(source->resume(Offset(40), 0, "").ok());
  EXPECT_EQ(texts(read_all(*source)), Strings{});
  EXPECT_FALSE(source->ended());
  put("one\ntw");
  EXPECT_EQ(texts(read_all(*source)), Strings{"one"});
  put("o\n\nlast");
  source->wait(std::chrono::seconds(60));
  const auto lines = read_all(*source);
  EXPECT_EQ(texts(lines), (Strings{"two", ""}));
  EXPECT_EQ(lines[0].offset, 41);
  ::close(ends[1]);
  EXPECT_EQ(texts(read_all(*source)), Strings{"last"});
  EXPECT_TRUE(source->ended());
  EXPECT_EQ(texts(read_all(*source)), Strings{});
  ::close(ends[0]);
}

}  // namespace
}  // namespace weir
