#pragma once
// An address to listen on: "127.0.0.1:9464", "[::1]:9464", "localhost:9464".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct Endpoint {
  std::string address = "127.0.0.1";  // IPv4, or IPv6 without its brackets.
  std::uint16_t port = 0;             // 0: any free one.
  bool loopback() const;              // Nobody on another machine can reach it.
  std::string text() const;           // "127.0.0.1:9464"
  bool operator==(const Endpoint&) const = default;
};

// nullopt: neither ADDRESS:PORT nor localhost:PORT. Names are not looked up.
std::optional<Endpoint> parse_endpoint(std::string_view text);

}  // namespace weir
