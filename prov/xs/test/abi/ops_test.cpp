// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every pointer of every op table: libfabric calls most of them unchecked.
#include <rdma/fi_atomic.h>
#include <rdma/fi_collective.h>
#include <rdma/fi_rma.h>

#include <cstring>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

// A table is a size and then nothing but functions.
template <class Table>
void expect_full(const Table* table, const char* name) {
  ASSERT_NE(table, nullptr) << name;
  EXPECT_EQ(table->size, sizeof(Table)) << name;
  const auto* words = reinterpret_cast<const unsigned char*>(table);
  for (std::size_t at = sizeof table->size; at < sizeof(Table); at += sizeof(void*)) {
    void* function;
    std::memcpy(&function, words + at, sizeof function);
    EXPECT_NE(function, nullptr) << name << ": operation " << at / sizeof(void*);
  }
}

TEST(OpsTest, provider) {
  const struct fi_provider& xs = provider();
  EXPECT_STREQ(xs.name, "xs");
  EXPECT_EQ(xs.fi_version, fi_version());
  EXPECT_NE(xs.getinfo, nullptr);
  EXPECT_NE(xs.fabric, nullptr);
  EXPECT_NE(xs.cleanup, nullptr);
}

TEST(OpsTest, no_table_has_a_hole) {
  Loop loop;
  expect_full(loop.fabric->fid.ops, "fabric fid");
  expect_full(loop.fabric->ops, "fabric");
  expect_full(loop.domain->fid.ops, "domain fid");
  expect_full(loop.domain->ops, "domain");
  expect_full(loop.domain->mr, "mr");
  expect_full(loop.eq->fid.ops, "eq fid");
  expect_full(loop.eq->ops, "eq");
  expect_full(loop.cq->fid.ops, "cq fid");
  expect_full(loop.cq->ops, "cq");
  expect_full(loop.av->fid.ops, "av fid");
  expect_full(loop.av->ops, "av");
  struct fid_cntr* counter = nullptr;
  struct fi_cntr_attr attr {};
  ASSERT_EQ(fi_cntr_open(loop.domain.get(), &attr, &counter, nullptr), 0);
  expect_full(counter->fid.ops, "counter fid");
  expect_full(counter->ops, "counter");
  EXPECT_EQ(fi_close(&counter->fid), 0);
  struct fid_poll* poll = nullptr;
  struct fi_poll_attr poll_attr {};
  ASSERT_EQ(fi_poll_open(loop.domain.get(), &poll_attr, &poll), 0);
  expect_full(poll->fid.ops, "poll set fid");
  expect_full(poll->ops, "poll set");
  EXPECT_EQ(fi_close(&poll->fid), 0);
  struct fid_stx* stx = nullptr;
  ASSERT_EQ(fi_stx_context(loop.domain.get(), nullptr, &stx, nullptr), 0);
  expect_full(stx->fid.ops, "stx fid");
  expect_full(stx->ops, "stx");
  EXPECT_EQ(fi_close(&stx->fid), 0);
}

TEST(OpsTest, no_table_of_a_shared_receive_context_has_a_hole) {
  Face face;
  struct fid_ep* srx = nullptr;
  ASSERT_EQ(fi_srx_context(face.domain.get(), nullptr, &srx, nullptr), 0);
  expect_full(srx->fid.ops, "srx fid");
  expect_full(srx->ops, "srx");
  expect_full(srx->cm, "srx cm");
  expect_full(srx->msg, "srx msg");
  expect_full(srx->tagged, "srx tagged");
  expect_full(srx->rma, "srx rma");
  expect_full(srx->atomic, "srx atomic");
  expect_full(srx->collective, "srx collective");
  EXPECT_EQ(fi_close(&srx->fid), 0);
}

TEST(OpsTest, no_table_of_an_endpoint_has_a_hole) {
  Loop loop;
  const struct fid_ep* ep = loop.ep.get();
  expect_full(ep->fid.ops, "ep fid");
  expect_full(ep->ops, "ep");
  expect_full(ep->cm, "cm");
  expect_full(ep->msg, "msg");
  expect_full(ep->tagged, "tagged");
  expect_full(ep->rma, "rma");
  expect_full(ep->atomic, "atomic");
  expect_full(ep->collective, "collective");
}

TEST(OpsTest, no_table_of_an_alias_has_a_hole) {
  Loop loop;
  struct fid_ep* alias = nullptr;
  ASSERT_EQ(fi_ep_alias(loop.ep.get(), &alias, FI_TRANSMIT), 0);
  expect_full(alias->fid.ops, "alias fid");
  expect_full(alias->ops, "alias");
  expect_full(alias->cm, "alias cm");
  expect_full(alias->msg, "alias msg");
  expect_full(alias->tagged, "alias tagged");
  expect_full(alias->rma, "alias rma");
  expect_full(alias->atomic, "alias atomic");
  expect_full(alias->collective, "alias collective");
  EXPECT_EQ(fi_close(&alias->fid), 0);
}

TEST(OpsTest, what_is_not_offered_says_so) {
  Loop loop;
  struct fid_wait* wait = nullptr;
  struct fi_wait_attr wait_attr {};
  EXPECT_EQ(fi_wait_open(loop.fabric.get(), &wait_attr, &wait), -FI_ENOSYS);
  struct fid_pep* passive = nullptr;
  EXPECT_EQ(fi_passive_ep(loop.fabric.get(), loop.info.get(), &passive, nullptr), -FI_EINVAL)
      << "there is nothing to connect";
  struct fid_ep* other = nullptr;
  EXPECT_EQ(fi_scalable_ep(loop.domain.get(), loop.info.get(), &other, nullptr), -FI_ENOSYS);
  EXPECT_EQ(fi_shutdown(loop.ep.get(), 0), -FI_ENOSYS);
  EXPECT_EQ(fi_tx_context(loop.ep.get(), 0, nullptr, &other, nullptr), -FI_ENOSYS);
  EXPECT_EQ(fi_rx_context(loop.ep.get(), 0, nullptr, &other, nullptr), -FI_ENOSYS);
  void* ops = nullptr;
  EXPECT_EQ(fi_open_ops(&loop.domain->fid, "nothing", 0, &ops, nullptr), -FI_EINVAL);
}

TEST(OpsTest, groups_are_not_offered) {
  Loop loop;
  struct fid_mc* group = nullptr;
  EXPECT_EQ(fi_join(loop.ep.get(), nullptr, 0, &group, nullptr), -FI_ENOSYS);
  struct fid_av_set* set = nullptr;
  struct fi_av_set_attr members {};
  EXPECT_EQ(fi_av_set(loop.av.get(), &members, &set, nullptr), -FI_ENOSYS);
  EXPECT_EQ(fi_join_collective(loop.ep.get(), FI_ADDR_NOTAVAIL, set, 0, &group, nullptr),
            -FI_ENOSYS);
  struct fi_collective_attr attr {};
  attr.op = FI_SUM;
  attr.datatype = FI_UINT64;
  EXPECT_EQ(fi_query_collective(loop.domain.get(), FI_ALLREDUCE, &attr, 0), -FI_ENOSYS);
  EXPECT_EQ(fi_barrier(loop.ep.get(), loop.self, nullptr), -FI_ENOSYS);
}

}  // namespace
}  // namespace xs::abi::test
