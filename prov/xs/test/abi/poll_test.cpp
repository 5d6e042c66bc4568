// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Poll sets.
#include <array>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

FidPtr<struct fid_poll> open_set(const Face& face) {
  struct fi_poll_attr attr {};
  struct fid_poll* set = nullptr;
  EXPECT_EQ(fi_poll_open(face.domain.get(), &attr, &set), 0);
  return FidPtr<struct fid_poll>(set);
}

FidPtr<struct fid_cntr> open_counter(const Face& face, void* context) {
  struct fi_cntr_attr attr {};
  struct fid_cntr* counter = nullptr;
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, context), 0);
  return FidPtr<struct fid_cntr>(counter);
}

FidPtr<struct fid_cq> open_queue(const Face& face, void* context) {
  struct fi_cq_attr attr {};
  attr.format = FI_CQ_FORMAT_TAGGED;
  struct fid_cq* cq = nullptr;
  EXPECT_EQ(fi_cq_open(face.domain.get(), &attr, &cq, context), 0);
  return FidPtr<struct fid_cq>(cq);
}

TEST(PollTest, attribute_errors) {
  Face face;
  struct fid_poll* set = nullptr;
  struct fi_poll_attr attr {};
  EXPECT_EQ(fi_poll_open(face.domain.get(), nullptr, &set), -FI_EINVAL);
  attr.flags = FI_PEEK;
  EXPECT_EQ(fi_poll_open(face.domain.get(), &attr, &set), -FI_EBADFLAGS);
}

TEST(PollTest, members_are_queues_and_counters_of_the_domain_once_each) {
  Face face, other;
  const auto set = open_set(face);
  const auto cq = face.open_cq();
  const auto counter = open_counter(face, nullptr);
  const auto foreign = open_counter(other, nullptr);
  const auto foreign_cq = other.open_cq();
  const auto eq = face.open_eq();
  EXPECT_EQ(fi_poll_add(set.get(), &eq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_poll_add(set.get(), &foreign->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_poll_add(set.get(), &foreign_cq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_poll_add(set.get(), &cq->fid, FI_PEEK), -FI_EBADFLAGS);
  EXPECT_EQ(fi_poll_add(set.get(), &cq->fid, 0), 0);
  EXPECT_EQ(fi_poll_add(set.get(), &cq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_poll_add(set.get(), &counter->fid, 0), 0);
  EXPECT_EQ(fi_close(&cq->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&counter->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&set->fid), -FI_EBUSY);
  EXPECT_EQ(fi_poll_del(set.get(), &cq->fid, FI_PEEK), -FI_EBADFLAGS);
  EXPECT_EQ(fi_poll_del(set.get(), &cq->fid, 0), 0);
  EXPECT_EQ(fi_poll_del(set.get(), &cq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_poll_del(set.get(), &counter->fid, 0), 0);
}

struct PolledLoop : Face {
  PolledLoop()
      : cq(open_queue(*this, &cq)),
        counter(open_counter(*this, &counter)),
        set(open_set(*this)),
        av(open_av()),
        ep(open_ep()) {
    EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep.get()), 0);
    self = number_of(*ep, *av);
    EXPECT_EQ(fi_poll_add(set.get(), &cq->fid, 0), 0);
    EXPECT_EQ(fi_poll_add(set.get(), &counter->fid, 0), 0);
  }
  ~PolledLoop() {
    EXPECT_EQ(fi_poll_del(set.get(), &cq->fid, 0), 0);
    EXPECT_EQ(fi_poll_del(set.get(), &counter->fid, 0), 0);
  }

  FidPtr<struct fid_cq> cq;
  FidPtr<struct fid_cntr> counter;
  FidPtr<struct fid_poll> set;
  FidPtr<struct fid_av> av;
  FidPtr<struct fid_ep> ep;
  fi_addr_t self = FI_ADDR_NOTAVAIL;
};

TEST(PollTest, contexts_of_those_with_events_are_given) {
  PolledLoop loop;
  std::array<void*, 2> found{};
  EXPECT_EQ(fi_poll(loop.set.get(), found.data(), 2), 0);
  char byte = 0;
  ASSERT_EQ(fi_trecv(loop.ep.get(), &byte, 1, nullptr, FI_ADDR_UNSPEC, 1, 0, nullptr), 0);
  ASSERT_EQ(fi_tsend(loop.ep.get(), &byte, 1, nullptr, loop.self, 1, nullptr), 0);
  EXPECT_EQ(fi_poll(loop.set.get(), found.data(), 0), 0);
  ASSERT_EQ(fi_poll(loop.set.get(), found.data(), 1), 1) << "no more than there is room for";
  EXPECT_EQ(found[0], &loop.cq);
  ASSERT_EQ(fi_poll(loop.set.get(), found.data(), 2), 2);
  EXPECT_EQ(found[0], &loop.cq);
  EXPECT_EQ(found[1], &loop.counter);
  ASSERT_EQ(fi_poll(loop.set.get(), found.data(), 2), 1) << "a change is told once";
  EXPECT_EQ(found[0], &loop.cq);
  struct fi_cq_tagged_entry entry;
  while (fi_cq_read(loop.cq.get(), &entry, 1) == 1) {
  }
  EXPECT_EQ(fi_poll(loop.set.get(), found.data(), 2), 0);
  EXPECT_EQ(fi_poll(loop.set.get(), nullptr, 1), -FI_EINVAL);
}

TEST(PollTest, what_the_application_sets_is_no_event) {
  PolledLoop loop;
  std::array<void*, 2> found{};
  EXPECT_EQ(fi_cntr_add(loop.counter.get(), 3), 0);
  EXPECT_EQ(fi_cntr_set(loop.counter.get(), 9), 0);
  EXPECT_EQ(fi_poll(loop.set.get(), found.data(), 2), 0);
}

}  // namespace
}  // namespace xs::abi::test
