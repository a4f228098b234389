// Goal: a pipeline runs on brokers that ask who is there, over TLS, with each mechanism; what does not fit is a named error soon;
// connections that a broker cuts are made again; and no output of ours ever holds a secret.
//
// The broker is of version 3.9: with brokers of 4.0 and later the client that Debian 12 has cannot do SCRAM.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScramSecret = "correct-horse-1";
constexpr std::string_view kPlainSecret = "battery-staple-2";
constexpr std::string_view kKeySecret = "tr0ub4dor-3";

// Authorities, the broker's certificate and a client's with its key, locked; made by openssl.
struct Certificates {
  Certificates() {
    authority("ca");
    authority("other");
    signed_by_ca("broker", "subjectAltName=IP:127.0.0.1", {"-nodes"});
    signed_by_ca("elsewhere", "subjectAltName=DNS:elsewhere.example", {"-nodes"});
    write_file(directory / "key.secret", std::string(kKeySecret) + "\n");
    signed_by_ca("client", "extendedKeyUsage=clientAuth", {"-passout", "file:" + path("key.secret")});
    for (const char* name : {"broker", "elsewhere"})
      write_file(directory / (std::string(name) + ".both.pem"), read_file(directory / (std::string(name) + ".key")) + read_file(directory / (std::string(name) + ".pem")));
  }
  std::string path(const std::string& name) const { return (directory / name).string(); }

  TemporaryDirectory directory;

 private:
  void openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const ProcessResult done = run_process(arguments);
    if (done.exit_code != 0) throw std::runtime_error("openssl: " + done.err);
  }
  void authority(const std::string& name) {
    openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout", path(name + ".key"), "-out", path(name + ".pem")});
  }
  void signed_by_ca(const std::string& name, const std::string& extension, std::vector<std::string> key) {
    std::vector<std::string> request = {"req", "-newkey", "rsa:2048", "-subj", "/CN=" + name, "-keyout", path(name + ".key"), "-out", path(name + ".csr")};
    request.insert(request.end(), key.begin(), key.end());
    openssl(std::move(request));
    write_file(directory / "extension", extension);
    openssl({"x509", "-req", "-in", path(name + ".csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2",
             "-extfile", path("extension"), "-out", path(name + ".pem")});
  }
};

const Certificates& certificates() {
  static const Certificates made;
  return made;
}

class KafkaSecurity : public testing::Test {
 protected:
  static constexpr std::size_t kFlights = 500;

  static void SetUpTestSuite() {
    const std::string jaas = "listener.name.sasl_ssl.";
    const std::string package = "org.apache.kafka.common.security.";
    set_kafka_start(
        {"--listener", "SASL_SSL", "--listener", "SSL",
         "--set", "ssl.keystore.type=PEM", "--set", "ssl.keystore.location=" + certificates().path("broker.both.pem"),
         "--set", "ssl.truststore.type=PEM", "--set", "ssl.truststore.location=" + certificates().path("ca.pem"),
         "--set", "listener.name.ssl.ssl.client.auth=required",
         "--set", "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER",
         "--set", jaas + "scram-sha-256.sasl.jaas.config=" + package + "scram.ScramLoginModule required;",
         "--set", jaas + "scram-sha-512.sasl.jaas.config=" + package + "scram.ScramLoginModule required;",
         "--set", jaas + "plain.sasl.jaas.config=" + package + "plain.PlainLoginModule required user_weir=\"" + std::string(kPlainSecret) + "\";",
         "--set", jaas + "oauthbearer.sasl.jaas.config=" + package + "oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";",
         "--format", "--add-scram", "--format", "SCRAM-SHA-256=[name=weir,password=" + std::string(kScramSecret) + "]",
         "--format", "--add-scram", "--format", "SCRAM-SHA-512=[name=weir,password=" + std::string(kScramSecret) + "]"},
        "3.9.1");
    kafka_brokers();
  }

  KafkaSecurity() {
    delete_kafka_topics("flights.");
    ::umask(022);
    secret("scram", kScramSecret);
    secret("plain", kPlainSecret);
    secret("wrong", "not-the-secret-4");
  }
  void TearDown() override {
    std::vector<std::string> secrets = {std::string(kScramSecret), std::string(kPlainSecret), std::string(kKeySecret), "not-the-secret-4"};
    if (!token_.empty()) secrets.push_back(token_);
    for (const std::string& text : printed_)
      for (const std::string& secret : secrets) EXPECT_EQ(text.find(secret), std::string::npos) << "a secret was printed:\n" << text;
    if (fs::exists(directory_ / "data/run/config.yaml")) {  // What commands with --data alone use.
      const std::string kept = read_file(directory_ / "data/run/config.yaml");
      for (const std::string& secret : secrets) EXPECT_EQ(kept.find(secret), std::string::npos) << kept;
    }
  }

  void secret(const std::string& name, std::string_view value) {
    const fs::path path = directory_ / (name + ".secret");
    write_file(path, std::string(value) + "\n");
    ::chmod(path.c_str(), 0600);
  }
  std::string secret_in(const std::string& name) const { return "file:" + (directory_ / (name + ".secret")).string(); }
  static std::string ssl_listener() {
    const std::string sasl = kafka_listener();
    const std::size_t colon = sasl.rfind(':');
    return sasl.substr(0, colon + 1) + std::to_string(std::stoi(sasl.substr(colon + 1)) + 100);
  }
  static const FlightFiles& flights() {
    static const TemporaryDirectory directory;
    static const FlightFiles files = cut_flights(directory.path(), kFlights);
    return files;
  }
  // Settings of log.security after the mechanism's usual ones: a later one wins.
  std::vector<std::string> scram(std::vector<std::string> more = {}) const {
    return secured(kafka_listener(), {"protocol=sasl_ssl", "mechanism=scram-sha-512", "username=weir", "password=" + secret_in("scram"), "ca=" + certificates().path("ca.pem")}, std::move(more));
  }
  static std::vector<std::string> secured(const std::string& brokers, std::vector<std::string> security, std::vector<std::string> more) {
    std::vector<std::string> out = {"log.kind=kafka", "log.brokers=" + brokers};
    for (const std::string& setting : security) out.push_back("log.security." + setting);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  FlightsRun pipeline(std::vector<std::string> settings) const { return FlightsRun(directory_ / "data", flights(), std::move(settings)); }

  // Runs a command and remembers what it printed.
  ProcessResult weir(std::vector<std::string> arguments, const ProcessOptions& options = {}) {
    ProcessResult result = run_weir(std::move(arguments), options);
    printed_.push_back(result.out);
    printed_.push_back(result.err);
    return result;
  }
  void expect_flights_go_through(std::vector<std::string> settings, const ProcessOptions& options = {}) {
    const FlightsRun run = pipeline(std::move(settings));
    const ProcessResult ran = weir(run.arguments("run"), options);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    const ProcessResult read = weir({"tail", "predictions", "--from-beginning", "--data", run.data.string()}, options);
    EXPECT_EQ(std::count(read.out.begin(), read.out.end(), '\n'), std::ptrdiff_t(kFlights)) << read.err;
    const ProcessResult verified = weir({"verify", "--data", run.data.string()}, options);
    EXPECT_EQ(verified.exit_code, 0) << verified.err << verified.out;
    for (const char* command : {"status", "topics", "report"}) EXPECT_EQ(weir({command, "--data", run.data.string(), "--json"}, options).exit_code, 0) << command;
  }
  // Long before the 90 s for which brokers that are away are waited for.
  void expect_refused(std::vector<std::string> settings, int code, const std::vector<std::string>& words, const ProcessOptions& options = {}) {
    const auto began = std::chrono::steady_clock::now();
    const ProcessResult ran = weir(pipeline(std::move(settings)).arguments("run"), options);
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_EQ(ran.exit_code, code) << ran.err;
    for (const std::string& word : words) EXPECT_NE(ran.err.find(word), std::string::npos) << "no '" << word << "' in: " << ran.err;
    EXPECT_LT(took, std::chrono::seconds(60)) << ran.err;
  }
  // A token as the broker takes it for tests: nobody has signed it.
  static std::string token(std::int64_t lives_s, std::string_view subject = "weir") {
    const auto base64url = [](std::string_view text) {
      constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      std::string out;
      std::uint32_t bits = 0;
      int count = 0;
      for (const char c : text) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
      }
      if (count > 0) out += kDigits[bits << (6 - count) & 63];
      return out;
    };
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    return base64url(R"({"alg":"none"})") + "." +
           base64url(R"({"sub":")" + std::string(subject) + R"(","iat":)" + std::to_string(now) + R"(,"exp":)" + std::to_string(now + lives_s) + "}") + ".";
  }

  TemporaryDirectory directory_;
  std::vector<std::string> printed_;
  std::string token_;
};

TEST_F(KafkaSecurity, FlightsGoThroughScramOverTls) { expect_flights_go_through(scram()); }

TEST_F(KafkaSecurity, FlightsGoThroughScram256WithASecretFromTheEnvironment) {
  ProcessOptions options;
  options.env = {{"FLIGHTS_SECRET", std::string(kScramSecret)}};
  expect_flights_go_through(scram({"log.security.mechanism=scram-sha-256", "log.security.password=env:FLIGHTS_SECRET", "log.properties.socket.keepalive.enable=true"}), options);
}

TEST_F(KafkaSecurity, FlightsGoThroughPlainOverTls) {
  expect_flights_go_through(scram({"log.security.mechanism=plain", "log.security.password=" + secret_in("plain")}));
}

TEST_F(KafkaSecurity, FlightsGoThroughWithACertificateOfTheirOwn) {
  const Certificates& c = certificates();
  expect_flights_go_through(secured(ssl_listener(), {"protocol=ssl", "ca=" + c.path("ca.pem"), "certificate=" + c.path("client.pem"), "key=" + c.path("client.key"), "key_password=file:" + c.path("key.secret")}, {}));
  EXPECT_NE(printed_[1].find("key.secret can be read by everybody (mode 0644)"), std::string::npos) << printed_[1];
}

TEST_F(KafkaSecurity, FlightsGoThroughWithATokenThatIsKeptFresh) {
  token_ = token(3600);
  secret("token", token_);
  expect_flights_go_through(secured(kafka_listener(), {"protocol=sasl_ssl", "mechanism=oauthbearer", "token=" + secret_in("token"), "ca=" + certificates().path("ca.pem")}, {}));
}

TEST_F(KafkaSecurity, WhatDoesNotFitIsANamedErrorSoon) {
  const Certificates& c = certificates();
  expect_refused(scram({"log.security.password=" + secret_in("wrong")}), 2, {"turned away", "SASL authentication error", "log.security", "4.0 or later"});
  expect_refused(scram({"log.security.ca=" + c.path("other.pem")}), 2, {"certificate verify failed"});
  expect_refused(secured(kafka_listener(), {"protocol=plaintext"}, {}), 2, {"security.protocol"});
  expect_refused(secured(kafka_brokers(), {"protocol=ssl", "ca=" + c.path("ca.pem")}, {}), 2, {"SSL handshake failed"});
  expect_refused(secured(ssl_listener(), {"protocol=ssl", "ca=" + c.path("ca.pem")}, {}), 2, {"turned away"});  // No certificate of its own.
  expect_refused(scram({"log.security.ca=" + c.path("not-there.pem")}), 2, {"ca"});
  expect_refused(scram({"log.security.password=env:NOT_SET_ANYWHERE"}), 2, {"log.security.password", "NOT_SET_ANYWHERE", "not set"});
  token_ = token(-3600);
  secret("token", token_);
  expect_refused(secured(kafka_listener(), {"protocol=sasl_ssl", "mechanism=oauthbearer", "token=" + secret_in("token"), "ca=" + c.path("ca.pem")}, {}), 2, {"token"});
}

TEST_F(KafkaSecurity, CheckConnectLooksAtEverythingBeforeTheStart) {
  const FlightsRun run = pipeline(scram());
  const auto check = [&](std::vector<std::string> more) { return weir(run.arguments("check", more)); };
  const ProcessResult plain = check({});
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_EQ(plain.out.find("cluster"), std::string::npos) << plain.out;
  const ProcessResult before = check({"--connect"});
  EXPECT_EQ(before.exit_code, 0) << before.out << before.err;
  for (const char* word : {"sources.logs.files", "1 file, readable", "data directory", "no process has it open", "cluster", "broker 1 at 127.0.0.1", "topic 'flights.predictions'",
                           "Weir makes it at the start", "transactions", "clocks", "warning", "-> three brokers"})
    EXPECT_NE(before.out.find(word), std::string::npos) << "no '" << word << "' in\n" << before.out;
  EXPECT_FALSE(fs::exists(run.data));
  expect_flights_go_through(scram());
  const ProcessResult after = check({"--connect", "--json"});
  EXPECT_EQ(after.exit_code, 0) << after.out << after.err;
  EXPECT_NE(after.out.find(R"({"state":"ok","what":"right to write","found":"flights.abstained)"), std::string::npos) << after.out;
  EXPECT_EQ(weir({"verify", "--data", run.data.string()}).exit_code, 0);

  const ProcessResult wrong = weir(pipeline(scram({"log.security.password=" + secret_in("wrong")})).arguments("check", {"--connect"}));
  EXPECT_EQ(wrong.exit_code, 2) << wrong.out;
  EXPECT_NE(wrong.out.find("turned away"), std::string::npos) << wrong.out;
  EXPECT_EQ(weir(pipeline(scram({"log.security.password=env:NOT_SET_ANYWHERE"})).arguments("check", {"--connect"})).exit_code, 2);
  EXPECT_EQ(weir(pipeline(scram({"log.brokers=127.0.0.1:1"})).arguments("check", {"--connect"})).exit_code, 4);
  const ProcessResult files = weir(pipeline(scram({"sources.logs.files=[/nowhere/x.jsonl]"})).arguments("check", {"--connect"}));
  EXPECT_EQ(files.exit_code, 2) << files.out;
  EXPECT_NE(files.out.find("/nowhere/x.jsonl"), std::string::npos) << files.out;

  const FlightsRun live(directory_ / "live", flights(), scram({"name=live", "sources.logs.files=[]", "sources.outcomes.files=[]"}));
  std::vector<std::string> command = live.arguments("run");
  command.insert(command.begin(), weir_binary().string());
  Process running(std::move(command));
  running.wait_for_err("takes outcomes from its topic");
  const ProcessResult beside = weir(live.arguments("check", {"--connect", "--json"}));
  EXPECT_EQ(beside.exit_code, 6) << beside.out;
  EXPECT_NE(beside.out.find("another process has it open"), std::string::npos) << beside.out;
  EXPECT_TRUE(running.running());  // Nobody has taken anything from it.
  running.send_signal(SIGTERM);
  EXPECT_EQ(running.wait().code, 0) << running.err();
}

// librdkafka before 2.2 takes the end of a TLS connection that nobody closed in due form for a lasting error.
TEST_F(KafkaSecurity, ABrokerThatComesBackIsFoundAgainOverTls) {
  const FlightsRun run = pipeline(scram({"sources.logs.files=[]", "sources.outcomes.files=[]"}));
  std::vector<std::string> command = run.arguments("run");
  command.insert(command.begin(), weir_binary().string());
  Process running(std::move(command));
  running.wait_for_err("takes outcomes from its topic");
  const auto produce = [&](const char* topic, const fs::path& file) {
    const ProcessResult produced = weir({"produce", topic, file.string(), "--data", run.data.string()});
    EXPECT_EQ(produced.exit_code, 0) << produced.err;
  };
  const auto events = [&] { return std::stoull("0" + json_value(weir({"status", "--json", "--data", run.data.string()}).out, "events")); };
  produce("logs", flights().events);
  EXPECT_TRUE(wait_until([&] { return events() == kFlights; }));
  kafka_command("kill");  // Nothing is closed in due form.
  kafka_command("start");
  produce("outcomes", flights().outcomes);
  const auto labels = [&] { return weir({"tail", "examples", "--from-beginning", "--limit", "1", "--data", run.data.string()}).out; };
  EXPECT_TRUE(wait_until([&] { return !labels().empty(); }));
  running.send_signal(SIGTERM);
  EXPECT_EQ(running.wait().code, 0) << running.err();
  printed_.push_back(running.err());
  const ProcessResult verified = weir({"verify", "--data", run.data.string()});
  EXPECT_EQ(verified.exit_code, 0) << verified.err << verified.out;
}

TEST_F(KafkaSecurity, ASecretInTheConfigIsRefusedAndNotShown) {
  const std::string config = (project_directory() / "configs/flights.yaml").string();
  const std::string secret(kScramSecret);
  for (const std::string& set : {"log.security.password=" + secret, "log.security={password: " + secret + "}", "log={kind: kafka, brokers: b, security: {pasword: " + secret + "}}",
                                 "log.security=" + secret, "log.properties={sasl.password: " + secret + "}", "log.properties.sasl.password=" + secret,
                                 "log.properties={no.such.property: " + secret + "}", "log.properties=[" + secret + "]", "log.properties.ssl.key.password=" + secret,
                                 "log.properties.sasl.oauthbearer.client.secret=" + secret, "log.security.password={env: " + secret + "}",
                                 "log.security.password:" + secret, "log.security.password=[" + secret, "log.security.key_password=env:" + secret}) {
    for (const char* command : {"check", "run"}) {
      const ProcessResult result = weir({command, config, "--set", "log.kind=kafka", "--set", "log.brokers=b:1", "--set", set});
      EXPECT_EQ(result.exit_code, 2) << set << result.err;
      EXPECT_NE(result.err.find("log"), std::string::npos) << result.err;
    }
    EXPECT_EQ(weir({"check", config, "--json", "--set", set}).exit_code, 2);
  }
  const fs::path file = directory_ / "with_secret.yaml";
  write_file(file, read_file(config) + "\nlog:\n  kind: kafka\n  brokers: b:1\n  security: {protocol: sasl_ssl, mechanism: plain, username: weir, password: " + secret + "}\n");
  const ProcessResult result = weir({"check", file.string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("log.security.password: found a value that is not shown; expected where the secret is"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace weir
