// Goal: `weir train hashtron`, `weir models` and `weir inspect sums`, the program itself. A training that is killed after any
// job, or at any step of writing its snapshot, goes on to the same model bytes; files that are damaged or of something else are
// refused by name; rollbacks do what they say.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/base/rng.hpp"
#include "tests/support/run_process.hpp"
#include "tests/support/selection.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

class Train : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& bytes) { std::ofstream(path(name), std::ios::binary) << bytes; }
  // weir train hashtron …, which must end well.
  static ProcessResult train(std::vector<std::string> arguments) {
    const ProcessResult result = hashtron(std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
  static ProcessResult hashtron(std::vector<std::string> arguments, const ProcessOptions& options = {}) {
    arguments.insert(arguments.begin(), {"train", "hashtron"});
    return run_weir(std::move(arguments), options);
  }
  static std::size_t number(const std::string& json, const std::string& key) {
    const std::size_t at = json.find("\"" + key + "\":");
    EXPECT_NE(at, std::string::npos) << key << " in " << json;
    return at == std::string::npos ? 0 : std::stoul(json.substr(at + key.size() + 3));
  }
  void expect_refused(const ProcessResult& result, int code, const std::string& what) {
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_NE(result.err.find(what), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  }
  // Killed at each pass of `point` from `first` on, by `step`, and gone on with: the model is that of the unbroken run.
  void kill_and_go_on(std::vector<std::string> task, const std::string& point, const std::vector<std::size_t>& passes) {
    std::vector<std::string> unbroken = task;
    unbroken.insert(unbroken.end(), {"--quiet", "--out", path("unbroken.json")});
    train(unbroken);
    const std::string expected = read(path("unbroken.json"));
    ASSERT_FALSE(expected.empty());
    task.insert(task.end(), {"--quiet", "--snapshot", path("s"), "--out", path("model.json")});
    for (const std::size_t pass : passes) {
      for (const char* name : {"s", "s.previous", "s.new", "model.json", "model.json.previous"}) fs::remove(path(name));
      const ProcessResult killed = hashtron(task, {.env = {{"WEIR_CRASH_AT", point + ":" + std::to_string(pass)}}});
      ASSERT_EQ(killed.signal, SIGKILL) << point << ", pass " << pass << killed.err;
      EXPECT_FALSE(fs::exists(path("model.json")));
      const ProcessResult again = hashtron(task);
      ASSERT_EQ(again.exit_code, 0) << point << ", pass " << pass << again.err;
      EXPECT_EQ(again.err, "");
      ASSERT_EQ(read(path("model.json")), expected) << point << ", pass " << pass;
    }
  }
  std::vector<std::size_t> all(std::size_t last) {
    std::vector<std::size_t> out;
    for (std::size_t pass = 1; pass <= last; ++pass) out.push_back(pass);
    return out;
  }
  TemporaryDirectory directory_;
};

const std::vector<std::string> kSmall = {"--task", "sqrt-bit:C=3,b=1,noise=20", "--sweeps", "4"};

TEST_F(Train, TrainsAndTells) {
  const ProcessResult result = train({"--task", "sqrt-bit:C=4,b=2", "--sweeps", "20", "--json", "--out", path("m.json")});
  EXPECT_GT(number(result.out, "jobs"), 50u);
  for (const char* key : {"\"task\":\"sqrt-bit:C=4,b=2\"", "\"ended\":\"",
                          "\"balanced\":", "\"lift\":", "\"majority\":", "\"constant\":false", "\"memorisation\":{\"active\":"})
    EXPECT_NE(result.out.find(key), std::string::npos) << key << result.out;
  EXPECT_EQ(result.err.find('\x1b'), std::string::npos);  // No terminal: plain lines, one a sweep.
  EXPECT_GE(std::count(result.err.begin(), result.err.end(), '\n'), 20);
  EXPECT_NE(result.err.find("phase 0 done, 1 jobs"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("sweep 20 done"), std::string::npos) << result.err;
  const std::string model = read(path("m.json"));
  EXPECT_TRUE(model.starts_with("[\n[[") && model.ends_with("]]\n")) << model;
  train({"--task", "sqrt-bit:C=4,b=2", "--sweeps", "20", "--quiet", "--out", path("again.json")});
  EXPECT_EQ(read(path("again.json")), model);
  train({"--task", "sqrt-bit:C=4,b=2", "--sweeps", "20", "--seed", "2", "--quiet", "--out", path("other.json")});
  EXPECT_NE(read(path("other.json")), model);
}

TEST_F(Train, ATerminalShowsWhereItIs) {
  const std::string command = weir_binary().string() + " train hashtron --task sqrt:C=4 --sweeps 2";
  const ProcessResult result = run_process({"/usr/bin/script", "-qec", command, "/dev/null"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* what :
       {"\x1b[8A", "sqrt:C=4  backward, ", "sweep 2 of 2", "flow  2.", " -> 1.", "layer 0    375 neurons  gold", "|S|/N 0[",
        "last G ", "train ", "held out none", "alerts: ", "accepted"})
    EXPECT_NE(result.out.find(what), std::string::npos) << what << "\n" << result.out;
}

TEST_F(Train, FilesThatCannotBeWrittenAreSaidBeforeTheWork) {
  for (const char* option : {"--out", "--snapshot"})
    expect_refused(hashtron({"--task", "sqrt:C=7", "--sweeps", "1000000", option, path("none/x")}), 4,
                   "cannot be written there: No such file");
}

TEST_F(Train, KilledAfterAnyJobItEndsInTheSameModel) {
  const std::size_t jobs = number(train([] {
                                    auto out = kSmall;
                                    out.insert(out.end(), {"--json", "--quiet"});
                                    return out;
                                  }())
                                      .out,
                                  "jobs");
  ASSERT_GT(jobs, 8u);
  kill_and_go_on(kSmall, "training.after_snapshot", all(jobs));  // The first snapshot is of no job yet.
}

TEST_F(Train, KilledWhileItWritesASnapshotItEndsInTheSameModel) {
  for (const char* point : {"training.before_snapshot", "training.before_rename"})
    kill_and_go_on(kSmall, point, full_faults() ? all(12) : std::vector<std::size_t>{1, 2, 7});
}

TEST_F(Train, KilledForwardToo) {
  kill_and_go_on({"--task", "sqrt-bit:C=3,b=1,noise=20", "--set", "direction=forward", "--set", "forward.jobs=25", "--set",
                  "forward.capacity_half=4", "--set", "forward.capacity_full=32"},
                 "training.after_snapshot", full_faults() ? all(25) : std::vector<std::size_t>{2, 9, 16, 25});
}

TEST_F(Train, ALargerNetworkKilledAtRandomJobs) {
  Rng rng(20261122);
  std::vector<std::size_t> passes;
  for (int i = 0; i < (full_faults() ? 20 : 4); ++i) passes.push_back(1 + rng.below(40));
  kill_and_go_on({"--task", "sqrt:C=5", "--sweeps", "8"}, "training.after_snapshot", passes);
}

TEST_F(Train, KilledAtAnyMomentOrStoppedItGoesOn) {
  const std::vector<std::string> task = {"--task", "sqrt:C=4", "--sweeps", "30"};
  std::vector<std::string> unbroken = task;
  unbroken.insert(unbroken.end(), {"--quiet", "--out", path("unbroken.json")});
  train(unbroken);
  for (const int signal : {SIGKILL, SIGTERM}) {
    std::vector<std::string> arguments = {weir_binary().string(), "train", "hashtron"};
    arguments.insert(arguments.end(), task.begin(), task.end());
    const std::string snapshot = path("s" + std::to_string(signal)), model = path("m" + std::to_string(signal));
    arguments.insert(arguments.end(), {"--snapshot", snapshot, "--out", model});
    for (const char* sweep : {"phase 0 done", "sweep 3 done", "sweep 9 done"}) {
      Process process(arguments);
      process.wait_for_err(sweep);
      process.send_signal(signal);
      const ExitStatus status = process.wait();
      if (signal == SIGKILL) {
        EXPECT_EQ(status.signal, SIGKILL);
      } else {
        EXPECT_EQ(status.code, 0) << process.err();
        EXPECT_NE(process.out().find("goes on from"), std::string::npos) << process.out();
      }
      EXPECT_FALSE(fs::exists(model));
    }
    Process last(arguments);
    EXPECT_EQ(last.wait().code, 0) << last.err();
    EXPECT_NE(last.err().find("goes on from"), std::string::npos);
    EXPECT_EQ(read(model), read(path("unbroken.json")));
  }
}

TEST_F(Train, ASnapshotBelongsToOneTrainingAtATime) {
  const std::vector<std::string> task = {"--task", "sqrt:C=4", "--sweeps", "30", "--snapshot", path("s"), "--out", path("m.json")};
  std::vector<std::string> command = {weir_binary().string(), "train", "hashtron"};
  command.insert(command.end(), task.begin(), task.end());
  Process first(command);
  first.wait_for_err("phase 0 done");
  first.send_signal(SIGSTOP);
  const std::string snapshot = read(path("s"));
  expect_refused(hashtron(task), 6, "training snapshot '" + path("s") + "': another process trains on it (it holds '" + path("s.lock") + "'); expected one at a time");
  expect_refused(hashtron({"--task", "sqrt:C=4", "--snapshot", path("s"), "--rollback", "medium"}), 6, "another process trains on it");
  EXPECT_EQ(read(path("s")), snapshot);
  EXPECT_EQ(run_weir({"inspect", "sums", "--snapshot", path("s")}).exit_code, 0);  // Who only looks disturbs nobody.
  first.send_signal(SIGKILL);
  EXPECT_EQ(first.wait().signal, SIGKILL);
  EXPECT_NE(train(task).err.find("goes on from"), std::string::npos);
  EXPECT_EQ(train(task).exit_code, 0);  // Its own end has let go of it, too.
}

TEST_F(Train, ADamagedSnapshotFallsBackToTheOneBefore) {
  std::vector<std::string> arguments = kSmall;
  arguments.insert(arguments.end(), {"--quiet", "--snapshot", path("s"), "--out", path("m.json")});
  train(arguments);
  const std::string model = read(path("m.json")), whole = read(path("s")), previous = read(path("s.previous"));
  ASSERT_NE(whole, previous);
  for (const std::string& damage : {whole.substr(0, whole.size() / 2), std::string("weirtrai"), std::string(), [&] {
                                      std::string changed = whole;
                                      changed[changed.size() / 2] ^= 4;
                                      return changed;
                                    }()}) {
    write("s", damage);
    write("s.previous", previous);
    fs::remove(path("m.json"));
    const ProcessResult result = train(arguments);
    EXPECT_NE(result.err.find("s.previous"), std::string::npos) << result.err;
    EXPECT_EQ(read(path("m.json")), model);
  }
  write("s", whole.substr(0, 100));
  write("s.previous", previous.substr(0, 100));
  expect_refused(hashtron(arguments), 5, "Remove both to begin anew");
  std::string newer = whole;
  newer[8] = 9;
  write("s", newer);
  write("s.previous", previous);
  expect_refused(hashtron(arguments), 5, "found version 9, expected at most 1");
}

TEST_F(Train, ASnapshotOfAnotherTrainingIsRefusedByWhatDiffers) {
  std::vector<std::string> arguments = kSmall;
  arguments.insert(arguments.end(), {"--quiet", "--snapshot", path("s")});
  train(arguments);
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), more.begin(), more.end());
    return hashtron(all);
  };
  expect_refused(with({"--seed", "2"}), 2, "seed: 1 in the snapshot, now 2");
  expect_refused(with({"--set", "capacity.law=false"}), 2, "capacity.law: true in the snapshot, now false");
  expect_refused(with({"--set", "direction=forward"}), 2, "direction: backward in the snapshot, now forward");
  expect_refused(with({"--set", "task=sqrt-bit:C=3,b=2"}), 2,
                 "task: \"sqrt-bit:C=3,b=1,noise=20\" in the snapshot, now \"sqrt-bit:C=3,b=2\"");
  EXPECT_EQ(with({"--set", "sweeps=6", "--set", "snapshot_every=3"}).exit_code, 0);  // It may go on for longer.
  const std::string more = run_weir({"models", "export", "--snapshot", path("s"), "-o", "-"}).out;
  train({"--task", kSmall[1], "--sweeps", "6", "--quiet", "--out", path("six.json")});
  EXPECT_EQ(more, read(path("six.json")));
}

TEST_F(Train, RollsBackSoftMediumAndHard) {
  std::vector<std::string> arguments = {
      "--task", "sqrt-bit:C=4,b=2,noise=20", "--sweeps", "6", "--set", "forward.jobs=15", "--quiet", "--snapshot", path("s")};
  train(arguments);
  const std::string snapshot = read(path("s"));
  const std::string before = run_weir({"models", "export", "--snapshot", path("s"), "-o", "-"}).out;
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), more.begin(), more.end());
    return hashtron(all);
  };
  // Soft: the same network, forward; it can be gone on with as such, and counts jobs on.
  const ProcessResult soft = with({"--rollback", "soft", "--json"});
  EXPECT_EQ(soft.exit_code, 0) << soft.err;
  EXPECT_NE(soft.out.find("\"direction\":\"forward\""), std::string::npos) << soft.out;
  EXPECT_EQ(number(soft.out, "jobs"), number(soft.out, "resumed_at") + 15);
  expect_refused(with({}), 2, "direction: forward in the snapshot, now backward");
  EXPECT_EQ(with({"--set", "direction=forward"}).exit_code, 0);
  EXPECT_EQ(with({"--rollback", "soft"}).exit_code, 0);
  const std::string sums = run_weir({"inspect", "sums", "--snapshot", path("s"), "--json"}).out;
  EXPECT_NE(sums.find("\"selected_by\":\"path\""), std::string::npos);
  EXPECT_NE(sums.find("\"selected_by\":\"gold\""), std::string::npos);  // What was known before is still there.
  // Medium: sums are recorded and have no influence.
  write("s", snapshot);
  EXPECT_EQ(with({"--rollback", "medium", "--set", "sweeps=8"}).exit_code, 0);
  expect_refused(with({"--set", "sweeps=8"}), 2, "sum_cache: off in the snapshot, now on");
  EXPECT_EQ(with({"--set", "sweeps=9", "--set", "sum_cache=off"}).exit_code, 0);
  fs::remove(path("s"));
  expect_refused(with({"--rollback", "soft"}), 2, "not there; expected the snapshot of the training that is to be rolled back");
  // Hard: the version of the model before.
  const std::string model = path("m.json.t.zlib");
  train({"--task", "sqrt-bit:C=3,b=1", "--sweeps", "2", "--quiet", "--out", model});
  const std::string first = read(model);
  expect_refused(hashtron({"--rollback", "hard", "--out", model}), 2, "there is no version of this model before");
  train({"--task", "sqrt-bit:C=3,b=1", "--sweeps", "5", "--quiet", "--out", model});
  EXPECT_NE(read(model), first);
  EXPECT_EQ(read(model + ".previous"), first);
  train({"--rollback", "hard", "--out", model});
  EXPECT_EQ(read(model), first);
  expect_refused(hashtron({"--rollback", "hard"}), 2, "expected --out MODEL");
}

TEST_F(Train, ModelsGoOutAndInAndOn) {
  const std::vector<std::string> task = {"--task", "sqrt-bit:C=4,b=2"};
  train({task[0], task[1], "--sweeps", "20", "--quiet", "--snapshot", path("s"), "--out", path("m.json.t.zlib")});
  const ProcessResult text = run_weir({"models", "export", "--snapshot", path("s"), "-o", "-"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(run_weir({"models", "export", "--snapshot", path("s"), "-o", path("plain.json")}).exit_code, 0);
  EXPECT_EQ(run_weir({"models", "export", "--snapshot", path("s"), "-o", path("packed.json.t.zlib")}).exit_code, 0);
  EXPECT_EQ(read(path("plain.json")), text.out);
  EXPECT_EQ(read(path("packed.json.t.zlib")), read(path("m.json.t.zlib")));
  EXPECT_LT(fs::file_size(path("m.json.t.zlib")), text.out.size());
  for (const char* name : {"plain.json", "packed.json.t.zlib"}) {
    const std::string snapshot = path(std::string("s-") + name);
    const ProcessResult in = run_weir({"models", "import", path(name), task[0], task[1], "--snapshot", snapshot});
    EXPECT_EQ(in.exit_code, 0) << in.err;
    EXPECT_NE(in.out.find("31 neurons in 3 layers"), std::string::npos) << in.out;
    EXPECT_EQ(run_weir({"models", "export", "--snapshot", snapshot, "-o", "-"}).out, text.out);  // Not a byte has changed.
    const std::string sums = run_weir({"inspect", "sums", "--snapshot", snapshot, "--json"}).out;
    EXPECT_NE(sums.find("\"selected_by\":\"measured\""), std::string::npos) << sums;  // One measuring pass.
    EXPECT_NE(sums.find("\"known\":25"), std::string::npos) << sums;
    EXPECT_EQ(run_weir({"models", "import", path(name), task[0], task[1], "--snapshot", snapshot}).exit_code,
              2);  // It is there.
  }
  train({task[0], task[1], "--quiet", "--sweeps", "5", "--from", path("plain.json"), "--out", path("on.json")});
  train({task[0], task[1], "--quiet", "--sweeps", "5", "--from", path("packed.json.t.zlib"), "--out", path("on2.json")});
  EXPECT_EQ(read(path("on.json")), read(path("on2.json")));
  EXPECT_EQ(run_weir({"models", "import", path("plain.json"), task[0], task[1]}).exit_code, 0);  // Looked at, nothing written.
}

TEST_F(Train, ModelsThatAreNoneAreRefusedByName) {
  train({"--task", "sqrt-bit:C=3,b=1", "--sweeps", "3", "--quiet", "--out", path("m.json.t.zlib")});
  train({"--task", "sqrt-bit:C=3,b=1", "--sweeps", "3", "--quiet", "--out", path("m.json")});
  const auto import = [&](const std::string& name, const std::string& task) {
    return run_weir({"models", "import", path(name), "--task", task});
  };
  expect_refused(import("m.json", "sqrt:C=4"), 2, "m.json: hashtron network: found weights of 31 neurons, expected 454");
  expect_refused(import("m.json", "sqrt-bit:C=1,b=0"), 3,
                 "found 4 samples to learn from, expected at least 5: up to four no sum");
  expect_refused(import("none.json", "sqrt-bit"), 2, "none.json: not there; expected a network of hashtrons");
  const std::string packed = read(path("m.json.t.zlib")), plain = read(path("m.json"));
  write("cut.zlib", packed.substr(0, packed.size() / 2));
  expect_refused(import("cut.zlib", "sqrt-bit"), 5, "cut.zlib: packed hashtron network of");
  write("cut.json", plain.substr(0, plain.size() / 2));
  expect_refused(import("cut.json", "sqrt-bit"), 3, "cut.json: hashtron network: neuron");
  std::string corrupt = packed;
  corrupt[corrupt.size() / 2] ^= 16;
  write("corrupt.zlib", corrupt);
  expect_refused(import("corrupt.zlib", "sqrt-bit"), 5, "corrupt.zlib: packed hashtron network of");
  write("empty", "");
  expect_refused(import("empty", "sqrt-bit"), 5, "empty: packed hashtron network of 0 bytes");
  write("other.json", "{\"a\": 1}");
  EXPECT_EQ(import("other.json", "sqrt-bit").exit_code, 5);
  EXPECT_EQ(run_weir({"models", "export", "--snapshot", path("m.json"), "-o", "-"}).exit_code, 5);
  EXPECT_EQ(run_weir({"models", "export", "--snapshot", path("none"), "-o", "-"}).exit_code, 2);
  EXPECT_EQ(run_weir({"inspect", "sums", "--snapshot", path("none")}).exit_code, 2);
}

TEST_F(Train, LearnsFromAFileOfSamples) {
  std::string csv = "# a comment\nx, half, label\n";
  for (int x = 0; x < 300; ++x)
    csv += std::to_string(x % 60) + "," + std::to_string(x % 60 / 2) + "," + (x % 60 < 20 ? "1" : "0") + "\n";
  write("samples.csv", csv);
  write("layers.yaml",
        "task: " + path("samples.csv") +
            "\nsweeps: 10\nlayers:\n  - {neurons: 15, premodulo: 64, combiner: {kind: majority_pool, width: 15, window_width: "
            "5}}\n"
            "  - {neurons: 3, premodulo: 32, combiner: {kind: majority_pool, width: 3, window_width: 3}}\n  - {neurons: 1}\n");
  const ProcessResult result = train({"--config", path("layers.yaml"), "--json", "--quiet", "--snapshot", path("s")});
  EXPECT_NE(result.out.find("\"count\":"), std::string::npos);
  EXPECT_GT(number(result.out.substr(result.out.find("\"train\"")), "correct"), 200u) << result.out;
  const ProcessResult trend = run_weir({"inspect", "sums", "--snapshot", path("s"), "--neuron", "2.0"});
  EXPECT_NE(trend.out.find("phase0"), std::string::npos) << trend.out;
  EXPECT_NE(run_weir({"inspect", "sums", "--snapshot", path("s")}).out.find("gold in layer"), std::string::npos);
  expect_refused(run_weir({"inspect", "sums", "--snapshot", path("s"), "--neuron", "3.0"}), 3, "expected a layer below 3");

  expect_refused(hashtron({"--task", path("samples.csv")}), 2, "found no layers in the config");
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"", "found no line with the names of columns"},
           {"x,y\n1,2\n", "found no column label"},
           {"label\n1\n", "found no feature"},
           {"x,x,label\n", "found the column 'x' a second time"},
           {"x,label\n1,2,3\n", "line 2: found 3 columns, expected 2"},
           {"x,label\n1,1\n4294967296,1\n",
            "line 3: column 'x': found '4294967296', expected a whole number from 0 to 4294967295"},
           {"x,label\n1,a\n", "column 'label': found 'a', expected a whole number from 0 to 65535"},
           {"x,label\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n", "has the value 2, expected one below 2"},
           {"x,label\n1,1\n", "samples to learn from, expected at least 5"}}) {
    write("samples.csv", text);
    expect_refused(hashtron({"--config", path("layers.yaml"), "--quiet"}), 3, what);
  }
}

TEST_F(Train, ConfigsAreCheckedAndPrinted) {
  const std::string reference = (project_directory() / "configs/train/hashtron.yaml").string();
  const ProcessResult printed = train({"--config", reference, "--print"});
  EXPECT_EQ(printed.out, train({"--print"}).out);  // The reference has every default.
  write("printed.yaml", printed.out);
  EXPECT_EQ(train({"--config", path("printed.yaml"), "--print"}).out, printed.out);
  std::size_t keys = 0;
  for (std::size_t at = 0; at < printed.out.size(); at = printed.out.find('\n', at) + 1) {
    const std::string key = printed.out.substr(at, printed.out.find(':', at) - at);
    EXPECT_NE(read(reference).find("\n" + key + ":"), std::string::npos) << key;
    ++keys;
  }
  EXPECT_GT(keys, 35u);
  write("wrong.yaml",
        "version: 1\nselektion: gold\ncapacity: {clamp: 0}\nlayers:\n  - {neurons: 3, combiner: {kind: majority_pol}}\n  - "
        "{neurons: 1}\n");
  const ProcessResult wrong = hashtron({"--config", path("wrong.yaml"), "--set", "attempts=0"});
  EXPECT_EQ(wrong.exit_code, 2);
  for (const char* what : {"wrong.yaml:2: selektion: found an unknown key", "Did you mean 'selection'?",
                           "wrong.yaml:3: capacity.clamp: found '0'", "layers.0.combiner.kind: found 'majority_pol'",
                           "Did you mean 'majority_pool'?", "--set attempts=0: attempts: found '0'"})
    EXPECT_NE(wrong.err.find(what), std::string::npos) << what << "\n" << wrong.err;
  write("unfit.yaml", "layers: [{neurons: 4, combiner: {kind: majority_pool, width: 5, window_width: 2}}, {neurons: 1}]\n");
  expect_refused(hashtron({"--config", path("unfit.yaml")}), 2, "layers that do not fit together");
  expect_refused(hashtron({"--config", path("none.yaml")}), 2, "no such config file");
  EXPECT_NE(train({"--set", "selection=edge", "--print"}).out.find("sweeps: 0\n"), std::string::npos);
  expect_refused(hashtron({"--set", "selection=edge", "--set", "literal=true"}), 2, "not edge beside literal");
  expect_refused(hashtron({"--sweeps", "0"}), 2, "sweeps: found '0'; expected a whole number from 1");
  expect_refused(hashtron({"--task", "sqrt-bit:C=5,b=5"}), 3, "found b = 5, expected below C");
  EXPECT_EQ(hashtron({"--rollback", "half"}).exit_code, 2);
}

TEST_F(Train, TheMatrixTrainsItsTasksAndComparesArms) {
  const std::string scale = full_faults() ? "5" : "4";
  const ProcessResult table = train({"--matrix", "--scale", scale, "--sweeps", "20"});
  const std::size_t rows = std::count(table.out.begin(), table.out.end(), '\n');
  EXPECT_GE(rows, 25u);
  for (const char* what : {"sqrt-bit:C=", "above the base rate", "caches of sums together", "trainings to their end"})
    EXPECT_NE(table.out.find(what), std::string::npos) << what << table.out;
  const ProcessResult arms = train(
      {"--matrix", "--scale", scale, "--sweeps", "10", "--experiment", "selection", "--arm", "selection=random", "--json"});
  EXPECT_NE(arms.out.find("\"arm\":\"A\""), std::string::npos);
  EXPECT_NE(arms.out.find("\"arm\":\"B\""), std::string::npos);
  EXPECT_NE(arms.out.find("\"of\":\"held-out lift over the base rate\",\"tasks\":["), std::string::npos) << arms.out;
  EXPECT_LT(number(arms.out.substr(arms.out.rfind("\"cache_bytes\"")), "cache_bytes"), 100'000'000u);
  const ProcessResult paired = train({"--matrix", "--scale", scale, "--sweeps", "5", "--paired", "--arm", "selection=random"});
  EXPECT_NE(paired.out.find("(pairs)"), std::string::npos) << paired.out;
  const ProcessResult edge = train({"--matrix", "--scale", "5", "--json"});
  EXPECT_EQ(edge.out.find("\"constant\":true"), std::string::npos) << edge.out;
  EXPECT_NE(edge.out.find("\"ended\":\"converged\""), std::string::npos) << edge.out;
  EXPECT_EQ(train({"--matrix", "--scale", "5", "--set", "selection=edge", "--json"}).out, edge.out);
  EXPECT_NE(train({"--matrix", "--scale", "4", "--sweeps", "5", "--set", "literal=true"}).out, "");  // Said otherwise: so it is.
  EXPECT_NE(train({"--matrix", "--print"}).out.find("selection: edge\n"), std::string::npos);
  EXPECT_NE(train({"--print"}).out.find("selection: gold\n"), std::string::npos);
  expect_refused(hashtron({"--matrix", "--experiment", "x"}), 2, "expected --arm");
  expect_refused(hashtron({"--matrix", "--task", "sqrt"}), 2, "the matrix has its own tasks");
}

}  // namespace
}  // namespace weir
