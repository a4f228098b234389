#include "pipelines/control_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <list>
#include <thread>

namespace weir {
namespace {

constexpr std::size_t kConnectionsMax = 32;
constexpr int kFarewellMs = 500;
constexpr const char* kSocketName = "weir.sock";
constexpr const char* kNewSocketName = "weir.sock.new";  // Until it listens.

std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

// A socket address holds 108 bytes; a longer path goes through the directory's descriptor, which must stay open.
struct Address {
  sockaddr_un address{};
  int directory = -1;
  ~Address() {
    if (directory >= 0) ::close(directory);
  }
};

Result<void> make_address(const std::string& data_dir, std::string_view name, Address& out) {
  out.address.sun_family = AF_UNIX;
  std::string path = data_dir + "/run/" + std::string(name);
  if (path.size() >= sizeof out.address.sun_path) {
    out.directory = ::open((data_dir + "/run").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out.directory < 0) return Error{ErrorCode::kNotFound, system_error(data_dir + "/run")};
    path = "/proc/self/fd/" + std::to_string(out.directory) + "/" + std::string(name);
  }
  std::memcpy(out.address.sun_path, path.c_str(), path.size() + 1);
  return {};
}

// Waits for `events`; false on time-out.
bool wait_for(int fd, short events, int milliseconds) {
  pollfd p{fd, events, 0};
  for (;;) {
    const int n = ::poll(&p, 1, milliseconds);
    if (n < 0 && errno == EINTR) continue;
    return n > 0;
  }
}

}  // namespace

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Connection::send(FrameKind kind, std::string_view payload) {
  const auto length = static_cast<std::uint32_t>(payload.size() + 1);
  if (payload.size() + 1 > kFrameBytesMax) return Error{ErrorCode::kInvalidInput, "a frame of " + std::to_string(payload.size()) + " bytes; expected at most 16 MiB"};
  char head[5];
  std::memcpy(head, &length, 4);
  head[4] = static_cast<char>(kind);
  for (std::string_view part : {std::string_view(head, 5), payload})
    while (!part.empty()) {
      const ssize_t n = ::send(fd_, part.data(), part.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return gone(std::strerror(errno));
      part.remove_prefix(static_cast<std::size_t>(n));
    }
  return {};
}

Result<void> Connection::send_error(const Error& error) {
  return send(FrameKind::kError, std::string(1, static_cast<char>('a' + static_cast<int>(error.code))) + error.what);
}

Result<Connection::Frame> Connection::receive(int seconds_max) {
  const auto read_all = [&](char* to, std::size_t bytes) -> Result<void> {
    while (bytes > 0) {
      if (seconds_max > 0 && !wait_for(fd_, POLLIN, seconds_max * 1000))
        return Error{ErrorCode::kUnavailable, "control socket: silent for " + std::to_string(seconds_max) + " s"};
      const ssize_t n = ::recv(fd_, to, bytes, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return gone(std::strerror(errno));
      if (n == 0) return gone("it said no more");
      to += n;
      bytes -= static_cast<std::size_t>(n);
    }
    return {};
  };
  char head[5];
  TRY(read_all(head, 5));
  std::uint32_t length = 0;
  std::memcpy(&length, head, 4);
  const char kind = head[4];
  if (length == 0 || length > kFrameBytesMax || (kind != 'R' && kind != 'L' && kind != 'T' && kind != 'E' && kind != 'X'))
    return Error{ErrorCode::kInvalidInput, "control socket: bytes that are no frame"};
  Frame frame{static_cast<FrameKind>(kind), std::string(length - 1, '\0')};
  TRY(read_all(frame.payload.data(), frame.payload.size()));
  if (frame.kind == FrameKind::kError) {
    const int code = frame.payload.empty() ? -1 : frame.payload[0] - 'a';
    if (code < 0 || code > static_cast<int>(ErrorCode::kFull)) return Error{ErrorCode::kInvalidInput, "control socket: an error without its code"};
    return Error{static_cast<ErrorCode>(code), frame.payload.substr(1)};
  }
  return frame;
}

Error Connection::gone(const std::string& why) {
  lost_ = true;
  return {ErrorCode::kUnavailable, peer_ + " ended in the middle of a request (" + why + ")"};
}

bool Connection::readable() const {
  pollfd p{fd_, POLLIN, 0};
  return ::poll(&p, 1, 0) > 0;
}

bool Connection::closed_by_peer() const {
  pollfd p{fd_, POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

struct ControlServer::Impl {
  struct Client {
    int fd = -1;
    std::atomic<bool> done{false};
    std::thread thread;
  };
  int listener = -1;
  int wake = -1;
  std::string path;
  bool bound = false;
  Handler handler;
  std::atomic<int> stop{0};
  std::list<Client> clients;
  std::thread thread;

  void serve(Client& client) {
    {
      Connection connection(::fcntl(client.fd, F_DUPFD_CLOEXEC, 0), "control socket: the command");
      const auto request = connection.receive(/*seconds_max=*/10);
      Result<void> result = request.ok() && request->kind == FrameKind::kRequest
                                ? handler(request->payload, connection, stop)
                                : Result<void>(request.ok() ? Error{ErrorCode::kInvalidInput, "expected a request"} : request.error());
      if (!result.ok() && connection.lost() && stop != 0)  // Its reading was ended from here.
        result = Error{ErrorCode::kUnavailable, "the pipeline's process was told to end in the middle of the request"};
      if (!result.ok()) static_cast<void>(connection.send_error(result.error()));
    }
    client.done = true;
  }
  void reap() {
    for (auto it = clients.begin(); it != clients.end();) {
      if (!it->done) {
        ++it;
        continue;
      }
      it->thread.join();
      ::close(it->fd);
      it = clients.erase(it);
    }
  }
  void run() {
    while (stop == 0) {
      pollfd fds[2] = {{listener, POLLIN, 0}, {wake, POLLIN, 0}};
      if (::poll(fds, 2, 1000) < 0 && errno != EINTR) return;
      reap();
      if ((fds[0].revents & POLLIN) == 0 || stop != 0) continue;
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      if (clients.size() >= kConnectionsMax) {
        Connection connection(fd, "control socket: the command");
        static_cast<void>(connection.send_error({ErrorCode::kUnavailable, "32 connections are open already; try again later"}));
        continue;
      }
      Client& client = clients.emplace_back();
      client.fd = fd;
      client.thread = std::thread([this, &client] { serve(client); });
    }
  }
};

ControlServer::ControlServer() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& data_dir, Handler handler) {
  std::unique_ptr<ControlServer> out(new ControlServer());
  Impl& impl = *out->impl_;
  impl.handler = std::move(handler);
  std::error_code error;
  std::filesystem::create_directories(data_dir + "/run", error);
  if (error) return Error{ErrorCode::kIo, data_dir + "/run: " + error.message()};
  Address address;
  TRY(make_address(data_dir, kNewSocketName, address));
  impl.path = data_dir + "/run/" + kSocketName;
  const std::string new_path = data_dir + "/run/" + kNewSocketName;
  ::unlink(new_path.c_str());
  impl.listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  impl.wake = ::eventfd(0, EFD_CLOEXEC);
  if (impl.listener < 0 || impl.wake < 0) return Error{ErrorCode::kIo, system_error("control socket")};
  ::fchmod(impl.listener, 0600);  // What bind() makes takes these permissions: never open to others, not for a moment.
  if (::bind(impl.listener, reinterpret_cast<const sockaddr*>(&address.address), sizeof address.address) != 0 || ::listen(impl.listener, 16) != 0 ||
      ::rename(new_path.c_str(), impl.path.c_str()) != 0)  // Who finds the name finds somebody who listens.
    return Error{ErrorCode::kIo, system_error(impl.path)};
  impl.bound = true;
  impl.thread = std::thread([&impl] { impl.run(); });
  return out;
}

ControlServer::~ControlServer() {
  Impl& impl = *impl_;
  impl.stop = 1;
  const std::uint64_t one = 1;
  if (impl.wake >= 0 && ::write(impl.wake, &one, sizeof one) < 0) impl.stop = 1;
  if (impl.thread.joinable()) impl.thread.join();
  // Who follows a topic gets its last records and a clean end; who does not take them in time is cut off.
  for (Impl::Client& client : impl.clients) ::shutdown(client.fd, SHUT_RD);
  const auto all_done = [&] { return std::all_of(impl.clients.begin(), impl.clients.end(), [](const Impl::Client& client) { return client.done.load(); }); };
  for (int waited_ms = 0; waited_ms < kFarewellMs && !all_done(); waited_ms += 5) ::poll(nullptr, 0, 5);
  for (Impl::Client& client : impl.clients) ::shutdown(client.fd, SHUT_RDWR);
  for (Impl::Client& client : impl.clients) {
    client.thread.join();
    ::close(client.fd);
  }
  if (impl.bound) ::unlink(impl.path.c_str());
  if (impl.listener >= 0) ::close(impl.listener);
  if (impl.wake >= 0) ::close(impl.wake);
}

Result<Connection> connect_control(const std::string& data_dir) {
  Address address;
  TRY(make_address(data_dir, kSocketName, address));
  Connection connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "data directory '" + data_dir + "': the process that runs its pipeline");
  const int fd = connection.descriptor();
  if (fd < 0) return Error{ErrorCode::kIo, system_error("control socket")};
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.address), sizeof address.address) != 0)
    return Error{ErrorCode::kNotFound, system_error(data_dir + "/run/" + kSocketName)};
  return connection;
}

}  // namespace weir
