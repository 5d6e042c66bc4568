// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Connections as libfabric sees them: one event queue for a listener, clients and servers, whose
// reader drives them all.
#pragma once
#include <rdma/fi_rma.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "face/face.hpp"

namespace xs::abi::test {

InfoPtr make_connection_hints(std::uint64_t caps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC);

struct Event {
  std::uint32_t number = 0;  // 0: an error
  fid_t fid = nullptr;
  int error = 0;
  std::string data;
  InfoPtr info;
};

struct Meeting : Face {
  explicit Meeting(const struct fi_info* hints = make_connection_hints().get());

  // Bound to the queues, not enabled.
  FidPtr<struct fid_ep> open_end(struct fi_info* of);
  FidPtr<struct fid_pep> open_passive();
  // A passive endpoint that listens, and the info to connect to it.
  void listen();

  // The next event; nullopt: none in a while.
  std::optional<Event> try_next(int milliseconds = 20'000);
  Event next();
  // The next event is that one, of that object.
  Event expect(std::uint32_t number, const struct fid& of);
  int expect_error(const struct fid& of);
  // A request, whose info makes a server.
  Event request() { return expect(FI_CONNREQ, passive->fid); }
  // Both are told that they are connected.
  void expect_connected(const struct fid_ep& a, const struct fid_ep& b);
  // Makes client and server.
  void connect();

  struct fi_cq_tagged_entry completion();
  struct fi_cq_err_entry completion_error();

  FidPtr<struct fid_eq> eq;
  FidPtr<struct fid_cq> cq;
  FidPtr<struct fid_pep> passive;
  InfoPtr to_listener;
  FidPtr<struct fid_ep> server;
  FidPtr<struct fid_ep> client;
};

std::vector<std::byte> name_of(struct fid& of);

}  // namespace xs::abi::test
