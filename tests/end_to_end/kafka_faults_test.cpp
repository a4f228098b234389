// Goal: whatever happens to the broker, to a process or between the two, nothing is lost, doubled or changed.
// Lines go on coming into the topics while it happens. Invariants: what is published is byte for byte that of an unbroken run
// (event-time order that never gives up waiting, coupled learning), and `weir verify` finds nothing amiss.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "core/base/rng.hpp"
#include "tests/end_to_end/kafka_run.hpp"

namespace weir {
namespace {

// A test's length is that of its lines.
const std::size_t kFlights = full_faults() ? 400 : 300;

const FlightFiles& flights() { return first_flights(kFlights); }

bool stands_still(const Process& process) {
  std::ifstream in("/proc/" + std::to_string(process.pid()) + "/stat");
  std::ostringstream text;
  text << in.rdbuf();
  const std::string stat = text.str();
  const std::size_t at = stat.rfind(')');
  return at != std::string::npos && at + 2 < stat.size() && stat[at + 2] == 'T';
}
// The time that a fault lasts.
void last(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

// --- Two owners ---

void the_same_directory_twice_is_refused() {
  KafkaRun run(flights());
  run.feed();
  const auto first = run.start("data");
  run.wait_for_predictions(20);
  const auto second = run.start("data");
  EXPECT_EQ(second->wait(), (ExitStatus{6, 0}));
  EXPECT_NE(second->err().find(run.path("data").string()), std::string::npos) << second->err();
  run.finish(*first);
  run.expect_unbroken();
}

// Neither a group nor a name keeps these apart: only the brokers' transactions do.
const std::vector<std::string> kPinned = {"placement.partitions=[0]"};

void copies(const std::vector<std::string>& both, const std::string& says) {
  KafkaRun run(flights(), both, full_faults() ? 60 : 150);
  run.feed();
  const auto first = run.start("one");
  run.wait_for_predictions(20);
  const auto second = run.start("two");
  EXPECT_EQ(first->wait(), (ExitStatus{6, 0})) << first->err();  // At its next commit, or when the group tells it.
  EXPECT_NE(first->err().find(says), std::string::npos) << first->err();
  run.finish(*second);
  run.expect_unbroken();
}
void of_two_copies_the_first_is_fenced() { copies(kPinned, "task 'inference/0': "); }
void of_two_copies_under_one_name_the_first_is_fenced() { copies({"process=one"}, "'one'"); }

// A process stands still at a point of its commit, another one takes over, and the first one goes on.
void write_as_a_zombie(const char* point, const std::vector<std::string>& both = kPinned) {
  KafkaRun run(flights(), both);
  ProcessOptions stopping;
  stopping.env = {{"WEIR_STOP_AT", std::string(point) + ":9"}};
  const auto zombie = run.start("one", stopping);
  ASSERT_TRUE(run.feed_until([&] { return stands_still(*zombie) || !zombie->running(); })) << zombie->err();
  ASSERT_TRUE(zombie->running()) << zombie->err();
  const auto owner = run.start("two");
  run.feed();
  run.wait_for_predictions(run.predictions() + 50);
  if (full_faults()) last(std::chrono::seconds(15));
  zombie->send_signal(SIGCONT);
  EXPECT_EQ(zombie->wait(), (ExitStatus{6, 0})) << zombie->err();
  EXPECT_NE(zombie->err().find("another process owns this task now"), std::string::npos) << zombie->err();
  run.finish(*owner);
  run.expect_unbroken();
}
void a_zombie_commits() { write_as_a_zombie("kafka.before_commit"); }
void a_zombie_produces() { write_as_a_zombie("kafka.before_produce"); }
void a_zombie_writes_its_local_store() { write_as_a_zombie("kafka.after_commit"); }
void a_zombie_begins_a_transaction() { write_as_a_zombie("task.before_commit"); }
// The group gives what it had to the other one.
void a_zombie_that_the_group_has_given_up() { write_as_a_zombie("kafka.before_commit", {}); }

// Four partitions, and lines that come all the while.
void processes_come_and_go_under_load() {
  KafkaRun run(flights(), {"order=arrival"}, 40, 4);
  const auto runs_something = [&](const char* directory) {
    return wait_until([&] { return run_weir({"status", "--json", "--data", run.path(directory).string()}).out.find("\"phase\":\"running\"") != std::string::npos; });
  };
  auto one = run.start("one");
  run.feed();
  run.wait_for_predictions(30);
  auto two = run.start("two");
  EXPECT_TRUE(runs_something("two")) << two->err();
  run.wait_for_predictions(run.predictions() + 30);
  one->send_signal(SIGTERM);
  EXPECT_EQ(one->wait(), (ExitStatus{0, 0})) << one->err();
  run.wait_for_predictions(run.predictions() + 40);
  one = run.start("one");
  EXPECT_TRUE(runs_something("one")) << one->err();
  two->send_signal(SIGKILL);
  EXPECT_EQ(two->wait(), (ExitStatus{-1, SIGKILL})) << two->err();
  run.finish(*one);
  run.expect_verified(/*recompute=*/true);
}

// --- The local store ---

// Overwrites the middle of each file that holds state.
std::size_t damage(const std::filesystem::path& store) {
  std::size_t hit = 0;
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    if ((entry.path().extension() != ".sst" && entry.path().extension() != ".log") || entry.file_size() == 0) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file << std::string(50, 'x');
    ++hit;
  }
  return hit;
}

// Kills the process, does something to its local store, and starts it again; what it finds there must not matter.
void with_any_local_store() {
  KafkaRun run(flights());
  const std::filesystem::path store = run.path() / "kafka", old = run.path() / "old";
  const auto copy = std::filesystem::copy_options::recursive;
  auto process = run.start();
  const auto killed_after = [&](std::size_t count, int signal, const std::function<void()>& happens) {
    EXPECT_TRUE(run.feed_until([&] { return !process->running() || run.predictions() >= count; }));  // Each process answers some.
    process->send_signal(signal);
    EXPECT_EQ(process->wait(), signal == SIGKILL ? (ExitStatus{-1, SIGKILL}) : (ExitStatus{0, 0})) << process->err();
    happens();
    process = run.start();
  };
  killed_after(kFlights / 6, SIGTERM, [&] { std::filesystem::copy(store, old, copy); });
  killed_after(kFlights / 3, SIGKILL, [&] { ASSERT_GT(std::filesystem::remove_all(store), 0u); });
  killed_after(kFlights / 2, SIGTERM, [&] {  // As it was long ago.
    std::filesystem::remove_all(store);
    std::filesystem::rename(old, store);
  });
  killed_after(kFlights * 2 / 3, SIGTERM, [&] { EXPECT_GT(damage(store / "db"), 0u); });
  if (run.feed_until([&] { return !process->running() || run.predictions() > kFlights * 5 / 6; }) && !process->running()) {  // Met while it ran.
    EXPECT_EQ(process->wait(), (ExitStatus{4, 0}));
    EXPECT_NE(process->err().find("fills it again from the changelog"), std::string::npos) << process->err();
    process = run.start();
  }
  run.finish(*process);
  run.expect_unbroken();
}

void with_the_local_store_of_another_cluster() {
  KafkaRun run(flights());
  {
    const auto process = run.start();
    run.feed();
    run.finish(*process);
  }
  make_kafka_anew();
  KafkaRun again(flights());
  std::filesystem::create_directories(again.path());
  std::filesystem::copy(run.path() / "kafka", again.path() / "kafka", std::filesystem::copy_options::recursive);
  again.feed();
  const auto process = again.start();
  again.finish(*process);
  again.expect_unbroken();
}

// --- The broker ---

void the_broker_is_killed_and_comes_back() {
  KafkaRun run(flights());
  run.feed();
  const auto process = run.start();
  for (const std::size_t seen : full_faults() ? std::vector<std::size_t>{50, 150, 250} : std::vector<std::size_t>{100}) {
    run.wait_for_predictions(seen);
    kafka_command("kill");
    kafka_command("start");
  }
  run.finish(*process);
  run.expect_unbroken();
}

void the_broker_is_away_for_seventy_seconds() {
  KafkaRun run(flights());
  run.feed();
  const auto process = run.start();
  run.wait_for_predictions(50);
  kafka_command("stop");
  last(std::chrono::seconds(70));
  EXPECT_TRUE(process->running()) << process->err();
  kafka_command("start");
  run.finish(*process);
  run.expect_unbroken();
}

void the_broker_is_away_when_the_process_starts() {
  KafkaRun run(flights());
  kafka_command("stop");
  run.feed();
  const auto process = run.start();
  last(std::chrono::seconds(70));  // It waits for 90 s.
  EXPECT_TRUE(process->running()) << process->err();
  kafka_command("start");
  run.finish(*process);
  run.expect_unbroken();
}

void the_broker_stands_still_now_and_again() {
  KafkaRun run(flights());
  run.feed();
  const auto process = run.start();
  Rng rng = Rng(1).derive("pauses");
  for (int pause = 0; pause < 8; ++pause) {
    run.wait_for_predictions(std::min(kFlights, run.predictions() + 20));
    kafka_command("pause");
    last(std::chrono::milliseconds(300 + rng.below(1000)));
    kafka_command("resume");
  }
  run.finish(*process);
  run.expect_unbroken();
}

// A process stands still at the end of its transaction, and meanwhile something happens to the broker.
void commit_while(int pass, const std::function<void(Process&)>& happens) {
  KafkaRun run(flights());
  ProcessOptions stopping;
  stopping.env = {{"WEIR_STOP_AT", "kafka.before_commit:" + std::to_string(pass)}};
  const auto process = run.start("data", stopping);
  ASSERT_TRUE(run.feed_until([&] { return stands_still(*process) || !process->running(); })) << process->err();
  happens(*process);
  run.finish(*process);
  run.expect_unbroken();
}

void a_commit_is_held_up() {
  for (int pass = 9; pass < (full_faults() ? 12 : 10); ++pass)
    commit_while(pass, [](Process& process) {
      kafka_command("pause");
      process.send_signal(SIGCONT);
      last(std::chrono::seconds(3));
      kafka_command("resume");
    });
}

// Before it is asked for, or after it was done: then it is asked for again.
void the_broker_dies_in_a_commit() {
  for (int milliseconds = 0; milliseconds < 10; milliseconds += 3)
    commit_while(9, [&](Process& process) {
      process.send_signal(SIGCONT);
      last(std::chrono::milliseconds(milliseconds));
      kafka_command("kill");
      kafka_command("start");
    });
}

// transaction.timeout.ms is 30 s.
void a_transaction_that_the_broker_has_ended_is_committed_again() {
  commit_while(9, [](Process& process) {
    last(std::chrono::seconds(40));
    process.send_signal(SIGCONT);
  });
}

// --- The records ---

void records_of_any_kind_are_answered() {
  KafkaRun run(flights(), {}, 100'000);
  for (const char* topic : {"flights.logs", "flights.outcomes"}) {
    delete_kafka_topics(topic);
    create_kafka_topic(topic, 1, {{"message.timestamp.type", "LogAppendTime"}, {"max.message.bytes", "4194304"}});
  }
  const std::vector<KafkaRecord> strange = {
      {-1, {}, "", {}},
      {-1, "k", std::nullopt, {}},
      {-1, {}, "{\"id\":", {}},
      {-1, std::string(1, '\0'), std::string("\0\xff\xfe{}\n\n", 7), {}},
      {-1, {}, std::string(2u << 20, 'x'), {}},                                           // Above max_line.
      {-1, std::string(1u << 20, 'k'), "{\"id\":\"" + std::string(1u << 20, 'y') + "\"}", {}},
      {-1, {}, std::string(3'900'000, '['), {}},
      {-1, {}, "not of this pipeline", {{"weir-source-offset", "x"}, {"weir-event-time-us", "99999999999999999999"}, {"", ""}}},
  };
  write_kafka("flights.logs", strange);
  write_kafka("flights.outcomes", strange);
  run.feed();
  const auto process = run.start();
  run.finish(*process);
  run.expect_verified(/*recompute=*/true);
  EXPECT_EQ(read_kafka("flights.dead-letters").size(), strange.size());
  std::size_t invalid = 0;
  for (const KafkaRecord& record : read_kafka("flights.unjoined"))
    if (record.value->find("\"invalid\"") != std::string::npos) ++invalid;
  EXPECT_EQ(invalid, strange.size());
}

constexpr KafkaScenario kScenarios[] = {
    {"TheSameDirectoryTwiceIsRefused", false, the_same_directory_twice_is_refused},
    {"OfTwoCopiesTheFirstIsFenced", true, of_two_copies_the_first_is_fenced},
    {"OfTwoCopiesUnderOneNameTheFirstIsFenced", false, of_two_copies_under_one_name_the_first_is_fenced},
    {"AZombieCommits", true, a_zombie_commits},
    {"AZombieProduces", false, a_zombie_produces},
    {"AZombieWritesItsLocalStore", false, a_zombie_writes_its_local_store},
    {"AZombieBeginsATransaction", false, a_zombie_begins_a_transaction},
    {"AZombieThatTheGroupHasGivenUp", false, a_zombie_that_the_group_has_given_up},
    {"ProcessesComeAndGoUnderLoad", false, processes_come_and_go_under_load},
    {"WithAnyLocalStore", false, with_any_local_store},
    {"WithTheLocalStoreOfAnotherCluster", false, with_the_local_store_of_another_cluster},
    {"TheBrokerIsKilledAndComesBack", true, the_broker_is_killed_and_comes_back},
    {"TheBrokerIsAwayForSeventySeconds", false, the_broker_is_away_for_seventy_seconds},
    {"TheBrokerIsAwayWhenTheProcessStarts", false, the_broker_is_away_when_the_process_starts},
    {"TheBrokerStandsStillNowAndAgain", false, the_broker_stands_still_now_and_again},
    {"ACommitIsHeldUp", false, a_commit_is_held_up},
    {"TheBrokerDiesInACommit", false, the_broker_dies_in_a_commit},
    {"ATransactionThatTheBrokerHasEndedIsCommittedAgain", false, a_transaction_that_the_broker_has_ended_is_committed_again},
    {"RecordsOfAnyKindAreAnswered", true, records_of_any_kind_are_answered},
};

class KafkaFaults : public testing::TestWithParam<KafkaScenario> {};

TEST_P(KafkaFaults, ChangeNothing) {
  KafkaRun::unbroken(flights());  // Before anything happens to the broker.
  GetParam().run();
}

INSTANTIATE_TEST_SUITE_P(Each, KafkaFaults, testing::ValuesIn(those_to_run(kScenarios)), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace weir
