// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the hot path promises: in steady state, small messages cost no allocation of ours.
#include <array>

#include "alloc/failing_new.hpp"
#include "face/face.hpp"

namespace xs::abi::test {
namespace {

using xs::test::news;

// Two endpoints in one domain, so that each goes on while the other closes.
struct Pair : Loop {
  Pair() {
    EXPECT_EQ(fi_ep_bind(other.get(), &other_cq->fid, FI_TRANSMIT | FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(other.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(other.get()), 0);
    std::array<std::byte, 128> name;
    std::size_t size = name.size();
    EXPECT_EQ(fi_getname(&other->fid, name.data(), &size), 0);
    EXPECT_EQ(fi_av_insert(av.get(), name.data(), 1, &there, 0, nullptr), 1);
  }
  // One message each way, with all four completions.
  void exchange() {
    post(*ep, there);
    post(*other, self);
    unsigned done = 0;
    for (long turns = 0; done < 4; ++turns) {
      ASSERT_LT(turns, 100'000'000) << "nothing moves";
      done += poll(*cq) + poll(*other_cq);
    }
  }
  void post(struct fid_ep& from, fi_addr_t to) {
    ASSERT_EQ(fi_trecv(&from, in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, 1, 0, nullptr), 0);
    ASSERT_EQ(fi_tsend(&from, out.data(), out.size(), nullptr, to, 1, nullptr), 0);
  }
  static unsigned poll(struct fid_cq& queue) {
    struct fi_cq_tagged_entry entry {};
    return fi_cq_read(&queue, &entry, 1) == 1 ? 1 : 0;
  }

  FidPtr<struct fid_cq> other_cq = open_cq();
  FidPtr<struct fid_ep> other = open_ep();
  fi_addr_t there = FI_ADDR_NOTAVAIL;
  std::array<std::byte, 64> in{};
  std::array<std::byte, 64> out{};
};

TEST(HotPathTest, small_messages_allocate_nothing) {
  Pair pair;
  for (int i = 0; i < 500; ++i) pair.exchange();
  const std::size_t before = news();
  EXPECT_GT(before, 0u);
  for (int i = 0; i < 500; ++i) pair.exchange();
  EXPECT_EQ(news() - before, 0u);
}

}  // namespace
}  // namespace xs::abi::test
