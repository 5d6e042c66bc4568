// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "contract/hv_remote.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "hv/unique_fd.hpp"

namespace xs::test {

namespace {

constexpr int kPatience = 20'000;  // ms, for an answer

// Lines over a stream.
class Lines {
 public:
  explicit Lines(hv::UniqueFd socket) : socket_(std::move(socket)) {
    const int one = 1;
    setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  bool say(std::string line) {
    line += '\n';
    return send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(line.size());
  }
  // False: the other side is gone, or silent for too long (ms; -1: for ever).
  bool hear(std::string& line, int patience) {
    std::size_t end = 0;
    while ((end = heard_.find('\n')) == std::string::npos) {
      struct pollfd ready = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
      char part[4096];
      if (poll(&ready, 1, patience) != 1) return false;
      const ssize_t size = recv(socket_.get(), part, sizeof part, 0);
      if (size <= 0) return false;
      heard_.append(part, static_cast<std::size_t>(size));
    }
    line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return true;
  }

 private:
  hv::UniqueFd socket_;
  std::string heard_;
};

hv::UniqueFd call(const std::string& server) {
  const std::size_t colon = server.find(':');
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(server.substr(colon + 1))));
  inet_pton(AF_INET, server.substr(0, colon).c_str(), &address.sin_addr);
  hv::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody serves parties at " + server);
  return socket;
}

class Remote final : public HvParty {
 public:
  explicit Remote(const std::string& server) : lines_(call(server)) {}
  ~Remote() override { kill(); }
  std::string ask(const std::string& line) override {
    std::string answer;
    if (!lines_.say(line) || !lines_.hear(answer, kPatience))
      throw std::runtime_error("no answer to " + line);
    return answer;
  }
  // It is over when this returns.
  void kill() override {
    std::string answer;
    if (std::exchange(living_, false) && lines_.say("die")) lines_.hear(answer, kPatience);
  }

 private:
  Lines lines_;
  bool living_ = true;
};

[[noreturn]] void serve(hv::UniqueFd socket, MakeBackend make) {
  Lines lines(std::move(socket));
  HvActor actor(make(""));
  for (std::string line; lines.hear(line, -1) && line != "die";) lines.say(actor.obey(line));
  ::kill(getpid(), SIGKILL);
  _exit(1);
}

}  // namespace

std::unique_ptr<HvParty> party_remote(const std::string& server) {
  return std::make_unique<Remote>(server);
}

int serve_parties(std::uint16_t port, MakeBackend make, int patience) {
  signal(SIGCHLD, SIG_IGN);
  hv::UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const int one = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0)
    return errno;
  struct pollfd ready = {.fd = listener.get(), .events = POLLIN, .revents = 0};
  while (poll(&ready, 1, patience * 1000) == 1) {
    hv::UniqueFd socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket && fork() == 0) {
      listener.reset();
      serve(std::move(socket), make);
    }
  }
  return 0;
}

}  // namespace xs::test
