// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sleeping until something becomes of a connection: docs/connections.md section 6.
#include <atomic>
#include <optional>
#include <thread>

#include "face/meeting.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

struct Slept {
  std::uint32_t number = 0;
  std::chrono::milliseconds processor{};
  InfoPtr info;
  ssize_t rc = 0;
};

Slept sread(struct fid_eq& eq, int timeout = kSoon) {
  Slept slept;
  struct fi_eq_cm_entry entry {};
  const auto before = processor_time();
  slept.rc = fi_eq_sread(&eq, &slept.number, &entry, sizeof entry, timeout, 0);
  slept.processor = processor_time() - before;
  if (slept.rc > 0) slept.info.reset(entry.info);
  return slept;
}

// The same by the descriptor of the queue.
Slept wait_by_descriptor(Meeting& meeting, int timeout = kSoon) {
  Slept slept;
  int descriptor = -1;
  EXPECT_EQ(fi_control(&meeting.eq->fid, FI_GETWAIT, &descriptor), 0);
  struct fid* fids[] = {&meeting.eq->fid};
  struct fi_eq_cm_entry entry {};
  const auto before = processor_time();
  do {
    if (fi_trywait(meeting.fabric.get(), fids, 1) == 0 && !is_readable(descriptor, timeout)) break;
    slept.rc = fi_eq_read(meeting.eq.get(), &slept.number, &entry, sizeof entry, 0);
  } while (slept.rc == -FI_EAGAIN);
  slept.processor = processor_time() - before;
  if (slept.rc > 0) slept.info.reset(entry.info);
  return slept;
}

// A client of its own thread, in a fabric of its own, that reads its queue without sleeping.
struct Caller {
  explicit Caller(Meeting& host) : to(fi_dupinfo(host.to_listener.get())) {
    thread = std::thread([this] { run(); });
  }
  ~Caller() {
    leave = true;
    thread.join();
  }
  void run() {
    let_sleep();
    Meeting own;
    own.client = own.open_end(to.get());
    EXPECT_EQ(fi_connect(own.client.get(), to->dest_addr, nullptr, 0), 0);
    own.expect(FI_CONNECTED, own.client->fid);
    connected = true;
    while (!leave) own.try_next(1);
  }
  InfoPtr to;
  std::atomic<bool> leave = false, connected = false;
  std::thread thread;
};

struct ConnectWaitTest : testing::TestWithParam<enum fi_wait_obj> {
  ConnectWaitTest() {
    meeting.eq = meeting.open_eq({.wait_obj = GetParam()});
    meeting.listen();
  }
  Slept sleep() {
    return GetParam() == FI_WAIT_FD ? wait_by_descriptor(meeting) : sread(*meeting.eq);
  }
  Meeting meeting;
};

TEST_P(ConnectWaitTest, a_sleeper_hears_of_every_event) {
  auto caller = std::make_optional<Caller>(meeting);
  const Slept asked = sleep();
  ASSERT_EQ(asked.number, static_cast<std::uint32_t>(FI_CONNREQ));
  EXPECT_LT(asked.processor, std::chrono::milliseconds(50)) << "it slept";
  meeting.server = meeting.open_end(asked.info.get());
  ASSERT_EQ(fi_accept(meeting.server.get(), nullptr, 0), 0);
  EXPECT_EQ(sleep().number, static_cast<std::uint32_t>(FI_CONNECTED));
  std::thread leaves([&] {
    let_sleep();
    caller.reset();
  });
  const Slept end = sleep();
  EXPECT_EQ(end.number, static_cast<std::uint32_t>(FI_SHUTDOWN));
  EXPECT_LT(end.processor, std::chrono::milliseconds(50)) << "it slept";
  leaves.join();
}

INSTANTIATE_TEST_SUITE_P(Kinds, ConnectWaitTest,
                         testing::Values(FI_WAIT_UNSPEC, FI_WAIT_NONE, FI_WAIT_FD),
                         [](const auto& kind) {
                           return kind.param == FI_WAIT_FD     ? "Descriptor"
                                  : kind.param == FI_WAIT_NONE ? "None"
                                                               : "Unspecified";
                         });

TEST(ConnectWaitTimes, a_sleeper_wakes_in_time) {
  Meeting meeting;
  meeting.listen();
  const auto begin = std::chrono::steady_clock::now();
  const Slept slept = sread(*meeting.eq, 300);
  EXPECT_EQ(slept.rc, -FI_EAGAIN);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));
  EXPECT_LT(slept.processor, std::chrono::milliseconds(50));
}

TEST(ConnectWaitTimes, who_sleeps_already_looks_at_a_new_listener) {
  Meeting meeting;
  std::atomic<std::uint32_t> number = 0;
  std::thread sleeper([&] { number = sread(*meeting.eq).number; });
  let_sleep();
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  sleeper.join();
  EXPECT_EQ(number, static_cast<std::uint32_t>(FI_CONNREQ));
}

// Nothing that comes to the first tells him of the second.
TEST(ConnectWaitTimes, who_sleeps_for_one_domain_looks_at_a_second) {
  Meeting host, meeting;
  host.listen();
  meeting.listen();
  Slept slept;
  std::thread sleeper([&] { slept = sread(*meeting.eq); });
  let_sleep();
  meeting.client = meeting.open_end(host.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), host.to_listener->dest_addr, nullptr, 0), 0);
  const Slept asked = sread(*host.eq);
  EXPECT_EQ(asked.number, static_cast<std::uint32_t>(FI_CONNREQ));
  if (asked.info) {
    EXPECT_EQ(fi_reject(host.passive.get(), asked.info->handle, nullptr, 0), 0);
  }
  sread(*host.eq, 300);
  sleeper.join();
  EXPECT_EQ(slept.rc, -FI_EAVAIL);
}

TEST(ConnectWaitTimes, an_event_of_the_applications_own_wakes_it_too) {
  Meeting meeting;
  meeting.eq = meeting.open_eq({.flags = FI_WRITE, .wait_obj = FI_WAIT_UNSPEC});
  meeting.listen();
  struct fi_eq_entry own {};
  std::thread writer([&] {
    let_sleep();
    EXPECT_EQ(fi_eq_write(meeting.eq.get(), FI_NOTIFY, &own, sizeof own, 0),
              static_cast<ssize_t>(sizeof own));
  });
  std::uint32_t number = 0;
  EXPECT_EQ(fi_eq_sread(meeting.eq.get(), &number, &own, sizeof own, kSoon, 0),
            static_cast<ssize_t>(sizeof own));
  EXPECT_EQ(number, static_cast<std::uint32_t>(FI_NOTIFY));
  writer.join();
}

TEST(ConnectWaitTimes, a_condition_that_nobody_would_ring_is_refused) {
  Meeting meeting;
  meeting.eq = meeting.open_eq({.wait_obj = FI_WAIT_MUTEX_COND});
  auto passive = meeting.open_passive();
  ASSERT_EQ(fi_pep_bind(passive.get(), &meeting.eq->fid, 0), 0);
  EXPECT_EQ(fi_listen(passive.get()), -FI_EINVAL);
  struct fid_ep* ep = nullptr;
  ASSERT_EQ(fi_endpoint(meeting.domain.get(), meeting.info.get(), &ep, nullptr), 0);
  EXPECT_EQ(fi_ep_bind(ep, &meeting.eq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_close(&ep->fid), 0);
  passive.reset();
}

// Completion queues of a domain with connections sleep as others do.
TEST(ConnectWaitTimes, a_message_wakes_who_sleeps_on_completions) {
  Meeting meeting;
  meeting.cq = meeting.open_cq({.format = FI_CQ_FORMAT_TAGGED, .wait_obj = FI_WAIT_UNSPEC});
  meeting.connect();
  char in = 0;
  ASSERT_EQ(fi_recv(meeting.server.get(), &in, 1, nullptr, 0, &in), 0);
  std::thread sender([&] {
    let_sleep();
    EXPECT_EQ(fi_inject(meeting.client.get(), "x", 1, 0), 0);
  });
  struct fi_cq_tagged_entry entry {};
  EXPECT_EQ(fi_cq_sread(meeting.cq.get(), &entry, 1, nullptr, kSoon), 1);
  EXPECT_EQ(in, 'x');
  sender.join();
}

}  // namespace
}  // namespace xs::abi::test
