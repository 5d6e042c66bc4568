// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shared receive contexts: what they take, and what is refused.
#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <vector>

#include "abi/srx_rig.hpp"

namespace xs::abi::test {
namespace {

TEST(SharedReceiveTest, the_oldest_receive_takes_whatever_comes_first) {
  Shared loop;
  std::array<char, 3> one{}, other{};
  loop.post(one.data(), 3, 1);
  loop.post(other.data(), 3, 1);
  loop.send(1, "abc");
  EXPECT_EQ(loop.received().op_context, one.data());
  loop.send(0, "def");
  EXPECT_EQ(loop.received().op_context, other.data());
  EXPECT_EQ(std::string_view(one.data(), 3), "abc");
  EXPECT_EQ(std::string_view(other.data(), 3), "def");
  EXPECT_TRUE(loop.is_silent());
}

TEST(SharedReceiveTest, what_came_too_early_is_taken_in_the_order_of_arrival) {
  Shared loop;
  loop.send(1, "abc", 1);
  loop.settle(1);
  loop.send(0, "def", 2);
  loop.settle(2);
  std::array<char, 3> one{}, other{};
  loop.post(one.data(), 3, 0, ~0ull);
  loop.post(other.data(), 3, 0, ~0ull);
  EXPECT_EQ(loop.received().op_context, one.data());
  EXPECT_EQ(loop.received().op_context, other.data());
  EXPECT_EQ(std::string_view(one.data(), 3), "abc");
  EXPECT_EQ(std::string_view(other.data(), 3), "def");
}

TEST(SharedReceiveTest, large_messages_early_and_late) {
  Shared loop;
  std::vector<char> out(1 << 20), in(out.size());
  std::iota(out.begin(), out.end(), char{});
  for (const bool early : {false, true}) {
    std::fill(in.begin(), in.end(), char{});
    if (!early) loop.post(in.data(), in.size(), 1);
    ASSERT_EQ(fi_tsend(loop.ep.get(), out.data(), out.size(), nullptr, loop.at[1], 1, nullptr), 0);
    if (early) {
      loop.settle(1);
      loop.post(in.data(), in.size(), 1);
    }
    EXPECT_EQ(loop.received().len, out.size());
    loop.next();
    EXPECT_EQ(in, out);
  }
}

TEST(SharedReceiveTest, an_endpoint_sends_to_itself) {
  Shared loop;
  std::array<char, 3> in{};
  for (const bool early : {false, true}) {
    if (!early) loop.post(in.data(), 3, 1);
    ASSERT_EQ(fi_tinject(loop.eps[0].get(), "abc", 3, loop.at[0], 1), 0);
    if (early) loop.post(in.data(), 3, 1);
    EXPECT_EQ(loop.received().len, 3u);
  }
}

// All three calls without a tag, and that a message is cut.
TEST(SharedReceiveTest, untagged_calls) {
  Shared loop;
  std::array<char, 4> in{};
  const struct iovec iov[] = {{in.data(), 1}, {in.data() + 1, 2}};
  struct fi_msg msg {};
  msg.msg_iov = iov;
  msg.iov_count = 2;
  msg.addr = kAny;
  msg.context = &msg;
  const auto send = [&](std::size_t size) {
    EXPECT_EQ(fi_inject(loop.ep.get(), "abcd", size, loop.at[1]), 0);
  };
  ASSERT_EQ(fi_recv(loop.srx.get(), in.data(), 4, nullptr, kAny, &in), 0);
  send(3);
  EXPECT_EQ(loop.received().flags, FI_RECV | FI_MSG);
  ASSERT_EQ(fi_recvv(loop.srx.get(), iov, nullptr, 2, kAny, nullptr), 0);
  send(3);
  EXPECT_EQ(loop.received().len, 3u);
  ASSERT_EQ(fi_recvmsg(loop.srx.get(), &msg, FI_COMPLETION), 0);
  send(4);
  const auto error = loop.failed();
  EXPECT_EQ(error.err, FI_ETRUNC);
  EXPECT_EQ(error.olen, 1u);
  EXPECT_EQ(error.op_context, &msg);
}

TEST(SharedReceiveTest, peek_claim_and_discard) {
  Shared loop;
  std::array<char, 3> in{};
  const struct iovec iov { in.data(), in.size() };
  struct fi_msg_tagged msg {};
  msg.msg_iov = &iov;
  msg.iov_count = 1;
  msg.addr = kAny;
  msg.tag = 1;
  msg.context = &loop;
  struct fid_ep* const srx = loop.srx.get();
  ASSERT_EQ(fi_trecvmsg(srx, &msg, FI_PEEK), 0);
  EXPECT_EQ(loop.failed().err, FI_ENOMSG);
  loop.send(0, "abc");
  loop.settle(1);
  ASSERT_EQ(fi_trecvmsg(srx, &msg, FI_PEEK | FI_CLAIM), 0);
  EXPECT_EQ(loop.received().len, 3u);
  ASSERT_EQ(fi_trecvmsg(srx, &msg, FI_PEEK), 0);
  EXPECT_EQ(loop.failed().err, FI_ENOMSG) << "it is claimed";
  ASSERT_EQ(fi_trecvmsg(srx, &msg, FI_CLAIM), 0);
  EXPECT_EQ(loop.received().op_context, &loop);
  EXPECT_EQ(std::string_view(in.data(), 3), "abc");
  EXPECT_EQ(fi_trecvmsg(srx, &msg, FI_CLAIM), -FI_EINVAL);
  loop.send(1, "abc");
  loop.settle(1);
  ASSERT_EQ(fi_trecvmsg(srx, &msg, FI_PEEK | FI_DISCARD), 0);
  EXPECT_EQ(loop.received().len, 3u);
  ASSERT_EQ(fi_trecvmsg(srx, &msg, FI_PEEK), 0);
  EXPECT_EQ(loop.failed().err, FI_ENOMSG) << "it is gone";
}

// Whoever's message it is, in the order of arrival, until too little is left.
TEST(SharedReceiveTest, one_buffer_for_many) {
  Shared loop;
  std::size_t least = 8;
  ASSERT_EQ(fi_setopt(&loop.srx->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &least, sizeof least),
            0);
  std::size_t size = sizeof least;
  EXPECT_EQ(fi_getopt(&loop.srx->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &least, &size), 0);
  EXPECT_EQ(least, 8u);
  std::array<char, 32> in{};
  const struct iovec iov { in.data(), in.size() };
  struct fi_msg msg {};
  msg.msg_iov = &iov;
  msg.iov_count = 1;
  msg.addr = kAny;
  msg.context = &in;
  const std::vector<char> bytes(16, 'x');
  for (const bool early : {false, true}) {
    const auto post = [&] { EXPECT_EQ(fi_recvmsg(loop.srx.get(), &msg, FI_MULTI_RECV), 0); };
    if (!early) post();
    for (const std::size_t to : {1, 0})
      ASSERT_EQ(fi_inject(loop.ep.get(), bytes.data(), 13, loop.at[to]), 0);
    if (early) {
      while (fi_cq_read(loop.own.get(), nullptr, 0) != -FI_EAGAIN) continue;
      post();
    }
    bool is_free = false;
    for (int i = 0; i < 2; ++i) {
      const auto entry = loop.received();
      EXPECT_EQ(entry.op_context, &in);
      EXPECT_EQ(entry.len, 13u);
      EXPECT_EQ(entry.buf, in.data() + 13 * i);
      is_free = (entry.flags & FI_MULTI_RECV) != 0;
    }
    // While it is posted, what fills it is told first.
    if (early) is_free = (loop.received().flags & FI_MULTI_RECV) != 0;
    EXPECT_TRUE(is_free);
    EXPECT_TRUE(loop.is_silent());
  }
}

TEST(SharedReceiveTest, cancel) {
  Shared loop;
  std::array<char, 3> in{}, other{};
  loop.post(in.data(), 3, 1);
  loop.post(other.data(), 3, 1);
  EXPECT_EQ(fi_cancel(&loop.srx->fid, &loop), -FI_ENOENT);
  EXPECT_EQ(fi_cancel(&loop.srx->fid, in.data()), 0);
  const auto error = loop.failed();
  EXPECT_EQ(error.err, FI_ECANCELED);
  EXPECT_EQ(error.op_context, in.data());
  loop.send(0, "abc");
  EXPECT_EQ(loop.received().op_context, other.data());
  loop.post(in.data(), 3, 1);
  for (auto& ep : loop.eps) ep.reset();
  EXPECT_EQ(fi_cancel(&loop.srx->fid, in.data()), -FI_EOPBADSTATE) << "no queue to tell it";
}

TEST(SharedReceiveTest, what_waits_for_a_closed_endpoint_goes_with_it) {
  Shared loop;
  loop.send(0, "abc", 1);
  loop.settle(1);
  loop.send(1, "def", 2);
  loop.settle(2);
  // Claimed, too.
  struct fi_msg_tagged msg {};
  msg.addr = kAny;
  msg.tag = 3;
  loop.send(0, "ghi", 3);
  loop.settle(3);
  ASSERT_EQ(fi_trecvmsg(loop.srx.get(), &msg, FI_PEEK | FI_CLAIM), 0);
  loop.received();
  loop.eps[0].reset();
  EXPECT_EQ(fi_trecvmsg(loop.srx.get(), &msg, FI_CLAIM), -FI_EINVAL);
  std::array<char, 3> in{}, other{};
  loop.post(in.data(), 3, 0, ~0ull);
  EXPECT_EQ(loop.received().op_context, in.data());
  EXPECT_EQ(std::string_view(in.data(), 3), "def");
  loop.post(other.data(), 3, 1);
  EXPECT_TRUE(loop.is_silent());
  // And a new one takes its place.
  loop.eps[0] = open_sharing(loop, *loop.srx, *loop.own, *loop.av);
  loop.at[0] = number_of(*loop.eps[0], *loop.av);
  loop.send(0, "jkl");
  EXPECT_EQ(loop.received().op_context, other.data());
}

TEST(SharedReceiveTest, from_one_peer_only) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_TAGGED | FI_DIRECTED_RECV | FI_SOURCE;
  Shared loop(hints.get());
  std::array<char, 3> from_second{}, from_first{};
  // The first one is a peer of the second, and of itself.
  loop.post(from_second.data(), 3, 1, 0, loop.at[1]);
  loop.post(from_first.data(), 3, 1, 0, loop.at[0]);
  EXPECT_EQ(fi_trecv(loop.srx.get(), nullptr, 0, nullptr, 12345, 1, 0, nullptr), -FI_EINVAL);
  ASSERT_EQ(fi_tinject(loop.eps[0].get(), "abc", 3, loop.at[1], 1), 0);
  EXPECT_EQ(loop.received().op_context, from_first.data());
  ASSERT_EQ(fi_tinject(loop.eps[1].get(), "def", 3, loop.at[1], 1), 0);
  EXPECT_EQ(loop.received().op_context, from_second.data());
}

TEST(SharedReceiveTest, the_binding_of_the_endpoint_tells_what_is_told) {
  Shared loop(nullptr, FI_SELECTIVE_COMPLETION);
  std::array<char, 3> in{};
  loop.post(in.data(), 3, 1);
  loop.send(0, "abc");
  EXPECT_TRUE(loop.is_silent());
  EXPECT_EQ(std::string_view(in.data(), 3), "abc");
  const struct iovec iov { in.data(), in.size() };
  struct fi_msg_tagged msg {};
  msg.msg_iov = &iov;
  msg.iov_count = 1;
  msg.addr = kAny;
  msg.tag = 1;
  ASSERT_EQ(fi_trecvmsg(loop.srx.get(), &msg, FI_COMPLETION), 0);
  loop.send(1, "abc");
  EXPECT_EQ(loop.received().len, 3u);
}

TEST(SharedReceiveTest, an_endpoint_that_shares_takes_no_receives_of_its_own) {
  Shared loop;
  struct fid_ep* const ep = loop.eps[0].get();
  struct fid_ep* alias_fid = nullptr;
  ASSERT_EQ(fi_ep_alias(ep, &alias_fid, FI_RECV | FI_COMPLETION), 0);
  const FidPtr<struct fid_ep> alias(alias_fid);
  char byte;
  const struct iovec iov { &byte, 1 };
  struct fi_msg_tagged msg {};
  for (struct fid_ep* const each : {ep, alias.get()}) {
    EXPECT_EQ(fi_trecv(each, &byte, 1, nullptr, kAny, 1, 0, nullptr), -FI_EINVAL);
    EXPECT_EQ(fi_trecvv(each, &iov, nullptr, 1, kAny, 1, 0, nullptr), -FI_EINVAL);
    EXPECT_EQ(fi_trecvmsg(each, &msg, FI_PEEK), -FI_EINVAL);
    EXPECT_EQ(fi_trecvmsg(each, &msg, FI_TRIGGER), -FI_EINVAL) << "not even later";
    EXPECT_EQ(fi_recv(each, &byte, 1, nullptr, kAny, nullptr), -FI_EINVAL);
  }
}

TEST(SharedReceiveTest, what_is_refused) {
  Face face, other;
  const auto srx = open_context(face), second = open_context(face), foreign = open_context(other);
  struct fid_ep* none = nullptr;
  face.info->rx_attr->total_buffered_recv = 1;
  EXPECT_EQ(fi_srx_context(face.domain.get(), face.info->rx_attr, &none, nullptr), -FI_EINVAL);
  face.info->rx_attr->total_buffered_recv = 0;
  EXPECT_EQ(fi_srx_context(face.domain.get(), nullptr, nullptr, nullptr), -FI_EINVAL);
  const auto cq = face.open_cq();
  const auto av = face.open_av(), another = face.open_av();
  EXPECT_EQ(fi_ep_bind(srx.get(), &cq->fid, FI_RECV), -FI_ENOSYS) << "endpoints are";
  EXPECT_EQ(fi_enable(srx.get()), 0);
  EXPECT_EQ(fi_send(srx.get(), nullptr, 0, nullptr, 0, nullptr), -FI_ENOSYS);
  EXPECT_EQ(fi_recv(srx.get(), nullptr, 1, nullptr, kAny, nullptr), 0) << "as no room at all";
  EXPECT_EQ(fi_cancel(&srx->fid, &face), -FI_ENOENT);
  struct fi_msg_tagged look {};
  look.addr = kAny;
  EXPECT_EQ(fi_trecvmsg(srx.get(), &look, FI_PEEK), -FI_EOPBADSTATE) << "no queue to tell it";
  EXPECT_EQ(fi_trecvmsg(srx.get(), &look, FI_MULTI_RECV), -FI_EBADFLAGS);
  auto ep = face.open_ep();
  EXPECT_EQ(fi_ep_bind(ep.get(), &srx->fid, FI_RECV), -FI_EBADFLAGS);
  EXPECT_EQ(fi_ep_bind(ep.get(), &foreign->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_ep_bind(ep.get(), &srx->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &second->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_close(&srx->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&face.domain->fid), -FI_EBUSY);
  ep = nullptr;
  ep = open_sharing(face, *srx, *cq, *av);
  auto stray = face.open_ep();
  EXPECT_EQ(fi_ep_bind(stray.get(), &srx->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(stray.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
  EXPECT_EQ(fi_ep_bind(stray.get(), &another->fid, 0), 0);
  EXPECT_EQ(fi_enable(stray.get()), -FI_EINVAL) << "another address vector";
  stray.reset();
  ep.reset();
}

}  // namespace
}  // namespace xs::abi::test
