// The server: right requests get right answers, wrong ones an answer that says so; nobody holds up another or the end.
#include "http/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "core/base/rng.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/run_process.hpp"

namespace weir {
namespace {

using Milliseconds = std::chrono::milliseconds;

HttpHandler echo() {
  return [](const HttpRequest& request) -> HttpAnswer {
    if (request.path == "/bug") throw std::runtime_error("a bug");
    if (request.path == "/large") return {200, "text/plain", std::string(64u << 20, 'x')};
    if (!request.authorised) return {401, "text/plain", "who?\n"};
    return {200, "text/plain", std::string(request.path) + "\n"};
  };
}

// A busy machine holds a client up for longer than any default: only what a test is about may time out.
HttpServerOptions patient() {
  HttpServerOptions options;
  options.head_timeout = options.idle_timeout = options.write_timeout = std::chrono::hours(1);
  return options;
}

std::unique_ptr<HttpServer> serve(const HttpServerOptions& options = patient()) {
  auto server = HttpServer::start(options, echo());
  if (!server.ok()) throw std::runtime_error(server.error().what);
  return std::move(*server);
}
std::uint16_t port_of(const std::unique_ptr<HttpServer>& server) { return server->endpoint().port; }

TEST(HttpServer, AnswersGetAndHead) {
  const auto server = serve();
  EXPECT_NE(port_of(server), 0);
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(port_of(server)));
  const HttpReply get = http_get(port_of(server), "/metrics?x=1");
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.body, "/metrics\n");
  EXPECT_EQ(get.fields.at("content-type"), "text/plain");
  EXPECT_EQ(get.fields.at("connection"), "close");
  EXPECT_TRUE(get.fields.contains("date"));
  HttpClient client(port_of(server));
  client.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpReply head = client.receive(/*head=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.fields.at("content-length"), "9");
  client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");  // No body came between.
  EXPECT_EQ(client.receive().body, "/next\n");
}

TEST(HttpServer, KeepsAConnectionForManyRequestsAlsoSentAhead) {
  const auto server = serve();
  HttpClient client(port_of(server));
  const std::string request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(request + request + request);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.receive().body, "/a\n");
  for (const char c : request) client.send(std::string(1, c));  // A byte at a time.
  EXPECT_EQ(client.receive().body, "/a\n");
  client.send("GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.receive().body, "/b\n");
  EXPECT_TRUE(client.closed());
  HttpClient old(port_of(server));
  old.send("GET /c HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().body, "/c\n");
  EXPECT_TRUE(old.closed());
}

TEST(HttpServer, RefusesWhatIsNoRequestOfItsKind) {
  const auto server = serve();
  struct Case {
    std::string bytes;
    int status;
  };
  const std::string host = "Host: x\r\n\r\n";
  for (const Case& c : std::vector<Case>{{"POST /a HTTP/1.1\r\nContent-Length: 5\r\n" + host + "hello", 405},
                                         {"DELETE /a HTTP/1.1\r\n" + host, 405},
                                         {"BREW /a HTTP/1.1\r\n" + host, 405},
                                         {"GET /a HTTP/1.1\r\nContent-Length: 5\r\n" + host + "hello", 413},
                                         {"GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + host + "5\r\nhello\r\n0\r\n\r\n", 413},
                                         {"GET /a HTTP/1.1\r\n\r\n", 400},
                                         {"GET /a HTTP/1.1\r\nHost: y\r\n" + host, 400},
                                         {"GET a HTTP/1.1\r\n" + host, 400},
                                         {"GET http://x/a HTTP/1.1\r\n" + host, 400},
                                         {"GET /a HTTP/2.0\r\n" + host, 400},
                                         {"GET /a\r\n\r\n", 400},
                                         {"GET  /a HTTP/1.1\r\n" + host, 400},
                                         {"GET /a b HTTP/1.1\r\n" + host, 400},
                                         {"GET /a HTTP/1.1\r\nBad Name: x\r\n" + host, 400},
                                         {"GET /a HTTP/1.1\r\nContent-Length: 5, 6\r\n" + host, 400},
                                         {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03 is TLS\r\n\r\n", 400},
                                         {std::string("\0\0\0\0\r\n\r\n", 8), 400},
                                         {"GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n" + host, 431},
                                         {"GET /a HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n" + host, 431},
                                         {"GET /bug HTTP/1.1\r\n" + host, 500}}) {
    HttpClient client(port_of(server));
    client.send(c.bytes);
    EXPECT_EQ(client.receive().status, c.status) << c.bytes.substr(0, 60);
    EXPECT_TRUE(client.closed()) << c.bytes.substr(0, 60);
  }
  HttpClient post(port_of(server));
  post.send("POST /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(post.receive().fields.at("allow"), "GET, HEAD");
  EXPECT_EQ(http_get(port_of(server), "/a").status, 200);
}

// Right requests with bytes changed, cut, doubled: each ends with an answer or a closed connection, and the server goes on.
TEST(HttpServer, SurvivesDamagedRequests) {
  HttpServerOptions options;
  options.head_timeout = Milliseconds(200);
  const auto server = serve(options);
  const std::string right = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;q=0.5,*/*;q=0.1\r\nUser-Agent: Prometheus/2.0\r\n\r\n";
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    std::string bytes = right;
    const auto changes = rng.next_u64() % 6 + 1;
    for (std::uint64_t i = 0; i < changes; ++i) {
      const std::size_t at = rng.next_u64() % bytes.size();
      switch (rng.next_u64() % 4) {
        case 0: bytes[at] = static_cast<char>(rng.next_u64()); break;
        case 1: bytes.erase(at, rng.next_u64() % 8 + 1); break;
        case 2: bytes.insert(at, bytes.substr(at / 2, rng.next_u64() % 40)); break;
        default: bytes.insert(at, 1, "\r\n\0 :\t/\x7f"[rng.next_u64() % 8]); break;
      }
      if (bytes.empty()) bytes = "\r\n";
    }
    HttpClient client(port_of(server));
    client.send(bytes);
    client.finish_sending();
    ASSERT_TRUE(client.closed()) << "seed " << seed;
  }
  EXPECT_TRUE(wait_until([&] { return http_get(port_of(server), "/a").body == "/a\n"; }));
}

TEST(HttpServer, ASlowOrSilentClientLosesOnlyItself) {
  HttpServerOptions options;
  options.head_timeout = Milliseconds(100);
  options.idle_timeout = Milliseconds(100);
  options.write_timeout = Milliseconds(100);
  const auto server = serve(options);
  HttpClient silent(port_of(server)), half(port_of(server)), greedy(port_of(server));
  half.send("GET /a HTTP/1.1\r\nHos");
  greedy.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");  // And never reads it.
  std::unique_ptr<HttpClient> idle;
  EXPECT_TRUE(wait_until([&] {  // Where this thread is held up, it is the slow one.
    idle = std::make_unique<HttpClient>(port_of(server));
    idle->send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    return idle->receive().status == 200;
  }));
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(half.closed());
  EXPECT_TRUE(idle->closed());
  EXPECT_TRUE(wait_until([&] { return http_get(port_of(server), "/a").status == 200; }));
  EXPECT_TRUE(wait_until([&] { return !greedy.send("x"); }));
}

TEST(HttpServer, MoreConnectionsThanItsBoundAreToldSo) {
  HttpServerOptions options = patient();
  options.connections_max = 3;
  const auto server = serve(options);
  std::vector<std::unique_ptr<HttpClient>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<HttpClient>(port_of(server)));
    open.back()->send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(open.back()->receive().status, 200);
  }
  HttpClient more(port_of(server));
  EXPECT_EQ(more.receive().status, 503);
  EXPECT_TRUE(more.closed());
  open.clear();
  EXPECT_TRUE(wait_until([&] { return http_get(port_of(server), "/a").status == 200; }));
}

TEST(HttpServer, AsksForTheToken) {
  HttpServerOptions options = patient();
  options.token = "open sesame";
  const auto server = serve(options);
  const HttpReply without = http_get(port_of(server), "/a");
  EXPECT_EQ(without.status, 401);
  EXPECT_TRUE(without.fields.at("www-authenticate").starts_with("Bearer"));
  for (const char* wrong : {"Authorization: Bearer open sesamE\r\n", "Authorization: Bearer open\r\n", "Authorization: Basic open sesame\r\n",
                            "Authorization: open sesame\r\n", "Authorization: Bearer \r\n", "Authorization: Bearer open sesame\r\nAuthorization: Bearer x\r\n"})
    EXPECT_EQ(http_get(port_of(server), "/a", wrong).status, 401) << wrong;
  EXPECT_EQ(http_get(port_of(server), "/a", "Authorization: Bearer open sesame\r\n").status, 200);
  EXPECT_EQ(http_get(port_of(server), "/a", "authorization: bearer open sesame\r\n").status, 200);
}

TEST(HttpServer, NamesAPortThatIsTakenAndAnAddressThatIsNotHere) {
  const auto server = serve();
  HttpServerOptions same;
  same.listen = server->endpoint();
  const auto taken = HttpServer::start(same, echo());
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kInUse);
  EXPECT_NE(taken.error().what.find(server->endpoint().text()), std::string::npos) << taken.error().what;
  HttpServerOptions elsewhere;
  elsewhere.listen = {"192.0.2.1", 0};  // Of documents only.
  const auto absent = HttpServer::start(elsewhere, echo());
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kConfig);
}

TEST(HttpServer, EndsInTimeWhateverItsClientsDo) {
  auto server = serve();
  const std::uint16_t port = port_of(server);
  HttpClient silent(port), half(port), idle(port), greedy(port);
  half.send("GET /a HT");
  greedy.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(idle.receive().status, 200);
  std::atomic<bool> more{true};
  std::thread busy([&] {
    while (more) try {
        http_get(port, "/a");
      } catch (const std::runtime_error&) {
        return;  // It listens no more.
      }
  });
  const auto began = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));  // Half a second, and what a busy machine adds.
  more = false;
  busy.join();
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(half.closed());
  EXPECT_TRUE(idle.closed());
  serve();  // And one that nobody has asked anything.
}

TEST(Endpoint, IsAnAddressAndAPort) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:9464"), (Endpoint{"127.0.0.1", 9464}));
  EXPECT_EQ(parse_endpoint("localhost:0"), (Endpoint{"127.0.0.1", 0}));
  EXPECT_EQ(parse_endpoint("[::1]:80"), (Endpoint{"::1", 80}));
  EXPECT_EQ(parse_endpoint("[::1]:80")->text(), "[::1]:80");
  for (const char* loopback : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) EXPECT_TRUE(parse_endpoint(loopback)->loopback()) << loopback;
  for (const char* open : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"}) EXPECT_FALSE(parse_endpoint(open)->loopback()) << open;
  for (const char* wrong : {"", ":", "9464", "127.0.0.1", "127.0.0.1:", ":9464", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:1x", "::1:80", "[127.0.0.1]:1", "host:1", "127.1:1", "[]:1", "*:1"})
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
}

}  // namespace
}  // namespace weir
