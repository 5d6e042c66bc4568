// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/address_book.hpp"

#include <algorithm>
#include <cerrno>

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

// Who reads a list may still ask for what it has.
int AddressBook::enter(const proto::Address& address, PeerAddress& number, unsigned waited) {
  if (!shared_) {
    number = insert(address);
    return 0;
  }
  if (!shared_->writable()) {
    number = find(address).value_or(kAnyPeer);
    return number == kAnyPeer ? EACCES : 0;
  }
  const SharedAddresses::Change change(*shared_, waited);
  if (change.error()) return change.error();
  catch_up();
  if (const auto found = numbers_.find(address); found != numbers_.end()) {
    number = found->second;
    if (const int error = shared_->use(number); error != ENOENT) return error;
    forget(number);  // who removed it died before it was counted
  }
  if (const int error = shared_->append(address)) return error;
  catch_up();
  const auto found = numbers_.find(address);
  if (found == numbers_.end()) return EIO;
  number = found->second;
  return 0;
}

int AddressBook::remove(PeerAddress number, unsigned waited) noexcept {
  if (shared_) return remove_shared(number, waited);
  if (!has(number)) return ENOENT;
  if (--entries_[number].uses > 0) return 0;
  try {
    if (free_head_ > 1024 && free_head_ * 2 > free_.size()) {
      free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(free_head_));
      free_head_ = 0;
    }
    free_.push_back(number);
  } catch (const std::bad_alloc&) {
    // The number is not used again; nothing else is lost.
  }
  forget(number);
  return 0;
}

int AddressBook::remove_shared(PeerAddress number, unsigned waited) noexcept {
  if (!shared_->writable()) return EACCES;
  const SharedAddresses::Change change(*shared_, waited);
  if (change.error()) return change.error();
  refresh();
  bool last = false;
  const int error = shared_->drop(number, last);
  if ((last || error == ENOENT) && has(number)) forget(number);
  return error;
}

// Nothing is used at that number any more.
void AddressBook::forget(PeerAddress number) noexcept {
  const auto found = numbers_.find(entries_[number].address);
  if (found != numbers_.end() && found->second == number) numbers_.erase(found);
  entries_[number].uses = 0;
  for (Endpoint* endpoint : endpoints_) endpoint->address_removed(number);
}

// What others did with a list.
void AddressBook::catch_up() {
  shared_->read([this](PeerAddress number, const SharedAddresses::Item& item) {
    learn(number, item.address);
  });
}

// Without memory it is as if we had not looked.
void AddressBook::refresh() noexcept try { catch_up(); } catch (const std::bad_alloc&) {
}

void AddressBook::learn(PeerAddress number, const std::optional<proto::Address>& address) {
  if (entries_.size() <= number) entries_.resize(number + 1);
  if (!address) {
    if (has(number)) forget(number);
    return;
  }
  if (has(number)) return;
  numbers_.insert_or_assign(*address, number);  // one that had it before is removed, known or not
  entries_[number] = {*address, 1};
  for (Endpoint* endpoint : endpoints_) endpoint->address_inserted(number, *address);
}

const proto::Address* AddressBook::lookup(PeerAddress number) noexcept {
  if (!has(number) && shared_) refresh();
  return has(number) ? &entries_[number].address : nullptr;
}

std::optional<PeerAddress> AddressBook::find(const proto::Address& address) noexcept {
  auto found = numbers_.find(address);
  if (found == numbers_.end() && shared_) {
    refresh();
    found = numbers_.find(address);
  }
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

void AddressBook::attach(Endpoint& endpoint) {
  if (std::find(endpoints_.begin(), endpoints_.end(), &endpoint) == endpoints_.end())
    endpoints_.push_back(&endpoint);
}

void AddressBook::detach(Endpoint& endpoint) noexcept { std::erase(endpoints_, &endpoint); }

}  // namespace xs::core
