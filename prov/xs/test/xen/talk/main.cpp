// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-xen-talk SIDE OWN PEER [ROUNDS]
//
// Tagged messages of several sizes to and fro between two machines, each with its content checked.
// Side 1 is started first. XS_TEST_WAITING (procs/node.hpp) says how they wait. Sleepers must have
// slept: every word comes after a silence, which may cost them little. And something must have
// woken them: with an FI_XS_QUIET above kTooLong, who is woken by his timers alone is too late.
// With FI_XS_XEN_BELL=event that must have been event channels.
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "procs/failure.hpp"
#include "procs/node.hpp"

namespace xs::test {

bool g_full = false;

namespace {

constexpr std::uint64_t kRounds = 40;
constexpr auto kSilence = milliseconds(30);
constexpr auto kTooLong = seconds(10);  // for there and back, on however busy a machine
constexpr std::array<std::size_t, 5> kSizes = {8, 0, 1000, 60'000, 300'000};

milliseconds processor_time() {
  struct rusage used {};
  getrusage(RUSAGE_SELF, &used);
  const auto in = [](const struct timeval& t) {
    return seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return std::chrono::duration_cast<milliseconds>(in(used.ru_utime) + in(used.ru_stime));
}

// How often event channels of processes of this name have rung here, on all processors.
std::uint64_t events() {
  std::ifstream interrupts("/proc/interrupts");
  std::uint64_t sum = 0;
  for (std::string line; std::getline(interrupts, line);) {
    if (line.find("evtchn:xs-xen-talk") == std::string::npos) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::uint64_t count = 0; words >> count;) sum += count;
  }
  return sum;
}

// Whether event channels are to wake it.
bool is_belled() {
  const auto is = [](const char* variable, std::string_view value) {
    const char* const found = std::getenv(variable);
    return found && found == value;
  };
  return is("FI_XS_XEN_BELL", "event") && is("FI_XS_XEN", "on");
}

class Talk {
 public:
  Talk(Worker& me, std::uint64_t side, const char* own, const char* peer)
      : side_(side), node_(me, own), peer_(node_.insert(peer)) {}

  void begin() { node_.shake_hands(peer_); }
  void round(std::uint64_t number) {
    const auto begin = Clock::now();
    if (side_ == 0) say(2 * number);
    listen(2 * number + 1 - side_);
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    if (side_ == 1) say(2 * number + 1);
    auto& longest = longest_[number % kSizes.size()];
    longest = std::max(longest, took);
  }
  // From a silence before a word to the answer.
  void report() const {
    std::printf("at most");
    for (std::size_t i = 0; i < kSizes.size(); ++i)
      std::printf(" %ld ms for %zu bytes%s", longest_[i].count(), kSizes[i],
                  i + 1 < kSizes.size() ? "," : "\n");
    if (*std::max_element(longest_.begin(), longest_.end()) > kTooLong)
      throw Failure("that took too long");
  }
  void end() { node_.close(); }

 private:
  // Messages have their number for a tag and a content.
  void say(std::uint64_t message) {
    std::this_thread::sleep_for(kSilence);
    Transfer out{.bytes = pattern(size_of(message), message)};
    node_.send(out, peer_, message);
    node_.finish(out, "the end of a send");
  }
  void listen(std::uint64_t message) {
    Transfer in{.bytes = Bytes(size_of(message))};
    node_.receive(in, message);
    node_.finish(in, "a message");
    if (in.length != in.bytes.size() || in.bytes != pattern(in.length, message))
      throw Failure("message " + std::to_string(message) + " came with another content");
  }
  static std::size_t size_of(std::uint64_t message) { return kSizes[message / 2 % kSizes.size()]; }

  std::uint64_t side_;
  Node node_;
  fi_addr_t peer_;
  std::array<milliseconds, kSizes.size()> longest_{};
};

void talk(Worker& me, std::uint64_t side, const char* own, const char* peer, std::uint64_t rounds) {
  Talk talk(me, side, own, peer);
  talk.begin();
  std::printf("they have met\n");
  const auto begin = Clock::now();
  const milliseconds before = processor_time();
  for (std::uint64_t number = 0; number < rounds; ++number) talk.round(number);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  const milliseconds used = processor_time() - before;
  const std::uint64_t rung = events();  // with the talk its ports go
  talk.report();
  talk.end();
  std::printf("%lu rounds in %ld ms, with %ld ms of a processor, woken by %lu events\n", rounds,
              took.count(), used.count(), rung);
  if (std::getenv(kWaiting) && used > took / 2) throw Failure("it hardly slept");
  if (is_belled() ? rung < rounds / 2 : rung > 0) throw Failure("woken by something else");
}

}  // namespace

}  // namespace xs::test

int main(int count, char** words) {
  if (count != 4 && count != 5) return 2;
  using namespace xs::test;
  setvbuf(stdout, nullptr, _IOLBF, 0);  // what was said before it was killed, too
  static Board board;
  int nobody[2];  // no driver stands behind this worker
  try {
    checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, nobody), "socketpair");
    const UniqueFd other(nobody[1]);
    Worker me(Channel{UniqueFd(nobody[0])}, board);
    talk(me, std::strcmp(words[1], "0") == 0 ? 0 : 1, words[2], words[3],
         count == 5 ? std::strtoul(words[4], nullptr, 10) : kRounds);
  } catch (const std::exception& failure) {
    std::printf("FAIL %s\n", failure.what());
    return 1;
  }
  return 0;
}
