#include "tests/support/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace weir {

HttpClient::HttpClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no connection to port " + std::to_string(port));
}

HttpClient::~HttpClient() { ::close(fd_); }

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void HttpClient::finish_sending() { ::shutdown(fd_, SHUT_WR); }

bool HttpClient::read_more(std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  pollfd p{fd_, POLLIN, 0};
  if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) return false;
  char bytes[4096];
  const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  received_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

HttpReply HttpClient::receive(bool head, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == received_.npos)
    if (!read_more(until)) return {};
  HttpReply out;
  const std::string top = received_.substr(0, end + 2);
  received_.erase(0, end + 4);
  if (top.starts_with("HTTP/1.1 ")) out.status = std::atoi(top.c_str() + 9);
  for (std::size_t at = top.find("\r\n") + 2; at < top.size();) {
    const std::size_t line_end = top.find("\r\n", at);
    const std::size_t colon = top.find(": ", at);
    std::string name = top.substr(at, colon - at);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    out.fields[name] = top.substr(colon + 2, line_end - colon - 2);
    at = line_end + 2;
  }
  const auto length = static_cast<std::size_t>(std::atoll(out.fields["content-length"].c_str()));
  if (head) return out;
  while (received_.size() < length)
    if (!read_more(until)) return {};
  out.body = received_.substr(0, length);
  received_.erase(0, length);
  return out;
}

bool HttpClient::closed(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (read_more(until)) received_.clear();
  return std::chrono::steady_clock::now() < until;
}

HttpReply http_get(std::uint16_t port, std::string_view path, std::string_view more) {
  HttpClient client(port);
  client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: here\r\n" + std::string(more) + "Connection: close\r\n\r\n");
  return client.receive();
}

}  // namespace weir
