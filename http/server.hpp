#pragma once
// A small HTTP/1.1 server for whoever looks at a process from outside: GET and HEAD, short answers, a bound on everything.
//
// One thread of its own, of low priority, serves all connections. A connection that sends a malformed request gets an answer that
// says so and is closed; one that is slow, silent or greedy loses only itself.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "pipelines/endpoint.hpp"

namespace weir {

struct HttpRequest {
  std::string_view path;    // "/metrics"; as it was sent, without its query.
  bool authorised = false;  // It brought the token, or there is none.
};

struct HttpAnswer {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";  // Outlives the answer.
  std::string body;
};

// On the server's thread. What it throws is a bug: the client gets status 500.
using HttpHandler = std::function<HttpAnswer(const HttpRequest&)>;

struct HttpServerOptions {
  Endpoint listen;
  std::string token;  // What `Authorization: Bearer` must bring; empty: nothing.
  std::size_t connections_max = 64;      // One more is answered with 503 and closed.
  std::size_t head_bytes_max = 8 * 1024;  // Of a request up to its empty line; else 431.
  Duration head_timeout = std::chrono::seconds(5);    // From its first byte; on a new connection from the beginning.
  Duration idle_timeout = std::chrono::seconds(120);  // Between two requests.
  Duration write_timeout = std::chrono::seconds(10);  // For the whole answer.
  Duration farewell = std::chrono::milliseconds(500);  // For answers under way when the server ends.
};

class HttpServer {
 public:
  // Listens on return. kInUse: the port is taken. kConfig: no such address here. kIo.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options, HttpHandler handler);
  // Answers under way get `farewell` to go out; then every connection is closed.
  ~HttpServer();

  const Endpoint& endpoint() const;  // With the port that was chosen.
  std::string url() const { return "http://" + endpoint().text(); }

 private:
  HttpServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
