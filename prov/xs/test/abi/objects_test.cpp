// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Opening, binding and closing: what is refused, and with which errno.
#include <poll.h>
#include <pthread.h>

#include <array>
#include <chrono>
#include <thread>

#include "face/face.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

TEST(FabricTest, stays_open_under_children) {
  Face face;
  EXPECT_EQ(fi_close(&face.fabric->fid), -FI_EBUSY);
  face.domain.reset();
  const auto eq = face.open_eq();
  EXPECT_EQ(fi_close(&face.fabric->fid), -FI_EBUSY);
}

TEST(DomainTest, stays_open_under_each_kind_of_child) {
  Face face;
  auto cq = face.open_cq();
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  cq.reset();
  auto av = face.open_av();
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  av.reset();
  auto ep = face.open_ep();
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  ep.reset();
  struct fid_mr* mr = nullptr;
  ASSERT_EQ(fi_mr_reg(face.domain.get(), &face, sizeof face, FI_SEND, 0, 7, 0, &mr, nullptr), 0);
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&mr->fid), 0);
}

TEST(DomainTest, binds_one_event_queue) {
  Face face;
  auto eq = face.open_eq();
  auto cq = face.open_cq();
  EXPECT_EQ(fi_domain_bind(face.domain.get(), &cq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_domain_bind(face.domain.get(), &eq->fid, 1ULL << 59),
            -FI_EBADFLAGS);  // FI_REG_MR
  EXPECT_EQ(fi_domain_bind(face.domain.get(), &eq->fid, 0), 0);
  EXPECT_EQ(fi_domain_bind(face.domain.get(), &eq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_close(&eq->fid), -FI_EBUSY);
  cq.reset();
  face.domain.reset();
}

TEST(DomainTest, several_at_once) {
  Face face;
  struct fid_domain* second = nullptr;
  ASSERT_EQ(fi_domain(face.fabric.get(), face.info.get(), &second, nullptr), 0);
  EXPECT_EQ(fi_close(&second->fid), 0);
}

TEST(MemoryTest, registration) {
  Face face;
  std::array<char, 16> buffer{};
  struct fid_mr* mr = nullptr;
  ASSERT_EQ(fi_mr_reg(face.domain.get(), buffer.data(), buffer.size(), FI_RECV, 0, 0xC0DE, 0, &mr,
                      nullptr),
            0);
  EXPECT_EQ(fi_mr_key(mr), 0xC0DEu);
  EXPECT_EQ(fi_close(&mr->fid), 0);
  EXPECT_EQ(fi_mr_reg(face.domain.get(), buffer.data(), buffer.size(), FI_RECV, 0, 0, FI_PEEK, &mr,
                      nullptr),
            -FI_EBADFLAGS);
  struct iovec iov {
    buffer.data(), buffer.size()
  };
  EXPECT_EQ(fi_mr_regv(face.domain.get(), &iov, 100, FI_RECV, 0, 0, 0, &mr, nullptr), -FI_EINVAL);
  struct fi_mr_attr attr {};
  attr.iface = FI_HMEM_CUDA;
  EXPECT_EQ(fi_mr_regattr(face.domain.get(), &attr, 0, &mr), -FI_ENOSYS);
}

class CqAttrTest : public testing::Test {
 protected:
  int open(struct fi_cq_attr attr) {
    struct fid_cq* cq = nullptr;
    const int rc = fi_cq_open(face_.domain.get(), &attr, &cq, nullptr);
    if (rc == 0) fi_close(&cq->fid);
    return rc;
  }
  Face face_;
};

TEST_F(CqAttrTest, errors) {
  struct fid_cq* cq = nullptr;
  EXPECT_EQ(fi_cq_open(face_.domain.get(), nullptr, &cq, nullptr), -FI_EINVAL);
  EXPECT_EQ(open({.format = static_cast<enum fi_cq_format>(99)}), -FI_EINVAL);
  EXPECT_EQ(open({.size = ~std::size_t{0}}), -FI_EINVAL);
  EXPECT_EQ(open({.flags = FI_WRITE}), -FI_EBADFLAGS);
  for (const auto wait : {FI_WAIT_SET, static_cast<enum fi_wait_obj>(7)})
    EXPECT_EQ(open({.wait_obj = wait}), -FI_ENOSYS);
  EXPECT_EQ(open({.wait_obj = FI_WAIT_UNSPEC, .wait_cond = static_cast<enum fi_cq_wait_cond>(9)}),
            -FI_EINVAL);
}

TEST_F(CqAttrTest, sizes) {
  for (std::size_t size = 1; size <= 65536; size *= 4)
    EXPECT_EQ(open({.size = size, .wait_obj = FI_WAIT_UNSPEC}), 0);
}

TEST(CqTest, wait_object_is_told) {
  Face face;
  const auto cq = face.open_cq({.wait_obj = FI_WAIT_UNSPEC});
  enum fi_wait_obj kind = FI_WAIT_NONE;
  EXPECT_EQ(fi_control(&cq->fid, FI_GETWAITOBJ, &kind), 0);
  EXPECT_EQ(kind, FI_WAIT_UNSPEC);
  int descriptor = -1;
  EXPECT_EQ(fi_control(&cq->fid, FI_GETWAIT, &descriptor), -FI_ENODATA);
}

TEST(CqTest, a_signal_ends_the_next_wait) {
  Face face;
  const auto cq = face.open_cq({.wait_obj = FI_WAIT_UNSPEC});
  struct fi_cq_entry entry;
  ASSERT_EQ(fi_cq_signal(cq.get()), 0);
  EXPECT_EQ(fi_cq_sread(cq.get(), &entry, 1, nullptr, -1), -FI_ECANCELED);
  EXPECT_EQ(fi_cq_sread(cq.get(), &entry, 1, nullptr, 20), -FI_EAGAIN);
  EXPECT_EQ(fi_cq_sread(cq.get(), &entry, 1, nullptr, 0), -FI_EAGAIN);
}

TEST(CqTest, without_a_wait_object_nobody_waits) {
  Face face;
  const auto cq = face.open_cq();
  struct fi_cq_entry entry;
  EXPECT_EQ(fi_cq_sread(cq.get(), &entry, 1, nullptr, 0), -FI_EINVAL);
  EXPECT_EQ(fi_cq_signal(cq.get()), -FI_EINVAL);
  EXPECT_EQ(fi_cq_read(cq.get(), nullptr, 0), -FI_EAGAIN);
}

TEST(EqTest, attribute_errors) {
  Face face;
  struct fid_eq* eq = nullptr;
  EXPECT_EQ(fi_eq_open(face.fabric.get(), nullptr, &eq, nullptr), -FI_EINVAL);
  struct fi_eq_attr attr {};
  attr.wait_obj = FI_WAIT_SET;
  EXPECT_EQ(fi_eq_open(face.fabric.get(), &attr, &eq, nullptr), -FI_ENOSYS);
  attr = {.flags = FI_READ, .wait_obj = FI_WAIT_NONE};
  EXPECT_EQ(fi_eq_open(face.fabric.get(), &attr, &eq, nullptr), -FI_EBADFLAGS);
}

TEST(EqTest, only_a_writable_one_is_written) {
  Face face;
  const auto eq = face.open_eq();
  const struct fi_eq_entry entry {};
  EXPECT_EQ(fi_eq_write(eq.get(), FI_NOTIFY, &entry, sizeof entry, 0), -FI_EINVAL);
}

TEST(EqTest, gives_back_what_was_written_and_then_is_full) {
  Face face;
  const auto eq = face.open_eq({.size = 2, .flags = FI_WRITE});
  const struct fi_eq_entry in { .fid = nullptr, .context = &face, .data = 5 };
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(fi_eq_write(eq.get(), FI_NOTIFY, &in, sizeof in, 0), static_cast<ssize_t>(sizeof in));
  EXPECT_EQ(fi_eq_write(eq.get(), FI_NOTIFY, &in, sizeof in, 0), -FI_EAGAIN);
  std::uint32_t event = 99;
  struct fi_eq_entry out {};
  EXPECT_EQ(fi_eq_read(eq.get(), &event, &out, 8, 0), -FI_ETOOSMALL);
  EXPECT_EQ(fi_eq_read(eq.get(), &event, &out, sizeof out, FI_PEEK),
            static_cast<ssize_t>(sizeof out));
  EXPECT_EQ(event, static_cast<std::uint32_t>(FI_NOTIFY));
  EXPECT_EQ(out.context, &face);
  EXPECT_EQ(out.data, 5u);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(fi_eq_read(eq.get(), &event, &out, sizeof out, 0), static_cast<ssize_t>(sizeof out));
  EXPECT_EQ(fi_eq_read(eq.get(), &event, &out, sizeof out, 0), -FI_EAGAIN);
  struct fi_eq_err_entry error {};
  EXPECT_EQ(fi_eq_readerr(eq.get(), &error, 0), -FI_EAGAIN);
}

TEST(EqTest, descriptor_is_readable_while_an_event_waits) {
  Face face;
  const auto eq = face.open_eq({.flags = FI_WRITE, .wait_obj = FI_WAIT_FD});
  struct pollfd look {
    .fd = -1, .events = POLLIN, .revents = 0
  };
  ASSERT_EQ(fi_control(&eq->fid, FI_GETWAIT, &look.fd), 0);
  struct fid* fids[] = {&eq->fid};
  EXPECT_EQ(fi_trywait(face.fabric.get(), fids, 1), 0);
  EXPECT_EQ(poll(&look, 1, 0), 0);
  struct fi_eq_entry entry {};
  std::uint32_t event;
  fi_eq_write(eq.get(), FI_NOTIFY, &entry, sizeof entry, 0);
  EXPECT_EQ(poll(&look, 1, 0), 1);
  EXPECT_EQ(fi_trywait(face.fabric.get(), fids, 1), -FI_EAGAIN);
  fi_eq_sread(eq.get(), &event, &entry, sizeof entry, -1, FI_PEEK);
  EXPECT_EQ(poll(&look, 1, 0), 1);
  fi_eq_sread(eq.get(), &event, &entry, sizeof entry, -1, 0);
  EXPECT_EQ(poll(&look, 1, 0), 0);
}

TEST(EqTest, waits_as_long_as_it_is_told) {
  Face face;
  const auto eq = face.open_eq();
  struct fi_eq_entry entry;
  std::uint32_t event;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(fi_eq_sread(eq.get(), &event, &entry, sizeof entry, 30, 0), -FI_EAGAIN);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(30));
}

TEST(EqTest, mutex_and_condition_are_told) {
  Face face;
  const auto eq = face.open_eq({.wait_obj = FI_WAIT_MUTEX_COND});
  struct fi_mutex_cond pair {};
  ASSERT_EQ(fi_control(&eq->fid, FI_GETWAIT, &pair), 0);
  ASSERT_NE(pair.mutex, nullptr);
  EXPECT_EQ(pthread_mutex_trylock(pair.mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(pair.mutex), 0);
}

// As fi_poll(3) has it: the mutex is held from fi_trywait on, so no event is missed between.
TEST(EqTest, an_event_wakes_who_sleeps_on_the_condition) {
  Face face;
  const auto eq = face.open_eq({.flags = FI_WRITE, .wait_obj = FI_WAIT_MUTEX_COND});
  struct fi_mutex_cond its {};
  ASSERT_EQ(fi_control(&eq->fid, FI_GETWAIT, &its), 0);
  struct fid* fids[] = {&eq->fid};
  constexpr std::uint64_t kEvents = 3;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kEvents; ++i) {
      let_sleep();
      const struct fi_eq_entry in { .fid = nullptr, .context = &face, .data = i };
      EXPECT_EQ(fi_eq_write(eq.get(), FI_NOTIFY, &in, sizeof in, 0),
                static_cast<ssize_t>(sizeof in));
    }
  });
  struct timespec deadline {};
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += kSoon / 1000;
  const std::chrono::milliseconds used = processor_time();
  std::uint64_t read = 0;
  for (int rc = 0; read < kEvents && rc == 0;) {
    pthread_mutex_lock(its.mutex);
    while (rc == 0 && fi_trywait(face.fabric.get(), fids, 1) == 0)
      rc = pthread_cond_timedwait(its.cond, its.mutex, &deadline);
    pthread_mutex_unlock(its.mutex);
    EXPECT_EQ(rc, 0) << "nobody signals";
    struct fi_eq_entry out {};
    std::uint32_t event = 0;
    for (; fi_eq_read(eq.get(), &event, &out, sizeof out, 0) > 0; ++read) {
      EXPECT_EQ(event, static_cast<std::uint32_t>(FI_NOTIFY));
      EXPECT_EQ(out.data, read);
    }
  }
  EXPECT_EQ(read, kEvents);
  EXPECT_LT(processor_time() - used, std::chrono::milliseconds(150)) << "it slept between";
  writer.join();
}

}  // namespace
}  // namespace xs::abi::test
