// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// FI_PEEK, FI_CLAIM and FI_DISCARD, by messages of an endpoint to itself.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "abi/data_rig.hpp"

namespace xs::abi::test {
namespace {

class PeekTest : public DataTest {
 protected:
  ssize_t receive(std::uint64_t flags, bool with_buffer = false) {
    const struct iovec io = into();
    struct fi_msg_tagged msg {};
    if (with_buffer) {
      msg.msg_iov = &io;
      msg.iov_count = 1;
    }
    msg.addr = FI_ADDR_UNSPEC;
    msg.tag = 6;
    msg.context = &receive_;
    return fi_trecvmsg(ep(), &msg, flags);
  }
};

TEST_F(PeekTest, a_miss_is_an_error_completion) {
  ASSERT_EQ(receive(FI_PEEK), 0);
  EXPECT_EQ(loop_.next_error().err, FI_ENOMSG);
}

TEST_F(PeekTest, claim_then_receive) {
  ASSERT_EQ(fi_tinject(ep(), "hello", 5, loop_.self, 6), 0);
  ASSERT_EQ(receive(FI_PEEK), 0);
  EXPECT_EQ(loop_.next().len, 5u);
  ASSERT_EQ(receive(FI_PEEK | FI_CLAIM), 0);
  EXPECT_EQ(loop_.next().tag, 6u);
  ASSERT_EQ(receive(FI_PEEK), 0);
  EXPECT_EQ(loop_.next_error().err, FI_ENOMSG);
  ASSERT_EQ(receive(FI_CLAIM, true), 0);
  EXPECT_EQ(loop_.next().len, 5u);
  EXPECT_EQ(received(5), "hello");
}

TEST_F(PeekTest, discard) {
  ASSERT_EQ(fi_tinject(ep(), "one", 3, loop_.self, 6), 0);
  ASSERT_EQ(fi_tinject(ep(), "other", 5, loop_.self, 6), 0);
  ASSERT_EQ(receive(FI_PEEK | FI_DISCARD), 0);
  loop_.next();
  ASSERT_EQ(receive(FI_PEEK | FI_CLAIM), 0);
  EXPECT_EQ(loop_.next().len, 5u);
  ASSERT_EQ(receive(FI_CLAIM | FI_DISCARD), 0);
  loop_.next();
  ASSERT_EQ(receive(FI_PEEK), 0);
  EXPECT_EQ(loop_.next_error().err, FI_ENOMSG);
}

// Whoever peeks in a loop finds what another endpoint sends, though each miss leaves him an error
// to read at once.
class PeekLoopTest : public testing::Test {
 protected:
  PeekLoopTest()
      : cq_(loop_.open_cq({.format = FI_CQ_FORMAT_TAGGED, .wait_obj = FI_WAIT_UNSPEC})),
        ep_(loop_.open_ep()) {
    EXPECT_EQ(fi_ep_bind(ep_.get(), &cq_->fid, FI_TRANSMIT | FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep_.get(), &loop_.av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep_.get()), 0);
    std::array<std::byte, 64> name;
    std::size_t size = name.size();
    EXPECT_EQ(fi_getname(&ep_->fid, name.data(), &size), 0);
    EXPECT_EQ(fi_av_insert(loop_.av.get(), name.data(), 1, &address_, 0, nullptr), 1);
    EXPECT_EQ(fi_tinject(loop_.ep.get(), "x", 1, address_, 6), 0);
  }

  // Nothing but this progresses the domain.
  template <class Take>
  bool finds(Take take) {
    struct fi_msg_tagged msg {};
    msg.addr = FI_ADDR_UNSPEC;
    msg.tag = 6;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      EXPECT_EQ(fi_trecvmsg(ep_.get(), &msg, FI_PEEK), 0);
      struct fi_cq_tagged_entry entry;
      const ssize_t rc = take(entry);
      if (rc != -FI_EAVAIL) return rc == 1;
      struct fi_cq_err_entry error {};
      EXPECT_EQ(fi_cq_readerr(cq_.get(), &error, 0), 1);
    }
    return false;
  }

  Loop loop_;
  FidPtr<struct fid_cq> cq_;
  FidPtr<struct fid_ep> ep_;
  fi_addr_t address_ = FI_ADDR_NOTAVAIL;
};

// Who always has a completion to read, of messages to himself, hears of others all the same.
TEST_F(PeekLoopTest, reading_what_is_there_progresses) {
  char byte;
  ASSERT_EQ(fi_trecv(ep_.get(), &byte, 1, nullptr, FI_ADDR_UNSPEC, 6, 0, nullptr), 0);
  bool found = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!found && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(fi_trecv(ep_.get(), nullptr, 0, nullptr, FI_ADDR_UNSPEC, 9, 0, nullptr), 0);
    ASSERT_EQ(fi_tsend(ep_.get(), nullptr, 0, nullptr, address_, 9, nullptr), 0);
    struct fi_cq_tagged_entry entries[2];
    const ssize_t count = fi_cq_read(cq_.get(), entries, 2);
    ASSERT_GT(count, 0);
    for (ssize_t i = 0; i < count; ++i) found = found || entries[i].tag == 6;
  }
  EXPECT_TRUE(found);
}

TEST_F(PeekLoopTest, reading_progresses) {
  EXPECT_TRUE(finds([this](auto& entry) { return fi_cq_read(cq_.get(), &entry, 1); }));
}

TEST_F(PeekLoopTest, waiting_progresses) {
  EXPECT_TRUE(
      finds([this](auto& entry) { return fi_cq_sread(cq_.get(), &entry, 1, nullptr, -1); }));
}

}  // namespace
}  // namespace xs::abi::test
