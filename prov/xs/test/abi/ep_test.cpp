// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint's life: bind, enable, name, options.
#include <array>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

TEST(EndpointTest, wants_what_it_needs_before_it_is_enabled) {
  Face face;
  const auto cq = face.open_cq();
  const auto av = face.open_av();
  const auto ep = face.open_ep();
  std::array<char, 64> name;
  std::size_t size = name.size();
  EXPECT_EQ(fi_getname(&ep->fid, name.data(), &size), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_send(ep.get(), nullptr, 0, nullptr, 0, nullptr), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_cancel(&ep->fid, nullptr), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_enable(ep.get()), -FI_ENOCQ);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT), 0);
  EXPECT_EQ(fi_enable(ep.get()), -FI_ENOCQ);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_RECV), 0);
  EXPECT_EQ(fi_enable(ep.get()), -FI_ENOAV);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
  EXPECT_EQ(fi_enable(ep.get()), 0);
  EXPECT_EQ(fi_enable(ep.get()), -FI_EOPBADSTATE);
}

TEST(EndpointTest, binding_errors) {
  Face face;
  const auto eq = face.open_eq();
  const auto cq = face.open_cq();
  const auto av = face.open_av();
  const auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, 0), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_PEEK), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, FI_TRANSMIT), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &face.domain->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &eq->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &eq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_RECV), -FI_EINVAL);
  EXPECT_EQ(fi_close(&cq->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&av->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&eq->fid), -FI_EBUSY);
  ASSERT_EQ(fi_enable(ep.get()), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT), -FI_EOPBADSTATE);
}

TEST(EndpointTest, queues_of_another_domain_are_refused) {
  Face face;
  Face other;
  const auto cq = other.open_cq();
  const auto av = other.open_av();
  const auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), -FI_EINVAL);
}

TEST(EndpointTest, attributes_beyond_what_was_announced) {
  Face face;
  struct fid_ep* ep = nullptr;
  EXPECT_EQ(fi_endpoint(face.domain.get(), nullptr, &ep, nullptr), -FI_EINVAL);
  const auto refused = [&](auto change) {
    const InfoPtr info(fi_dupinfo(face.info.get()));
    change(*info);
    EXPECT_EQ(fi_endpoint(face.domain.get(), info.get(), &ep, nullptr), -FI_EINVAL);
  };
  // FI_EP_SOCK_STREAM, which newer headers lack.
  refused([](struct fi_info& i) { i.ep_attr->type = static_cast<enum fi_ep_type>(4); });
  refused([](struct fi_info& i) { i.caps |= FI_NAMED_RX_CTX; });
  refused([](struct fi_info& i) { ++i.tx_attr->inject_size; });
  refused([](struct fi_info& i) { ++i.rx_attr->iov_limit; });
  refused([](struct fi_info& i) { i.ep_attr->tx_ctx_cnt = 2; });
}

TEST(EndpointTest, name_comes_in_two_steps) {
  Loop loop;
  std::size_t size = 0;
  EXPECT_EQ(fi_getname(&loop.ep->fid, nullptr, &size), -FI_ETOOSMALL);
  EXPECT_EQ(size, 16u);
  std::array<char, 16> name;
  EXPECT_EQ(fi_getname(&loop.ep->fid, name.data(), &size), 0);
  EXPECT_EQ(fi_getname(&loop.ep->fid, name.data(), nullptr), -FI_EINVAL);
}

TEST(EndpointTest, options) {
  Loop loop;
  std::size_t value = 128;
  std::size_t size = sizeof value;
  struct fid* fid = &loop.ep->fid;
  EXPECT_EQ(fi_setopt(fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, size), 0);
  value = 0;
  EXPECT_EQ(fi_getopt(fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &size), 0);
  EXPECT_EQ(value, 128u);
  EXPECT_EQ(fi_setopt(fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, 3), -FI_EINVAL);
  size = 3;
  EXPECT_EQ(fi_getopt(fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &size), -FI_ETOOSMALL);
  EXPECT_EQ(size, sizeof value);
  EXPECT_EQ(fi_setopt(fid, 99, FI_OPT_MIN_MULTI_RECV, &value, size), -FI_ENOPROTOOPT);
}

// fi_endpoint(3), also of what newer headers than ours name.
TEST(EndpointTest, options_that_are_not_there) {
  constexpr int kCudaApiPermitted = 10, kMaxMessageSize = 12, kInjectMessageSize = 16;
  Loop loop;
  std::size_t value = 128, size = sizeof value;
  struct fid* fid = &loop.ep->fid;
  for (const int name : {+FI_OPT_TX_SIZE, +FI_OPT_BUFFERED_LIMIT, +FI_OPT_XPU_TRIGGER,
                         kMaxMessageSize, kInjectMessageSize, 99}) {
    EXPECT_EQ(fi_getopt(fid, FI_OPT_ENDPOINT, name, &value, &size), -FI_ENOPROTOOPT) << name;
    EXPECT_EQ(fi_setopt(fid, FI_OPT_ENDPOINT, name, &value, size), -FI_ENOPROTOOPT) << name;
  }
  // Of memory of devices: known, but not to be had.
  const int mode = FI_HMEM_P2P_REQUIRED;
  const bool permitted = false;
  EXPECT_EQ(fi_setopt(fid, FI_OPT_ENDPOINT, FI_OPT_FI_HMEM_P2P, &mode, sizeof mode),
            -FI_EOPNOTSUPP);
  EXPECT_EQ(fi_setopt(fid, FI_OPT_ENDPOINT, kCudaApiPermitted, &permitted, sizeof permitted),
            -FI_EOPNOTSUPP);
}

TEST(EndpointTest, default_flags_can_be_changed) {
  Loop loop(nullptr, FI_SELECTIVE_COMPLETION);
  std::uint64_t flags = FI_TRANSMIT | FI_COMPLETION;
  EXPECT_EQ(fi_control(&loop.ep->fid, FI_SETOPSFLAG, &flags), 0);
  flags = FI_TRANSMIT;
  EXPECT_EQ(fi_control(&loop.ep->fid, FI_GETOPSFLAG, &flags), 0);
  EXPECT_EQ(flags, FI_COMPLETION);
  flags = FI_TRANSMIT | FI_MULTI_RECV;
  EXPECT_EQ(fi_control(&loop.ep->fid, FI_SETOPSFLAG, &flags), -FI_EBADFLAGS);
  flags = FI_COMPLETION;
  EXPECT_EQ(fi_control(&loop.ep->fid, FI_SETOPSFLAG, &flags), -FI_EINVAL);
  EXPECT_EQ(fi_control(&loop.ep->fid, FI_BACKLOG, &flags), -FI_ENOSYS);
  int context;
  EXPECT_EQ(fi_send(loop.ep.get(), nullptr, 0, nullptr, loop.self, &context), 0);
  EXPECT_EQ(loop.next().op_context, &context);
}

// By the table: the headers deprecate the calls.
TEST(EndpointTest, room_left_shrinks) {
  Loop loop;
  const ssize_t before = loop.ep->ops->rx_size_left(loop.ep.get());
  char byte;
  ASSERT_EQ(fi_recv(loop.ep.get(), &byte, 1, nullptr, FI_ADDR_UNSPEC, nullptr), 0);
  EXPECT_EQ(loop.ep->ops->rx_size_left(loop.ep.get()), before - 1);
  EXPECT_GT(loop.ep->ops->tx_size_left(loop.ep.get()), 0);
}

}  // namespace
}  // namespace xs::abi::test
