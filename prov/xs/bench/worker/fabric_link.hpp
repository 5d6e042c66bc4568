// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <rdma/fi_errno.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/failure.hpp"
#include "common/workload.hpp"
#include "worker/fabric_handles.hpp"

namespace xs::bench {

/// What an endpoint must be able to do.
struct Demand {
  const char* name = "tagged messages";
  std::uint64_t caps = FI_TAGGED | FI_DIRECTED_RECV;  ///< FI_TAGGED among them
  int mr_mode = 0;                                    ///< what we know of registering memory
};

/// Throws Failure if the status of this call isn't 0.
void check(const char* call, int status);

/// A reliable endpoint of one provider that exchanges tagged messages with one
/// peer, and with others where they are named, through the public calls of libfabric
/// only. Progress is manual: only the functions below make any. One thread. Every
/// function throws Failure.
class FabricLink {
 public:
  /// Opens the RDM endpoint of exactly the provider `name`, such as "tcp;ofi_rxm".
  /// If it is `asleep` it waits in the kernel for whatever comes, else it spins.
  /// Throws Declined if that provider has messages but not what else is demanded.
  FabricLink(const std::string& name, bool asleep, const Demand& demand = {});

  /// Provider specific bytes, as fi_getname gives them.
  std::string address();
  void connect(const std::string& peer) { peer_ = add(peer); }
  /// Another one than the peer.
  fi_addr_t add(const std::string& peer);

  /// The buffer belongs to the link until the operation is counted as done.
  /// At most kDepth sends and kDepth receives may be open at a time.
  void post_send(const void* buffer, std::size_t bytes, std::uint64_t tag) {
    post_send_to(peer_, buffer, bytes, tag);
  }
  void post_receive(void* buffer, std::size_t bytes, std::uint64_t tag) {
    post_receive_from(peer_, buffer, bytes, tag);
  }
  void post_send_to(fi_addr_t peer, const void* buffer, std::size_t bytes, std::uint64_t tag);
  /// FI_ADDR_UNSPEC: from anybody.
  void post_receive_from(fi_addr_t peer, void* buffer, std::size_t bytes, std::uint64_t tag);

  /// Any other operation: `post(context)` makes the call of this name. It counts as a send.
  template <class Post>
  void post(const char* call, Post post) {
    void* context = &send_contexts_[sends_posted_++ % kDepth];
    retry(call, [&] { return post(context); });
  }

  /// Waits until that many operations are done since the last reset_counts().
  void wait_sent(std::uint64_t count);
  void wait_received(std::uint64_t count);
  void progress();

  /// Counts from 0 again; nothing may be open.
  void reset_counts();

  struct fi_info& info() const {
    return *info_;
  }
  struct fid_domain* domain() const {
    return domain_.get();
  }
  struct fid_ep* endpoint() const {
    return ep_.get();
  }
  fi_addr_t peer() const { return peer_; }

  static constexpr std::size_t kDepth = kWindowMessages + 4;

 private:
  void open_endpoint();
  [[noreturn]] void throw_completion_error();
  template <class Call>
  void retry(const char* name, Call call) {
    ssize_t status = 0;
    while ((status = call()) == -FI_EAGAIN) progress();
    check(name, static_cast<int>(status));
  }

  // Declared in the order of opening, so that they close in the reverse one.
  Info info_;
  bool asleep_;
  Fabric fabric_;
  Domain domain_;
  AddressVector av_;
  CompletionQueue cq_;
  Endpoint ep_;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;

  // Contexts tell sends from receives; both lists are used round and round.
  std::vector<fi_context2> send_contexts_;
  std::vector<fi_context2> receive_contexts_;
  std::uint64_t sends_posted_ = 0;
  std::uint64_t receives_posted_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace xs::bench
