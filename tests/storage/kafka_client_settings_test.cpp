// What a config may tell the Kafka client, how its security becomes properties, and what is read from a token.
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>

#include "storage/kafka_client.hpp"
#include "storage/kafka_security.hpp"
#include "tests/storage/storage_support.hpp"

namespace weir {
namespace {

TEST(CloseWithin, TellsWhetherItEnded) {
  bool closed = false;
  EXPECT_TRUE(close_within([&] { closed = true; }, std::chrono::seconds(60)));
  EXPECT_TRUE(closed);
}

TEST(CloseWithin, AProcessLeavesWithItsCodeWhateverDoesNotEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // It starts a thread.
  EXPECT_EXIT(
      {
        static struct Used {
          ~Used() { std::abort(); }
        } used;
        std::promise<void> never;
        std::printf("said before");  // Into a buffer.
        const auto close = [end = never.get_future().share()] { end.wait(); };
        if (close_within(close, std::chrono::milliseconds(10))) std::exit(1);
        if (!close_within(close, std::chrono::hours(1))) std::exit(3);  // The second one is not given that long.
      },
      testing::ExitedWithCode(3), "2 of the process's Kafka clients did not end");
}

TEST(KafkaProperty, OneThatTheClientKnowsIsTaken) {
  EXPECT_TRUE(check_kafka_property("socket.timeout.ms", "30000").ok());
  EXPECT_TRUE(check_kafka_property("client.rack", "a").ok());
  EXPECT_TRUE(check_kafka_property("ssl.cipher.suites", "ECDHE-RSA-AES256-GCM-SHA384").ok());
}

TEST(KafkaProperty, WhatWeirSetsItselfIsRefusedWithTheKeyToUse) {
  expect_error(check_kafka_property("bootstrap.servers", "b:1").error(), ErrorCode::kConfig, {"bootstrap.servers", "log.brokers"});
  expect_error(check_kafka_property("sasl.username", "u").error(), ErrorCode::kConfig, {"log.security.username"});
  for (const char* name : {"transactional.id", "isolation.level", "enable.idempotence", "group.id", "message.timeout.ms"})
    expect_error(check_kafka_property(name, "1").error(), ErrorCode::kConfig, {name, "leave it out"});
}

TEST(KafkaProperty, ASecretHasNoPlaceThereAndIsNotShown) {
  for (const char* name : {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.client.secret",
                           "sasl.jaas.config", "sasl.oauthbearer.assertion.private.key.passphrase"}) {
    const auto refused = check_kafka_property(name, "hunter2");
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().what.find("hunter2"), std::string::npos) << refused.error().what;
    EXPECT_NE(refused.error().what.find("log.security"), std::string::npos) << refused.error().what;
  }
  for (const char* name : {"sasl.pasword", "sasl.kerberos.min.time.before.relogin"})
    EXPECT_EQ(check_kafka_property(name, "hunter2").error().what.find("hunter2"), std::string::npos) << name;
}

TEST(KafkaProperty, TheClientsReasonIsTold) {
  expect_error(check_kafka_property("socket.timeout.ms", "-1").error(), ErrorCode::kConfig, {"socket.timeout.ms", "range"});
  expect_error(check_kafka_property("socket.timeout", "1").error(), ErrorCode::kConfig, {"socket.timeout", "no such property"});
}

TEST(KafkaProperty, AHandleRefusesWhatItSetsItself) {
  KafkaLogOptions options;
  options.brokers = "127.0.0.1:1";
  options.pipeline = "demo";
  options.properties["linger.ms"] = "7";
  EXPECT_TRUE(make_kafka_handle(options, RD_KAFKA_PRODUCER, {}).ok());
  const auto handle = make_kafka_handle(options, RD_KAFKA_PRODUCER, {{"linger.ms", "5"}});
  ASSERT_FALSE(handle.ok());
  expect_error(handle.error(), ErrorCode::kConfig, {"log.properties", "linger.ms"});
}

TEST(KafkaSecurity, BecomesTheClientsProperties) {
  EXPECT_EQ(properties_of(KafkaSecurity()), (KafkaProperties{{"security.protocol", "plaintext"}}));
  KafkaSecurity scram;
  scram.protocol = KafkaProtocol::kSaslSsl;
  scram.mechanism = KafkaMechanism::kScramSha512;
  scram.username = "weir";
  scram.password = "hunter2";
  scram.ca = "ca.pem";
  scram.verify_host = false;
  EXPECT_EQ(properties_of(scram), (KafkaProperties{{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "SCRAM-SHA-512"}, {"sasl.username", "weir"},
                                                   {"sasl.password", "hunter2"}, {"ssl.ca.location", "ca.pem"}, {"ssl.endpoint.identification.algorithm", "none"}}));
  KafkaSecurity bearer;
  bearer.protocol = KafkaProtocol::kSaslSsl;
  bearer.mechanism = KafkaMechanism::kOAuthBearer;
  bearer.token_endpoint = "https://id.example/token";
  bearer.client_id = "weir";
  bearer.client_secret = "hunter2";
  bearer.scope = "kafka";
  EXPECT_EQ(properties_of(bearer), (KafkaProperties{{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "OAUTHBEARER"}, {"sasl.oauthbearer.method", "oidc"},
                                                    {"sasl.oauthbearer.token.endpoint.url", "https://id.example/token"}, {"sasl.oauthbearer.client.id", "weir"},
                                                    {"sasl.oauthbearer.client.secret", "hunter2"}, {"sasl.oauthbearer.scope", "kafka"}}));
}

TEST(KafkaSecurity, AClientIsToldWhatItCanDo) {
  EXPECT_TRUE(kafka_client_has("ssl"));
  EXPECT_TRUE(kafka_client_has("sasl_scram"));
  EXPECT_FALSE(kafka_client_has("sasl_scra"));
  EXPECT_FALSE(kafka_client_has("telepathy"));
}

TEST(KafkaSecurity, AWrongFileIsAnErrorWithoutTheSecret) {
  KafkaLogOptions options;
  options.brokers = "127.0.0.1:1";
  options.pipeline = "demo";
  options.security.protocol = KafkaProtocol::kSsl;
  options.security.ca = "/nowhere/ca.pem";
  options.security.key_password = "hunter2";
  const auto handle = make_kafka_handle(options, RD_KAFKA_PRODUCER, {});
  ASSERT_FALSE(handle.ok());
  expect_error(handle.error(), ErrorCode::kConfig, {"ca"});
  EXPECT_EQ(handle.error().what.find("hunter2"), std::string::npos);
}

// header.payload.signature; the payloads in base64url without padding.
TEST(Token, ItsClaimsAreRead) {
  // {"sub":"weir","exp":1900000000}
  auto claims = claims_of("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3ZWlyIiwiZXhwIjoxOTAwMDAwMDAwfQ.");
  ASSERT_TRUE(claims.ok()) << claims.error().what;
  EXPECT_EQ(claims->subject, "weir");
  EXPECT_EQ(claims->expires_s, 1'900'000'000);
  // { "act" : {"sub":"x","exp":1,"a":["]","}"]}, "exp": 1900000000.5 , "sub":"a\"b" }
  claims = claims_of("h.eyAiYWN0IiA6IHsic3ViIjoieCIsImV4cCI6MSwiYSI6WyJdIiwifSJdfSwgImV4cCI6IDE5MDAwMDAwMDAuNSAsICJzdWIiOiJhXCJiIiB9.s");
  ASSERT_TRUE(claims.ok()) << claims.error().what;
  EXPECT_EQ(claims->subject, "a\\\"b");
  EXPECT_EQ(claims->expires_s, 1'900'000'000);
}

TEST(Token, WhatIsNoneIsRefusedWithoutAPartOfIt) {
  for (const char* token : {"", "hunter2", "hunter2.hunter2", "h.hunter2.s", "h.!!.s", "h..s", "h.e30.s" /* {} */,
                            "h.eyJzdWIiOiJ3ZWlyIn0.s" /* {"sub":"weir"} */, "h.eyJleHAiOjF9.s" /* {"exp":1} */, "h.eyJzdWIiOiJ3ZWly.s" /* cut */,
                            "h.eyJzdWIiOiJ3Iiwi.s", "h.Iiwi.s"}) {
    const auto claims = claims_of(token);
    ASSERT_FALSE(claims.ok()) << token;
    EXPECT_EQ(claims.error().code, ErrorCode::kInvalidInput);
    EXPECT_EQ(claims.error().what.find("hunter2"), std::string::npos) << claims.error().what;
  }
}

}  // namespace
}  // namespace weir
