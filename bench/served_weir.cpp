#include "bench/served_weir.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

namespace weir::bench {
namespace {

constexpr double kAnswerSecondsMax = 120.0;

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::vector<std::string> command_line(const std::string& config, const std::string& data, const std::vector<std::string>& arguments) {
  std::vector<std::string> out = {weir_binary(), "run", config, "--data", data, "--quiet"};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

}  // namespace

ServedWeir::ServedWeir(const std::string& config, const std::string& data, const std::vector<std::string>& arguments)
    : data_(data), child_(Child::start(command_line(config, data, arguments), data + "/output.txt")) {}

bool ServedWeir::produce(std::string_view topic, std::string_view lines) {
  auto connection = connect_control(data_);
  if (!connection.ok()) return false;
  if (!connection->send(FrameKind::kRequest, "{\"command\":\"produce\",\"topic\":\"" + std::string(topic) + "\"}").ok()) return false;
  if (!connection->send(FrameKind::kLines, lines).ok() || !connection->send(FrameKind::kEnd, "").ok()) return false;
  const auto end = connection->receive();
  if (end.ok() && end->kind == FrameKind::kError) give_up("produce: " + end->payload);
  return end.ok();
}

std::string ServedWeir::status() {
  auto connection = connect_control(data_);
  if (!connection.ok() || !connection->send(FrameKind::kRequest, R"({"command":"status"})").ok()) return {};
  const auto answer = connection->receive();
  return answer.ok() ? answer->payload : std::string();
}

double ServedWeir::first_prediction(double since, std::string_view id, const std::function<std::string(int)>& line) {
  std::optional<Connection> tail;
  while (!tail) {
    if (auto connection = connect_control(data_); connection.ok()) tail.emplace(std::move(*connection));
    else if (!child_.running()) give_up("weir ended with " + std::to_string(child_.wait().exit_code) + "; see " + data_ + "/output.txt");
    else if (now_seconds() - since > kAnswerSecondsMax) give_up("weir does not answer");
    else pause_ms(1);
  }
  must(tail->send(FrameKind::kRequest, R"({"command":"tail","topic":"predictions","follow":true})"), "tail");
  std::atomic<bool> seen{false};
  double at = 0.0;
  std::thread reading([&] {
    const std::string wanted = "\"id\":\"" + std::string(id);
    for (;;) {
      const auto frame = tail->receive(int(kAnswerSecondsMax));
      if (!frame.ok() || frame->kind != FrameKind::kLines) give_up("tail: no prediction came: " + (frame.ok() ? frame->payload : frame.error().what));
      if (frame->payload.find(wanted) == std::string::npos) continue;
      at = now_seconds();
      seen = true;
      return;
    }
  });
  for (int n = 0; !seen; ++n) {
    produce("logs", line(n) + "\n");
    for (int i = 0; i < 10 && !seen; ++i) pause_ms(1);
  }
  reading.join();
  return at - since;
}

}  // namespace weir::bench
