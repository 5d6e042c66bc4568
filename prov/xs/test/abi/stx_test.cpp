// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shared transmit contexts.
#include <array>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

FidPtr<struct fid_stx> open_context(const Face& face) {
  struct fid_stx* stx = nullptr;
  EXPECT_EQ(fi_stx_context(face.domain.get(), face.info->tx_attr, &stx, nullptr), 0);
  return FidPtr<struct fid_stx>(stx);
}

struct SharingLoop : Face {
  SharingLoop() : stx(open_context(*this)), cq(open_cq()), av(open_av()) {
    for (auto& ep : eps) {
      ep = open_ep();
      EXPECT_EQ(fi_ep_bind(ep.get(), &stx->fid, 0), 0);
      EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
      EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
      EXPECT_EQ(fi_enable(ep.get()), 0);
    }
  }

  FidPtr<struct fid_stx> stx;
  FidPtr<struct fid_cq> cq;
  FidPtr<struct fid_av> av;
  std::array<FidPtr<struct fid_ep>, 2> eps;
};

TEST(SharedTransmitTest, endpoints_that_share_one_send_each_to_itself) {
  SharingLoop loop;
  std::array<char, 2> bytes{};
  for (auto& ep : loop.eps) {
    const fi_addr_t self = number_of(*ep, *loop.av);
    ASSERT_EQ(fi_trecv(ep.get(), &bytes[0], 1, nullptr, FI_ADDR_UNSPEC, 1, 0, &bytes), 0);
    ASSERT_EQ(fi_tsend(ep.get(), &bytes[1], 1, nullptr, self, 1, nullptr), 0);
    std::array<struct fi_cq_tagged_entry, 2> entries;
    EXPECT_EQ(fi_cq_read(loop.cq.get(), entries.data(), 2), 2);
  }
}

TEST(SharedTransmitTest, what_is_refused) {
  Face face, other;
  const auto stx = open_context(face);
  const auto second = open_context(face);
  const auto foreign = open_context(other);
  struct fid_stx* none = nullptr;
  ++face.info->tx_attr->inject_size;
  EXPECT_EQ(fi_stx_context(face.domain.get(), face.info->tx_attr, &none, nullptr), -FI_EINVAL);
  --face.info->tx_attr->inject_size;
  EXPECT_EQ(fi_stx_context(face.domain.get(), nullptr, nullptr, nullptr), -FI_EINVAL);
  auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &stx->fid, FI_TRANSMIT), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &foreign->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &stx->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &second->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_close(&stx->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  ep.reset();
}

}  // namespace
}  // namespace xs::abi::test
