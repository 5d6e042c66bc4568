// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// FI_FENCE: an operation starts when all before it, to the same peer, have completed.
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

#include <array>
#include <vector>

#include "face/machines.hpp"

namespace xs::abi::test {
namespace {

constexpr std::size_t kLarge = 1 << 20;  // goes by rendezvous
constexpr std::uint64_t kKey = 1;

ssize_t send(struct fid_ep* ep, fi_addr_t to, std::uint64_t tag, const void* context,
             std::uint64_t flags) {
  struct fi_msg_tagged msg {};
  msg.addr = to;
  msg.tag = tag;
  msg.context = const_cast<void*>(context);
  return fi_tsendmsg(ep, &msg, flags);
}

// From a, which sends something large that nobody has asked for, to b.
struct FenceTest : MachinesTest {
  void SetUp() override {
    talk_until_ring();
    ASSERT_EQ(fi_tsend(a.ep.get(), large.data(), kLarge, nullptr, to_b, 1, &large), 0);
    ASSERT_EQ(send(a.ep.get(), to_b, 2, &fenced, FI_FENCE | FI_COMPLETION), 0);
    ASSERT_EQ(send(a.ep.get(), to_b, 3, &after, FI_COMPLETION), 0);
    for (const std::uint64_t tag : {2, 3})
      ASSERT_EQ(fi_trecv(b.ep.get(), nullptr, 0, nullptr, to_a, tag, 0, &received), 0);
  }
  void progress() {
    struct fi_cq_tagged_entry entry;
    if (fi_cq_read(a.cq.get(), &entry, 1) == 1) told.push_back(entry.op_context);
    if (fi_cq_read(b.cq.get(), &entry, 1) == 1) came.push_back(entry.tag);
  }
  void let_go() {
    ASSERT_EQ(fi_trecv(b.ep.get(), room.data(), kLarge, nullptr, to_a, 1, 0, &room), 0);
  }

  std::vector<char> large = std::vector<char>(kLarge), room = std::vector<char>(kLarge);
  int fenced = 0, after = 0, received = 0;
  std::vector<void*> told;
  std::vector<std::uint64_t> came;
};

TEST_F(FenceTest, nothing_goes_before_all_else_has_ended) {
  for (int i = 0; i < 20'000; ++i) progress();
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(came.empty());
  let_go();
  until([&] {
    progress();
    return told.size() == 3 && came.size() == 3;
  });
  EXPECT_EQ(told, (std::vector<void*>{&large, &fenced, &after}));
  EXPECT_EQ(came, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(FenceTest, one_that_is_cancelled_holds_nothing_back) {
  ASSERT_EQ(fi_cancel(&a.ep->fid, &fenced), 0);
  struct fi_cq_err_entry error {};
  ASSERT_EQ(fi_cq_readerr(a.cq.get(), &error, 0), 1);
  EXPECT_EQ(error.op_context, &fenced);
  until([&] {
    progress();
    return !told.empty() && !came.empty();
  });
  EXPECT_EQ(told, std::vector<void*>{&after});
  EXPECT_EQ(came, std::vector<std::uint64_t>{3});
  let_go();
  until([&] {
    progress();
    return told.size() == 2 && came.size() == 2;
  });
}

// All kinds of operations, each behind the one before.
TEST_F(MachinesTest, a_fence_before_each) {
  std::vector<char> memory(kLarge), out(kLarge);
  struct fid_mr* mr_fid = nullptr;
  ASSERT_EQ(fi_mr_reg(b.domain.get(), memory.data(), kLarge, FI_REMOTE_READ | FI_REMOTE_WRITE, 0,
                      kKey, 0, &mr_fid, nullptr),
            0);
  const FidPtr<struct fid_mr> mr(mr_fid);
  constexpr std::uint64_t kFlags = FI_FENCE | FI_COMPLETION;
  const struct iovec iov { out.data(), kLarge };
  const struct fi_rma_iov there { 0, kLarge, kKey };
  struct fi_msg_rma rma {};
  rma.msg_iov = &iov;
  rma.iov_count = 1;
  rma.addr = to_b;
  rma.rma_iov = &there;
  rma.rma_iov_count = 1;
  alignas(8) std::uint64_t operand = 1;
  const struct fi_ioc value { &operand, 1 };
  const struct fi_rma_ioc element { 0, 1, kKey };
  struct fi_msg_atomic atomic {};
  atomic.msg_iov = &value;
  atomic.iov_count = 1;
  atomic.addr = to_b;
  atomic.rma_iov = &element;
  atomic.rma_iov_count = 1;
  atomic.datatype = FI_UINT64;
  atomic.op = FI_SUM;
  struct fid_ep* const ep = a.ep.get();
  for (int round = 0; round < 3; ++round) {
    std::vector<std::uint64_t> flags;
    ASSERT_EQ(fi_writemsg(ep, &rma, kFlags), 0);
    ASSERT_EQ(fi_readmsg(ep, &rma, kFlags), 0);
    ASSERT_EQ(fi_atomicmsg(ep, &atomic, kFlags), 0);
    ASSERT_EQ(send(ep, to_b, 1, nullptr, kFlags | FI_DELIVERY_COMPLETE), 0);
    ASSERT_EQ(send(ep, to_b, 1, nullptr, kFlags), 0);
    ASSERT_EQ(fi_writemsg(ep, &rma, kFlags), 0);
    until([&] {
      struct fi_cq_tagged_entry entry;
      fi_cq_read(b.cq.get(), nullptr, 0);
      if (fi_cq_read(a.cq.get(), &entry, 1) == 1) flags.push_back(entry.flags);
      return flags.size() == 6;
    });
    EXPECT_EQ(flags, (std::vector<std::uint64_t>{FI_RMA | FI_WRITE, FI_RMA | FI_READ,
                                                 FI_ATOMIC | FI_WRITE, FI_SEND | FI_TAGGED,
                                                 FI_SEND | FI_TAGGED, FI_RMA | FI_WRITE}));
  }
}

// An endpoint does at once what it does to itself, or not yet.
TEST(OwnFenceTest, waits_for_the_application) {
  Loop loop;
  std::vector<char> out(kLarge), in(kLarge);
  struct fid_ep* const ep = loop.ep.get();
  ASSERT_EQ(fi_tsend(ep, out.data(), kLarge, nullptr, loop.self, 1, &out), 0);
  EXPECT_EQ(send(ep, loop.self, 2, nullptr, FI_FENCE), -FI_EAGAIN);
  EXPECT_EQ(send(ep, loop.self, 3, nullptr, FI_INJECT), 0);
  ASSERT_EQ(fi_trecv(ep, in.data(), kLarge, nullptr, FI_ADDR_UNSPEC, 1, 0, &in), 0);
  EXPECT_EQ(send(ep, loop.self, 2, nullptr, FI_FENCE), 0);
}

TEST(OwnFenceTest, is_for_who_asks_for_it) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG | FI_TAGGED | FI_RMA;
  Loop loop(hints.get());
  EXPECT_EQ(loop.info->caps & FI_FENCE, 0u);
  EXPECT_EQ(send(loop.ep.get(), loop.self, 1, nullptr, FI_FENCE), -FI_EBADFLAGS);
  hints->caps |= FI_FENCE;
  Loop asked(hints.get());
  EXPECT_TRUE(asked.info->caps & FI_FENCE);
  EXPECT_TRUE(asked.info->tx_attr->caps & FI_FENCE);
  EXPECT_EQ(send(asked.ep.get(), asked.self, 1, nullptr, FI_FENCE), 0);
  struct fi_msg_tagged msg {};
  msg.addr = FI_ADDR_UNSPEC;
  EXPECT_EQ(fi_trecvmsg(asked.ep.get(), &msg, FI_FENCE), -FI_EBADFLAGS);
}

}  // namespace
}  // namespace xs::abi::test
