// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One xs endpoint with all that it needs, over the public libfabric API, inside a process under
// test.
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>
#include <rdma/fi_tagged.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "procs/limits.hpp"
#include "procs/vector.hpp"
#include "procs/worker.hpp"

namespace xs::test {

using Bytes = std::vector<std::byte>;

// Bytes that tell which message they are, whatever their number.
Bytes pattern(std::size_t size, std::uint64_t message);

// An operation and its memory. Must stay where it is until it is done.
struct Transfer {
  struct fi_context2 context {};
  Bytes bytes;
  bool done = true;
  int error = 0;           // a positive fi_errno
  std::size_t length = 0;  // of what was received
  std::uint64_t tag = 0;   // with that tag

  bool under_way() const { return !done; }
  bool good() const { return done && error == 0; }
};

constexpr std::uint64_t kNoFlags = 0;

// How a process waits for completions: kWaiting in its environment is "sread" (fi_cq_sread) or
// "epoll" (fi_trywait and its own epoll set); else it reads again and again.
constexpr const char* kWaiting = "XS_TEST_WAITING";

class Node {
 public:
  static constexpr std::uint16_t kPort = 7800;

  // An enabled endpoint at that address. With a shared vector it can receive from one peer alone.
  // Throws Failure.
  Node(const Worker& worker, const std::string& address, std::uint16_t port = kPort,
       const Vector::Attributes& vector = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // How to call a peer. The second form gives fi_av_insert's count.
  fi_addr_t insert(const std::string& address, std::uint16_t port = kPort);
  int insert(const struct sockaddr* address, fi_addr_t* number);
  Vector& vector() const { return *av_; }
  struct fid_domain* domain() const { return domain_.get(); }

  // Sends the transfer's bytes; makes progress until it is taken. flags: FI_DELIVERY_COMPLETE, ...
  void send(Transfer& transfer, fi_addr_t to, std::uint64_t tag, std::uint64_t flags = kNoFlags);
  // One try: 0, or a negative errno.
  ssize_t try_send(Transfer& transfer, fi_addr_t to, std::uint64_t tag,
                   std::uint64_t flags = kNoFlags);
  void inject(const Bytes& bytes, fi_addr_t to, std::uint64_t tag);
  std::size_t inject_limit() const { return info_->tx_attr->inject_size; }
  // Posts a receive of as many bytes as the transfer holds.
  void receive(Transfer& transfer, std::uint64_t tag, std::uint64_t ignore = 0,
               fi_addr_t from = FI_ADDR_UNSPEC);
  void cancel(Transfer& transfer);
  // Lets peers reach that memory, at address 0 on, until the node goes.
  void show(Bytes& memory, std::uint64_t key);
  // The transfer's bytes go to, or come from, the peer's memory; or one is added to a number there,
  // and what it was comes. Makes progress until it is taken.
  enum class Reach { kWrite, kRead, kAdd };
  void reach(Reach how, Transfer& transfer, fi_addr_t peer, std::uint64_t address,
             std::uint64_t key);
  // An empty message each way: the peer does the same.
  void shake_hands(fi_addr_t peer);
  // Whether a message with that tag waits unmatched.
  bool peek(std::uint64_t tag, std::uint64_t ignore = 0);

  // Makes progress; true if anything ended. May sleep a moment if it waits asleep.
  bool poll();
  // Makes progress until it holds. Throws Failure that names `what` if that takes too long.
  void until(const std::function<bool()>& holds, const char* what, milliseconds within = kSoon);
  // Makes progress for a while.
  void pass(milliseconds time);
  // Makes progress until the driver says something.
  std::string hear();
  // Makes progress until it is done; throws Failure if it ends in error.
  void finish(const Transfer& transfer, const char* what, milliseconds within = kSoon);

  void close();

 private:
  struct Closer {
    void operator()(void* fid) const;
  };
  template <typename Fid>
  using Owned = std::unique_ptr<Fid, Closer>;

  enum class Waiting { kNot, kRead, kSet };

  bool asleep() const { return waiting_ != Waiting::kNot; }
  // Takes what ended; sleeps until there is something, but not longer than that.
  bool rest(milliseconds longest);
  bool take(ssize_t got, const struct fi_cq_tagged_entry* entries);
  void read_error();
  void end(const struct fi_cq_tagged_entry& entry, int error);

  const Worker& worker_;
  Waiting waiting_ = Waiting::kNot;
  milliseconds longest_rest_ = seconds(1000);
  UniqueFd set_;  // has the queue's descriptor
  struct InfoCloser {
    void operator()(struct fi_info* info) const { fi_freeinfo(info); }
  };
  std::unique_ptr<struct fi_info, InfoCloser> info_;
  Owned<struct fid_fabric> fabric_;
  Owned<struct fid_domain> domain_;
  std::unique_ptr<Vector> av_;
  Owned<struct fid_cq> cq_;
  std::vector<Owned<struct fid_mr>> shown_;
  Owned<struct fid_ep> endpoint_;
};

}  // namespace xs::test
