// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sleepers whose peer writes to memory: nothing but a bell wakes them. The quiet interval is so
// long here that no PING finds what a bell has forgotten.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "face/machines.hpp"
#include "face/meeting.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kLong = 10'000;  // milliseconds: far below the quiet interval
constexpr std::uint64_t kRounds = 200;
constexpr std::uint64_t kTag = 3;
constexpr std::size_t kBatch = 8;
constexpr std::size_t kPiece = 1500;  // bytes: few of them fit a ring
constexpr struct fi_cq_attr kDescriptor { .format = FI_CQ_FORMAT_TAGGED, .wait_obj = FI_WAIT_FD };

// What the domains are opened with.
struct Surroundings {
  Surroundings() {
    setenv("FI_XS_QUIET", "60000", 1);
    setenv("FI_XS_RING_SIZE", "4096", 1);
    setenv("FI_XS_RING_LARGEST", "4096", 1);
  }
  ~Surroundings() {
    for (const char* each : {"FI_XS_QUIET", "FI_XS_RING_SIZE", "FI_XS_RING_LARGEST"})
      unsetenv(each);
  }
};

// How a thread sleeps until there is a completion.
enum class Way { kRead, kDescriptor, kNested, kCounter };

// How often the calling thread has slept.
long sleeps() {
  struct rusage used {};
  getrusage(RUSAGE_THREAD, &used);
  return used.ru_nvcsw;
}

// Somewhere between the first thing that a sleeper does and some time after its last.
void pass_a_moment(std::minstd_rand& random) {
  const auto end = Clock::now() + microseconds(random() % (random() % 2 ? 30 : 300));
  while (Clock::now() < end) std::this_thread::yield();
}

// Sleeps in one way for completions of an endpoint.
class Sleeper {
 public:
  Sleeper(Process& side, Way way, struct fid_cntr& ended) : side_(side), way_(way), ended_(ended) {
    EXPECT_EQ(fi_control(&side.cq->fid, FI_GETWAIT, &descriptor_), 0);
    if (way != Way::kNested) return;
    outer_ = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event {};
    event.events = EPOLLIN;
    EXPECT_EQ(epoll_ctl(outer_, EPOLL_CTL_ADD, descriptor_, &event), 0);
  }
  ~Sleeper() {
    if (outer_ >= 0) close(outer_);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Takes one completion. False: none came in time; who sleeps for as long as he may looks once
  // more at the end, and that finds what has woken nobody.
  bool sleep() {
    const auto end = Clock::now() + milliseconds(kLong);
    return take() && Clock::now() < end;
  }
  // What was counted while somebody read the queue without sleep.
  void look_at_counter() { count_ = fi_cntr_read(&ended_); }

 private:
  bool take() {
    struct fi_cq_tagged_entry entry;
    switch (way_) {
      case Way::kRead:
        return fi_cq_sread(side_.cq.get(), &entry, 1, nullptr, kLong) == 1;
      case Way::kCounter:
        return fi_cntr_wait(&ended_, ++count_, kLong) == 0 &&
               fi_cq_read(side_.cq.get(), &entry, 1) == 1;
      default:
        return sleep_by_descriptor(entry);
    }
  }
  bool sleep_by_descriptor(struct fi_cq_tagged_entry& entry) const {
    struct fid* fids[] = {&side_.cq->fid};
    for (ssize_t got; (got = fi_cq_read(side_.cq.get(), &entry, 1)) != 1;) {
      if (got != -FI_EAGAIN) return false;
      if (fi_trywait(side_.fabric.get(), fids, 1) != 0) continue;
      if (!is_readable(outer_ >= 0 ? outer_ : descriptor_, kLong)) return false;
    }
    return true;
  }

  Process& side_;
  const Way way_;
  struct fid_cntr& ended_;
  std::uint64_t count_ = 0;
  int descriptor_ = -1;
  int outer_ = -1;
};

struct RingWaitTest : private Surroundings, MachinesTest, testing::WithParamInterface<Way> {
  RingWaitTest() {
    for (Process* side : {&a, &b}) renew(*side);
    to_b = a.know(b);
    to_a = b.know(a);
  }
  // Counters are closed after what reports to them.
  ~RingWaitTest() override { part(); }

  // Gives it an endpoint that counts, and whose queue can be slept on.
  void renew(Process& side) {
    side.ep.reset();
    side.cq = side.open_cq(kDescriptor);
    struct fi_cntr_attr attr {};
    attr.wait_obj = FI_WAIT_UNSPEC;
    struct fid_cntr* counter = nullptr;
    ASSERT_EQ(fi_cntr_open(side.domain.get(), &attr, &counter, nullptr), 0);
    auto& ended = &side == &a ? sent : received;
    ended.reset(counter);
    side.ep = side.open_ep();
    ASSERT_EQ(fi_ep_bind(side.ep.get(), &side.cq->fid, FI_TRANSMIT | FI_RECV), 0);
    ASSERT_EQ(fi_ep_bind(side.ep.get(), &counter->fid, &side == &a ? FI_SEND : FI_RECV), 0);
    ASSERT_EQ(fi_ep_bind(side.ep.get(), &side.av->fid, 0), 0);
    ASSERT_EQ(fi_enable(side.ep.get()), 0);
  }
  void receive(std::size_t size) {
    ASSERT_EQ(fi_trecv(b.ep.get(), in.data(), size, nullptr, FI_ADDR_UNSPEC, kTag, 0, nullptr), 0);
  }
  // A ring stands, the same one at either call.
  void expect_ring() const {
    for (const auto& peer : {a.at(to_b), b.at(to_a)}) {
      EXPECT_EQ(peer.path, static_cast<std::uint32_t>(FI_XS_PATH_RING));
      EXPECT_EQ(peer.joined, 1u + peer.left);
    }
  }

  FidPtr<struct fid_cntr> sent, received;
  std::array<char, kPiece> in{};
  const std::array<char, kPiece> out{};
};

TEST_P(RingWaitTest, every_message_wakes) {
  ASSERT_NO_FATAL_FAILURE(talk_until_ring());
  const auto before = a.at(to_b);
  Sleeper sleeper(b, GetParam(), *received);
  sleeper.look_at_counter();
  std::atomic<std::uint64_t> asked = 0;
  std::thread sender([&] {
    std::minstd_rand random;
    for (std::uint64_t i = 1; i <= kRounds; ++i) {
      while (asked < i) std::this_thread::yield();
      if (asked > kRounds) return;
      pass_a_moment(random);
      ASSERT_EQ(fi_tinject(a.ep.get(), out.data(), 8, to_b, kTag), 0);
    }
  });
  const long slept = sleeps();
  bool woken = true;
  for (std::uint64_t i = 1; i <= kRounds && woken; ++i) {
    receive(8);
    asked = i;
    EXPECT_TRUE(woken = sleeper.sleep()) << "round " << i;
  }
  EXPECT_GT(sleeps() - slept, static_cast<long>(kRounds / 10)) << "it was hardly ever asleep";
  asked = kRounds + 1;
  sender.join();
  expect_ring();
  const auto after = a.at(to_b);
  EXPECT_EQ(after.ring.sent_messages - before.ring.sent_messages, woken ? kRounds : 0);
  EXPECT_EQ(after.epoch, before.epoch);
}

// Who sends more than a ring holds sleeps until there is room, and until the last is taken.
TEST_P(RingWaitTest, room_and_acknowledgements_wake) {
  ASSERT_NO_FATAL_FAILURE(talk_until_ring());
  const auto before = a.at(to_b);
  Sleeper sleeper(a, GetParam(), *sent);
  sleeper.look_at_counter();
  const struct iovec bytes { const_cast<char*>(out.data()), out.size() };
  struct fi_msg_tagged message {};
  message.msg_iov = &bytes;
  message.iov_count = 1;
  message.addr = to_b;
  message.tag = kTag;
  std::atomic<std::uint64_t> asked = 0;
  std::atomic<bool> enough = false;
  std::thread receiver([&] {
    std::minstd_rand random;
    struct fi_cq_tagged_entry entry;
    for (std::uint64_t round = 1, taken = 0; !enough;) {
      if (asked < round) {
        std::this_thread::yield();
        continue;
      }
      pass_a_moment(random);
      // Without a completion it makes progress all the same, which takes what is there.
      taken += fi_cq_read(b.cq.get(), &entry, 1) == 1;
      if (taken == round * kBatch) ++round;
    }
  });
  const long slept = sleeps();
  bool woken = true;
  constexpr std::uint64_t kBatches = kRounds / kBatch;
  for (std::uint64_t round = 1; round <= kBatches && woken; ++round) {
    for (std::size_t i = 0; i < kBatch; ++i) receive(kPiece);
    for (std::size_t i = 0; i < kBatch; ++i)
      ASSERT_EQ(fi_tsendmsg(a.ep.get(), &message, FI_COMPLETION | FI_DELIVERY_COMPLETE), 0);
    asked = round;
    for (std::size_t i = 0; i < kBatch && woken; ++i)
      EXPECT_TRUE(woken = sleeper.sleep()) << "round " << round << ", completion " << i;
  }
  EXPECT_GT(sleeps() - slept, static_cast<long>(kBatches / 2)) << "it was hardly ever asleep";
  enough = true;
  receiver.join();
  expect_ring();
  const auto after = a.at(to_b);
  EXPECT_EQ(after.ring.sent_messages - before.ring.sent_messages, kRounds);
  EXPECT_EQ(after.epoch, before.epoch);
}

INSTANTIATE_TEST_SUITE_P(Ways, RingWaitTest,
                         testing::Values(Way::kRead, Way::kDescriptor, Way::kNested, Way::kCounter),
                         [](const auto& way) {
                           return way.param == Way::kRead         ? "Read"
                                  : way.param == Way::kDescriptor ? "Descriptor"
                                  : way.param == Way::kNested     ? "Nested"
                                                                  : "Counter";
                         });

// A listener and a client of two domains, each read by itself.
struct RingShutdownTest : private Surroundings, testing::TestWithParam<enum fi_wait_obj> {
  RingShutdownTest() {
    host.eq = host.open_eq({.wait_obj = GetParam()});
    host.listen();
  }
  void connect() {
    caller.client = caller.open_end(host.to_listener.get());
    ASSERT_EQ(fi_connect(caller.client.get(), host.to_listener->dest_addr, nullptr, 0), 0);
    bool connected[2] = {};
    for (const auto end = Clock::now() + kPatience; !connected[0] || !connected[1];) {
      ASSERT_LT(Clock::now(), end);
      if (const auto event = host.try_next(1)) {
        if (event->number == FI_CONNREQ) {
          host.server = host.open_end(event->info.get());
          ASSERT_EQ(fi_accept(host.server.get(), nullptr, 0), 0);
        }
        connected[0] = connected[0] || event->number == FI_CONNECTED;
      }
      if (const auto event = caller.try_next(1)) connected[1] = event->number == FI_CONNECTED;
    }
  }
  static bool has_ring(const Meeting& of, struct fid_ep& ep) {
    void* table = nullptr;
    EXPECT_EQ(fi_open_ops(&of.domain->fid, FI_XS_DOMAIN_OPS, 0, &table, nullptr), 0);
    struct fi_xs_peer peer {};
    EXPECT_EQ(static_cast<const struct fi_xs_ops_domain*>(table)->peer(&ep, 0, &peer, sizeof peer),
              0);
    return peer.path == FI_XS_PATH_RING;
  }
  bool ring_stands() const {
    return has_ring(host, *host.server) && has_ring(caller, *caller.client);
  }
  void talk_until_ring() {
    for (const auto end = Clock::now() + kPatience; !ring_stands();) {
      ASSERT_LT(Clock::now(), end);
      ASSERT_EQ(fi_trecv(host.server.get(), in.data(), in.size(), nullptr, 0, kTag, 0, nullptr), 0);
      ASSERT_EQ(fi_tinject(caller.client.get(), in.data(), in.size(), 0, kTag), 0);
      struct fi_cq_tagged_entry entry;
      while (fi_cq_read(host.cq.get(), &entry, 1) != 1) {
        ASSERT_LT(Clock::now(), end);
        (void)fi_cq_read(caller.cq.get(), &entry, 1);
      }
    }
  }
  // The number of the event that it is woken by.
  std::uint32_t sleep() {
    std::uint32_t number = 0;
    struct fi_eq_cm_entry entry {};
    if (GetParam() != FI_WAIT_FD) {
      EXPECT_GT(fi_eq_sread(host.eq.get(), &number, &entry, sizeof entry, kLong, 0), 0);
      return number;
    }
    int descriptor = -1;
    EXPECT_EQ(fi_control(&host.eq->fid, FI_GETWAIT, &descriptor), 0);
    struct fid* fids[] = {&host.eq->fid};
    while (fi_eq_read(host.eq.get(), &number, &entry, sizeof entry, 0) == -FI_EAGAIN)
      if (fi_trywait(host.fabric.get(), fids, 1) == 0 && !is_readable(descriptor, kLong)) return 0;
    return number;
  }

  Meeting host, caller;
  std::array<char, 8> in{};
};

TEST_P(RingShutdownTest, the_end_of_a_connection_wakes) {
  std::minstd_rand random;
  for (int round = 0; round < 5; ++round) {
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_NO_FATAL_FAILURE(talk_until_ring());
    std::thread leaves([&] {
      pass_a_moment(random);
      caller.client.reset();
    });
    const auto begin = Clock::now();
    const std::uint32_t number = sleep();
    EXPECT_LT(Clock::now() - begin, milliseconds(kLong)) << "it was the last look that found it";
    EXPECT_EQ(number, static_cast<std::uint32_t>(FI_SHUTDOWN)) << "round " << round;
    host.server.reset();
    leaves.join();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, RingShutdownTest, testing::Values(FI_WAIT_UNSPEC, FI_WAIT_FD),
                         [](const auto& kind) {
                           return kind.param == FI_WAIT_FD ? "Descriptor" : "Read";
                         });

}  // namespace
}  // namespace xs::abi::test
