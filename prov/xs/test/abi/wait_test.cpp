// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sleeping until a completion queue has something, and being woken.
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "face/face.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr struct fi_cq_attr kDescriptor { .format = FI_CQ_FORMAT_TAGGED, .wait_obj = FI_WAIT_FD };

// An enabled endpoint with a queue for each direction.
struct Side : Face {
  explicit Side(struct fi_cq_attr sends = kDescriptor, struct fi_cq_attr receives = kDescriptor)
      : sent(open_cq(sends)), received(open_cq(receives)), av(open_av()), ep(open_ep()) {
    EXPECT_EQ(fi_ep_bind(ep.get(), &sent->fid, FI_TRANSMIT), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &received->fid, FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep.get()), 0);
  }

  fi_addr_t know(const Side& other) { return number_of(*other.ep, *av); }

  void send(fi_addr_t to) {
    ASSERT_EQ(fi_tsend(ep.get(), room.data(), room.size(), nullptr, to, 1, &room), 0);
  }
  void receive() {
    ASSERT_EQ(fi_trecv(ep.get(), room.data(), room.size(), nullptr, FI_ADDR_UNSPEC, 1, 0, &room),
              0);
  }
  ssize_t sread(const FidPtr<struct fid_cq>& cq, int timeout, std::size_t count = 1,
                std::size_t threshold = 1) const {
    std::array<struct fi_cq_tagged_entry, 8> entries;
    return fi_cq_sread(cq.get(), entries.data(), count, &threshold, timeout);
  }
  int try_wait(const FidPtr<struct fid_cq>& cq) const {
    struct fid* fids[] = {&cq->fid};
    return fi_trywait(fabric.get(), fids, 1);
  }
  // Until it may sleep; completions that come before fail the test.
  void prepare(const FidPtr<struct fid_cq>& cq) const {
    const auto deadline = Clock::now() + milliseconds(kSoon);
    while (try_wait(cq) != 0) ASSERT_LT(Clock::now(), deadline) << "it never may sleep";
  }

  std::array<char, 64> room{};
  FidPtr<struct fid_cq> sent;
  FidPtr<struct fid_cq> received;
  FidPtr<struct fid_av> av;
  FidPtr<struct fid_ep> ep;
};

// Both sides of a conversation part at the same time: neither has to wait for the other's goodbye.
void part(Side& a, Side& b) {
  std::thread other([&] { b.ep.reset(); });
  a.ep.reset();
  other.join();
}

// An empty queue of each side is all that drives them, until that one has something.
bool comes(Side& a, const FidPtr<struct fid_cq>& cq_of_a, Side& b,
           const FidPtr<struct fid_cq>& cq_of_b, const FidPtr<struct fid_cq>& awaited) {
  const auto deadline = Clock::now() + milliseconds(kSoon);
  struct fi_cq_tagged_entry entry;
  while (Clock::now() < deadline) {
    EXPECT_EQ(a.sread(cq_of_a, 1), -FI_EAGAIN);
    EXPECT_EQ(b.sread(cq_of_b, 1), -FI_EAGAIN);
    if (fi_cq_read(awaited.get(), &entry, 1) == 1) return true;
  }
  return false;
}

int descriptor_of(const FidPtr<struct fid_cq>& cq) {
  int descriptor = -1;
  EXPECT_EQ(fi_control(&cq->fid, FI_GETWAIT, &descriptor), 0);
  return descriptor;
}

TEST(WaitTest, kinds_are_told_and_given) {
  Face face;
  int descriptor = -1;
  const auto fd = face.open_cq({.wait_obj = FI_WAIT_FD});
  EXPECT_EQ(fi_control(&fd->fid, FI_GETWAIT, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_control(&fd->fid, FI_ENABLE, &descriptor), -FI_ENOSYS);
  EXPECT_EQ(fi_control(&fd->fid, FI_GETWAIT, &descriptor), 0);
  EXPECT_GE(descriptor, 0);
  enum fi_wait_obj kind = FI_WAIT_NONE;
  EXPECT_EQ(fi_control(&fd->fid, FI_GETWAITOBJ, &kind), 0);
  EXPECT_EQ(kind, FI_WAIT_FD);

  const auto set = face.open_cq({.wait_obj = FI_WAIT_POLLFD});
  struct fi_wait_pollfd all {};
  EXPECT_EQ(fi_control(&set->fid, FI_GETWAIT, &all), -FI_ETOOSMALL);
  ASSERT_EQ(all.nfds, 1u);
  struct pollfd one {};
  all.fd = &one;
  EXPECT_EQ(fi_control(&set->fid, FI_GETWAIT, &all), 0);
  EXPECT_GE(one.fd, 0);
  EXPECT_EQ(one.events, POLLIN);

  for (const auto without : {FI_WAIT_NONE, FI_WAIT_UNSPEC, FI_WAIT_YIELD}) {
    const auto cq = face.open_cq({.wait_obj = without});
    EXPECT_EQ(fi_control(&cq->fid, FI_GETWAIT, &descriptor), -FI_ENODATA);
    struct fid* fids[] = {&cq->fid};
    EXPECT_EQ(fi_trywait(face.fabric.get(), fids, 1), without == FI_WAIT_NONE ? -FI_EINVAL : 0);
  }
}

TEST(WaitTest, event_queue_as_poll_set) {
  Face face;
  const auto eq = face.open_eq({.flags = FI_WRITE, .wait_obj = FI_WAIT_POLLFD});
  struct pollfd one {};
  struct fi_wait_pollfd all = {.nfds = 1, .fd = &one};
  ASSERT_EQ(fi_control(&eq->fid, FI_GETWAIT, &all), 0);
  EXPECT_EQ(poll(&one, 1, 0), 0);
  const struct fi_eq_entry entry {};
  fi_eq_write(eq.get(), FI_NOTIFY, &entry, sizeof entry, 0);
  EXPECT_EQ(poll(&one, 1, 0), 1);
}

TEST(WaitTest, trywait_takes_queues_of_both_kinds) {
  Side side;
  const auto eq = side.open_eq({.flags = FI_WRITE, .wait_obj = FI_WAIT_FD});
  struct fid* fids[] = {&side.received->fid, &eq->fid, &side.sent->fid};
  EXPECT_EQ(fi_trywait(side.fabric.get(), fids, 3), 0);
  struct fi_eq_entry entry {};
  fi_eq_write(eq.get(), FI_NOTIFY, &entry, sizeof entry, 0);
  EXPECT_EQ(fi_trywait(side.fabric.get(), fids, 3), -FI_EAGAIN);
  struct fid* others[] = {&side.ep->fid};
  EXPECT_EQ(fi_trywait(side.fabric.get(), others, 1), -FI_EINVAL);
}

TEST(WaitTest, a_signal_wakes_a_sleeper) {
  Side side;
  std::thread waker([&] {
    let_sleep();
    EXPECT_EQ(fi_cq_signal(side.received.get()), 0);
  });
  EXPECT_EQ(side.sread(side.received, kSoon), -FI_ECANCELED);
  waker.join();
  EXPECT_EQ(side.sread(side.received, 10), -FI_EAGAIN) << "a signal ends one wait";
}

TEST(WaitTest, a_signal_makes_the_descriptor_readable) {
  Side side;
  const int descriptor = descriptor_of(side.received);
  ASSERT_EQ(side.try_wait(side.received), 0);
  EXPECT_EQ(fi_cq_signal(side.received.get()), 0);
  EXPECT_TRUE(is_readable(descriptor, 0));
  EXPECT_EQ(side.try_wait(side.received), -FI_EAGAIN);
  EXPECT_EQ(side.try_wait(side.received), 0);
  EXPECT_FALSE(is_readable(descriptor, 0));
}

TEST(WaitTest, timeout_is_kept_and_slept) {
  Side side;
  const auto begin = Clock::now();
  const milliseconds used = processor_time();
  EXPECT_EQ(side.sread(side.received, 1000), -FI_EAGAIN);
  EXPECT_GE(Clock::now() - begin, milliseconds(1000));
  EXPECT_LT(processor_time() - used, milliseconds(200));
}

TEST(WaitTest, what_another_thread_completes_wakes) {
  Side side;
  const fi_addr_t self = side.know(side);
  side.receive();
  std::thread sender([&] {
    let_sleep();
    side.send(self);
    EXPECT_EQ(side.sread(side.sent, kSoon), 1);
  });
  EXPECT_EQ(side.sread(side.received, kSoon), 1);
  sender.join();
}

TEST(WaitTest, sleepers_of_one_queue_take_one_completion_each) {
  Side side;
  const fi_addr_t self = side.know(side);
  std::array<std::thread, 3> sleepers;
  for (auto& each : sleepers) {
    side.receive();
    each = std::thread([&] { EXPECT_EQ(side.sread(side.received, kSoon), 1); });
  }
  let_sleep();
  for (std::size_t i = 0; i < sleepers.size(); ++i) side.send(self);
  for (auto& each : sleepers) each.join();
}

TEST(WaitTest, a_threshold_is_slept_for) {
  Side side({.format = FI_CQ_FORMAT_TAGGED}, {.format = FI_CQ_FORMAT_TAGGED,
                                              .wait_obj = FI_WAIT_UNSPEC,
                                              .wait_cond = FI_CQ_COND_THRESHOLD});
  const fi_addr_t self = side.know(side);
  for (int i = 0; i < 3; ++i) side.receive();
  std::thread sender([&] {
    for (int i = 0; i < 3; ++i) {
      let_sleep();
      side.send(self);
    }
  });
  const milliseconds used = processor_time();
  EXPECT_EQ(side.sread(side.received, kSoon, 3, 3), 3);
  EXPECT_LT(processor_time() - used, milliseconds(100));
  sender.join();
}

// Two domains, and a peer that only sleeps.
TEST(WaitTest, sleepers_talk) {
  Side a, b;
  constexpr int kRounds = 300;
  std::thread echo([&] {
    const fi_addr_t to = b.know(a);
    for (int i = 0; i < kRounds; ++i) {
      b.receive();
      ASSERT_EQ(b.sread(b.received, kSoon), 1);
      b.send(to);
      ASSERT_EQ(b.sread(b.sent, kSoon), 1);
    }
  });
  const fi_addr_t to = a.know(b);
  for (int i = 0; i < kRounds; ++i) {
    a.receive();
    a.send(to);
    EXPECT_EQ(a.sread(a.sent, kSoon), 1);
    EXPECT_EQ(a.sread(a.received, kSoon), 1) << "round " << i;
  }
  echo.join();
  part(a, b);
}

TEST(WaitTest, the_descriptor_tells_of_a_message) {
  Side a, b;
  const fi_addr_t to = a.know(b);
  const int descriptor = descriptor_of(b.received);
  const int outer = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event {};
  event.events = EPOLLIN;
  ASSERT_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, descriptor, &event), 0);
  for (int round = 0; round < 5; ++round) {
    b.receive();
    b.prepare(b.received);
    a.send(to);
    // The sender makes no progress but by asking whether it may sleep, the receiver none but that.
    ssize_t got = 0;
    struct fi_cq_tagged_entry entry;
    for (const auto deadline = Clock::now() + milliseconds(kSoon);
         got != 1 && Clock::now() < deadline;) {
      (void)a.try_wait(a.received);
      if (b.try_wait(b.received) == 0 && epoll_wait(outer, &event, 1, 10) == 0) continue;
      got = fi_cq_read(b.received.get(), &entry, 1);
    }
    ASSERT_EQ(got, 1) << "round " << round;
    ASSERT_EQ(a.sread(a.sent, kSoon), 1);
  }
  close(outer);
  part(a, b);
}

// One domain, two endpoints: whoever sleeps on one queue drives what belongs to another.
TEST(WaitTest, a_sleeper_drives_the_whole_domain) {
  Side a, b;
  const fi_addr_t to = a.know(b);
  b.receive();
  std::thread sleeper([&] { EXPECT_EQ(b.sread(b.sent, kSoon), -FI_ECANCELED); });
  let_sleep();
  a.send(to);
  ASSERT_EQ(a.sread(a.sent, kSoon), 1);
  struct fi_cq_tagged_entry entry;
  // Its acknowledgement can only come of the sleeper.
  a.ep.reset();
  EXPECT_EQ(fi_cq_signal(b.sent.get()), 0);
  sleeper.join();
  EXPECT_EQ(fi_cq_read(b.received.get(), &entry, 1), 1);
}

TEST(WaitTest, a_queue_becomes_waitable_after_an_endpoint) {
  Side a;
  constexpr struct fi_cq_attr kNone { .format = FI_CQ_FORMAT_TAGGED };
  Side b(kNone, kNone);
  const auto late = b.open_cq(kDescriptor);
  const fi_addr_t to = a.know(b);
  b.receive();
  a.send(to);
  ASSERT_TRUE(comes(a, a.received, b, late, b.received));
  b.receive();
  b.prepare(late);
  a.send(to);
  EXPECT_TRUE(is_readable(descriptor_of(late), kSoon));
  part(a, b);
}

TEST(WaitTest, a_calm_sleeper_is_not_woken) {
  Side a, b;
  const fi_addr_t to = a.know(b);
  b.receive();
  a.send(to);
  ASSERT_TRUE(comes(a, a.received, b, b.sent, b.received));
  // They make a ring now, which takes a few words of either side.
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(a.sread(a.received, 2), -FI_EAGAIN);
    EXPECT_EQ(b.sread(b.sent, 2), -FI_EAGAIN);
  }
  // The acknowledgement may come late, and a timer for what is acknowledged meanwhile run out.
  EXPECT_EQ(a.sread(a.received, 500), -FI_EAGAIN);
  EXPECT_EQ(b.sread(b.sent, 10), -FI_EAGAIN);
  EXPECT_EQ(a.sread(a.received, 500), -FI_EAGAIN);
  for (Side* side : {&a, &b}) {
    side->prepare(side->received);
    EXPECT_FALSE(is_readable(descriptor_of(side->received), 1000)) << "nothing is owed";
  }
  part(a, b);
}

// By the fabric at first, then by the ring that the two have made meanwhile (UBSan looks on).
TEST(WaitTest, messages_without_bytes_need_no_address) {
  Side a, b;
  const fi_addr_t to = a.know(b);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(fi_trecv(b.ep.get(), nullptr, 0, nullptr, FI_ADDR_UNSPEC, 1, 0, &b.room), 0);
    ASSERT_EQ(fi_tsend(a.ep.get(), nullptr, 0, nullptr, to, 1, &a.room), 0);
    ASSERT_TRUE(comes(a, a.received, b, b.sent, b.received)) << i;
    struct fi_cq_tagged_entry entry;
    ASSERT_EQ(fi_cq_read(a.sent.get(), &entry, 1), 1) << i;
  }
  part(a, b);
}

}  // namespace
}  // namespace xs::abi::test
