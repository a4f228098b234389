// Goal: with three brokers, the loss of any one of them is not noticed in what is published, and the loss of all only in time.
// Invariants as in kafka_faults_test.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/end_to_end/kafka_run.hpp"

namespace weir {
namespace {

const std::size_t kFlights = full_faults() ? 400 : 300;

const FlightFiles& flights() { return first_flights(kFlights); }

// Each in turn, so that every leader and every coordinator moves at least once.
void leaders_move_when_a_broker_dies() {
  KafkaRun run(flights(), {}, full_faults() ? 60 : 150);
  run.feed();
  const auto process = run.start();
  const std::vector<int> nodes = full_faults() ? std::vector<int>{1, 2, 3} : std::vector<int>{2};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    run.wait_for_predictions(40 + 80 * i);
    kafka_command(i % 2 == 0 ? "kill" : "stop", nodes[i]);
    run.wait_for_predictions(80 + 80 * i);  // By the other two.
    kafka_command("start", nodes[i]);
  }
  run.finish(*process);
  run.expect_unbroken();
}

void all_brokers_are_bounced() {
  KafkaRun run(flights(), {}, 200);
  run.feed();
  const auto process = run.start();
  run.wait_for_predictions(100);
  kafka_command("kill");
  kafka_command("start");
  run.wait_for_predictions(200);
  kafka_command("stop");
  kafka_command("start");
  run.finish(*process);
  run.expect_unbroken();
}

// It is taken for dead after nine seconds.
void a_broker_stands_still() {
  KafkaRun run(flights(), {}, 60);
  run.feed();
  const auto process = run.start();
  for (const int node : {1, 2, 3}) {
    const std::size_t seen = run.predictions();
    kafka_command("pause", node);
    run.wait_for_predictions(std::min(kFlights, seen + 40));
    kafka_command("resume", node);
  }
  run.finish(*process);
  run.expect_unbroken();
}

void a_process_is_killed_while_a_broker_is_away() {
  KafkaRun run(flights(), {}, 200);
  run.feed();
  auto process = run.start();
  run.wait_for_predictions(60);
  kafka_command("kill", 3);
  process->send_signal(SIGKILL);
  process->wait();
  process = run.start();
  run.wait_for_predictions(150);
  kafka_command("start", 3);
  run.finish(*process);
  run.expect_unbroken();
}

constexpr KafkaScenario kScenarios[] = {
    {"LeadersMoveWhenABrokerDies", true, leaders_move_when_a_broker_dies},
    {"AllBrokersAreBounced", false, all_brokers_are_bounced},
    {"ABrokerStandsStill", false, a_broker_stands_still},
    {"AProcessIsKilledWhileABrokerIsAway", false, a_process_is_killed_while_a_broker_is_away},
};

class KafkaCluster : public testing::TestWithParam<KafkaScenario> {};

TEST_P(KafkaCluster, ChangesNothing) {
  set_kafka_broker_count(3);
  KafkaRun::unbroken(flights());
  GetParam().run();
}

INSTANTIATE_TEST_SUITE_P(Each, KafkaCluster, testing::ValuesIn(those_to_run(kScenarios)), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace weir
