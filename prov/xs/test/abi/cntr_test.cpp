// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Counters: what they count, what waits for them, and what is refused.
#include <poll.h>

#include <array>
#include <chrono>
#include <thread>

#include "face/face.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMessages = FI_SEND | FI_RECV;

FidPtr<struct fid_cntr> open_counter(const Face& face, enum fi_wait_obj kind = FI_WAIT_UNSPEC) {
  struct fi_cntr_attr attr {};
  attr.wait_obj = kind;
  struct fid_cntr* counter = nullptr;
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, nullptr), 0);
  return FidPtr<struct fid_cntr>(counter);
}

// An endpoint whose messages are counted, without a completion queue.
struct Counting : Face {
  explicit Counting(enum fi_wait_obj kind = FI_WAIT_UNSPEC)
      : sends(open_counter(*this, kind)),
        receives(open_counter(*this, kind)),
        av(open_av()),
        ep(open_ep()) {
    EXPECT_EQ(fi_ep_bind(ep.get(), &sends->fid, FI_SEND), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &receives->fid, FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep.get()), 0);
    self = number_of(*ep, *av);
  }

  void send(fi_addr_t to) {
    ASSERT_EQ(fi_tsend(ep.get(), room.data(), room.size(), nullptr, to, 1, &room), 0);
  }
  void receive(std::uint64_t tag = 1) {
    ASSERT_EQ(fi_trecv(ep.get(), room.data(), room.size(), nullptr, FI_ADDR_UNSPEC, tag, 0, &room),
              0);
  }
  int try_wait(const FidPtr<struct fid_cntr>& counter) const {
    struct fid* fids[] = {&counter->fid};
    return fi_trywait(fabric.get(), fids, 1);
  }
  // Until it may sleep.
  void prepare(const FidPtr<struct fid_cntr>& counter) const {
    const auto deadline = Clock::now() + milliseconds(kSoon);
    while (try_wait(counter) != 0) ASSERT_LT(Clock::now(), deadline) << "it never may sleep";
  }

  std::array<char, 64> room{};
  FidPtr<struct fid_cntr> sends;
  FidPtr<struct fid_cntr> receives;
  FidPtr<struct fid_av> av;
  FidPtr<struct fid_ep> ep;
  fi_addr_t self = FI_ADDR_NOTAVAIL;
};

TEST(CounterFaceTest, attribute_errors) {
  Face face;
  struct fid_cntr* counter = nullptr;
  struct fi_cntr_attr attr {};
  EXPECT_EQ(fi_cntr_open(face.domain.get(), nullptr, &counter, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, nullptr, nullptr), -FI_EINVAL);
  attr.flags = FI_PEEK;
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, nullptr), -FI_EBADFLAGS);
  attr = {};
  attr.events = static_cast<enum fi_cntr_events>(1);  // bytes, in libfabric 2.x
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, nullptr), -FI_ENOSYS);
  for (const auto kind : {FI_WAIT_SET, static_cast<enum fi_wait_obj>(7)}) {
    attr = {};
    attr.wait_obj = kind;
    EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, nullptr), -FI_ENOSYS);
  }
}

TEST(CounterFaceTest, binding_errors_and_a_bound_one_stays_open) {
  Face face, other;
  const auto counter = open_counter(face);
  const auto second = open_counter(face);
  const auto foreign = open_counter(other);
  auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, 0), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, FI_SEND | FI_PEEK), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &foreign->fid, FI_SEND), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, FI_SEND | FI_READ), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &second->fid, FI_RECV | FI_READ), -FI_EINVAL)
      << "reads are counted already";
  EXPECT_EQ(
      fi_ep_bind(ep.get(), &second->fid, FI_RECV | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE), 0);
  EXPECT_EQ(fi_close(&counter->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&second->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  ep.reset();
}

TEST(CounterFaceTest, an_endpoint_needs_a_queue_or_a_counter_for_each_direction) {
  Face face;
  const auto counter = open_counter(face);
  const auto av = face.open_av();
  const auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, FI_SEND), 0);
  EXPECT_EQ(fi_enable(ep.get()), -FI_ENOCQ);
  EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, FI_RECV), 0);
  EXPECT_EQ(fi_enable(ep.get()), 0);
}

TEST(CounterFaceTest, the_application_adds_and_sets) {
  Face face;
  const auto counter = open_counter(face, FI_WAIT_NONE);
  EXPECT_EQ(fi_cntr_read(counter.get()), 0u);
  EXPECT_EQ(fi_cntr_add(counter.get(), 3), 0);
  EXPECT_EQ(fi_cntr_add(counter.get(), 4), 0);
  EXPECT_EQ(fi_cntr_adderr(counter.get(), 2), 0);
  EXPECT_EQ(fi_cntr_read(counter.get()), 7u);
  EXPECT_EQ(fi_cntr_readerr(counter.get()), 2u);
  EXPECT_EQ(fi_cntr_set(counter.get(), 1), 0);
  EXPECT_EQ(fi_cntr_seterr(counter.get(), 5), 0);
  EXPECT_EQ(fi_cntr_read(counter.get()), 1u);
  EXPECT_EQ(fi_cntr_readerr(counter.get()), 5u);
}

TEST(CounterFaceTest, kinds_are_told_and_given) {
  Face face;
  for (const auto kind :
       {FI_WAIT_NONE, FI_WAIT_UNSPEC, FI_WAIT_FD, FI_WAIT_POLLFD, FI_WAIT_YIELD}) {
    const auto counter = open_counter(face, kind);
    enum fi_wait_obj told = FI_WAIT_SET;
    EXPECT_EQ(fi_control(&counter->fid, FI_GETWAITOBJ, &told), 0);
    EXPECT_EQ(told, kind);
    EXPECT_EQ(fi_control(&counter->fid, FI_GETWAIT, nullptr), -FI_EINVAL);
    struct fid* fids[] = {&counter->fid};
    EXPECT_EQ(fi_trywait(face.fabric.get(), fids, 1), kind == FI_WAIT_NONE ? -FI_EINVAL : 0);
    if (kind == FI_WAIT_POLLFD) continue;
    int descriptor = -1;
    EXPECT_EQ(fi_control(&counter->fid, FI_GETWAIT, &descriptor),
              kind == FI_WAIT_FD ? 0 : -FI_ENODATA);
    EXPECT_EQ(descriptor >= 0, kind == FI_WAIT_FD);
  }
}

TEST(CounterFaceTest, messages_are_counted_injected_ones_and_silent_ones_too) {
  Counting side;
  side.receive();
  side.send(side.self);
  EXPECT_EQ(fi_cntr_read(side.sends.get()), 1u);
  EXPECT_EQ(fi_cntr_read(side.receives.get()), 1u);
  ASSERT_EQ(fi_recv(side.ep.get(), side.room.data(), 8, nullptr, FI_ADDR_UNSPEC, nullptr), 0);
  ASSERT_EQ(fi_inject(side.ep.get(), side.room.data(), 8, side.self), 0);
  EXPECT_EQ(fi_cntr_wait(side.sends.get(), 2, kSoon), 0);
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 2, kSoon), 0);
  EXPECT_EQ(fi_cntr_readerr(side.sends.get()), 0u);
  EXPECT_EQ(fi_cntr_readerr(side.receives.get()), 0u);
}

TEST(CounterFaceTest, what_a_queue_is_not_told_is_counted) {
  Face face;
  const auto counter = open_counter(face);
  const auto cq = face.open_cq();
  const auto av = face.open_av();
  const auto ep = face.open_ep();
  ASSERT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV | FI_SELECTIVE_COMPLETION), 0);
  ASSERT_EQ(fi_ep_bind(ep.get(), &counter->fid, kMessages), 0);
  ASSERT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
  ASSERT_EQ(fi_enable(ep.get()), 0);
  const fi_addr_t self = number_of(*ep, *av);
  char byte = 0;
  ASSERT_EQ(fi_trecv(ep.get(), &byte, 1, nullptr, FI_ADDR_UNSPEC, 1, 0, nullptr), 0);
  ASSERT_EQ(fi_tsend(ep.get(), &byte, 1, nullptr, self, 1, nullptr), 0);
  EXPECT_EQ(fi_cntr_wait(counter.get(), 2, kSoon), 0);
  struct fi_cq_tagged_entry entry;
  EXPECT_EQ(fi_cq_read(cq.get(), &entry, 1), -FI_EAGAIN);
}

TEST(CounterFaceTest, a_failed_operation_counts_as_an_error_and_ends_a_wait) {
  Counting side;
  side.receive(2);
  ASSERT_EQ(fi_cancel(&side.ep->fid, &side.room), 0);
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, kSoon), -FI_EAVAIL) << "it failed before";
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, 10), -FI_ETIMEDOUT) << "it has been told";
  EXPECT_EQ(fi_cntr_read(side.receives.get()), 0u);
  EXPECT_EQ(fi_cntr_readerr(side.receives.get()), 1u);
  // Too short a receive fails, its send does not.
  ASSERT_EQ(fi_trecv(side.ep.get(), side.room.data(), 1, nullptr, FI_ADDR_UNSPEC, 1, 0, nullptr),
            0);
  side.send(side.self);
  EXPECT_EQ(fi_cntr_wait(side.sends.get(), 1, kSoon), 0);
  EXPECT_EQ(fi_cntr_readerr(side.receives.get()), 2u);
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, 10), -FI_ETIMEDOUT) << "it was read";
}

TEST(CounterFaceTest, a_peek_is_not_counted) {
  Counting side;
  side.send(side.self);
  struct fi_msg_tagged msg {};
  msg.addr = FI_ADDR_UNSPEC;
  msg.context = &side;
  for (const std::uint64_t tag : {1, 2}) {
    msg.tag = tag;
    ASSERT_EQ(fi_trecvmsg(side.ep.get(), &msg, FI_PEEK), 0);
  }
  EXPECT_EQ(fi_cntr_read(side.receives.get()), 0u);
  EXPECT_EQ(fi_cntr_readerr(side.receives.get()), 0u);
  side.receive();
  EXPECT_EQ(fi_cntr_read(side.receives.get()), 1u);
}

// ---- Waiting ----

TEST(CounterWaitTest, without_a_wait_object_it_is_looked_at_again_and_again) {
  Counting side(FI_WAIT_NONE);
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 0, -1), 0);
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, 0), -FI_ETIMEDOUT);
  const auto begin = Clock::now();
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, 50), -FI_ETIMEDOUT);
  EXPECT_GE(Clock::now() - begin, milliseconds(50));
  side.receive();
  std::thread sender([&] {
    let_sleep();
    side.send(side.self);
  });
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, kSoon), 0);
  sender.join();
  EXPECT_EQ(fi_cntr_adderr(side.sends.get(), 1), 0);
  EXPECT_EQ(fi_cntr_wait(side.sends.get(), 2, kSoon), -FI_EAVAIL);
}

TEST(CounterWaitTest, what_is_reached_needs_no_wait) {
  Face face;
  const auto counter = open_counter(face);
  EXPECT_EQ(fi_cntr_wait(counter.get(), 0, -1), 0);
  EXPECT_EQ(fi_cntr_adderr(counter.get(), 1), 0);
  EXPECT_EQ(fi_cntr_wait(counter.get(), 0, -1), 0) << "also beside an error";
  EXPECT_EQ(fi_cntr_wait(counter.get(), 1, -1), -FI_EAVAIL);
}

TEST(CounterWaitTest, timeout_is_kept_and_slept) {
  Counting side;
  const auto begin = Clock::now();
  const milliseconds used = processor_time();
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, 1000), -FI_ETIMEDOUT);
  EXPECT_GE(Clock::now() - begin, milliseconds(1000));
  EXPECT_LT(processor_time() - used, milliseconds(200));
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 1, 0), -FI_ETIMEDOUT);
}

TEST(CounterWaitTest, what_another_thread_does_wakes) {
  Counting side;
  for (int i = 0; i < 3; ++i) side.receive();
  const auto later = [&](auto act) {
    return std::thread([&side, act] {
      for (int i = 0; i < 3; ++i) {
        let_sleep();
        act(side);
      }
    });
  };
  const milliseconds used = processor_time();
  std::thread sender = later([](Counting& s) { s.send(s.self); });
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 3, kSoon), 0);
  sender.join();
  std::thread adder = later([](Counting& s) { fi_cntr_add(s.receives.get(), 1); });
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 6, kSoon), 0);
  adder.join();
  std::thread failer = later([](Counting& s) { fi_cntr_adderr(s.receives.get(), 1); });
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 7, kSoon), -FI_EAVAIL);
  failer.join();
  std::thread setter = later([](Counting& s) { fi_cntr_set(s.sends.get(), 50); });
  EXPECT_EQ(fi_cntr_wait(side.sends.get(), 50, kSoon), 0);
  setter.join();
  EXPECT_LT(processor_time() - used, milliseconds(200)) << "it slept between";
}

TEST(CounterWaitTest, sleepers_of_one_counter_have_thresholds_of_their_own) {
  Counting side;
  std::array<std::thread, 3> sleepers;
  for (std::size_t i = 0; i < sleepers.size(); ++i) {
    side.receive();
    sleepers[i] =
        std::thread([&side, i] { EXPECT_EQ(fi_cntr_wait(side.receives.get(), i + 1, kSoon), 0); });
  }
  let_sleep();
  for (auto& each : sleepers) {
    side.send(side.self);
    each.join();
  }
}

// Two domains, by the fabric at first, then by a ring.
TEST(CounterWaitTest, sleepers_talk) {
  Counting a, b;
  constexpr std::uint64_t kRounds = 300;
  std::thread echo([&] {
    const fi_addr_t to = number_of(*a.ep, *b.av);
    for (std::uint64_t i = 1; i <= kRounds; ++i) {
      b.receive();
      ASSERT_EQ(fi_cntr_wait(b.receives.get(), i, kSoon), 0);
      b.send(to);
      ASSERT_EQ(fi_cntr_wait(b.sends.get(), i, kSoon), 0);
    }
  });
  const fi_addr_t to = number_of(*b.ep, *a.av);
  for (std::uint64_t i = 1; i <= kRounds; ++i) {
    a.receive();
    a.send(to);
    EXPECT_EQ(fi_cntr_wait(a.sends.get(), i, kSoon), 0);
    EXPECT_EQ(fi_cntr_wait(a.receives.get(), i, kSoon), 0) << "round " << i;
  }
  echo.join();
  std::thread other([&] { b.ep.reset(); });
  a.ep.reset();
  other.join();
}

TEST(CounterWaitTest, the_descriptor_tells_of_what_was_not_read) {
  Counting side(FI_WAIT_FD);
  int descriptor = -1;
  ASSERT_EQ(fi_control(&side.receives->fid, FI_GETWAIT, &descriptor), 0);
  side.receive();
  side.prepare(side.receives);
  EXPECT_FALSE(is_readable(descriptor, 0));
  side.send(side.self);
  EXPECT_TRUE(is_readable(descriptor, kSoon));
  EXPECT_EQ(side.try_wait(side.receives), -FI_EAGAIN) << "nobody has read it";
  EXPECT_EQ(fi_cntr_read(side.receives.get()), 1u);
  side.prepare(side.receives);
  EXPECT_FALSE(is_readable(descriptor, 0));
  EXPECT_EQ(fi_cntr_adderr(side.receives.get(), 1), 0);
  EXPECT_TRUE(is_readable(descriptor, kSoon));
  EXPECT_EQ(side.try_wait(side.receives), -FI_EAGAIN);
  EXPECT_EQ(fi_cntr_readerr(side.receives.get()), 1u);
  side.prepare(side.receives);
}

}  // namespace
}  // namespace xs::abi::test
