// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Connection-oriented endpoints: fi_cm(3).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "face/meeting.hpp"

namespace xs::abi::test {
namespace {

using Buffer = std::array<char, 64>;

struct sockaddr_in loopback(std::uint16_t port) {
  struct sockaddr_in at {};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

TEST(ConnectTest, a_client_and_a_server_are_told_with_their_data) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, "knock", 5), 0);
  const Event asked = meeting.request();
  EXPECT_EQ(asked.data, "knock");
  ASSERT_TRUE(asked.info);
  EXPECT_EQ(asked.info->ep_attr->type, FI_EP_MSG);
  ASSERT_NE(asked.info->handle, nullptr);
  EXPECT_EQ(asked.info->handle->fclass, static_cast<std::size_t>(FI_CLASS_CONNREQ));
  meeting.server = meeting.open_end(asked.info.get());
  ASSERT_EQ(fi_accept(meeting.server.get(), "enter", 5), 0);
  for (int i = 0; i < 2; ++i) {
    const Event event = meeting.next();
    EXPECT_EQ(event.number, static_cast<std::uint32_t>(FI_CONNECTED));
    EXPECT_EQ(event.data, event.fid == &meeting.client->fid ? "enter" : "");
  }
  EXPECT_FALSE(meeting.try_next(50));
}

TEST(ConnectTest, names) {
  Meeting meeting;
  meeting.connect();
  const auto listener = name_of(meeting.passive->fid);
  EXPECT_EQ(name_of(meeting.server->fid), listener) << "as for sockets";
  const auto peer_of = [](struct fid_ep& ep) {
    std::vector<std::byte> name(64);
    std::size_t size = name.size();
    EXPECT_EQ(fi_getpeer(&ep, name.data(), &size), 0);
    name.resize(size);
    return name;
  };
  EXPECT_EQ(peer_of(*meeting.client), listener);
  EXPECT_EQ(peer_of(*meeting.server), name_of(meeting.client->fid));
}

TEST(ConnectTest, messages_both_ways_whoever_is_named) {
  Meeting meeting;
  meeting.connect();
  Buffer in{}, out{"over the wire"};
  for (auto [from, to] : {std::pair(meeting.client.get(), meeting.server.get()),
                          std::pair(meeting.server.get(), meeting.client.get())}) {
    for (const fi_addr_t named : {fi_addr_t{0}, fi_addr_t{77}, fi_addr_t{FI_ADDR_UNSPEC}}) {
      in = {};
      ASSERT_EQ(fi_recv(to, in.data(), in.size(), nullptr, named, &in), 0);
      ASSERT_EQ(fi_send(from, out.data(), out.size(), nullptr, named, &out), 0);
      meeting.completion();
      meeting.completion();
      EXPECT_EQ(in, out);
      in = {};
      ASSERT_EQ(fi_trecv(to, in.data(), in.size(), nullptr, named, 5, 0, &in), 0);
      ASSERT_EQ(fi_tsenddata(from, out.data(), out.size(), nullptr, 9, named, 5, &out), 0);
      meeting.completion();
      meeting.completion();
      EXPECT_EQ(in, out);
    }
  }
}

TEST(ConnectTest, completions_have_no_source) {
  Meeting meeting;
  meeting.connect();
  Buffer in{};
  ASSERT_EQ(fi_recv(meeting.server.get(), in.data(), in.size(), nullptr, 0, &in), 0);
  ASSERT_EQ(fi_inject(meeting.client.get(), "x", 1, 0), 0);
  struct fi_cq_tagged_entry entry;
  fi_addr_t source = 5;
  ssize_t rc;
  while ((rc = fi_cq_readfrom(meeting.cq.get(), &entry, 1, &source)) == -FI_EAGAIN) {
  }
  EXPECT_EQ(rc, 1);
  EXPECT_EQ(source, FI_ADDR_NOTAVAIL);
}

TEST(ConnectTest, remote_memory_and_atomics) {
  Meeting meeting;
  meeting.connect();
  std::array<std::uint64_t, 8> shown{1, 2, 3}, own{};
  struct fid_mr* mr = nullptr;
  ASSERT_EQ(fi_mr_reg(meeting.domain.get(), shown.data(), sizeof shown,
                      FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 7, 0, &mr, nullptr),
            0);
  const FidPtr<struct fid_mr> registered(mr);
  ASSERT_EQ(fi_read(meeting.client.get(), own.data(), 24, nullptr, 99, 0, 7, &own), 0);
  meeting.completion();
  EXPECT_EQ(own[2], 3u);
  own[0] = 40;
  ASSERT_EQ(fi_write(meeting.client.get(), own.data(), 8, nullptr, 99, 32, 7, &own), 0);
  meeting.completion();
  EXPECT_EQ(shown[4], 40u);
  ASSERT_EQ(
      fi_atomic(meeting.client.get(), own.data(), 1, nullptr, 99, 32, 7, FI_UINT64, FI_SUM, &own),
      0);
  meeting.completion();
  EXPECT_EQ(shown[4], 80u);
}

TEST(ConnectTest, nothing_is_sent_before_the_connection_is_there) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  Buffer in{};
  EXPECT_EQ(fi_send(meeting.client.get(), in.data(), 1, nullptr, 0, nullptr), -FI_ENOTCONN);
  EXPECT_EQ(fi_enable(meeting.client.get()), 0);
  EXPECT_EQ(fi_send(meeting.client.get(), in.data(), 1, nullptr, 0, nullptr), -FI_ENOTCONN);
  EXPECT_EQ(fi_read(meeting.client.get(), in.data(), 1, nullptr, 0, 0, 7, nullptr), -FI_ENOTCONN);
  EXPECT_EQ(fi_recv(meeting.client.get(), in.data(), 1, nullptr, 0, nullptr), 0);
  std::size_t size = in.size();
  EXPECT_EQ(fi_getpeer(meeting.client.get(), in.data(), &size), -FI_ENOTCONN);
  EXPECT_EQ(fi_shutdown(meeting.client.get(), 0), -FI_ENOTCONN);
}

TEST(ConnectTest, a_refusal_with_data_and_another_attempt) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  Event asked = meeting.request();
  ASSERT_EQ(fi_reject(meeting.passive.get(), asked.info->handle, "not today", 9), 0);
  EXPECT_EQ(fi_reject(meeting.passive.get(), asked.info->handle, nullptr, 0), -FI_EINVAL) << "gone";
  const Event refused = meeting.next();
  EXPECT_EQ(refused.error, FI_ECONNREFUSED);
  EXPECT_EQ(refused.fid, &meeting.client->fid);
  EXPECT_EQ(refused.data, "not today");
  EXPECT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0),
            -FI_EISCONN)
      << "once in its life";
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  asked = meeting.request();
  meeting.server = meeting.open_end(asked.info.get());
  ASSERT_EQ(fi_accept(meeting.server.get(), nullptr, 0), 0);
  meeting.expect_connected(*meeting.client, *meeting.server);
}

TEST(ConnectTest, data_of_an_error_comes_in_either_way) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  const Event asked = meeting.request();
  ASSERT_EQ(fi_reject(meeting.passive.get(), asked.info->handle, "not today", 9), 0);
  struct fi_eq_cm_entry entry;
  std::uint32_t number;
  while (fi_eq_read(meeting.eq.get(), &number, &entry, sizeof entry, 0) == -FI_EAGAIN) {
  }
  struct fi_eq_err_entry error {};
  ASSERT_EQ(fi_eq_readerr(meeting.eq.get(), &error, FI_PEEK), static_cast<ssize_t>(sizeof error));
  EXPECT_EQ(std::string(static_cast<char*>(error.err_data), error.err_data_size), "not today");
  std::array<char, 4> room;
  error.err_data = room.data();
  error.err_data_size = room.size();
  ASSERT_EQ(fi_eq_readerr(meeting.eq.get(), &error, 0), static_cast<ssize_t>(sizeof error));
  EXPECT_EQ(std::string(room.data(), error.err_data_size), "not ");
}

TEST(ConnectTest, a_receive_into_no_memory_has_no_room) {
  Meeting meeting;
  meeting.connect();
  ASSERT_EQ(fi_recv(meeting.server.get(), nullptr, 1024, nullptr, 0, &meeting), 0);
  ASSERT_EQ(fi_inject(meeting.client.get(), nullptr, 0, 0), 0);
  EXPECT_EQ(meeting.completion().len, 0u);
  ASSERT_EQ(fi_trecv(meeting.server.get(), nullptr, 1024, nullptr, 0, 1, 0, &meeting), 0);
  ASSERT_EQ(fi_tinject(meeting.client.get(), "x", 1, 0, 1), 0);
  EXPECT_EQ(meeting.completion_error().err, FI_ETRUNC);
}

TEST(ConnectTest, data_has_a_limit) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  std::size_t limit = 0, size = sizeof limit;
  ASSERT_EQ(fi_getopt(&meeting.passive->fid, FI_OPT_ENDPOINT, FI_OPT_CM_DATA_SIZE, &limit, &size),
            0);
  EXPECT_EQ(limit, 192u);
  limit = 0;
  ASSERT_EQ(fi_getopt(&meeting.client->fid, FI_OPT_ENDPOINT, FI_OPT_CM_DATA_SIZE, &limit, &size),
            0);
  EXPECT_EQ(limit, 192u);
  size = 2;
  EXPECT_EQ(fi_getopt(&meeting.client->fid, FI_OPT_ENDPOINT, FI_OPT_CM_DATA_SIZE, &limit, &size),
            -FI_ETOOSMALL);
  const std::string much(193, 'x');
  EXPECT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, much.data(), 193),
            -FI_EINVAL);
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, much.data(), 192), 0);
  EXPECT_EQ(meeting.request().data, much.substr(1));
}

TEST(ConnectTest, an_event_waits_for_room_enough) {
  Meeting meeting;
  meeting.listen();
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, "knock", 5), 0);
  struct fi_eq_cm_entry entry;
  std::uint32_t number;
  ssize_t rc;
  while ((rc = fi_eq_read(meeting.eq.get(), &number, &entry, sizeof entry, 0)) == -FI_EAGAIN) {
  }
  EXPECT_EQ(rc, -FI_ETOOSMALL);
  EXPECT_EQ(meeting.request().data, "knock");
}

TEST(ConnectTest, nobody_is_there) {
  Meeting meeting;
  struct fid_pep* pep = nullptr;
  ASSERT_EQ(fi_passive_ep(meeting.fabric.get(), meeting.info.get(), &pep, nullptr), 0);
  FidPtr<struct fid_pep> gone(pep);
  auto at = loopback(0);
  ASSERT_EQ(fi_setname(&pep->fid, &at, sizeof at), 0);
  const auto name = name_of(pep->fid);
  gone.reset();
  meeting.client = meeting.open_end(meeting.info.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), name.data(), nullptr, 0), 0);
  EXPECT_EQ(meeting.expect_error(meeting.client->fid), FI_ECONNREFUSED);
}

TEST(ConnectTest, somebody_is_there_who_does_not_listen) {
  Meeting meeting;
  meeting.server = meeting.open_end(meeting.info.get());
  ASSERT_EQ(fi_enable(meeting.server.get()), 0);
  const auto name = name_of(meeting.server->fid);
  meeting.client = meeting.open_end(meeting.info.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), name.data(), nullptr, 0), 0);
  EXPECT_EQ(meeting.expect_error(meeting.client->fid), FI_ECONNREFUSED);
}

TEST(ConnectTest, a_full_backlog_refuses) {
  Meeting meeting;
  meeting.listen();
  int requests = 1;
  ASSERT_EQ(fi_control(&meeting.passive->fid, FI_BACKLOG, &requests), 0);
  meeting.client = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(meeting.client.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  const Event asked = meeting.request();
  const auto second = meeting.open_end(meeting.to_listener.get());
  ASSERT_EQ(fi_connect(second.get(), meeting.to_listener->dest_addr, nullptr, 0), 0);
  EXPECT_EQ(meeting.expect_error(second->fid), FI_ECONNREFUSED);
  requests = 0;
  EXPECT_EQ(fi_control(&meeting.passive->fid, FI_BACKLOG, &requests), -FI_EINVAL);
}

TEST(ConnectTest, an_address_is_chosen_and_taken_over) {
  Meeting meeting;
  meeting.listen();
  auto first = meeting.open_passive();
  auto at = loopback(0);
  std::array<std::byte, 64> room;
  std::size_t size = room.size();
  EXPECT_EQ(fi_getname(&first->fid, room.data(), &size), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_setname(&first->fid, &at, 3), -FI_EINVAL);
  ASSERT_EQ(fi_setname(&first->fid, &at, sizeof at), 0);
  EXPECT_EQ(fi_setname(&first->fid, &at, sizeof at), -FI_EOPBADSTATE);
  const auto name = name_of(first->fid);
  struct sockaddr_in chosen;
  std::memcpy(&chosen, name.data(), sizeof chosen);
  EXPECT_NE(chosen.sin_port, 0);
  const InfoPtr info(fi_dupinfo(meeting.to_listener.get()));
  info->handle = &first->fid;
  meeting.client = meeting.open_end(info.get());
  EXPECT_EQ(name_of(first->fid), name);
  first.reset();
  ASSERT_EQ(fi_connect(meeting.client.get(), info->dest_addr, nullptr, 0), 0);
  EXPECT_EQ(name_of(meeting.client->fid), name);
  const Event asked = meeting.request();
  ASSERT_EQ(asked.info->dest_addrlen, name.size());
  EXPECT_EQ(std::memcmp(asked.info->dest_addr, name.data(), name.size()), 0);
}

TEST(ConnectTest, an_address_that_has_not_been_asked_for_is_taken_over) {
  Meeting meeting;
  const auto passive = meeting.open_passive();
  const InfoPtr info(fi_dupinfo(meeting.info.get()));
  info->handle = &passive->fid;
  meeting.client = meeting.open_end(info.get());
  ASSERT_EQ(fi_enable(meeting.client.get()), 0);
  EXPECT_EQ(name_of(meeting.client->fid), name_of(passive->fid));
  ASSERT_EQ(fi_pep_bind(passive.get(), &meeting.eq->fid, 0), 0);
  EXPECT_EQ(fi_listen(passive.get()), -FI_EOPBADSTATE);
  struct fid_ep* second = nullptr;
  EXPECT_EQ(fi_endpoint(meeting.domain.get(), info.get(), &second, nullptr), -FI_EINVAL);
}

TEST(ConnectTest, what_a_passive_endpoint_refuses) {
  Meeting meeting;
  struct fid_pep* pep = nullptr;
  const InfoPtr other(fi_dupinfo(meeting.info.get()));
  other->ep_attr->type = FI_EP_RDM;
  EXPECT_EQ(fi_passive_ep(meeting.fabric.get(), other.get(), &pep, nullptr), -FI_EINVAL);
  auto passive = meeting.open_passive();
  EXPECT_EQ(fi_listen(passive.get()), -FI_ENOEQ);
  EXPECT_EQ(fi_pep_bind(passive.get(), &meeting.cq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_pep_bind(passive.get(), &meeting.eq->fid, 1), -FI_EBADFLAGS);
  EXPECT_EQ(fi_pep_bind(passive.get(), &meeting.eq->fid, 0), 0);
  EXPECT_EQ(fi_pep_bind(passive.get(), &meeting.eq->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_close(&meeting.eq->fid), -FI_EBUSY);
  EXPECT_EQ(fi_listen(passive.get()), 0);
  EXPECT_EQ(fi_listen(passive.get()), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_close(&meeting.fabric->fid), -FI_EBUSY);
}

TEST(ConnectTest, what_an_end_refuses) {
  Meeting meeting;
  struct fid_ep* ep = nullptr;
  ASSERT_EQ(fi_endpoint(meeting.domain.get(), meeting.info.get(), &ep, nullptr), 0);
  const FidPtr<struct fid_ep> owned(ep);
  const auto at = loopback(1);
  const auto av = meeting.open_av();
  EXPECT_EQ(fi_ep_bind(ep, &av->fid, 0), -FI_EINVAL) << "it has one peer";
  EXPECT_EQ(fi_connect(ep, &at, nullptr, 0), -FI_ENOEQ);
  EXPECT_EQ(fi_ep_bind(ep, &meeting.eq->fid, 0), 0);
  EXPECT_EQ(fi_connect(ep, &at, nullptr, 0), -FI_ENOCQ);
  EXPECT_EQ(fi_ep_bind(ep, &meeting.cq->fid, FI_TRANSMIT | FI_RECV), 0);
  EXPECT_EQ(fi_connect(ep, nullptr, nullptr, 0), -FI_EINVAL);
  const auto nowhere = loopback(0);
  EXPECT_EQ(fi_connect(ep, &nowhere, nullptr, 0), -FI_EINVAL);
  struct fid unknown {};
  const InfoPtr info(fi_dupinfo(meeting.info.get()));
  info->handle = &unknown;
  EXPECT_EQ(fi_endpoint(meeting.domain.get(), info.get(), &ep, nullptr), -FI_EINVAL);
}

TEST(ConnectTest, a_domain_without_a_lock_has_none) {
  InfoPtr hints = make_hints();
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  Face face(hints.get());
  const InfoPtr info(fi_dupinfo(face.info.get()));
  info->ep_attr->type = FI_EP_MSG;
  info->caps &= ~FI_SOURCE & ~FI_DIRECTED_RECV;
  struct fid_ep* ep = nullptr;
  EXPECT_EQ(fi_endpoint(face.domain.get(), info.get(), &ep, nullptr), -FI_EINVAL);
  hints = make_connection_hints();
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  Face locked(hints.get());
  ASSERT_EQ(fi_endpoint(locked.domain.get(), locked.info.get(), &ep, nullptr), 0);
  EXPECT_EQ(fi_close(&ep->fid), 0);
}

TEST(ConnectTest, an_alias_sends_to_the_peer_too) {
  Meeting meeting;
  meeting.connect();
  struct fid_ep* alias = nullptr;
  ASSERT_EQ(fi_ep_alias(meeting.client.get(), &alias, FI_TRANSMIT | FI_COMPLETION), 0);
  Buffer in{}, out{"by another name"};
  ASSERT_EQ(fi_recv(meeting.server.get(), in.data(), in.size(), nullptr, 0, &in), 0);
  ASSERT_EQ(fi_send(alias, out.data(), out.size(), nullptr, 33, &out), 0);
  meeting.completion();
  meeting.completion();
  EXPECT_EQ(in, out);
  EXPECT_EQ(fi_close(&meeting.client->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&alias->fid), 0);
}

}  // namespace
}  // namespace xs::abi::test
