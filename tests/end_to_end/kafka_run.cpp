#include "tests/end_to_end/kafka_run.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "core/base/crc32c.hpp"

namespace weir {
namespace {

constexpr const char* kLogs = "flights.logs";
constexpr const char* kOutcomes = "flights.outcomes";
constexpr std::array kPublished = {"flights.predictions", "flights.abstained", "flights.examples", "flights.unjoined", "flights.dead-letters", "flights.models"};

std::string shown(const KafkaRecord& record) {
  std::string out = record.key.value_or("(no key)") + " ";
  for (const auto& [name, value] : record.headers) out += name + "=" + value + " ";
  for (const char c : record.value.value_or("(erased)").substr(0, 300)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

}  // namespace

void PrintTo(const KafkaScenario& scenario, std::ostream* out) { *out << scenario.name; }

std::vector<KafkaScenario> those_to_run(std::span<const KafkaScenario> all) {
  std::vector<KafkaScenario> out;
  for (const KafkaScenario& scenario : all)
    if (scenario.short_too || full_faults()) out.push_back(scenario);
  return out;
}

KafkaFeeder::KafkaFeeder(const FlightFiles& files, std::size_t lines_per_second, int partitions)
    : files_(files), thread_([=, this] { run(lines_per_second, partitions); }) {}

KafkaFeeder::~KafkaFeeder() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void KafkaFeeder::finish() {
  allow(lines());
  thread_.join();
  if (!error_.empty()) throw std::runtime_error("feeding the topics: " + error_);
}

void KafkaFeeder::run(std::size_t lines_per_second, int partitions) {
  char text[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : {std::pair("bootstrap.servers", kafka_brokers().c_str()), std::pair("enable.idempotence", "true"),
                                    std::pair("message.timeout.ms", "0"), std::pair("reconnect.backoff.max.ms", "500"), std::pair("linger.ms", "1")})
    rd_kafka_conf_set(conf, name, value, text, sizeof text);
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});  // Brokers die here.
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (client == nullptr) {
    error_ = text;
    return;
  }
  const std::size_t events = files_.event_lines.size(), outcomes = files_.outcome_lines.size(), all = events + outcomes;
  double due = 0;
  auto last = std::chrono::steady_clock::now();
  for (std::size_t i = 0, event = 0; i < all && error_.empty() && !stop_;) {
    const auto now = std::chrono::steady_clock::now();
    due = std::min(due + std::chrono::duration<double>(now - std::exchange(last, now)).count() * double(lines_per_second), double(allowed_));
    for (; double(i + 1) <= due; ++i) {
      const bool is_event = i - event == outcomes || (event < events && event * outcomes <= (i - event) * events);
      const std::string& line = is_event ? files_.event_lines[event] : files_.outcome_lines[i - event];
      if (is_event) ++event;
      const int partition = partitions == 1 ? 0 : static_cast<int>(crc32c(json_value(line, "id")) % static_cast<std::uint32_t>(partitions));
      const auto code = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(is_event ? kLogs : kOutcomes), RD_KAFKA_V_PARTITION(partition),
                                          RD_KAFKA_V_VALUE(const_cast<char*>(line.data()), line.size()), RD_KAFKA_V_END);
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) error_ = rd_kafka_err2str(code);
    }
    rd_kafka_poll(client, 5);
  }
  while (!stop_ && rd_kafka_outq_len(client) > 0) rd_kafka_poll(client, 20);
  if (rd_kafka_fatal_error(client, text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR) error_ = text;
  if (stop_) rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_destroy(client);
}

KafkaTopics read_published() {
  KafkaTopics out;
  for (const char* topic : kPublished) out[topic] = read_kafka(topic);
  return out;
}

void expect_same_records(const KafkaTopics& expected, const KafkaTopics& found) {
  for (const auto& [topic, records] : expected) {
    const auto& others = found.at(topic);
    EXPECT_EQ(others.size(), records.size()) << topic;
    for (std::size_t i = 0; i < std::min(others.size(), records.size()); ++i) {
      const KafkaRecord &a = records[i], &b = others[i];
      if (a.key == b.key && a.value == b.value && a.headers == b.headers) continue;
      ADD_FAILURE() << topic << ", record " << i << ": found " << shown(b) << "\nexpected " << shown(a);
      break;
    }
  }
}

KafkaRun::KafkaRun(const FlightFiles& files, std::vector<std::string> more, std::size_t lines_per_second, int partitions)
    : files_(files), run_(path(), files), lines_per_second_(lines_per_second), partitions_(partitions), counter_("flights.predictions", partitions) {
  run_.settings = {"log.kind=kafka",       "log.brokers=" + kafka_brokers(), "sources.logs.files=[]",   "sources.outcomes.files=[]",
                   "order=event_time",     "idle_timeout=never",             "commit_interval=5ms",     "crc_every=20",
                   "snapshot_every=100",   "promotion.every=20",             "trainer.replay.every=20", "placement.pin=off",
                   "placement.lock_memory=false", "log.partitions=" + std::to_string(partitions)};
  run_.settings.insert(run_.settings.end(), more.begin(), more.end());
  delete_kafka_topics("flights.");
  for (const char* topic : {kLogs, kOutcomes}) create_kafka_topic(topic, partitions, {{"message.timestamp.type", "LogAppendTime"}});
}

std::unique_ptr<Process> KafkaRun::start(const std::string& directory, const ProcessOptions& options, const std::vector<std::string>& more) const {
  FlightsRun run = run_;
  run.data = path(directory);
  run.settings.insert(run.settings.end(), more.begin(), more.end());
  std::vector<std::string> command = run.arguments("run", {"--quiet"});
  command.insert(command.begin(), weir_binary().string());
  auto process = std::make_unique<Process>(std::move(command), options);
  directory_of_[process.get()] = directory;
  return process;
}

std::size_t KafkaRun::consumed(const Process& process) const {
  const std::string status = run_weir({"status", "--json", "--data", path(directory_of_.at(&process)).string()}).out;
  const std::size_t logs = status.find("\"logs\":{\"next\":");
  return logs == std::string::npos ? 0 : std::stoull("0" + json_value(status.substr(logs), "next"));
}

void KafkaRun::feed() {
  if (feeder_ == nullptr) feeder_ = std::make_unique<KafkaFeeder>(files_, lines_per_second_, partitions_);
  feeder_->allow(feeder_->lines());
}

bool KafkaRun::feed_until(const std::function<bool()>& done) {
  constexpr std::size_t kStep = 16;
  if (feeder_ == nullptr) feeder_ = std::make_unique<KafkaFeeder>(files_, lines_per_second_, partitions_);
  for (std::size_t lines = feeder_->allowed() + kStep;; lines += kStep) {
    const std::size_t before = predictions();
    feeder_->allow(std::min(lines, feeder_->lines()));
    bool ended = false;
    wait_until([&] { return (ended = done()) || predictions() > before; }, std::chrono::seconds(5));  // Of some lines nothing comes yet.
    if (ended) return true;
    if (lines >= feeder_->lines()) return wait_until(done, std::chrono::seconds(20));
  }
}

void KafkaRun::wait_for_predictions(std::size_t count) const {
  std::size_t found = 0;
  if (!wait_until([&] { return (found = predictions()) >= count; }))
    throw std::runtime_error(std::to_string(found) + " predictions, expected " + std::to_string(count));
}

void KafkaRun::finish(Process& process) {
  if (feeder_ != nullptr) feeder_->finish();
  std::size_t found = 0;
  const bool whole = wait_until([&] { return !process.running() || (found = predictions()) >= files_.event_lines.size(); }) &&
                     (partitions_ > 1 || wait_until([&] { return !process.running() || consumed(process) >= files_.event_lines.size(); }));
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  EXPECT_TRUE(whole && found == files_.event_lines.size()) << found << " predictions; " << process.err();
}

std::string KafkaRun::expect_verified(bool recompute) const {
  std::vector<std::string> more = {"--json"};
  if (recompute) more.push_back("--recompute");
  const ProcessResult result = run_weir(run_.arguments("verify", more));
  EXPECT_EQ(result.exit_code, 0) << "signal " << result.signal << "\n" << result.out << result.err;
  return result.out;
}

void KafkaRun::expect_unbroken() const {
  expect_verified();
  const KafkaTopics published = read_published();
  expect_same_records(unbroken(files_), published);
}

const KafkaTopics& KafkaRun::unbroken(const FlightFiles& files, const std::vector<std::string>& more) {
  static std::map<std::string, KafkaTopics> cache;
  std::string name = files.events.string();
  for (const std::string& setting : more) name += ' ' + setting;
  auto [at, fresh] = cache.try_emplace(name);
  if (!fresh) return at->second;
  KafkaRun run(files, more, 100'000);
  run.feed();
  const auto process = run.start();
  run.finish(*process);
  run.expect_verified(/*recompute=*/true);
  at->second = read_published();
  EXPECT_GT(at->second.at("flights.examples").size(), files.event_lines.size() / 3);
  EXPECT_GT(at->second.at("flights.models").size(), 3U);
  return at->second;
}

}  // namespace weir
