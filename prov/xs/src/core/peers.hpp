// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/address_book.hpp"
#include "core/peer.hpp"

namespace xs::core {

// The peers of one endpoint, by home address and by number in the address book. Peers stay until
// the endpoint goes.
class Peers {
 public:
  explicit Peers(AddressBook* book) noexcept : book_(book) {}

  // Hot path: the peer with that number, or nullptr if the book has no such number (or memory is
  // exhausted).
  Peer* of(PeerAddress number) noexcept {
    if (number < by_number_.size() && by_number_[number]) return by_number_[number];
    return resolve(number);
  }
  // The same, or nullptr for one that has never been asked for.
  Peer* known(PeerAddress number) const noexcept {
    return number < by_number_.size() ? by_number_[number] : nullptr;
  }
  // The peer with that home address, made now if need be; nullptr when memory is exhausted.
  Peer* at(const proto::Address& home) noexcept;

  // One with which nothing is under way goes, if it has no session and is not in the book.
  void forget(const proto::Address& home) noexcept;

  void inserted(PeerAddress number, const proto::Address& home) noexcept;
  void removed(PeerAddress number) noexcept;

  template <class F>
  void for_each(F&& f) {
    for (auto& [home, peer] : by_home_) f(*peer);
  }

 private:
  Peer* resolve(PeerAddress number) noexcept;

  AddressBook* book_;
  std::unordered_map<proto::Address, std::unique_ptr<Peer>> by_home_;
  std::vector<Peer*> by_number_;
};

}  // namespace xs::core
