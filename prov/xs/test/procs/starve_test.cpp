// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process that lacks what a ring needs goes on over TCP, with one warning, and neither it nor its
// neighbour keeps anything of the attempt.
#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <thread>

#include "procs/failure.hpp"
#include "procs/held.hpp"
#include "procs/mover.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

// Who calls whom and who offers a ring is new in each round: it goes on until both ways were seen.
constexpr unsigned kRounds = 6;
constexpr unsigned kMostRounds = 60;

constexpr std::size_t kRing = 4 << 20;

// Takes every descriptor that this process may have.
class NoDescriptors {
 public:
  NoDescriptors() {
    checked(getrlimit(RLIMIT_NOFILE, &before_), "getrlimit");
    int highest = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
      highest = std::max(highest, std::stoi(each.path().filename()));
    struct rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(highest) + 1;
    checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    for (int fd; (fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0;) holes_.emplace_back(fd);
    if (errno != EMFILE) throw system_failure("descriptors");
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  struct rlimit before_ {};
  std::vector<UniqueFd> holes_;
};

// No file may be as large as a ring: RLIMIT_FSIZE holds for shared memory, too. (And for the log,
// which stays far below it.)
class NoMemory {
 public:
  NoMemory() {
    checked(getrlimit(RLIMIT_FSIZE, &before_), "getrlimit");
    struct rlimit limit = before_;
    limit.rlim_cur = kRing / 2;
    checked(setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
  }
  ~NoMemory() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  struct rlimit before_ {};
};

struct Plenty {};

struct Held {
  long descriptors = 0;
  long mappings = 0;
  bool operator==(const Held&) const = default;
};

// port: where the endpoint was that is closed by now. Sanitizers keep memory of their own.
Held held_now(std::uint16_t port) {
  return {descriptors_held(port), mappings_held(kSanitized ? "memfd:" : "")};
}

unsigned lines_with(const std::string& log, const std::string& first, const std::string& second) {
  std::istringstream lines(log);
  unsigned count = 0;
  for (std::string line; std::getline(lines, line);)
    count += line.find(first) != std::string::npos && line.find(second) != std::string::npos;
  return count;
}

// On a slow machine a peer is silent for so long that another lane is tried, and it takes a
// descriptor to ask for addresses.
const std::string kNoLane = "no further lane at any address: this machine tells no address";

enum class When {
  kMeeting,  // right's VM comes to left's host, where left has nothing any more
  kGrowing,  // they share a small ring, and a larger one is to follow
};

// Left starves when a ring is made.
class Starved : public Conversation {
 protected:
  explicit Starved(When when = When::kMeeting) : Conversation(1), when_(when) {}

  template <class Lack>
  void begin_rounds() {
    const Part part = [this](Worker& me, unsigned id) {
      Held before;
      for (unsigned round = 0; round == 0 || me.hear() == "again"; ++round) {
        if (round > 0) before = held_now(port_of(id));
        if (id == 0)
          meet<Lack>(me, id);
        else
          meet<Plenty>(me, id);
        const Held after = held_now(port_of(id));
        if (round > 0 && after != before) throw another(before, after);
        me.say("closed");
      }
    };
    start_together(part, environment("A"),
                   environment(when_ == When::kMeeting ? vm_.option() : "A"));
  }

  template <class Lack>
  void meet(Worker& me, unsigned id) const {
    const std::string& address = host(0).address();
    Node node(me, address, port_of(id));
    const fi_addr_t peer = node.insert(address, port_of(1 - id));
    node.shake_hands(peer);
    if (when_ == When::kGrowing) node.pass(2 * kQuiet);
    [[maybe_unused]] const Lack lack{};
    me.say("met");
    if (node.hear() != "talk") throw Failure("the driver says something else");
    talk(me, node, peer, Mix::kMixed, id);
  }

  static std::uint16_t port_of(unsigned id) { return static_cast<std::uint16_t>(Node::kPort + id); }

  static Failure another(const Held& before, const Held& after) {
    return Failure(std::to_string(after.descriptors - before.descriptors) + " descriptors and " +
                   std::to_string(after.mappings - before.mappings) + " mappings stay");
  }

  void play_round(unsigned round) {
    for (int i : {0, 1}) side(i).expect("met");
    vm_.write("A");
    for (int i : {0, 1}) side(i).tell("talk");
    for (int i : {0, 1}) side(i).expect("ready");
    let_talk();
    const auto deadline = Clock::now() + kSoon;
    while (warnings(0) <= round) {
      if (Clock::now() > deadline) throw Failure("nothing lacks");
      expect_flow();
    }
    expect_flow();
    stop_talking();
    for (int i : {0, 1}) side(i).expect("closed");
    EXPECT_EQ(warnings(0), round + 1);
    EXPECT_EQ(warnings(1), 0u);
    vm_.write("B");
  }

  // Rounds until both ways were seen: by how many of them went one way.
  void play(const std::function<unsigned()>& one_way) {
    unsigned round = 0;
    for (;; ++round) {
      play_round(round);
      const unsigned seen = one_way();
      if (HasFailure() || (round + 1 >= kRounds && seen > 0 && seen <= round)) break;
      if (round == kMostRounds) throw Failure("always the same way");
      for (int i : {0, 1}) side(i).tell("again");
    }
    for (int i : {0, 1}) side(i).tell("end");
    for (int i : {0, 1}) side(i).expect_end();
    const std::uint64_t fabric = sum_of(statistics(), "fabric", "tx_msgs");
    std::cout << round + 1 << " rounds, " << one_way() << " of them one way, " << fabric
              << " messages over the fabric\n";
    EXPECT_GE(fabric, (round + 1) * 80u);  // expect_flow() has seen them
    EXPECT_EQ(sum_of(statistics(), "ring", "tx_msgs") > 0, when_ == When::kGrowing);
  }

  // Of what lacks for a ring.
  unsigned warnings(int index) const {
    const std::string log = side(index).log();
    return lines_with(log, ":xs:", "<warn>") - lines_with(log, "<warn>", kNoLane);
  }

 private:
  Environment environment(const std::string& place) const {
    return {{"FI_XS_SIM_HOST", place},
            {"FI_XS_STATS", statistics().string()},
            {"FI_XS_RING_SIZE", std::to_string(when_ == When::kMeeting ? kRing : 4096)},
            {"FI_LOG_LEVEL", place == "A" ? "warn" : "info"}};
  }
  std::filesystem::path statistics() const { return vm_.file().parent_path() / "paths"; }

  const When when_;
  SimulatedVm vm_{"B"};
};

class StarvedLater : public Starved {
 protected:
  StarvedLater() : Starved(When::kGrowing) {}
};

TEST_F(StarvedLater, OfDescriptors) {
  const std::string handed = "no descriptor free for what it hands over";
  expect_log("no shared memory (with process .*" + handed + "|for process .* now)");
  expect_log(kNoLane, false);
  begin_rounds<NoDescriptors>();
  play([&] { return lines_with(side(0).log(), "<warn>", handed); });
}

TEST_F(Starved, OfDescriptors) {
  // UBSan looks at an object of a type that is new to it through a pipe, and without a descriptor
  // for one it takes the object for none.
  if (kSanitized) GTEST_SKIP() << "sanitizers need descriptors themselves";
  const std::string called = "no descriptor free for a caller";
  expect_log("sharing memory with peers: (" + called + "|Too many open files)");
  expect_log(kNoLane, false);
  begin_rounds<NoDescriptors>();
  play([&] { return lines_with(side(0).log(), "<warn>", called); });
}

TEST_F(Starved, OfSharedMemory) {
  expect_log("no shared memory for process .* now: ");
  begin_rounds<NoMemory>();
  // Who is refused a ring that it has offered leaves it.
  play([&] { return lines_with(side(1).log(), "ring 1 left", ""); });
}

}  // namespace

}  // namespace xs::test
