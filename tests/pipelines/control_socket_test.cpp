// The control socket: frames arrive whole, errors keep their code, a silent or rude client harms nobody.
#include "pipelines/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/run_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr int kPatienceSeconds = 120;

ControlServer::Handler echo() {
  return [](std::string_view request, Connection& connection, const std::atomic<int>& stop) -> Result<void> {
    if (request == "fail") return Error{ErrorCode::kVersion, "too new"};
    if (request == "endless") {
      while (stop == 0 && connection.send(FrameKind::kLines, "x\n").ok()) std::this_thread::yield();
      return {};
    }
    TRY(connection.send(FrameKind::kLines, std::string(1 << 20, 'y')));
    return connection.send(FrameKind::kEnd, request);
  };
}

TEST(ControlSocket, AnswersWithLinesThenItsEnd) {
  TemporaryDirectory directory;
  auto server = ControlServer::start(directory.path().string(), echo());
  ASSERT_TRUE(server.ok()) << server.error().what;
  struct stat status {};
  ASSERT_EQ(::stat((directory / "run/weir.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  auto connection = connect_control(directory.path().string());
  ASSERT_TRUE(connection.ok()) << connection.error().what;
  ASSERT_TRUE(connection->send(FrameKind::kRequest, "hello").ok());
  const auto lines = connection->receive(kPatienceSeconds);
  ASSERT_TRUE(lines.ok());
  EXPECT_EQ(lines->payload.size(), std::size_t(1) << 20);
  const auto end = connection->receive(kPatienceSeconds);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->kind, FrameKind::kEnd);
  EXPECT_EQ(end->payload, "hello");
}

TEST(ControlSocket, AnErrorKeepsItsCode) {
  TemporaryDirectory directory;
  auto server = ControlServer::start(directory.path().string(), echo());
  auto connection = connect_control(directory.path().string());
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE(connection->send(FrameKind::kRequest, "fail").ok());
  const auto answer = connection->receive(kPatienceSeconds);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kVersion);
  EXPECT_EQ(answer.error().what, "too new");
}

TEST(ControlSocket, WorksUnderAPathLongerThanASocketAddress) {
  TemporaryDirectory directory;
  const std::string deep = (directory / std::string(100, 'd') / std::string(100, 'e')).string();
  auto server = ControlServer::start(deep, echo());
  ASSERT_TRUE(server.ok()) << server.error().what;
  auto connection = connect_control(deep);
  ASSERT_TRUE(connection.ok()) << connection.error().what;
  ASSERT_TRUE(connection->send(FrameKind::kRequest, "fail").ok());
  EXPECT_EQ(connection->receive(kPatienceSeconds).error().code, ErrorCode::kVersion);
}

TEST(ControlSocket, NobodyThereIsNotFoundAlsoBesideADeadSocket) {
  TemporaryDirectory directory;
  EXPECT_EQ(connect_control(directory.path().string()).error().code, ErrorCode::kNotFound);
  {
    auto server = ControlServer::start(directory.path().string(), echo());
    ASSERT_TRUE(server.ok());
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "run/weir.sock"));
  EXPECT_EQ(connect_control(directory.path().string()).error().code, ErrorCode::kNotFound);
  auto first = ControlServer::start(directory.path().string(), echo());
  ASSERT_TRUE(first.ok());
  auto second = ControlServer::start(directory.path().string(), echo());  // As after a kill: the file is still there.
  EXPECT_TRUE(second.ok());
}

TEST(ControlSocket, EndsItsConnectionsWhenItGoes) {
  TemporaryDirectory directory;
  auto server = std::move(ControlServer::start(directory.path().string(), echo())).value();
  auto silent = connect_control(directory.path().string());
  auto endless = connect_control(directory.path().string());
  ASSERT_TRUE(silent.ok() && endless.ok());
  ASSERT_TRUE(endless->send(FrameKind::kRequest, "endless").ok());
  ASSERT_TRUE(endless->receive(kPatienceSeconds).ok());
  server.reset();  // Neither the silent client nor the one that does not read holds it up.
  EXPECT_FALSE(silent->receive(kPatienceSeconds).ok());
}

// As a killed process does: the system closes its sockets, whatever they had still to read.
ControlServer::Handler gone_after(int frames) {
  return [frames](std::string_view, Connection& connection, const std::atomic<int>&) -> Result<void> {
    for (int i = 1; i <= frames; ++i) {
      TRY_ASSIGN(const Connection::Frame frame, connection.receive());
      TRY(connection.send(FrameKind::kTaken, std::to_string(10 * i)));
    }
    ::shutdown(connection.descriptor(), SHUT_RDWR);
    return {};
  };
}

TEST(ControlSocket, WhoGoesInTheMiddleIsNamed) {
  TemporaryDirectory directory;
  const auto server = std::move(ControlServer::start(directory.path().string(), gone_after(1))).value();
  auto connection = connect_control(directory.path().string());
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE(connection->send(FrameKind::kRequest, "{}").ok() && connection->send(FrameKind::kLines, "a\n").ok());
  EXPECT_EQ(connection->receive(kPatienceSeconds)->payload, "10");
  EXPECT_FALSE(connection->lost());
  const auto end = connection->receive(kPatienceSeconds);
  ASSERT_FALSE(end.ok());
  EXPECT_TRUE(connection->lost());
  EXPECT_EQ(end.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(end.error().what.find("data directory '" + directory.path().string() + "': the process that runs its pipeline ended in the middle of a request"), std::string::npos)
      << end.error().what;
}

TEST(ControlSocket, ProduceSaysWhatWasAcknowledged) {
  TemporaryDirectory directory;
  const auto server = std::move(ControlServer::start(directory.path().string(), gone_after(2))).value();
  std::string lines;
  while (lines.size() < 3u << 20) lines += std::string(999, 'x') + "\n";
  std::ofstream(directory / "lines") << lines;
  const ProcessResult produced = run_weir({"produce", "logs", (directory / "lines").string(), "--data", directory.path().string()});
  EXPECT_EQ(produced.exit_code, 4) << produced.out << produced.err;
  EXPECT_EQ(produced.out, "");
  for (const std::string& part : {"data directory '" + directory.path().string() + "'", std::string("ended in the middle of a request"),
                                  "lines sent from '" + (directory / "lines").string() + "' it had acknowledged 20, which are in topic 'logs'",
                                  std::string("produce the rest")})
    EXPECT_NE(produced.err.find(part), std::string::npos) << produced.err;
  TemporaryDirectory other;
  const auto silent = std::move(ControlServer::start(other.path().string(), gone_after(0))).value();
  const ProcessResult asked = run_weir({"topics", "--data", other.path().string()});
  EXPECT_EQ(asked.exit_code, 4) << asked.out << asked.err;
  EXPECT_NE(asked.err.find("ask again"), std::string::npos) << asked.err;
}

// What was sent is in the topic before that is said: a process told to end says that it was, and not that the other side has gone.
TEST(ControlSocket, WhoIsToldToEndSaysSo) {
  TemporaryDirectory directory;
  auto server = std::move(ControlServer::start(directory.path().string(), gone_after(2))).value();
  auto connection = connect_control(directory.path().string());
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE(connection->send(FrameKind::kRequest, "{}").ok() && connection->send(FrameKind::kLines, "a\n").ok());
  ASSERT_TRUE(connection->receive(kPatienceSeconds).ok());
  server.reset();
  const auto end = connection->receive(kPatienceSeconds);
  ASSERT_FALSE(end.ok());
  EXPECT_NE(end.error().what.find("was told to end"), std::string::npos) << end.error().what;
}

TEST(ControlSocket, BytesThatAreNoFrameEndThatConnectionOnly) {
  TemporaryDirectory directory;
  auto server = ControlServer::start(directory.path().string(), echo());
  ASSERT_TRUE(server.ok());
  for (const std::string& bytes : {std::string("\xff\xff\xff\xff\x52", 5), std::string("\0\0\0\0R", 5), std::string("\2\0\0\0Zx", 6)}) {
    auto rude = connect_control(directory.path().string());
    ASSERT_TRUE(rude.ok());
    ASSERT_EQ(::send(rude->descriptor(), bytes.data(), bytes.size(), 0), ssize_t(bytes.size()));
    EXPECT_EQ(rude->receive(kPatienceSeconds).error().code, ErrorCode::kInvalidInput);
  }
  auto polite = connect_control(directory.path().string());
  ASSERT_TRUE(polite->send(FrameKind::kRequest, "hello").ok());
  EXPECT_TRUE(polite->receive(kPatienceSeconds).ok());
}

}  // namespace
}  // namespace weir
