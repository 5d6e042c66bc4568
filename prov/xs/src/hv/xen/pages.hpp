// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Granted pages: made by their owner, checked and mapped by the peer; and life pages, by which a
// process is known to be alive.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "hv/card.hpp"
#include "hv/hv.hpp"
#include "hv/xen/calls.hpp"
#include "util/result.hpp"

namespace xs::hv {

// What hv/xen writes into an offer.
struct GrantName {
  std::uint32_t head = 0;    // reference of the first page
  std::uint32_t pages = 0;   // the user's and the head, without lists
  std::uint64_t number = 0;  // of the share, never used twice by a backend; 0: none
  Id nonce;
};
Offer encode(const GrantName& name) noexcept;
GrantName decode_grant(const Offer& offer) noexcept;

// Pages of ours, given back once.
class OwnGrant {
 public:
  OwnGrant() noexcept = default;
  OwnGrant(std::shared_ptr<XenCalls> calls, std::byte* begin, std::size_t pages) noexcept
      : calls_(std::move(calls)), begin_(begin), pages_(pages) {}
  ~OwnGrant() {
    if (begin_) calls_->unshare(begin_, pages_);
  }
  OwnGrant(OwnGrant&& other) noexcept { *this = std::move(other); }
  OwnGrant& operator=(OwnGrant&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(begin_, other.begin_);
    std::swap(pages_, other.pages_);
    return *this;
  }
  std::byte* begin() const noexcept { return begin_; }
  std::size_t pages() const noexcept { return pages_; }

 private:
  std::shared_ptr<XenCalls> calls_;
  std::byte* begin_ = nullptr;
  std::size_t pages_ = 0;
};

// A peer's pages, unmapped once.
class TheirGrant {
 public:
  TheirGrant() noexcept = default;
  TheirGrant(std::shared_ptr<XenCalls> calls, const std::byte* begin, std::size_t pages) noexcept
      : calls_(std::move(calls)), begin_(begin), pages_(pages) {}
  ~TheirGrant() {
    if (begin_) calls_->unmap(begin_, pages_);
  }
  TheirGrant(TheirGrant&& other) noexcept { *this = std::move(other); }
  TheirGrant& operator=(TheirGrant&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(begin_, other.begin_);
    std::swap(pages_, other.pages_);
    return *this;
  }
  explicit operator bool() const noexcept { return begin_ != nullptr; }
  const std::byte* begin() const noexcept { return begin_; }

 private:
  std::shared_ptr<XenCalls> calls_;
  const std::byte* begin_ = nullptr;
  std::size_t pages_ = 0;
};

// Rings when it is taken away.
class Alarm {
 public:
  Alarm() noexcept = default;
  Alarm(std::shared_ptr<XenCalls> calls, const std::byte* page) noexcept
      : calls_(std::move(calls)), page_(page) {}
  ~Alarm() {
    if (page_) calls_->unmap_alarm(page_);
  }
  Alarm(Alarm&& other) noexcept { *this = std::move(other); }
  Alarm& operator=(Alarm&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(page_, other.page_);
    return *this;
  }
  // It stays.
  void abandon() noexcept { page_ = nullptr; }

 private:
  std::shared_ptr<XenCalls> calls_;
  const std::byte* page_ = nullptr;
};

// How many are granted for a share of so many: its lists' come on top.
std::size_t granted_for(std::size_t pages) noexcept;
// Pages for one domain, with their head and lists written. ENOSPC: the limit of the VM.
struct MadePages {
  OwnGrant grant;
  GrantName name;
};
util::Result<MadePages> grant_pages(const std::shared_ptr<XenCalls>& calls, std::uint32_t domain,
                                    std::size_t pages, std::uint64_t number,
                                    const Id& nonce) noexcept;
void mark_revoked(std::byte* head) noexcept;

// Maps what an offer of that domain names. EAGAIN: it isn't there, or is another one by now;
// EBADMSG: it is there and proves nothing; else what the system lacks.
util::Result<TheirGrant> map_grant(const std::shared_ptr<XenCalls>& calls, std::uint32_t domain,
                                   const GrantName& name) noexcept;

// A page that says which process lives, and no more; its kernel clears it.
struct MadeLife {
  OwnGrant grant;
  std::uint32_t reference = 0;
};
util::Result<MadeLife> grant_life(const std::shared_ptr<XenCalls>& calls, std::uint32_t domain,
                                  const Id& process) noexcept;
// EAGAIN: no such page, or another process'.
util::Result<TheirGrant> map_life(const std::shared_ptr<XenCalls>& calls, std::uint32_t domain,
                                  std::uint32_t reference, const Id& process) noexcept;
bool is_alive(const TheirGrant& life) noexcept;

}  // namespace xs::hv
