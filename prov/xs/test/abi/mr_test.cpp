// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a registration may be bound to.
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

#include <array>
#include <span>
#include <vector>

#include "face/machines.hpp"

namespace xs::abi::test {
namespace {

constexpr std::uint64_t kBoth = FI_REMOTE_READ | FI_REMOTE_WRITE;

FidPtr<struct fid_mr> show(const Face& face, std::span<char> memory, std::uint64_t key) {
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_reg(face.domain.get(), memory.data(), memory.size(), kBoth, 0, key, FI_RMA_EVENT,
                      &mr, nullptr),
            0);
  return FidPtr<struct fid_mr>(mr);
}

FidPtr<struct fid_cntr> open_counter(const Face& face) {
  struct fi_cntr_attr attr {};
  struct fid_cntr* counter = nullptr;
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, nullptr), 0);
  return FidPtr<struct fid_cntr>(counter);
}

FidPtr<struct fid_ep> open_enabled(Loop& loop) {
  auto ep = loop.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &loop.cq->fid, FI_TRANSMIT | FI_RECV), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &loop.av->fid, 0), 0);
  EXPECT_EQ(fi_enable(ep.get()), 0);
  return ep;
}

TEST(RegionTest, counts_what_is_done_to_it) {
  Loop loop;
  const auto written = open_counter(loop), read = open_counter(loop);
  std::array<char, 16> one{}, other{};
  alignas(8) std::array<char, 8> room{};
  const auto mr = show(loop, one, 1), unheard = show(loop, other, 2);
  ASSERT_EQ(fi_mr_bind(mr.get(), &written->fid, FI_REMOTE_WRITE), 0);
  ASSERT_EQ(fi_mr_bind(mr.get(), &read->fid, FI_REMOTE_READ), 0);
  ASSERT_EQ(fi_mr_enable(mr.get()), 0);
  struct fid_ep* const ep = loop.ep.get();
  const auto counted = [&](ssize_t rc, std::uint64_t writes, std::uint64_t reads) {
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(fi_cntr_read(written.get()), writes);
    EXPECT_EQ(fi_cntr_read(read.get()), reads);
  };
  counted(fi_write(ep, "abc", 3, nullptr, loop.self, 0, 1, nullptr), 1, 0);
  counted(fi_read(ep, room.data(), 3, nullptr, loop.self, 0, 1, nullptr), 1, 1);
  counted(fi_atomic(ep, room.data(), 1, nullptr, loop.self, 0, 1, FI_UINT64, FI_SUM, nullptr), 2,
          1);
  counted(fi_fetch_atomic(ep, nullptr, 1, nullptr, room.data(), nullptr, loop.self, 0, 1, FI_UINT64,
                          FI_ATOMIC_READ, nullptr),
          2, 2);
  // Elsewhere, and not at all.
  counted(fi_write(ep, "abc", 3, nullptr, loop.self, 0, 2, nullptr), 2, 2);
  counted(fi_write(ep, "abc", 3, nullptr, loop.self, 14, 1, nullptr), 2, 2);
}

TEST(RegionTest, one_counter_may_count_both) {
  Loop loop;
  const auto counter = open_counter(loop);
  std::array<char, 16> memory{}, room{};
  const auto mr = show(loop, memory, 1);
  ASSERT_EQ(fi_mr_bind(mr.get(), &counter->fid, kBoth), 0);
  ASSERT_EQ(fi_write(loop.ep.get(), "abc", 3, nullptr, loop.self, 0, 1, nullptr), 0);
  ASSERT_EQ(fi_read(loop.ep.get(), room.data(), 3, nullptr, loop.self, 0, 1, nullptr), 0);
  EXPECT_EQ(fi_cntr_read(counter.get()), 2u);
}

TEST(RegionTest, keeps_its_counter_open) {
  Loop loop;
  auto counter = open_counter(loop);
  std::array<char, 16> memory{};
  auto mr = show(loop, memory, 1);
  ASSERT_EQ(fi_mr_bind(mr.get(), &counter->fid, kBoth), 0);
  EXPECT_EQ(fi_close(&counter->fid), -FI_EBUSY);
  mr.reset();
}

TEST(RegionTest, what_it_is_not_bound_to) {
  Loop loop, elsewhere;
  const auto counter = open_counter(loop), foreign = open_counter(elsewhere);
  std::array<char, 16> memory{};
  const auto mr = show(loop, memory, 1);
  EXPECT_EQ(fi_mr_bind(mr.get(), &counter->fid, 0), -FI_EBADFLAGS);
  EXPECT_EQ(fi_mr_bind(mr.get(), &counter->fid, FI_REMOTE_WRITE | FI_WRITE), -FI_EBADFLAGS);
  EXPECT_EQ(fi_mr_bind(mr.get(), &foreign->fid, FI_REMOTE_WRITE), -FI_EINVAL);
  EXPECT_EQ(fi_mr_bind(mr.get(), &loop.cq->fid, FI_REMOTE_WRITE), -FI_EINVAL);
  ASSERT_EQ(fi_mr_bind(mr.get(), &counter->fid, FI_REMOTE_WRITE), 0);
  EXPECT_EQ(fi_mr_bind(mr.get(), &counter->fid, kBoth), -FI_EINVAL) << "writes are counted already";
  EXPECT_EQ(fi_mr_bind(mr.get(), &loop.ep->fid, FI_REMOTE_WRITE), -FI_EBADFLAGS);
  EXPECT_EQ(fi_mr_bind(mr.get(), &elsewhere.ep->fid, 0), -FI_EINVAL);
  const auto closed = loop.open_ep();
  EXPECT_EQ(fi_mr_bind(mr.get(), &closed->fid, 0), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_mr_refresh(mr.get(), nullptr, 0, 0), -FI_ENOSYS);
}

TEST(RegionTest, is_reached_by_its_endpoint_alone) {
  Loop loop;
  auto second = open_enabled(loop);
  const fi_addr_t to_second = number_of(*second, *loop.av);
  std::array<char, 16> memory{};
  auto mr = show(loop, memory, 1);
  ASSERT_EQ(fi_mr_bind(mr.get(), &second->fid, 0), 0);
  EXPECT_EQ(fi_mr_bind(mr.get(), &loop.ep->fid, 0), -FI_EINVAL) << "it is bound";
  EXPECT_EQ(fi_close(&second->fid), -FI_EBUSY);
  ASSERT_EQ(fi_write(loop.ep.get(), "abc", 3, nullptr, loop.self, 0, 1, nullptr), 0);
  EXPECT_EQ(loop.next_error().err, FI_EACCES);
  ASSERT_EQ(fi_write(second.get(), "abc", 3, nullptr, to_second, 0, 1, nullptr), 0);
  EXPECT_EQ(loop.next().flags, FI_RMA | FI_WRITE);
  EXPECT_EQ(memory[2], 'c');
  mr.reset();
}

// Nobody is kept out by a key of authorization: who relies on one has to hear it. Applications of
// libfabric before 1.5 know no such attribute, and may have anything there.
TEST(RegionTest, is_not_protected_by_a_key) {
  Face face;
  std::array<char, 16> memory{};
  std::array<std::uint8_t, 4> key{};
  const struct iovec iov { memory.data(), memory.size() };
  struct fi_mr_attr attr {};
  attr.mr_iov = &iov;
  attr.iov_count = 1;
  attr.access = kBoth;
  attr.requested_key = 1;
  attr.auth_key_size = key.size();
  attr.auth_key = key.data();
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_regattr(face.domain.get(), &attr, 0, &mr), -FI_EINVAL);
  face.fabric->api_version = FI_VERSION(1, 4);
  ASSERT_EQ(fi_mr_regattr(face.domain.get(), &attr, 0, &mr), 0);
  EXPECT_EQ(fi_close(&mr->fid), 0);
}

// Between two, also in parts.
TEST_F(MachinesTest, a_region_counts_what_comes_from_afar) {
  std::vector<char> memory(1 << 20), room(memory.size());
  const auto counter = open_counter(b);
  const auto mr = show(b, memory, 1);
  ASSERT_EQ(fi_mr_bind(mr.get(), &counter->fid, kBoth), 0);
  const auto reached = [&](std::uint64_t count) {
    struct fi_cq_tagged_entry entry;
    bool ended = false;  // only then is the memory ours again
    until([&] {
      ended = ended || fi_cq_read(a.cq.get(), &entry, 1) == 1;
      return fi_cntr_read(counter.get()) >= count && ended;
    });
    EXPECT_EQ(fi_cntr_read(counter.get()), count);
  };
  struct fid_ep* const ep = a.ep.get();
  ASSERT_EQ(fi_write(ep, room.data(), room.size(), nullptr, to_b, 0, 1, nullptr), 0);
  reached(1);
  ASSERT_EQ(fi_read(ep, room.data(), room.size(), nullptr, to_b, 0, 1, nullptr), 0);
  reached(2);
  ASSERT_EQ(fi_read(ep, room.data(), 0, nullptr, to_b, 0, 1, nullptr), 0);
  reached(3);
  ASSERT_EQ(fi_atomic(ep, room.data(), 1, nullptr, to_b, 0, 1, FI_UINT64, FI_SUM, nullptr), 0);
  reached(4);
  ASSERT_EQ(fi_fetch_atomic(ep, nullptr, 1, nullptr, room.data(), nullptr, to_b, 0, 1, FI_UINT64,
                            FI_ATOMIC_READ, nullptr),
            0);
  reached(5);
}

}  // namespace
}  // namespace xs::abi::test
