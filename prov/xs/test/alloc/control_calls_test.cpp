// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every control call with its first, second, ... allocation failing: it answers -FI_ENOMEM, or does
// its work all the same, and what it leaves behind can be used and closed.
#include <sys/socket.h>

#include <array>
#include <functional>

#include "alloc/failing_new.hpp"
#include "face/face.hpp"

namespace xs::abi::test {
namespace {

using xs::test::end_failing;
using xs::test::fail_new;

constexpr std::size_t kMost =
    10000;  // allocations of one call: more means that the sweep doesn't end

// call: the errno, or what it returns if that isn't negative. undo: after a success.
// Returns the number of allocations that were made to fail.
std::size_t sweep(
    const std::function<int()>& call, const std::function<void()>& undo = [] {},
    int other_errno = -FI_ENOMEM) {
  for (std::size_t nth = 0; nth < kMost; ++nth) {
    fail_new(nth);
    const int rc = call();
    const bool failed = end_failing();
    if (rc >= 0) undo();
    if (!failed) {
      EXPECT_GE(rc, 0);
      return nth;
    }
    EXPECT_TRUE(rc >= 0 || rc == -FI_ENOMEM || rc == other_errno)
        << fi_strerror(-rc) << ", allocation " << nth;
  }
  ADD_FAILURE() << "no end";
  return kMost;
}

// Without memory to look for them, no inner provider is found.
TEST(AllocationTest, getinfo) {
  struct fi_info* info = nullptr;
  const auto call = [&] {
    return provider().getinfo(kVersion, kLoopback, "9228", FI_SOURCE, nullptr, &info);
  };
  EXPECT_GT(sweep(
                call, [&] { fi_freeinfo(info); }, -FI_ENODATA),
            0u);
}

TEST(AllocationTest, fabric) {
  Face face;
  struct fid_fabric* fabric = nullptr;
  const auto call = [&] { return provider().fabric(face.info->fabric_attr, &fabric, nullptr); };
  EXPECT_GT(sweep(call, [&] { EXPECT_EQ(fi_close(&fabric->fid), 0); }), 0u);
}

TEST(AllocationTest, domain) {
  Face face;
  struct fid_domain* domain = nullptr;
  const auto call = [&] { return fi_domain(face.fabric.get(), face.info.get(), &domain, nullptr); };
  EXPECT_GT(sweep(
                call, [&] { EXPECT_EQ(fi_close(&domain->fid), 0); }, -FI_ENODATA),
            0u);
}

TEST(AllocationTest, eq) {
  Face face;
  struct fid_eq* eq = nullptr;
  struct fi_eq_attr attr {
    .wait_obj = FI_WAIT_FD
  };
  const auto call = [&] { return fi_eq_open(face.fabric.get(), &attr, &eq, nullptr); };
  EXPECT_GT(sweep(call, [&] { EXPECT_EQ(fi_close(&eq->fid), 0); }), 0u);
}

TEST(AllocationTest, eq_write) {
  Face face;
  const auto eq = face.open_eq({.flags = FI_WRITE});
  std::array<char, 200> body{};
  const auto call = [&] {
    return static_cast<int>(fi_eq_write(eq.get(), FI_NOTIFY, body.data(), body.size(), 0));
  };
  std::uint32_t event;
  const auto read = [&] {
    EXPECT_EQ(fi_eq_read(eq.get(), &event, body.data(), body.size(), 0), 200);
  };
  EXPECT_GT(sweep(call, read), 0u);
}

TEST(AllocationTest, cq) {
  Face face;
  struct fid_cq* cq = nullptr;
  struct fi_cq_attr attr {};
  const auto call = [&] { return fi_cq_open(face.domain.get(), &attr, &cq, nullptr); };
  EXPECT_GT(sweep(call, [&] { EXPECT_EQ(fi_close(&cq->fid), 0); }), 0u);
}

TEST(AllocationTest, av) {
  Face face;
  struct fid_av* av = nullptr;
  struct fi_av_attr attr {};
  const auto call = [&] { return fi_av_open(face.domain.get(), &attr, &av, nullptr); };
  EXPECT_GT(sweep(call, [&] { EXPECT_EQ(fi_close(&av->fid), 0); }), 0u);
}

// An address without room in the vector fails alone, with FI_ADDR_NOTAVAIL.
TEST(AllocationTest, av_insert) {
  Face face;
  auto av = face.open_av();
  std::array<fi_addr_t, 16> numbers;
  int inserted = 0;
  const auto call = [&] {
    return inserted =
               fi_av_insertsym(av.get(), "127.0.0.1", 4, "1000", 4, numbers.data(), 0, nullptr);
  };
  const auto check = [&] {
    int good = 0;
    for (const fi_addr_t number : numbers) {
      if (number == FI_ADDR_NOTAVAIL) continue;
      ++good;
      struct sockaddr_storage room;
      std::size_t size = sizeof room;
      EXPECT_EQ(fi_av_lookup(av.get(), number, &room, &size), 0);
    }
    EXPECT_EQ(good, inserted);
    av.reset();
    av = face.open_av();
  };
  EXPECT_GT(sweep(call, check), 0u);
}

TEST(AllocationTest, av_text) {
  Loop loop;
  std::array<char, 64> name, text;
  std::size_t size = name.size();
  ASSERT_EQ(fi_getname(&loop.ep->fid, name.data(), &size), 0);
  const auto call = [&] {
    std::size_t room = text.size();
    return fi_av_straddr(loop.av.get(), name.data(), text.data(), &room) ? 0 : -FI_ENOMEM;
  };
  EXPECT_GT(sweep(call), 0u);
}

TEST(AllocationTest, mr) {
  Face face;
  struct fid_mr* mr = nullptr;
  const auto call = [&] {
    return fi_mr_reg(face.domain.get(), &face, sizeof face, FI_SEND, 0, 0, 0, &mr, nullptr);
  };
  EXPECT_GT(sweep(call, [&] { EXPECT_EQ(fi_close(&mr->fid), 0); }), 0u);
}

// At another port than the domain's it looks for an inner provider of its own.
TEST(AllocationTest, endpoint) {
  Face face;
  InfoPtr info;
  ASSERT_EQ(ask(nullptr, &info, kLoopback, "9230"), 0);
  struct fid_ep* ep = nullptr;
  const auto call = [&] { return fi_endpoint(face.domain.get(), info.get(), &ep, nullptr); };
  EXPECT_GT(sweep(
                call, [&] { EXPECT_EQ(fi_close(&ep->fid), 0); }, -FI_ENODATA),
            0u);
}

TEST(AllocationTest, enable) {
  Face face;
  const auto cq = face.open_cq();
  const auto av = face.open_av();
  auto make = [&] {
    auto ep = face.open_ep();
    EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    return ep;
  };
  auto ep = make();
  const auto call = [&] { return fi_enable(ep.get()); };
  EXPECT_GT(sweep(call, [&] { ep = make(); }), 0u);
}

}  // namespace
}  // namespace xs::abi::test
