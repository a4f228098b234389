#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/run_process.hpp"
#include "tests/support/scoped_env.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

using std::chrono::milliseconds;

TEST(TemporaryDirectory, IsEmptyItsOwnAndGoneAfterwards) {
  std::filesystem::path path;
  {
    TemporaryDirectory one;
    TemporaryDirectory other;
    path = one.path();
    EXPECT_NE(one.path(), other.path());
    EXPECT_TRUE(std::filesystem::is_empty(path));
    std::filesystem::create_directories(one / "a/b");
    std::ofstream(one / "a/b/file") << "text";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScopedEnv, PutsBackWhatWasThere) {
  unsetenv("WEIR_SUPPORT_TEST");
  {
    ScopedEnv outer("WEIR_SUPPORT_TEST", "outer");
    {
      ScopedEnv inner("WEIR_SUPPORT_TEST", "inner");
      EXPECT_STREQ(getenv("WEIR_SUPPORT_TEST"), "inner");
    }
    EXPECT_STREQ(getenv("WEIR_SUPPORT_TEST"), "outer");
  }
  EXPECT_EQ(getenv("WEIR_SUPPORT_TEST"), nullptr);
}

TEST(RunProcess, GivesOutputsAndExitCode) {
  const auto result = run_process({"sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST(RunProcess, HandsOverDirectoryAndEnvironment) {
  TemporaryDirectory here;
  ScopedEnv before("WEIR_SUPPORT_TEST", "before");
  const auto result = run_process({"sh", "-c", "pwd; echo $WEIR_SUPPORT_TEST"},
                                  {.directory = here.path(), .env = {{"WEIR_SUPPORT_TEST", "given"}}});
  EXPECT_EQ(result.out, std::filesystem::canonical(here.path()).string() + "\ngiven\n");
}

TEST(RunProcess, HasAnEmptyStandardInput) { EXPECT_EQ(run_process({"cat"}).out, ""); }

TEST(RunProcess, TellsAMissingProgram) { EXPECT_EQ(run_process({"/no/such/program"}).exit_code, 127); }

TEST(RunProcess, ThrowsPastTheLimit) { EXPECT_THROW(run_process({"sleep", "60"}, {}, milliseconds(20)), std::runtime_error); }

TEST(Process, EndsByTheSignalSent) {
  Process process({"sleep", "60"});
  EXPECT_TRUE(process.running());
  process.send_signal(SIGKILL);
  EXPECT_EQ(process.wait(), (ExitStatus{.code = -1, .signal = SIGKILL}));
  EXPECT_FALSE(process.running());
}

TEST(Process, IsKilledWithItsObject) {
  pid_t pid = 0;
  {
    Process process({"sleep", "60"});
    pid = process.pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(Process, TalksThroughStandardInput) {
  Process process({"cat"}, {.pipe_stdin = true});
  process.write_stdin("first\n");
  process.wait_for_out("first\n");
  process.write_stdin("second\n");
  process.close_stdin();
  EXPECT_EQ(process.wait(), (ExitStatus{.code = 0}));
  EXPECT_EQ(process.out(), "first\nsecond\n");
}

TEST(Process, TellsThatTheAwaitedTextNeverCame) {
  Process process({"echo", "something else"});
  EXPECT_THROW(process.wait_for_out("the text"), std::runtime_error);
}

}  // namespace
}  // namespace weir
