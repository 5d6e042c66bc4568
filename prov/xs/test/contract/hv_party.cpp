// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "contract/hv_party.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <stdexcept>

namespace xs::test {

namespace {

constexpr std::size_t kLongestLine = 65536;
constexpr int kPatience = 20'000;  // ms, for an answer

class Here final : public HvParty {
 public:
  explicit Here(std::unique_ptr<hv::Backend> backend)
      : actor_(std::make_unique<HvActor>(std::move(backend))) {}
  std::string ask(const std::string& line) override { return actor_->obey(line); }
  void kill() override { actor_->obey("close"); }

 private:
  std::unique_ptr<HvActor> actor_;
};

class Forked final : public HvParty {
 public:
  Forked(MakeBackend make, const std::string& simulated_host) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw std::runtime_error("no socket pair");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      serve(ends[1], make, simulated_host);
    }
    ::close(ends[1]);
    socket_ = ends[0];
    if (pid_ < 0) throw std::runtime_error("no child");
  }
  ~Forked() override {
    kill();
    ::close(socket_);
  }
  std::string ask(const std::string& line) override {
    struct pollfd ready = {.fd = socket_, .events = POLLIN, .revents = 0};
    std::string answer(kLongestLine, '\0');
    if (send(socket_, line.data(), line.size(), MSG_NOSIGNAL) < 0 ||
        poll(&ready, 1, kPatience) != 1)
      throw std::runtime_error("no answer to " + line);
    const ssize_t size = recv(socket_, answer.data(), answer.size(), 0);
    if (size <= 0) throw std::runtime_error("the child ended at " + line);
    answer.resize(static_cast<std::size_t>(size));
    return answer;
  }
  void kill() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  [[noreturn]] static void serve(int socket, MakeBackend make, const std::string& simulated_host) {
    HvActor actor(make(simulated_host));
    std::string line(kLongestLine, '\0');
    for (;;) {
      const ssize_t size = recv(socket, line.data(), line.size(), 0);
      if (size <= 0) _exit(0);
      const std::string answer = actor.obey(line.substr(0, static_cast<std::size_t>(size)));
      send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  pid_t pid_ = -1;
  int socket_ = -1;
};

template <class... T>
void parse(const std::string& answer, T&... values) {
  std::istringstream words(answer);
  (words >> ... >> values);
  if (!words) throw std::runtime_error("strange answer: " + answer);
}

}  // namespace

HvParty::Numbered HvParty::meet(const std::string& card) {
  Numbered out{};
  parse(ask("meet " + card), out.error, out.number);
  return out;
}

hv::LinkState HvParty::state(unsigned pair) {
  return static_cast<hv::LinkState>(std::stoi(ask("state " + std::to_string(pair))));
}

HvParty::PairNews HvParty::news(unsigned pair) {
  PairNews out{};
  int why = 0;
  parse(ask("news " + std::to_string(pair)), out.opened, out.pages, out.rung, out.lost, why);
  out.why = static_cast<hv::Loss>(why);
  return out;
}

hv::Rang HvParty::ring(unsigned pair) {
  return static_cast<hv::Rang>(std::stoi(ask("ring " + std::to_string(pair))));
}

HvParty::Shared HvParty::share(unsigned pair, std::size_t pages) {
  Shared out{};
  parse(ask("share " + std::to_string(pair) + ' ' + std::to_string(pages)), out.error, out.share,
        out.offer);
  return out;
}

std::optional<HvParty::Budget> HvParty::budget(unsigned pair, std::size_t pages) {
  const std::string answer = ask("budget " + std::to_string(pair) + ' ' + std::to_string(pages));
  if (answer == "none") return std::nullopt;
  Budget out;
  parse(answer, out.pages, out.in_use, out.leaving, out.cost);
  return out;
}

HvParty::Numbered HvParty::map(unsigned pair, const std::string& offer) {
  Numbered out{};
  parse(ask("map " + std::to_string(pair) + ' ' + offer), out.error, out.number);
  return out;
}

void HvParty::put(unsigned share, std::size_t at, const std::string& hex) {
  ask("put " + std::to_string(share) + ' ' + std::to_string(at) + ' ' + hex);
}

std::string HvParty::get(unsigned mapping, std::size_t at, std::size_t size) {
  return ask("get " + std::to_string(mapping) + ' ' + std::to_string(at) + ' ' +
             std::to_string(size));
}

std::string HvParty::own(unsigned share, std::size_t at, std::size_t size) {
  return ask("own " + std::to_string(share) + ' ' + std::to_string(at) + ' ' +
             std::to_string(size));
}

HvParty::Pauses HvParty::pauses() {
  Pauses pauses{};
  parse(ask("pauses"), pauses.count, pauses.restless);
  return pauses;
}

int HvParty::moves() {
  int moves = 0, untold = 0;
  parse(ask("moves"), moves, untold);
  return untold == 0 ? moves : -1;
}

hv::Counters HvParty::counters() {
  hv::Counters c;
  parse(ask("counters"), c.opened, c.gone, c.elsewhere, c.stale, c.other_user, c.evicted,
        c.nonsense, c.bad_pages, c.exhausted, c.moved);
  return c;
}

std::unique_ptr<HvParty> party_here(MakeBackend make, const std::string& simulated_host) {
  return std::make_unique<Here>(make(simulated_host));
}

std::unique_ptr<HvParty> party_forked(MakeBackend make, const std::string& simulated_host) {
  return std::make_unique<Forked>(make, simulated_host);
}

}  // namespace xs::test
