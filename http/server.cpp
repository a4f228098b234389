#include "http/server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>

#include <array>
#include <ctime>
#include <optional>
#include <set>
#include <thread>

#include "actors/runtime/thread_setup.hpp"

namespace weir {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kNice = 10;  // A look from outside must not cost a prediction its time.
constexpr int kRequestsPerConnection = 1000;
constexpr std::size_t kDrainBytesMax = 64 * 1024;
constexpr auto kDrainTimeout = std::chrono::seconds(1);
constexpr auto kAcceptAgainAfter = std::chrono::milliseconds(100);

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

// Takes as long for every wrong guess of the right length.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

std::string serialised(const HttpAnswer& answer, bool keep_alive, bool head_only) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + std::string(http::obsolete_reason(http::int_to_status(answer.status))) +
                    "\r\nDate: " + http_date() + "\r\nServer: weir\r\nContent-Type: " + std::string(answer.type) +
                    "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (answer.status == 401) out += "WWW-Authenticate: Bearer realm=\"weir\"\r\n";
  if (answer.status == 405) out += "Allow: GET, HEAD\r\n";
  out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  if (!head_only) out += answer.body;
  return out;
}

HttpAnswer refusal(unsigned status, std::string_view what) {
  return {status, "text/plain; charset=utf-8", std::string(what) + "\n"};
}

class Session;

// What the sessions share. All of it belongs to the server's thread once that runs.
struct Shared {
  HttpServerOptions options;
  HttpHandler handler;
  std::set<Session*> sessions;
  bool stopping = false;
  std::function<void()> emptied;  // The last session has gone while stopping.
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Shared& shared)
      : stream_(std::move(socket)), shared_(shared), buffer_(shared.options.head_bytes_max) {
    shared_.sessions.insert(this);
  }
  ~Session() {
    shared_.sessions.erase(this);
    if (shared_.stopping && shared_.sessions.empty()) shared_.emptied();
  }

  void start() { next(shared_.options.head_timeout); }

  bool writing() const { return writing_; }
  void close() { stream_.close(); }

 private:
  // Waits for a request's first byte.
  void next(Duration wait) {
    if (shared_.stopping) return;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_.options.head_bytes_max));
    if (buffer_.size() > 0) return read_head();  // Sent ahead.
    stream_.expires_after(wait);
    stream_.async_read_some(buffer_.prepare(std::min<std::size_t>(1024, shared_.options.head_bytes_max)),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              if (error) return;
                              self->buffer_.commit(bytes);
                              self->read_head();
                            });
  }

  void read_head() {
    stream_.expires_after(shared_.options.head_timeout);
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) { self->answer_head(error); });
  }

  void answer_head(error_code error) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) return;
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return answer(refusal(431, "the head of this request is longer than " + std::to_string(shared_.options.head_bytes_max) + " bytes"), false);
    if (error.category() == http::make_error_code(http::error::bad_method).category()) return answer(refusal(400, "no request of HTTP/1.1: " + error.message()), false);
    if (error) return;  // The connection is gone, or its time is over.
    const auto& request = parser_->get();
    if (request.count(http::field::host) > 1 || (request.version() == 11 && request.count(http::field::host) == 0))
      return answer(refusal(400, "expected one Host field"), false);
    head_only_ = request.method() == http::verb::head;
    if (request.method() != http::verb::get && !head_only_) return answer(refusal(405, "expected GET or HEAD"), false);
    if (parser_->chunked() || parser_->content_length().value_or(0) > 0) return answer(refusal(413, "expected a request without a body"), false);
    const std::string_view target(request.target().data(), request.target().size());
    if (!target.starts_with('/')) return answer(refusal(400, "expected a path that begins with /"), false);
    HttpRequest asked;
    asked.path = target.substr(0, target.find('?'));
    asked.authorised = authorised();
    const bool keep = request.keep_alive() && ++requests_ < kRequestsPerConnection && !shared_.stopping;
    try {
      answer(shared_.handler(asked), keep);
    } catch (const std::exception& thrown) {
      answer(refusal(500, std::string("internal error: ") + thrown.what()), false);
    }
  }

  bool authorised() const {
    if (shared_.options.token.empty()) return true;
    const auto& request = parser_->get();
    if (request.count(http::field::authorization) != 1) return false;
    const auto& field = request[http::field::authorization];
    const std::string_view given(field.data(), field.size());
    return beast::iequals(given.substr(0, 7), "Bearer ") && same_secret(given.substr(std::min<std::size_t>(7, given.size())), shared_.options.token);
  }

  void answer(const HttpAnswer& answer, bool keep_alive) {
    out_ = serialised(answer, keep_alive, head_only_);
    head_only_ = false;
    writing_ = true;
    stream_.expires_after(shared_.options.write_timeout);
    asio::async_write(stream_, asio::buffer(out_), [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
      self->writing_ = false;
      if (error) return;
      if (keep_alive) return self->next(self->shared_.options.idle_timeout);
      self->end();
    });
  }

  // Closed at once, a connection with bytes that were not read would be reset, and the answer lost with it.
  void end() {
    if (shared_.stopping) return;
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kDrainTimeout);
    drain();
  }
  void drain() {
    stream_.async_read_some(asio::buffer(drained_), [self = shared_from_this()](error_code error, std::size_t bytes) {
      self->drained_bytes_ += bytes;
      if (!error && self->drained_bytes_ < kDrainBytesMax && !self->shared_.stopping) self->drain();
    });
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::string out_;
  std::array<char, 4096> drained_;
  std::size_t drained_bytes_ = 0;
  int requests_ = 0;
  bool head_only_ = false;
  bool writing_ = false;
};

}  // namespace

struct HttpServer::Impl {
  Shared shared;  // Outlives the sessions, which the handlers queued in `io` hold.
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer timer{io};  // Until accepting again; then for the farewell.
  Endpoint endpoint;
  std::thread thread;

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (shared.stopping || error == asio::error::operation_aborted) return;
      if (error) {  // Out of file descriptors, most likely: others must end first.
        timer.expires_after(kAcceptAgainAfter);
        timer.async_wait([this](error_code cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      if (shared.sessions.size() >= shared.options.connections_max) {
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(serialised(refusal(503, "too many connections; try again later"), false, false)), ignored);
      } else {
        std::make_shared<Session>(std::move(socket), shared)->start();
      }
      accept();
    });
  }

  void stop() {
    shared.stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    timer.cancel();
    for (Session* session : shared.sessions)
      if (!session->writing()) session->close();
    if (shared.sessions.empty()) return;
    shared.emptied = [this] { timer.cancel(); };
    timer.expires_after(shared.options.farewell);
    timer.async_wait([this](error_code cancelled) {
      if (cancelled) return;
      for (Session* session : shared.sessions) session->close();
    });
  }
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options, HttpHandler handler) {
  std::unique_ptr<HttpServer> out(new HttpServer());
  Impl& impl = *out->impl_;
  impl.shared.options = options;
  impl.shared.handler = std::move(handler);
  const std::string where = "http.listen: " + options.listen.text() + ": ";
  error_code error;
  const asio::ip::address address = asio::ip::make_address(options.listen.address, error);
  if (error) return Error{ErrorCode::kConfig, where + error.message()};
  const tcp::endpoint wanted(address, options.listen.port);
  impl.acceptor.open(wanted.protocol(), error);
  if (!error) impl.acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) impl.acceptor.bind(wanted, error);
  if (!error) impl.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use)
    return Error{ErrorCode::kInUse, where + "another program listens there; choose another port, or 0 for any that is free"};
  if (error == boost::system::errc::address_not_available)
    return Error{ErrorCode::kConfig, where + "found no such address on this machine; expected one of its own, or 0.0.0.0"};
  if (error) return Error{ErrorCode::kIo, where + error.message()};
  impl.endpoint = options.listen;
  impl.endpoint.port = impl.acceptor.local_endpoint(error).port();
  if (error) return Error{ErrorCode::kIo, where + error.message()};
  impl.accept();
  impl.thread = std::thread([&impl] {
    name_thread("http");
    set_thread_nice(kNice);
    impl.io.run();
  });
  return out;
}

HttpServer::~HttpServer() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [impl = impl_.get()] { impl->stop(); });
  impl_->thread.join();
}

const Endpoint& HttpServer::endpoint() const { return impl_->endpoint; }

}  // namespace weir
