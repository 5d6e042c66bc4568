// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every data call, by messages of an endpoint to itself.
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "face/face.hpp"

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

class DataTest : public testing::Test {
 protected:
  struct fid_ep* ep() {
    return loop_.ep.get();
  }
  std::string_view received(std::size_t size) const { return {buffer_.data(), size}; }
  struct iovec into() {
    return {buffer_.data(), buffer_.size()};
  }

  // Expects the two completions of one message, in any order, and returns the receive's.
  struct fi_cq_tagged_entry both(std::uint64_t send_flags) {
    struct fi_cq_tagged_entry first = loop_.next();
    struct fi_cq_tagged_entry second = loop_.next();
    if (first.flags & FI_RECV) std::swap(first, second);
    EXPECT_EQ(first.flags, send_flags);
    EXPECT_EQ(first.op_context, &send_);
    EXPECT_EQ(second.op_context, &receive_);
    return second;
  }
  void expect_silence() {
    struct fi_cq_tagged_entry entry;
    EXPECT_EQ(loop_.try_next(entry), 0);
  }

  Loop loop_;
  std::array<char, 64> buffer_{};
  struct fi_context2 send_, receive_;
};

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
