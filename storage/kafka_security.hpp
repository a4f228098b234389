#pragma once
// Who this client is to the brokers and how it knows them; and which properties of the Kafka client a config may give beside.

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "core/base/result.hpp"

namespace weir {

using KafkaProperties = std::map<std::string, std::string>;

enum class KafkaProtocol : std::uint8_t { kPlaintext, kSsl, kSaslPlaintext, kSaslSsl };
enum class KafkaMechanism : std::uint8_t { kNone, kPlain, kScramSha256, kScramSha512, kOAuthBearer };

// The secrets are here as they are: no text that anybody may see is made of this.
struct KafkaSecurity {
  KafkaProtocol protocol = KafkaProtocol::kPlaintext;
  KafkaMechanism mechanism = KafkaMechanism::kNone;
  std::string username;
  std::string password;
  std::string ca;  // Files in PEM. Empty: the system's authorities; no certificate of our own.
  std::string certificate;
  std::string key;
  std::string key_password;
  bool verify_host = true;  // The broker's certificate must be for the name it was reached by.
  // kOAuthBearer: a JWT that somebody else keeps fresh, asked for again before it expires, from any thread; …
  std::function<Result<std::string>()> token;
  std::string token_endpoint;  // … or the client fetches tokens there (kafka_client_has("oidc")).
  std::string client_id;
  std::string client_secret;
  std::string scope;
};

// As the client's properties. For its eyes only.
KafkaProperties properties_of(const KafkaSecurity& security);

// Whether a config may give the client this property; nothing is opened. kConfig: Weir sets it itself, it is a secret, or the
// client refuses it; the text says what to do and does not hold a value that may be a secret.
Result<void> check_kafka_property(const std::string& name, const std::string& value);

// Whether the client was built with this: ssl, sasl_scram, sasl_oauthbearer, oidc …
bool kafka_client_has(std::string_view feature);

// A JSON Web Token's claims that the client wants to know. kInvalidInput: not such a token. No error holds a part of it.
struct TokenClaims {
  std::string subject;
  std::int64_t expires_s = 0;  // Since 1970.
};
Result<TokenClaims> claims_of(std::string_view token);

}  // namespace weir
