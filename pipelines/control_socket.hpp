#pragma once
// How other processes ask a running pipeline: a Unix socket, `run/weir.sock` in the data directory, mode 0600.
//
// Frames both ways: u32 length (little-endian, at most 16 MiB), one byte of kind, then that many bytes less one of payload.
// The client opens with one request frame; what follows depends on the command. Every answer ends with kEnd or kError. To
// {"command": "produce", "acknowledge": true} the answer begins with a kTaken for each kLines that is in the topic.

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
  kTaken = 'T',    // Payload: how many records of this conversation are in the topic by now, decimal.
  kEnd = 'E',      // No more; payload: the result, if there is one (JSON).
  kError = 'X',    // Payload: the error code as one byte, then its text.
};
inline constexpr std::size_t kFrameBytesMax = 16u << 20;

// One connection. Used by one thread. Not closed by hand: the destructor does.
class Connection {
 public:
  // `peer`: what the other side is to whoever reads an error.
  Connection(int fd, std::string peer) : fd_(fd), peer_(std::move(peer)) {}
  ~Connection();
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)), peer_(std::move(other.peer_)), lost_(other.lost_) {}
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
  // Whether receive() would not wait for a frame to begin.
  bool readable() const;
  // The other side has gone: send() or receive() found that. Not an error that it has sent.
  bool lost() const { return lost_; }
  int descriptor() const { return fd_; }

 private:
  Error gone(const std::string& why);

  int fd_;
  std::string peer_;
  bool lost_ = false;
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
