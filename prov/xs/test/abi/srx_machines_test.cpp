// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shared receive contexts of a process that others send to.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include "abi/srx_rig.hpp"

namespace xs::abi::test {
namespace {

// From another process to two endpoints, over the fabric and then by a ring; receives come before
// and after their messages.
TEST_F(MachinesTest, shared_receives_take_each_message_once) {
  constexpr int kMessages = 400;
  const auto srx = open_context(b);
  const auto cq = b.open_cq();
  std::array<FidPtr<struct fid_ep>, 2> eps;
  std::array<fi_addr_t, 2> at;
  for (std::size_t i = 0; i < 2; ++i) {
    eps[i] = open_sharing(b, *srx, *cq, *b.av);
    at[i] = number_of(*eps[i], *a.av);
  }
  const auto length = [](int i) { return i % 50 == 7 ? 100'000u : 8u + i % 5 * 700u; };
  std::vector<std::vector<char>> in(kMessages, std::vector<char>(100'000));
  std::vector<char> out(100'000, 'x');
  std::vector<std::ptrdiff_t> taken(kMessages, -1);  // by which receive
  int sent = 0, posted = 0, told = 0;
  const auto post = [&] {
    ASSERT_EQ(fi_trecv(srx.get(), in[posted].data(), in[posted].size(), nullptr, kAny, 0, ~0ull,
                       &in[posted]),
              0);
    ++posted;
  };
  const auto progress = [&] {
    struct fi_cq_tagged_entry entry;
    fi_cq_read(a.cq.get(), &entry, 1);
    if (fi_cq_read(cq.get(), &entry, 1) != 1) return;
    const int number = static_cast<int>(entry.data);
    EXPECT_EQ(entry.len, length(number));
    EXPECT_EQ(taken[number], -1) << "it came twice";
    taken[number] = static_cast<std::vector<char>*>(entry.op_context) - in.data();
    ++told;
  };
  for (int i = 0; i < 60; ++i) post();
  until([&] {
    if (sent < kMessages) {
      const std::size_t to = sent / 3 % 2;
      if (fi_tsenddata(a.ep.get(), out.data(), length(sent), nullptr,
                       static_cast<std::uint64_t>(sent), at[to], to, nullptr) == 0)
        ++sent;
    }
    progress();
    if (posted < kMessages && posted < told + 60 && (sent > 200 || sent < 100)) post();
    if (sent == kMessages && posted < kMessages) post();
    return told == kMessages || HasFailure();
  });
  // A message takes the oldest receive: of one endpoint's, the later message has the later one.
  std::array<std::ptrdiff_t, 2> last{-1, -1};
  for (int i = 0; i < kMessages; ++i)
    EXPECT_GT(taken[i], std::exchange(last[i / 3 % 2], taken[i])) << "message " << i;
  std::sort(taken.begin(), taken.end());
  EXPECT_EQ(std::unique(taken.begin(), taken.end()), taken.end()) << "a receive was used twice";
  struct fi_xs_peer path {};
  EXPECT_EQ(a.ops->peer(a.ep.get(), at[0], &path, sizeof path), 0);
  EXPECT_EQ(path.path, FI_XS_PATH_RING) << "none of it went so";
  std::atomic<bool> closed = false;
  std::thread other([&] {
    for (auto& ep : eps) ep.reset();
    closed = true;
  });
  until([&] {
    fi_cq_read(a.cq.get(), nullptr, 0);
    return closed.load();
  });
  other.join();
}

}  // namespace
}  // namespace xs::abi::test
