#pragma once
// How other processes ask a running pipeline: a Unix socket, `run/weir.sock` in the data directory, mode 0600.
//
// Frames both ways: u32 length (little-endian, at most 16 MiB), one byte of kind, then that many bytes less one of payload.
// The client opens with one request frame; what follows depends on the command. Every answer ends with kEnd or kError.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.hpp"

namespace weir {

enum class FrameKind : char {
  kRequest = 'R',  // One JSON object: {"command": "tail", …}.
  kLines = 'L',    // Whole lines.
  kEnd = 'E',      // No more; payload: the result, if there is one (JSON).
  kError = 'X',    // Payload: the error code as one byte, then its text.
};
inline constexpr std::size_t kFrameBytesMax = 16u << 20;

// One connection. Used by one thread. Not closed by hand: the destructor does.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection();
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // kUnavailable: the other side has gone.
  Result<void> send(FrameKind kind, std::string_view payload);
  Result<void> send_error(const Error& error);
  struct Frame {
    FrameKind kind = FrameKind::kEnd;
    std::string payload;
  };
  // kUnavailable: the other side has gone, or has been silent beyond `seconds_max` (0: waits for ever). kInvalidInput: no
  // frame of ours.
  Result<Frame> receive(int seconds_max = 0);
  bool closed_by_peer() const;
  int descriptor() const { return fd_; }

 private:
  int fd_;
};

// Accepts connections on a thread of its own and serves each on another; at most 32 at once.
class ControlServer {
 public:
  // Answers one request: sends frames, the last kEnd (a returned Error is sent as kError). `stop` becomes non-zero when the
  // server ends: leave soon.
  using Handler = std::function<Result<void>(std::string_view request, Connection& connection, const std::atomic<int>& stop)>;
  // Takes the place of a socket that a dead process left: call it only while holding the directory. kIo.
  static Result<std::unique_ptr<ControlServer>> start(const std::string& data_dir, Handler handler);
  ~ControlServer();  // Ends all connections.

 private:
  ControlServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// kNotFound: no process serves this directory.
Result<Connection> connect_control(const std::string& data_dir);

}  // namespace weir
