// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// FI_PROGRESS_AUTO and FI_WAIT_MUTEX_COND: what goes on while the application calls nothing.
#include <pthread.h>
#include <rdma/fi_rma.h>

#include <array>
#include <atomic>
#include <ctime>
#include <thread>
#include <vector>

#include "face/machines.hpp"
#include "face/threads.hpp"

namespace xs::abi::test {
namespace {

constexpr const char* kThread = "xs-progress";
constexpr std::size_t kLarge = 1 << 20;

InfoPtr hints_with(enum fi_threading threading) {
  InfoPtr hints = make_hints();
  hints->domain_attr->threading = threading;
  hints->domain_attr->data_progress = FI_PROGRESS_AUTO;
  return hints;
}

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

TEST(ProgressTest, there_is_no_thread_unless_it_is_asked_for) {
  Loop manual;
  EXPECT_EQ(manual.info->domain_attr->data_progress, FI_PROGRESS_MANUAL);
  EXPECT_EQ(switches_of(kThread), 0u);
  const InfoPtr hints = make_hints();
  hints->domain_attr->control_progress = FI_PROGRESS_AUTO;
  Loop other(hints.get());
  EXPECT_EQ(other.info->domain_attr->control_progress, FI_PROGRESS_AUTO);
  const auto deadline = Clock::now() + kPatience;
  while (switches_of(kThread) == 0) ASSERT_LT(Clock::now(), deadline) << "there is none";
}

// Who looks at memory that a peer writes has nothing to order it by: ThreadSanitizer would be
// right.
__attribute__((no_sanitize("thread"), noinline)) char last_of(const std::vector<char>& bytes) {
  return *static_cast<const volatile char*>(bytes.data() + bytes.size() - 1);
}

struct AutoTest : MachinesTest, testing::WithParamInterface<enum fi_threading> {
  AutoTest() : MachinesTest(hints_with(GetParam()).get()) {}
};

// Both applications only wait for memory to change, or for a while.
TEST_P(AutoTest, goes_on_without_calls) {
  std::vector<char> large(kLarge, 'x'), room(kLarge), memory(kLarge);
  struct fid_mr* fid = nullptr;
  ASSERT_EQ(
      fi_mr_reg(b.domain.get(), memory.data(), kLarge, FI_REMOTE_WRITE, 0, 1, 0, &fid, nullptr), 0);
  const FidPtr<struct fid_mr> mr(fid);
  ASSERT_EQ(fi_trecv(b.ep.get(), room.data(), kLarge, nullptr, to_a, 1, 0, nullptr), 0);
  ASSERT_EQ(fi_tsend(a.ep.get(), large.data(), kLarge, nullptr, to_b, 1, nullptr), 0);
  ASSERT_EQ(fi_write(a.ep.get(), large.data(), kLarge, nullptr, to_b, 0, 1, nullptr), 0);
  until([&] {
    pause();
    return last_of(room) == 'x' && last_of(memory) == 'x';
  });
  // Its completions are there at the first look, or soon: nobody else makes progress for a.
  struct fi_cq_tagged_entry entry;
  int came = 0;
  until([&] {
    pause();
    came += fi_cq_read(a.cq.get(), &entry, 1) == 1;
    return came == 2;
  });
  // Takes the lock under which b's thread has written.
  EXPECT_EQ(fi_cq_read(b.cq.get(), &entry, 1), 1);
  EXPECT_EQ(memory, large);
}

TEST_P(AutoTest, sleeps_while_nothing_happens) {
  talk_until_ring();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const unsigned long before = switches_of(kThread);
  EXPECT_GT(before, 0u);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LT(switches_of(kThread), before + 40) << "two threads, and a PING now and then";
}

// Application and threads beside each other: for ThreadSanitizer.
TEST_P(AutoTest, beside_an_application_that_calls) {
  talk_until_ring();
  for (int i = 0; i < 2000; ++i) talk();
}

INSTANTIATE_TEST_SUITE_P(, AutoTest, testing::Values(FI_THREAD_DOMAIN, FI_THREAD_SAFE),
                         [](const auto& threading) {
                           return threading.param == FI_THREAD_DOMAIN ? "Domain" : "Safe";
                         });

// ---- FI_WAIT_MUTEX_COND ----

struct timespec after(int milliseconds) {
  struct timespec t {};
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec += milliseconds / 1000;
  return t;
}

// Sleeps on the condition as applications do, until done() is true.
template <class Done>
void sleep_until(const Face& face, struct fid* waitable, Done&& done) {
  struct fi_mutex_cond its {};
  ASSERT_EQ(fi_control(waitable, FI_GETWAIT, &its), 0);
  const struct timespec deadline = after(20'000);
  pthread_mutex_lock(its.mutex);
  while (!done()) {
    if (fi_trywait(face.fabric.get(), &waitable, 1) != 0) continue;
    const int rc = pthread_cond_timedwait(its.cond, its.mutex, &deadline);
    EXPECT_EQ(rc, 0) << "nobody signals";
    if (rc) break;
  }
  pthread_mutex_unlock(its.mutex);
}

struct ConditionTest : testing::TestWithParam<enum fi_threading> {
  static InfoPtr hints() {
    InfoPtr hints = make_hints();
    hints->domain_attr->threading = GetParam();
    return hints;
  }
  ConditionTest()
      : face(hints().get()),
        cq(face.open_cq({.format = FI_CQ_FORMAT_TAGGED, .wait_obj = FI_WAIT_MUTEX_COND})),
        av(face.open_av()),
        ep(face.open_ep()) {
    struct fi_cntr_attr attr {};
    attr.wait_obj = FI_WAIT_MUTEX_COND;
    struct fid_cntr* fid = nullptr;
    EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &fid, nullptr), 0);
    counter.reset(fid);
    EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep.get()), 0);
    to = number_of(*ep, *other.av);
  }
  ~ConditionTest() override {
    std::atomic<bool> closed = false;
    std::thread closer([&] {
      ep.reset();
      closed = true;
    });
    while (!closed) fi_cq_read(other.cq.get(), nullptr, 0);
    closer.join();
  }
  void receive() {
    ASSERT_EQ(fi_trecv(ep.get(), nullptr, 0, nullptr, FI_ADDR_UNSPEC, 1, 0, &cq), 0);
  }
  // In a while, by another process so to speak.
  std::thread sender() {
    return std::thread([this] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      ASSERT_EQ(fi_tsend(other.ep.get(), nullptr, 0, nullptr, to, 1, nullptr), 0);
      struct fi_cq_tagged_entry entry;
      const auto deadline = Clock::now() + kPatience;
      while (fi_cq_read(other.cq.get(), &entry, 1) != 1)
        ASSERT_LT(Clock::now(), deadline) << "it does not leave";
    });
  }

  Face face;
  Loop other;
  FidPtr<struct fid_cntr> counter;
  FidPtr<struct fid_cq> cq;
  FidPtr<struct fid_av> av;
  FidPtr<struct fid_ep> ep;
  fi_addr_t to = FI_ADDR_NOTAVAIL;
};

TEST_P(ConditionTest, is_given) {
  for (struct fid* const fid : {&cq->fid, &counter->fid}) {
    enum fi_wait_obj kind = FI_WAIT_NONE;
    EXPECT_EQ(fi_control(fid, FI_GETWAITOBJ, &kind), 0);
    EXPECT_EQ(kind, FI_WAIT_MUTEX_COND);
    struct fi_mutex_cond its {};
    EXPECT_EQ(fi_control(fid, FI_GETWAIT, &its), 0);
    EXPECT_NE(its.mutex, nullptr);
    EXPECT_NE(its.cond, nullptr);
    EXPECT_EQ(fi_control(fid, FI_GETWAIT, nullptr), -FI_EINVAL);
  }
}

TEST_P(ConditionTest, a_completion_signals) {
  for (int i = 0; i < 3; ++i) {
    receive();
    std::thread thread = sender();
    struct fi_cq_tagged_entry entry {};
    sleep_until(face, &cq->fid, [&] { return fi_cq_read(cq.get(), &entry, 1) == 1; });
    EXPECT_EQ(entry.op_context, &cq);
    thread.join();
  }
}

TEST_P(ConditionTest, a_counter_signals) {
  receive();
  std::thread thread = sender();
  sleep_until(face, &counter->fid, [&] { return fi_cntr_read(counter.get()) == 1; });
  thread.join();
}

TEST_P(ConditionTest, a_signal_signals) {
  std::thread thread([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(fi_cq_signal(cq.get()), 0);
  });
  int looks = 0;
  sleep_until(face, &cq->fid, [&] { return ++looks > 1 && fi_cq_read(cq.get(), nullptr, 0); });
  thread.join();
}

TEST_P(ConditionTest, sread_and_wait_sleep_too) {
  receive();
  std::thread thread = sender();
  struct fi_cq_tagged_entry entry {};
  EXPECT_EQ(fi_cq_sread(cq.get(), &entry, 1, nullptr, 20'000), 1);
  EXPECT_EQ(fi_cntr_wait(counter.get(), 1, 20'000), 0);
  thread.join();
}

INSTANTIATE_TEST_SUITE_P(, ConditionTest, testing::Values(FI_THREAD_DOMAIN, FI_THREAD_SAFE),
                         [](const auto& threading) {
                           return threading.param == FI_THREAD_DOMAIN ? "Domain" : "Safe";
                         });

}  // namespace
}  // namespace xs::abi::test
