// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/shared_addresses.hpp"
#include "core/types.hpp"
#include "proto/address.hpp"

namespace xs::core {

class Endpoint;

// Address vector: numbers (fi_addr_t) for addresses. The same address inserted twice gives the same
// number and is counted; numbers of removed addresses are used again only after every other free
// number (the oldest first). Thread rule: the domain's.
//
// One that is shared by name (docs/vectors.md) mirrors the list that it shares: it learns of what
// other processes did when it looks for what it does not have, and when it changes the list.
// Numbers of a list are never used again.
class AddressBook {
 public:
  // Before anything is inserted.
  void share(std::unique_ptr<SharedAddresses> list) noexcept { shared_ = std::move(list); }

  // Of a book that is not shared. Throws bad_alloc.
  PeerAddress insert(const proto::Address& address);
  // Of any. 0, or an errno value: EACCES if it is shared to be read, others of SharedAddresses.
  // EAGAIN: another process is changing the list; ask again in a millisecond, outside of the
  // domain, and say how many of them were waited for. Throws bad_alloc.
  int enter(const proto::Address& address, PeerAddress& number, unsigned waited = 0);
  // 0, or an errno value: ENOENT if there is no such number, else as above.
  int remove(PeerAddress number, unsigned waited = 0) noexcept;
  // nullptr if there is no such number.
  const proto::Address* lookup(PeerAddress number) noexcept;
  std::optional<PeerAddress> find(const proto::Address& address) noexcept;

  // Endpoints that use this book: they learn of insertions and removals.
  void attach(Endpoint& endpoint);
  void detach(Endpoint& endpoint) noexcept;
  bool in_use() const noexcept { return !endpoints_.empty(); }

 private:
  struct Entry {
    proto::Address address;
    std::size_t uses = 0;
  };
  void catch_up();
  void refresh() noexcept;
  void learn(PeerAddress number, const std::optional<proto::Address>& address);
  bool has(PeerAddress number) const noexcept {
    return number < entries_.size() && entries_[number].uses > 0;
  }
  void forget(PeerAddress number) noexcept;
  int remove_shared(PeerAddress number, unsigned waited) noexcept;

  std::unique_ptr<SharedAddresses> shared_;  // null: this process' alone
  std::vector<Entry> entries_;
  std::vector<PeerAddress> free_;  // used as a queue through free_head_
  std::size_t free_head_ = 0;
  std::unordered_map<proto::Address, PeerAddress> numbers_;
  std::vector<Endpoint*> endpoints_;
};

}  // namespace xs::core
