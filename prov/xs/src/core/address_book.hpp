// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/types.hpp"
#include "proto/address.hpp"

namespace xs::core {

class Endpoint;

// Address vector: numbers (fi_addr_t) for addresses. The same address inserted twice gives the same
// number and is counted; numbers of removed addresses are used again only after every other free
// number (the oldest first). Thread rule: the domain's.
class AddressBook {
 public:
  // Throws bad_alloc.
  PeerAddress insert(const proto::Address& address);
  // False if there is no such number.
  bool remove(PeerAddress number) noexcept;
  // nullptr if there is no such number.
  const proto::Address* lookup(PeerAddress number) const noexcept;
  std::optional<PeerAddress> find(const proto::Address& address) const noexcept;

  // Endpoints that use this book: they learn of insertions and removals.
  void attach(Endpoint& endpoint);
  void detach(Endpoint& endpoint) noexcept;
  bool in_use() const noexcept { return !endpoints_.empty(); }

 private:
  struct Entry {
    proto::Address address;
    std::size_t uses = 0;
  };
  std::vector<Entry> entries_;
  std::vector<PeerAddress> free_;  // used as a queue through free_head_
  std::size_t free_head_ = 0;
  std::unordered_map<proto::Address, PeerAddress> numbers_;
  std::vector<Endpoint*> endpoints_;
};

}  // namespace xs::core
