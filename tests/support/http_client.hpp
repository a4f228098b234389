#pragma once
// A client that says exactly what it is told, right or wrong, and an answer taken apart.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir {

struct HttpReply {
  int status = 0;  // 0: the connection ended without an answer.
  std::map<std::string, std::string> fields;  // Names in lower case.
  std::string body;
};

// One connection to 127.0.0.1. Throws std::runtime_error where the system refuses.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool send(std::string_view bytes);  // False: the other side has closed.
  void finish_sending();
  // The next answer; `head`: one without a body. status 0 past the limit or at the connection's end.
  HttpReply receive(bool head = false, std::chrono::milliseconds limit = std::chrono::minutes(2));
  // All that still comes until the other side closes; false past the limit.
  bool closed(std::chrono::milliseconds limit = std::chrono::minutes(2));

 private:
  bool read_more(std::chrono::steady_clock::time_point until);
  int fd_ = -1;
  std::string received_;
};

// One GET on a connection of its own. `more`: further header lines, each with "\r\n".
HttpReply http_get(std::uint16_t port, std::string_view path, std::string_view more = {});

}  // namespace weir
