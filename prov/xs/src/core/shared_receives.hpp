// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Receives that several endpoints share: fi_srx_context(3).
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/address_book.hpp"
#include "core/matcher.hpp"
#include "core/peer.hpp"
#include "core/request.hpp"
#include "core/types.hpp"
#include "util/pool.hpp"

namespace xs::core {

class Receiver;

// What is posted here is matched by whatever comes to any of its receivers, and all that comes too
// early for it waits here, in the order of arrival: between calls, nothing that is posted matches
// anything that waits. A message that is matched goes on in its receiver, with a request of that
// one; only the posted buffer of a multi-receive stays a request of ours. Thread rule: the
// domain's.
class SharedReceives {
 public:
  explicit SharedReceives(bool directed) noexcept : directed_(directed) {}
  ~SharedReceives();
  SharedReceives(const SharedReceives&) = delete;
  SharedReceives& operator=(const SharedReceives&) = delete;

  Status receive(const ReceiveOp& op) noexcept;
  // kClosed: no endpoint is there whose queue could tell.
  Status cancel(void* context) noexcept;
  void set_min_multi_receive(std::size_t bytes) noexcept { min_multi_receive_ = bytes; }
  std::size_t min_multi_receive() const noexcept { return min_multi_receive_; }
  std::size_t posted() const noexcept { return tagged_.posted_count() + message_.posted_count(); }

  // For receivers. They share one book, which may be null.
  void join(Receiver& receiver, AddressBook* book);  // throws bad_alloc
  void leave(Receiver& receiver) noexcept;
  Matcher& matcher(bool tagged) noexcept { return tagged ? tagged_ : message_; }
  // The same for all receivers: a peer is known to each of them by an object of its own.
  SourceId source(Peer& peer) noexcept;
  void drop(ReceiveRequest& posted) noexcept { requests_.drop(&posted); }
  // A multi-receive's buffer is free, and the receiver of its last message can't tell.
  void tell_free(const ReceiveRequest& posted) noexcept;
  // Calls visit(matcher, message) for all that waits for `receiver`; it may remove what it is
  // given.
  template <class F>
  void for_each_waiting(const Receiver& receiver, F&& visit) noexcept {
    for (Matcher* const each : {&tagged_, &message_})
      each->for_each_unexpected([&](UnexpectedMessage& message) {
        auto& unexpected = static_cast<Unexpected&>(message);
        if (unexpected.receiver == &receiver) visit(*each, unexpected);
      });
  }
  // The same for what was claimed; it is forgotten where visit(message) is true.
  template <class F>
  void for_each_claimed(const Receiver& receiver, F&& visit) noexcept {
    std::erase_if(claimed_, [&](const auto& each) {
      return each.second->receiver == &receiver && visit(*each.second);
    });
  }

 private:
  Status prepare(const ReceiveOp& op, Selector& chosen) noexcept;
  SourceId identify(const proto::Address& home);
  ReceiveRequest* make_request(const ReceiveOp& op, const Selector& chosen) noexcept;
  Unexpected* waiting(bool tagged, const Selector& chosen) noexcept {
    return static_cast<Unexpected*>(matcher(tagged).peek(chosen));
  }
  Status post(const ReceiveOp& op) noexcept;
  Status post_multi(const ReceiveOp& op) noexcept;
  bool fill(ReceiveRequest& posted) noexcept;
  Status peek(const ReceiveOp& op) noexcept;
  Status claimed(const ReceiveOp& op) noexcept;

  const bool directed_;  // ReceiveOp::from counts
  Matcher tagged_;
  Matcher message_;
  util::Pool<ReceiveRequest> requests_;
  std::unordered_map<const void*, Unexpected*> claimed_;
  std::unordered_map<proto::Address, SourceId> sources_;
  std::vector<Receiver*> receivers_;  // the first one speaks for what is nobody's
  AddressBook* book_ = nullptr;
  std::size_t min_multi_receive_ = 64;
};

}  // namespace xs::core
