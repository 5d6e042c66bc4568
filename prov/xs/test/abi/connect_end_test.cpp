// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How connections end, and those that were not made yet: fi_cm(3).
#include <array>
#include <cstdlib>

#include "face/meeting.hpp"

namespace xs::abi::test {
namespace {

using Buffer = std::array<char, 64>;

// Endpoints that are opened meanwhile don't wait for each other when they close: their peers make
// no progress in these tests.
struct Hasty {
  Hasty() { setenv("FI_XS_LINGER", "1", 1); }
  ~Hasty() { unsetenv("FI_XS_LINGER"); }
};

TEST(ConnectionEndTest, both_ends_hear_of_a_shutdown_once) {
  Meeting meeting;
  meeting.connect();
  Buffer in{};
  ASSERT_EQ(fi_recv(meeting.server.get(), in.data(), in.size(), nullptr, 0, &in), 0);
  EXPECT_EQ(fi_shutdown(meeting.client.get(), 1), -FI_EBADFLAGS);
  ASSERT_EQ(fi_shutdown(meeting.client.get(), 0), 0);
  EXPECT_EQ(fi_send(meeting.client.get(), in.data(), 1, nullptr, 0, nullptr), -FI_ENOTCONN);
  const Event first = meeting.next();
  EXPECT_EQ(first.number, static_cast<std::uint32_t>(FI_SHUTDOWN));
  meeting.expect(FI_SHUTDOWN,
                 first.fid == &meeting.client->fid ? meeting.server->fid : meeting.client->fid);
  EXPECT_EQ(fi_send(meeting.server.get(), in.data(), 1, nullptr, 0, nullptr), -FI_ENOTCONN);
  EXPECT_EQ(meeting.completion_error().err, FI_ECANCELED);
  EXPECT_EQ(fi_shutdown(meeting.server.get(), 0), 0);
  EXPECT_FALSE(meeting.try_next(50));
}

TEST(ConnectionEndTest, what_was_sent_comes_before_the_shutdown) {
  Meeting meeting;
  meeting.connect();
  Buffer in{}, out{"last words"};
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(fi_inject(meeting.client.get(), out.data(), out.size(), 0), 0);
  ASSERT_EQ(fi_shutdown(meeting.client.get(), 0), 0);
  meeting.expect(FI_SHUTDOWN, meeting.server->fid);
  for (int i = 0; i < 100; ++i) {
    in = {};
    ASSERT_EQ(fi_recv(meeting.server.get(), in.data(), in.size(), nullptr, 0, &in), 0);
    meeting.completion();
    EXPECT_EQ(in, out);
  }
  ASSERT_EQ(fi_recv(meeting.server.get(), in.data(), in.size(), nullptr, 0, &in), 0);
  EXPECT_EQ(meeting.completion_error().err, FI_ECANCELED) << "nothing follows";
}

TEST(ConnectionEndTest, a_close_is_a_shutdown_to_the_other) {
  Meeting meeting;
  meeting.connect();
  meeting.client.reset();
  meeting.expect(FI_SHUTDOWN, meeting.server->fid);
  EXPECT_FALSE(meeting.try_next(50));
}

TEST(ConnectionEndTest, an_end_that_closes_unanswered_refuses) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  const Event asked = meeting.request();
  meeting.open_end(asked.info.get()).reset();
  EXPECT_EQ(meeting.expect_error(meeting.client->fid), FI_ECONNREFUSED);
  struct fid_ep* ep = nullptr;
  EXPECT_EQ(fi_endpoint(meeting.domain.get(), asked.info.get(), &ep, nullptr), -FI_EINVAL);
}

TEST(ConnectionEndTest, a_request_makes_one_end) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  EXPECT_EQ(fi_accept(meeting.client.get(), nullptr, 0), -FI_EOPBADSTATE);
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  const Event asked = meeting.request();
  meeting.server = meeting.open_end(asked.info.get());
  struct fid_ep* ep = nullptr;
  EXPECT_EQ(fi_endpoint(meeting.domain.get(), asked.info.get(), &ep, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_connect(meeting.server.get(), meeting.to_listener->dest_addr, nullptr, 0),
            -FI_EOPBADSTATE);
  // Refused after all.
  ASSERT_EQ(fi_reject(meeting.passive.get(), asked.info->handle, nullptr, 0), 0);
  EXPECT_EQ(fi_accept(meeting.server.get(), nullptr, 0), -FI_EINVAL);
  EXPECT_EQ(meeting.expect_error(meeting.client->fid), FI_ECONNREFUSED);
}

TEST(ConnectionEndTest, a_passive_endpoint_that_closes_refuses_what_is_offered) {
  const Hasty hasty;
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  const auto second = meeting.open_end(meeting.to_listener.get());
  Event asked = meeting.request();
  meeting.server = meeting.open_end(asked.info.get());
  ASSERT_EQ(fi_connect(second.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  asked = meeting.request();
  meeting.passive.reset();
  EXPECT_EQ(meeting.expect_error(second->fid), FI_ECONNREFUSED);
  ASSERT_EQ(fi_accept(meeting.server.get(), nullptr, 0), 0) << "this one was taken";
  meeting.expect_connected(*meeting.client, *meeting.server);
}

TEST(ConnectionEndTest, a_client_that_closes_before_it_is_answered) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  const Event asked = meeting.request();
  meeting.client.reset();
  meeting.server = meeting.open_end(asked.info.get());
  ASSERT_EQ(fi_accept(meeting.server.get(), nullptr, 0), 0);
  EXPECT_EQ(meeting.expect_error(meeting.server->fid), FI_ECONNREFUSED);
}

TEST(ConnectionEndTest, unread_requests_go_with_their_listener) {
  const Hasty hasty;
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, "knock", 5), 0);
  // Until the request is there, unread: a buffer that is too small tells.
  std::uint32_t number;
  char little;
  while (fi_eq_read(meeting.eq.get(), &number, &little, 1, 0) == -FI_EAGAIN) {
  }
  meeting.passive.reset();
  EXPECT_EQ(meeting.expect_error(meeting.client->fid), FI_ECONNREFUSED);
}

}  // namespace
}  // namespace xs::abi::test
