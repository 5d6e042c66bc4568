// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Endpoints that share a receive context.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "face/machines.hpp"

namespace xs::abi::test {

inline constexpr fi_addr_t kAny = FI_ADDR_UNSPEC;

inline FidPtr<struct fid_ep> open_context(const Face& face) {
  struct fid_ep* srx = nullptr;
  EXPECT_EQ(fi_srx_context(face.domain.get(), face.info->rx_attr, &srx, nullptr), 0);
  return FidPtr<struct fid_ep>(srx);
}

inline FidPtr<struct fid_ep> open_sharing(Face& face, struct fid_ep& srx, struct fid_cq& cq,
                                          struct fid_av& av, std::uint64_t bind_flags = 0) {
  auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &srx.fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq.fid, FI_TRANSMIT | FI_RECV | bind_flags), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av.fid, 0), 0);
  EXPECT_EQ(fi_enable(ep.get()), 0);
  return ep;
}

// Two endpoints that share, and one beside them that sends.
struct Shared : Loop {
  explicit Shared(const struct fi_info* hints = nullptr, std::uint64_t bind_flags = 0)
      : Loop(hints), own(open_cq()), srx(open_context(*this)) {
    for (std::size_t i = 0; i < 2; ++i) {
      eps[i] = open_sharing(*this, *srx, *own, *av, bind_flags);
      at[i] = number_of(*eps[i], *av);
    }
  }
  // Of the two.
  struct fi_cq_tagged_entry received() {
    struct fi_cq_tagged_entry entry {};
    const auto deadline = Clock::now() + kPatience;
    while (fi_cq_read(own.get(), &entry, 1) != 1)
      if (Clock::now() > deadline) {
        ADD_FAILURE() << "nothing comes";
        break;
      }
    return entry;
  }
  struct fi_cq_err_entry failed() {
    struct fi_cq_err_entry error {};
    const auto deadline = Clock::now() + kPatience;
    while (fi_cq_readerr(own.get(), &error, 0) != 1 && Clock::now() < deadline)
      fi_cq_read(own.get(), nullptr, 0);
    return error;
  }
  bool is_silent() {
    struct fi_cq_tagged_entry entry;
    for (int i = 0; i < 1000; ++i)
      if (fi_cq_read(own.get(), &entry, 1) != -FI_EAGAIN) return false;
    return true;
  }
  void send(std::size_t to, std::string_view words, std::uint64_t tag = 1) {
    ASSERT_EQ(fi_tsend(ep.get(), words.data(), words.size(), nullptr, at[to], tag, nullptr), 0);
    next();
  }
  // Until so many wait.
  void settle(std::uint64_t last_tag) {
    struct fi_msg_tagged look {};
    look.addr = kAny;
    look.tag = last_tag;
    const auto deadline = Clock::now() + kPatience;
    for (;;) {
      ASSERT_LT(Clock::now(), deadline);
      ASSERT_EQ(fi_trecvmsg(srx.get(), &look, FI_PEEK | FI_COMPLETION), 0);
      struct fi_cq_tagged_entry entry;
      if (fi_cq_read(own.get(), &entry, 1) == 1) return;
      failed();
    }
  }
  void post(char* to, std::size_t size, std::uint64_t tag, std::uint64_t ignore = 0,
            fi_addr_t from = kAny) {
    ASSERT_EQ(fi_trecv(srx.get(), to, size, nullptr, from, tag, ignore, to), 0);
  }

  FidPtr<struct fid_cq> own;
  FidPtr<struct fid_ep> srx;
  std::array<FidPtr<struct fid_ep>, 2> eps;
  std::array<fi_addr_t, 2> at{};
};

}  // namespace xs::abi::test
