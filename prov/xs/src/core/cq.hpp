// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "core/types.hpp"

namespace xs::core {

// One completion in the widest form; narrower formats are cut from it when it is read.
struct Completion {
  void* context = nullptr;
  std::uint64_t flags =
      0;  // FI_SEND, FI_RECV, FI_TAGGED, FI_MSG, FI_REMOTE_CQ_DATA, FI_MULTI_RECV, ...: never none
  std::size_t length = 0;  // receives: bytes placed
  void* buffer = nullptr;  // multi-receive: where the message begins
  std::uint64_t data = 0;
  std::uint64_t tag = 0;
  PeerAddress source = kAnyPeer;
};

struct CompletionError {
  Completion completion;
  std::size_t overflow = 0;  // olen: bytes that did not fit
  int error = 0;             // positive fi_errno
  int provider_error = 0;
};

inline constexpr int kTruncated =
    FI_ETRUNC;  // error of a receive that was too short; overflow says by how much
inline constexpr int kNoKey = FI_ENOKEY;  // no registration has the key, or another one has it

// Completion queue. Never overruns: beyond its size completions wait in an overflow list and full()
// tells endpoints to refuse new operations (resource management). Thread rule: the domain's (one
// thread at a time).
class CompletionQueue {
 public:
  // size: entries; format: FI_CQ_FORMAT_CONTEXT, _MSG, _DATA or _TAGGED. Throws bad_alloc.
  CompletionQueue(enum fi_cq_format format, std::size_t size);

  bool full() const noexcept { return tail_ - head_ >= capacity_; }
  void write(const Completion& completion) noexcept { (void)push(completion); }
  // The same for who fills in every member at once, where a copy would wait for what has just been
  // stored: only if it is not full, as it is while any wait beyond it.
  [[gnu::always_inline]] Completion& claim() noexcept {
    return ring_[tail_++ & (capacity_ - 1)].completion;
  }
  void write_error(const CompletionError& error) noexcept;

  // A read has found nothing, and before it looks again it lends where it reads to: until
  // take_back(), which says how many entries are there, the next ones of who asks claim_lent() are
  // written there instead of here.
  void lend(void* buffer, std::size_t count) noexcept {
    if (format_ != FI_CQ_FORMAT_TAGGED) return;
    lent_ = next_lent_ = static_cast<struct fi_cq_tagged_entry*>(buffer);
    lent_end_ = lent_ + count;
  }
  std::size_t take_back() noexcept {
    const auto count = static_cast<std::size_t>(next_lent_ - lent_);
    lent_ = next_lent_ = lent_end_ = nullptr;
    return count;
  }
  // The entry to fill in, every member; null: none is lent, or something is queued that comes
  // before.
  struct fi_cq_tagged_entry* claim_lent() noexcept {
    return next_lent_ != lent_end_ && empty() ? next_lent_++ : nullptr;
  }

  bool empty() const noexcept { return head_ == tail_; }
  // As fi_cq_readfrom, without progress: number read, -FI_EAGAIN, or -FI_EAVAIL if an error is
  // first in line. source may be null.
  ssize_t read(void* buffer, std::size_t count, fi_addr_t* source) noexcept;
  // As fi_cq_readerr: 1, or -FI_EAGAIN.
  ssize_t read_error(struct fi_cq_err_entry* entry, std::uint64_t flags) noexcept;

  // Whether a read would find that many entries, or an error.
  bool has(std::size_t count) const noexcept;

 private:
  struct alignas(64) Slot {  // a cache line
    Completion completion;
  };
  template <std::size_t kEntry>
  std::size_t take(std::byte* to, std::size_t count, fi_addr_t* source) noexcept;
  bool push(const Completion& completion) noexcept;
  void refill() noexcept;

  enum fi_cq_format format_;
  std::size_t capacity_;  // entries, a power of two
  std::unique_ptr<Slot[]> ring_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  struct fi_cq_tagged_entry* next_lent_ = nullptr;
  struct fi_cq_tagged_entry* lent_end_ = nullptr;
  struct fi_cq_tagged_entry* lent_ = nullptr;
  std::deque<Completion> overflow_;
  std::deque<CompletionError> errors_;  // what the entries without flags stand for, in that order
};

}  // namespace xs::core
