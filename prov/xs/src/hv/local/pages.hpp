// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sealed memfds: made by their owner, checked and mapped by the peer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "hv/card.hpp"
#include "hv/hv.hpp"
#include "hv/unique_fd.hpp"
#include "util/result.hpp"

namespace xs::hv {

// An address range that is unmapped once.
class Range {
 public:
  Range() noexcept = default;
  Range(std::byte* begin, std::size_t size, bool writable = false) noexcept
      : begin_(begin), size_(size), writable_(writable) {}
  ~Range();
  Range(Range&& other) noexcept
      : begin_(std::exchange(other.begin_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        writable_(other.writable_) {}
  Range& operator=(Range&& other) noexcept {
    std::swap(begin_, other.begin_);
    std::swap(size_, other.size_);
    std::swap(writable_, other.writable_);
    return *this;
  }
  explicit operator bool() const noexcept { return begin_ != nullptr; }
  std::byte* begin() const noexcept { return begin_; }
  std::size_t size() const noexcept { return size_; }
  // What hv's user sees of it.
  std::span<std::byte> user_bytes() const noexcept {
    return {begin_ + kHeadSize, size_ - kHeadSize};
  }

  // Memory of this process alone, with the same rights: prepared to be become. A copy shows what
  // stood here at one instant, whoever writes meanwhile; EAGAIN: nobody lets it come to that.
  util::Result<Range> copy() const noexcept;
  util::Result<Range> all_ones() const noexcept;
  // These addresses show the other range's memory from one instant on, which any thread sees as one
  // step, in the middle of a copy, too. False: nothing changed.
  bool become(Range prepared) noexcept;

 private:
  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
  bool writable_ = false;
};

// Pages of ours, writable, with the descriptor that shows them to the peer.
struct OwnPages {
  Range range;
  UniqueFd memfd;
};

// EMSGSIZE, or what the system lacks.
util::Result<OwnPages> make_pages(std::size_t pages, const Id& nonce) noexcept;

// Maps what a peer handed over, without write permission. EBADMSG if it is not exactly `size`
// bytes, sealed and present; else what the system lacks.
util::Result<Range> map_pages(const UniqueFd& memfd, std::uint64_t size) noexcept;

// The proof: does that nonce stand in these pages?
bool proves(const Range& range, const Id& nonce) noexcept;

// What hv/local writes into an offer.
struct PagesName {
  std::uint64_t number;  // of the share, within its link
  std::uint64_t size;    // bytes
  Id nonce;
};
Offer encode(const PagesName& name) noexcept;
PagesName decode(const Offer& offer) noexcept;

}  // namespace xs::hv
