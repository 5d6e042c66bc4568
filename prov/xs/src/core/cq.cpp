// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/cq.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "util/log.hpp"

namespace xs::core {

namespace {
// What stands in the queue for an error, in the place of a completion.
constexpr Completion kError{};
bool is_error(const Completion& entry) noexcept { return entry.flags == 0; }
}  // namespace

CompletionQueue::CompletionQueue(enum fi_cq_format format, std::size_t size)
    : format_(format),
      capacity_(std::bit_ceil(std::max<std::size_t>(size, 1))),
      ring_(new Slot[capacity_]) {}

void CompletionQueue::write_error(const CompletionError& error) noexcept try {
  errors_.push_back(error);
  if (!push(kError)) errors_.pop_back();
} catch (const std::bad_alloc&) {
  util::log(util::Level::kWarn, "no memory for an error completion: it is lost");
}

// False: it is lost.
bool CompletionQueue::push(const Completion& completion) noexcept {
  if (!full() && overflow_.empty()) {
    claim() = completion;
    return true;
  }
  try {
    overflow_.push_back(completion);
    return true;
  } catch (const std::bad_alloc&) {
    util::log(util::Level::kWarn, "no memory for a completion beyond the queue's size: it is lost");
    return false;
  }
}

// Completions that found the ring full move up as it empties, in order.
void CompletionQueue::refill() noexcept {
  while (!overflow_.empty() && !full()) {
    claim() = overflow_.front();
    overflow_.pop_front();
  }
}

// Up to count entries, not beyond an error. Each format is the beginning of the next wider one.
template <std::size_t kEntry>
std::size_t CompletionQueue::take(std::byte* to, std::size_t count, fi_addr_t* source) noexcept {
  const Slot* const end = &ring_[capacity_ - 1] + 1;
  const Slot* at = &ring_[head_ & (capacity_ - 1)];
  const std::size_t most = std::min<std::size_t>(count, tail_ - head_);
  std::size_t done = 0;
  for (; done < most; ++done, to += kEntry) {
    const Completion& c = at->completion;
    if (is_error(c)) break;
    if (++at == end) at = ring_.get();
    // Word by word, as it was written: wider loads would wait until that has left for the cache.
    auto& entry = *reinterpret_cast<struct fi_cq_tagged_entry*>(to);
    entry.op_context = c.context;
    if constexpr (kEntry >= sizeof(struct fi_cq_msg_entry)) {
      entry.flags = c.flags;
      entry.len = c.length;
    }
    if constexpr (kEntry >= sizeof(struct fi_cq_data_entry)) {
      entry.buf = c.buffer;
      entry.data = c.data;
    }
    if constexpr (kEntry >= sizeof(struct fi_cq_tagged_entry)) entry.tag = c.tag;
    if (source) source[done] = c.source;
  }
  head_ += done;
  return done;
}

ssize_t CompletionQueue::read(void* buffer, std::size_t count, fi_addr_t* source) noexcept {
  auto* const to = static_cast<std::byte*>(buffer);
  std::size_t done = 0;
  switch (format_) {
    case FI_CQ_FORMAT_TAGGED:
      done = take<sizeof(struct fi_cq_tagged_entry)>(to, count, source);
      break;
    case FI_CQ_FORMAT_DATA:
      done = take<sizeof(struct fi_cq_data_entry)>(to, count, source);
      break;
    case FI_CQ_FORMAT_MSG:
      done = take<sizeof(struct fi_cq_msg_entry)>(to, count, source);
      break;
    default:  // who names none can't expect a wide one
      done = take<sizeof(struct fi_cq_entry)>(to, count, source);
  }
  const bool failed = done == 0 && count > 0 && head_ < tail_;
  if (!overflow_.empty()) refill();
  // The lines that were used last are the nearest.
  if (empty()) head_ = tail_ = 0;
  if (done > 0) return static_cast<ssize_t>(done);
  return failed ? -FI_EAVAIL : -FI_EAGAIN;
}

ssize_t CompletionQueue::read_error(struct fi_cq_err_entry* entry, std::uint64_t) noexcept {
  if (head_ == tail_ || !is_error(ring_[head_ & (capacity_ - 1)].completion)) return -FI_EAGAIN;
  const CompletionError error = errors_.front();
  errors_.pop_front();
  ++head_;
  refill();
  const Completion& c = error.completion;
  entry->op_context = c.context;
  entry->flags = c.flags;
  entry->len = c.length;
  entry->buf = c.buffer;
  entry->data = c.data;
  entry->tag = c.tag;
  entry->olen = error.overflow;
  entry->err = error.error;
  entry->prov_errno = error.provider_error;
  // err_data and err_data_size belong to the caller (API >= 1.5) and may be garbage from an older
  // one: there is no error data, so the size says so and the buffer is left alone.
  entry->err_data_size = 0;
  return 1;
}

bool CompletionQueue::has(std::size_t count) const noexcept {
  return tail_ - head_ + overflow_.size() >= count || !errors_.empty();
}

}  // namespace xs::core
