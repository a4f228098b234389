#include "storage/kafka_security.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

namespace weir {
namespace {

struct OwnProperty {
  std::string_view name;
  std::string_view instead;  // The config's key; empty: there is none, the value is part of how Weir works.
};

// Of names with two spellings both. What a handle sets beyond these is refused when it is made.
constexpr auto kOwn = std::to_array<OwnProperty>({
    {"bootstrap.servers", "log.brokers"},
    {"metadata.broker.list", "log.brokers"},
    {"security.protocol", "log.security.protocol"},
    {"sasl.mechanism", "log.security.mechanism"},
    {"sasl.mechanisms", "log.security.mechanism"},
    {"sasl.username", "log.security.username"},
    {"sasl.password", "log.security.password"},
    {"ssl.ca.location", "log.security.ca"},
    {"ssl.certificate.location", "log.security.certificate"},
    {"ssl.key.location", "log.security.key"},
    {"ssl.key.password", "log.security.key_password"},
    {"ssl.endpoint.identification.algorithm", "log.security.verify_host"},
    {"enable.ssl.certificate.verification", "log.security.ca"},
    {"sasl.oauthbearer.method", "log.security.token or token_endpoint"},
    {"sasl.oauthbearer.config", "log.security.token"},
    {"sasl.oauthbearer.token.endpoint.url", "log.security.token_endpoint"},
    {"sasl.oauthbearer.client.id", "log.security.client_id"},
    {"sasl.oauthbearer.client.secret", "log.security.client_secret"},
    {"sasl.oauthbearer.scope", "log.security.scope"},
    {"client.id", ""},
    {"group.id", ""},
    {"group.instance.id", ""},
    {"partition.assignment.strategy", ""},
    {"transactional.id", ""},
    {"transaction.timeout.ms", ""},
    {"enable.idempotence", ""},
    {"acks", ""},
    {"request.required.acks", ""},
    {"message.timeout.ms", ""},
    {"delivery.timeout.ms", ""},
    {"isolation.level", ""},
    {"enable.auto.commit", ""},
    {"auto.commit.enable", ""},
    {"enable.auto.offset.store", ""},
    {"enable.partition.eof", ""},
    {"auto.offset.reset", ""},
    {"log_level", ""},
});

// What such a property holds is a secret, whatever later versions of the client call it.
bool is_secret(std::string_view name) {
  for (const std::string_view part : {"password", "passphrase", "secret", "jaas"})
    if (name.find(part) != std::string_view::npos) return true;
  return name.ends_with("key.pem");
}

std::string_view name_of(KafkaProtocol protocol) {
  switch (protocol) {
    case KafkaProtocol::kPlaintext: return "plaintext";
    case KafkaProtocol::kSsl: return "ssl";
    case KafkaProtocol::kSaslPlaintext: return "sasl_plaintext";
    case KafkaProtocol::kSaslSsl: return "sasl_ssl";
  }
  return "";
}

std::string_view name_of(KafkaMechanism mechanism) {
  switch (mechanism) {
    case KafkaMechanism::kNone: return "";
    case KafkaMechanism::kPlain: return "PLAIN";
    case KafkaMechanism::kScramSha256: return "SCRAM-SHA-256";
    case KafkaMechanism::kScramSha512: return "SCRAM-SHA-512";
    case KafkaMechanism::kOAuthBearer: return "OAUTHBEARER";
  }
  return "";
}

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* p) const { rd_kafka_conf_destroy(p); }
};

std::optional<std::string> base64url(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') value = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z') value = static_cast<std::uint32_t>(c - 'a') + 26;
    else if (c >= '0' && c <= '9') value = static_cast<std::uint32_t>(c - '0') + 52;
    else if (c == '-') value = 62;
    else if (c == '_') value = 63;
    else return std::nullopt;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  return out;
}

// The members of a JSON object, not those of the objects in it: fn(name, the value's text). False if it is not one.
template <class Fn>
bool for_each_member(std::string_view text, Fn&& fn) {
  std::size_t at = 0;
  const auto skip_space = [&] {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) ++at;
  };
  const auto string = [&]() -> std::optional<std::string_view> {  // With its escapes.
    if (at >= text.size() || text[at] != '"') return std::nullopt;
    const std::size_t begin = ++at;
    for (; at < text.size(); ++at) {
      if (text[at] == '\\') ++at;
      else if (text[at] == '"') return text.substr(begin, at++ - begin);
    }
    return std::nullopt;
  };
  skip_space();
  if (at >= text.size() || text[at++] != '{') return false;
  for (skip_space(); at < text.size() && text[at] != '}'; skip_space()) {
    const auto name = string();
    skip_space();
    if (!name || at >= text.size() || text[at++] != ':') return false;
    skip_space();
    const std::size_t begin = at;
    for (int depth = 0; at < text.size(); ) {
      const char c = text[at];
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '"') {
        if (!string()) return false;
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at;
    }
    std::string_view value = text.substr(begin, at - begin);
    while (value.ends_with(' ') || value.ends_with('\n') || value.ends_with('\t') || value.ends_with('\r')) value.remove_suffix(1);
    fn(*name, value);
    if (at < text.size() && text[at] == ',') ++at;
  }
  return at < text.size();
}

}  // namespace

KafkaProperties properties_of(const KafkaSecurity& s) {
  KafkaProperties out;
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  out["security.protocol"] = std::string(name_of(s.protocol));
  set("sasl.mechanisms", std::string(name_of(s.mechanism)));
  set("sasl.username", s.username);
  set("sasl.password", s.password);
  set("ssl.ca.location", s.ca);
  set("ssl.certificate.location", s.certificate);
  set("ssl.key.location", s.key);
  set("ssl.key.password", s.key_password);
  if (!s.verify_host) out["ssl.endpoint.identification.algorithm"] = "none";
  if (!s.token_endpoint.empty()) out["sasl.oauthbearer.method"] = "oidc";
  set("sasl.oauthbearer.token.endpoint.url", s.token_endpoint);
  set("sasl.oauthbearer.client.id", s.client_id);
  set("sasl.oauthbearer.client.secret", s.client_secret);
  set("sasl.oauthbearer.scope", s.scope);
  return out;
}

Result<void> check_kafka_property(const std::string& name, const std::string& value) {
  const auto refuse = [&](std::string why) { return Error{ErrorCode::kConfig, "property '" + name + "': " + std::move(why)}; };
  if (const auto own = std::ranges::find(kOwn, name, &OwnProperty::name); own != kOwn.end())
    return refuse(own->instead.empty() ? std::string("Weir sets it itself: leave it out") : "set " + std::string(own->instead) + " instead");
  if (is_secret(name)) return refuse("a secret has no place here: log.security takes PEM files and secrets by env:NAME or file:PATH");
  const std::unique_ptr<rd_kafka_conf_t, ConfDeleter> conf(rd_kafka_conf_new());
  std::array<char, 512> text;
  switch (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size())) {
    case RD_KAFKA_CONF_OK: return {};
    case RD_KAFKA_CONF_UNKNOWN: return refuse("this client (librdkafka " + std::string(rd_kafka_version_str()) + ") knows no such property");
    case RD_KAFKA_CONF_INVALID: break;
  }
  // Its text holds the value.
  return refuse(name.starts_with("sasl.") || name.starts_with("ssl.") ? std::string("the client refuses its value") : "the client refuses it: " + std::string(text.data()));
}

bool kafka_client_has(std::string_view feature) {
  const std::unique_ptr<rd_kafka_conf_t, ConfDeleter> conf(rd_kafka_conf_new());
  std::array<char, 1024> text;
  std::size_t bytes = text.size();
  if (rd_kafka_conf_get(conf.get(), "builtin.features", text.data(), &bytes) != RD_KAFKA_CONF_OK) return false;
  const std::string all = "," + std::string(text.data()) + ",";
  return all.find("," + std::string(feature) + ",") != std::string::npos;
}

Result<TokenClaims> claims_of(std::string_view token) {
  const auto refuse = [](std::string_view why) {
    return Error{ErrorCode::kInvalidInput, "the token " + std::string(why) + "; expected a JSON Web Token with the claims sub and exp"};
  };
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return refuse("has no three parts");
  const auto payload = base64url(token.substr(first + 1, second - first - 1));
  if (!payload) return refuse("is not base64url");
  TokenClaims out;
  const bool whole = for_each_member(*payload, [&](std::string_view name, std::string_view value) {
    if (name == "sub" && value.size() >= 2 && value.front() == '"') out.subject = value.substr(1, value.size() - 2);
    // Whole seconds are enough of a number that may have a fraction.
    if (name == "exp") std::from_chars(value.data(), value.data() + value.size(), out.expires_s);
  });
  if (!whole) return refuse("holds no JSON object");
  if (out.subject.empty() || out.expires_s <= 0) return refuse("lacks a claim");
  return out;
}

}  // namespace weir
