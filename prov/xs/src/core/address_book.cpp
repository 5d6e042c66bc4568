// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/address_book.hpp"

#include <algorithm>

#include "core/endpoint.hpp"

namespace xs::core {

PeerAddress AddressBook::insert(const proto::Address& address) {
  if (const auto found = numbers_.find(address); found != numbers_.end()) {
    ++entries_[found->second].uses;
    return found->second;
  }
  PeerAddress number = entries_.size();
  const bool reuse = free_head_ < free_.size();
  if (reuse)
    number = free_[free_head_];
  else
    entries_.emplace_back();
  try {
    numbers_.emplace(address, number);
  } catch (...) {
    if (!reuse) entries_.pop_back();
    throw;
  }
  if (reuse) ++free_head_;
  entries_[number] = {address, 1};
  for (Endpoint* endpoint : endpoints_) endpoint->address_inserted(number, address);
  return number;
}

bool AddressBook::remove(PeerAddress number) noexcept {
  if (!lookup(number)) return false;
  Entry& entry = entries_[number];
  if (--entry.uses > 0) return true;
  numbers_.erase(entry.address);
  try {
    if (free_head_ > 1024 && free_head_ * 2 > free_.size()) {
      free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(free_head_));
      free_head_ = 0;
    }
    free_.push_back(number);
  } catch (const std::bad_alloc&) {
    // The number is not used again; nothing else is lost.
  }
  for (Endpoint* endpoint : endpoints_) endpoint->address_removed(number);
  return true;
}

const proto::Address* AddressBook::lookup(PeerAddress number) const noexcept {
  if (number >= entries_.size() || entries_[number].uses == 0) return nullptr;
  return &entries_[number].address;
}

std::optional<PeerAddress> AddressBook::find(const proto::Address& address) const noexcept {
  const auto found = numbers_.find(address);
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

void AddressBook::attach(Endpoint& endpoint) {
  if (std::find(endpoints_.begin(), endpoints_.end(), &endpoint) == endpoints_.end())
    endpoints_.push_back(&endpoint);
}

void AddressBook::detach(Endpoint& endpoint) noexcept { std::erase(endpoints_, &endpoint); }

}  // namespace xs::core
