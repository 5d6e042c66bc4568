// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every data call, by messages of an endpoint to itself; peeks are in peek_test.cpp.
#include <array>
#include <string>
#include <thread>

#include "abi/data_rig.hpp"

namespace xs::abi::test {
namespace {

InfoPtr datagram_hints() {
  InfoPtr hints = make_hints();
  hints->ep_attr->type = FI_EP_DGRAM;
  hints->mode = FI_MSG_PREFIX;
  return hints;
}

// Sent before there is a receive, and not lost for it.
TEST(DatagramTest, arrives_though_nobody_waits_for_it) {
  Loop loop(datagram_hints().get());
  int sent, received;
  std::array<char, 4> in{}, out{'p', 'i', 'n', 'g'};
  ASSERT_EQ(fi_send(loop.ep.get(), out.data(), out.size(), nullptr, loop.self, &sent), 0);
  EXPECT_EQ(loop.next().op_context, &sent);
  ASSERT_EQ(fi_recv(loop.ep.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, &received), 0);
  EXPECT_EQ(loop.next().op_context, &received);
  EXPECT_EQ(in, out);
}

TEST_F(DataTest, send_and_recv) {
  ASSERT_EQ(fi_recv(ep(), buffer_.data(), 64, nullptr, FI_ADDR_UNSPEC, &receive_), 0);
  ASSERT_EQ(fi_send(ep(), "abc", 3, nullptr, loop_.self, &send_), 0);
  const auto entry = both(FI_SEND | FI_MSG);
  EXPECT_EQ(entry.flags, FI_RECV | FI_MSG);
  EXPECT_EQ(entry.len, 3u);
  EXPECT_EQ(received(3), "abc");
}

TEST_F(DataTest, pieces) {
  struct iovec from[] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
  struct iovec to[] = {{buffer_.data(), 1}, {buffer_.data() + 1, 10}};
  ASSERT_EQ(fi_recvv(ep(), to, nullptr, 2, FI_ADDR_UNSPEC, &receive_), 0);
  ASSERT_EQ(fi_sendv(ep(), from, nullptr, 2, loop_.self, &send_), 0);
  EXPECT_EQ(both(FI_SEND | FI_MSG).len, 5u);
  EXPECT_EQ(received(5), "abcde");
}

TEST_F(DataTest, tagged_pieces) {
  struct iovec from[] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
  const struct iovec to = into();
  ASSERT_EQ(fi_trecvv(ep(), &to, nullptr, 1, FI_ADDR_UNSPEC, 0x70, 0xf, &receive_), 0);
  ASSERT_EQ(fi_tsendv(ep(), from, nullptr, 2, loop_.self, 0x77, &send_), 0);
  const auto entry = both(FI_SEND | FI_TAGGED);
  EXPECT_EQ(entry.flags, FI_RECV | FI_TAGGED);
  EXPECT_EQ(entry.tag, 0x77u);
}

TEST_F(DataTest, cq_data) {
  ASSERT_EQ(fi_recv(ep(), buffer_.data(), 64, nullptr, FI_ADDR_UNSPEC, &receive_), 0);
  ASSERT_EQ(fi_senddata(ep(), "a", 1, nullptr, ~0ull, loop_.self, &send_), 0);
  auto entry = both(FI_SEND | FI_MSG);
  EXPECT_EQ(entry.flags, FI_RECV | FI_MSG | FI_REMOTE_CQ_DATA);
  EXPECT_EQ(entry.data, ~0ull);
  ASSERT_EQ(fi_trecv(ep(), buffer_.data(), 64, nullptr, FI_ADDR_UNSPEC, 1, 0, &receive_), 0);
  ASSERT_EQ(fi_tsenddata(ep(), "a", 1, nullptr, 5, loop_.self, 1, &send_), 0);
  entry = both(FI_SEND | FI_TAGGED);
  EXPECT_EQ(entry.flags, FI_RECV | FI_TAGGED | FI_REMOTE_CQ_DATA);
  EXPECT_EQ(entry.data, 5u);
}

TEST_F(DataTest, inject_never_completes) {
  ASSERT_EQ(fi_inject(ep(), "a", 1, loop_.self), 0);
  ASSERT_EQ(fi_injectdata(ep(), "b", 1, 7, loop_.self), 0);
  ASSERT_EQ(fi_tinject(ep(), "c", 1, loop_.self, 9), 0);
  ASSERT_EQ(fi_tinjectdata(ep(), "d", 1, 8, loop_.self, 9), 0);
  expect_silence();
  for (const char letter : {'a', 'b'}) {
    ASSERT_EQ(fi_recv(ep(), buffer_.data(), 64, nullptr, FI_ADDR_UNSPEC, &receive_), 0);
    EXPECT_EQ(loop_.next().data, letter == 'b' ? 7u : 0u);
    EXPECT_EQ(buffer_[0], letter);
  }
  for (const char letter : {'c', 'd'}) {
    ASSERT_EQ(fi_trecv(ep(), buffer_.data(), 64, nullptr, FI_ADDR_UNSPEC, 9, 0, &receive_), 0);
    EXPECT_EQ(loop_.next().data, letter == 'd' ? 8u : 0u);
    EXPECT_EQ(buffer_[0], letter);
  }
}

TEST_F(DataTest, the_inject_flag_does_complete) {
  const struct iovec from { const_cast<char*>("xy"), 2 };
  const struct fi_msg msg {
    .msg_iov = &from, .desc = nullptr, .iov_count = 1, .addr = loop_.self, .context = &send_,
    .data = 3
  };
  ASSERT_EQ(fi_sendmsg(ep(), &msg, FI_INJECT | FI_REMOTE_CQ_DATA), 0);
  const struct iovec to = into();
  const struct fi_msg want {
    .msg_iov = &to, .desc = nullptr, .iov_count = 1, .addr = FI_ADDR_UNSPEC, .context = &receive_,
    .data = 0
  };
  ASSERT_EQ(fi_recvmsg(ep(), &want, 0), 0);
  EXPECT_EQ(both(FI_SEND | FI_MSG).data, 3u);
}

TEST_F(DataTest, a_message_may_be_nothing) {
  const struct fi_msg_tagged msg {
    .msg_iov = nullptr, .desc = nullptr, .iov_count = 0, .addr = loop_.self, .tag = 4, .ignore = 0,
    .context = &send_, .data = 0
  };
  ASSERT_EQ(fi_tsendmsg(ep(), &msg, FI_DELIVERY_COMPLETE), 0);
  ASSERT_EQ(fi_trecv(ep(), nullptr, 0, nullptr, FI_ADDR_UNSPEC, 4, 0, &receive_), 0);
  EXPECT_EQ(both(FI_SEND | FI_TAGGED).len, 0u);
}

TEST_F(DataTest, bad_pieces) {
  const struct iovec hole { nullptr, 1 };
  std::array<struct iovec, 5> many;
  many.fill(into());
  EXPECT_EQ(fi_sendv(ep(), &hole, nullptr, 1, loop_.self, &send_), -FI_EINVAL);
  EXPECT_EQ(fi_sendv(ep(), nullptr, nullptr, 1, loop_.self, &send_), -FI_EINVAL);
  EXPECT_EQ(fi_tsendv(ep(), many.data(), nullptr, 5, loop_.self, 0, &send_), -FI_EINVAL);
  EXPECT_EQ(fi_recvv(ep(), &hole, nullptr, 1, FI_ADDR_UNSPEC, &receive_), -FI_EINVAL);
  EXPECT_EQ(fi_trecvv(ep(), many.data(), nullptr, 5, FI_ADDR_UNSPEC, 0, 0, &receive_), -FI_EINVAL);
  EXPECT_EQ(fi_send(ep(), "a", 1, nullptr, 4711, &send_), -FI_EINVAL);
}

TEST_F(DataTest, too_long_is_refused) {
  const std::string large(loop_.info->tx_attr->inject_size + 1, 'x');
  EXPECT_EQ(fi_inject(ep(), large.data(), large.size(), loop_.self), -FI_EMSGSIZE);
  EXPECT_EQ(fi_inject(ep(), large.data(), large.size() - 1, loop_.self), 0);
  const std::size_t most = loop_.info->ep_attr->max_msg_size;
  EXPECT_EQ(fi_send(ep(), large.data(), most + 1, nullptr, loop_.self, &send_), -FI_EMSGSIZE);
}

TEST_F(DataTest, unknown_flags) {
  const struct iovec io = into();
  const struct fi_msg msg {
    .msg_iov = &io, .desc = nullptr, .iov_count = 1, .addr = loop_.self, .context = &send_,
    .data = 0
  };
  EXPECT_EQ(fi_sendmsg(ep(), &msg, FI_PEEK), -FI_EBADFLAGS);
  EXPECT_EQ(fi_recvmsg(ep(), &msg, FI_PEEK), -FI_EBADFLAGS);
  struct fi_msg_tagged tagged {};
  tagged.msg_iov = &io;
  tagged.iov_count = 1;
  EXPECT_EQ(fi_tsendmsg(ep(), &tagged, FI_MULTI_RECV), -FI_EBADFLAGS);
  EXPECT_EQ(fi_trecvmsg(ep(), &tagged, FI_MULTI_RECV), -FI_EBADFLAGS);
  EXPECT_EQ(fi_trecvmsg(ep(), &tagged, FI_DISCARD), -FI_EBADFLAGS);
}

TEST_F(DataTest, cancel) {
  ASSERT_EQ(fi_trecv(ep(), buffer_.data(), 64, nullptr, FI_ADDR_UNSPEC, 1, 0, &receive_), 0);
  EXPECT_EQ(fi_cancel(&ep()->fid, &receive_), 0);
  const auto error = loop_.next_error();
  EXPECT_EQ(error.err, FI_ECANCELED);
  EXPECT_EQ(error.op_context, &receive_);
  EXPECT_TRUE(error.flags & FI_RECV);
  EXPECT_EQ(fi_cancel(&ep()->fid, &receive_), -FI_ENOENT);
}

TEST_F(DataTest, truncation) {
  ASSERT_EQ(fi_recv(ep(), buffer_.data(), 2, nullptr, FI_ADDR_UNSPEC, &receive_), 0);
  ASSERT_EQ(fi_inject(ep(), "abcde", 5, loop_.self), 0);
  const auto error = loop_.next_error();
  EXPECT_EQ(error.err, FI_ETRUNC);
  EXPECT_EQ(error.olen, 3u);
  EXPECT_EQ(received(2), "ab");
}

TEST(SelectiveTest, completes_where_asked) {
  Loop loop(nullptr, FI_SELECTIVE_COMPLETION);
  int context;
  struct fi_msg msg {};
  msg.addr = loop.self;
  msg.context = &context;
  struct fi_cq_tagged_entry entry;
  ASSERT_EQ(fi_send(loop.ep.get(), nullptr, 0, nullptr, loop.self, nullptr), 0);
  ASSERT_EQ(fi_sendmsg(loop.ep.get(), &msg, 0), 0);
  EXPECT_EQ(loop.try_next(entry), 0);
  ASSERT_EQ(fi_sendmsg(loop.ep.get(), &msg, FI_COMPLETION), 0);
  EXPECT_EQ(loop.next().op_context, &context);
  ASSERT_EQ(fi_recvmsg(loop.ep.get(), &msg, FI_COMPLETION), 0);
  EXPECT_EQ(loop.next().flags, FI_RECV | FI_MSG);
}

TEST(SelectiveTest, default_flags_count_for_calls_without_flags) {
  InfoPtr hints = make_hints();
  hints->tx_attr->op_flags = FI_COMPLETION;
  Loop loop(hints.get(), FI_SELECTIVE_COMPLETION);
  int context;
  ASSERT_EQ(fi_send(loop.ep.get(), nullptr, 0, nullptr, loop.self, &context), 0);
  EXPECT_EQ(loop.next().op_context, &context);
}

TEST(MultiReceiveTest, one_buffer_for_many) {
  Loop loop;
  std::array<char, 8> buffer;
  std::size_t least = 2;
  fi_setopt(&loop.ep->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &least, sizeof least);
  const struct iovec to { buffer.data(), buffer.size() };
  struct fi_msg msg {};
  msg.msg_iov = &to;
  msg.iov_count = 1;
  msg.addr = FI_ADDR_UNSPEC;
  ASSERT_EQ(fi_recvmsg(loop.ep.get(), &msg, FI_MULTI_RECV), 0);
  ASSERT_EQ(fi_inject(loop.ep.get(), "abc", 3, loop.self), 0);
  ASSERT_EQ(fi_inject(loop.ep.get(), "defg", 4, loop.self), 0);
  auto entry = loop.next();
  EXPECT_EQ(entry.buf, buffer.data());
  EXPECT_FALSE(entry.flags & FI_MULTI_RECV);
  entry = loop.next();
  EXPECT_EQ(entry.buf, buffer.data() + 3);
  EXPECT_TRUE(entry.flags & FI_MULTI_RECV);
}

TEST(SourceTest, is_told_by_readfrom) {
  Loop loop;
  char byte;
  ASSERT_EQ(fi_recv(loop.ep.get(), &byte, 1, nullptr, FI_ADDR_UNSPEC, nullptr), 0);
  ASSERT_EQ(fi_inject(loop.ep.get(), "a", 1, loop.self), 0);
  struct fi_cq_tagged_entry entry;
  fi_addr_t source = FI_ADDR_NOTAVAIL;
  EXPECT_EQ(fi_cq_readfrom(loop.cq.get(), &entry, 1, &source), 1);
  EXPECT_EQ(source, loop.self);
}

// Both threads read the one queue, so either may take the other's completions.
TEST(ThreadingTest, safe_threading_takes_two_threads_at_once) {
  constexpr int kMessages = 300;
  Loop loop;
  std::array<int, 2> taken{};
  const auto work = [&](int me) {
    for (int i = 0; i < kMessages; ++i) {
      char byte;
      struct fi_cq_tagged_entry entry;
      const auto tag = static_cast<std::uint64_t>(me);
      EXPECT_EQ(fi_trecv(loop.ep.get(), nullptr, 0, nullptr, FI_ADDR_UNSPEC, tag, 0, &byte), 0);
      EXPECT_EQ(fi_tinject(loop.ep.get(), nullptr, 0, loop.self, tag), 0);
      while (fi_cq_read(loop.cq.get(), &entry, 1) == 1) ++taken[static_cast<std::size_t>(me)];
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  EXPECT_EQ(taken[0] + taken[1], 2 * kMessages);
}

TEST(ThreadingTest, domain_threading_works_without_a_lock) {
  InfoPtr hints = make_hints();
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  Loop loop(hints.get());
  int context;
  ASSERT_EQ(fi_send(loop.ep.get(), nullptr, 0, nullptr, loop.self, &context), 0);
  EXPECT_EQ(loop.next().op_context, &context);
}

}  // namespace
}  // namespace xs::abi::test
