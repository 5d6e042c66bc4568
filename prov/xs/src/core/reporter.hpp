// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cerrno>

#include "core/counter.hpp"
#include "core/cq.hpp"
#include "core/rma.hpp"
#include "core/types.hpp"

namespace xs::core {

// Says that the operations of one endpoint have ended, to its queues and counters; knows which of
// them want a completion.
class Reporter {
 public:
  Reporter(CompletionQueue* sends, CompletionQueue* receives, bool source,
           const Counters& counters = {}) noexcept
      : sends_(sends),
        receives_(receives),
        quick_receives_(counters.of(Counted::kReceive) ? nullptr : receives),
        source_(source),
        counters_(counters) {}

  // Nobody listens any more: the endpoint is closing.
  void mute() noexcept {
    muted_ = true;
    sends_ = receives_ = quick_receives_ = nullptr;
    counters_ = {};
  }

  // Resource management: an operation that would need an entry waits while its queue is full.
  bool send_room(std::uint32_t flags) const noexcept {
    return !(flags & kOpCompletion) || !sends_ || !sends_->full();
  }
  bool receive_room() const noexcept { return !receives_ || !receives_->full(); }

  // For operations of other kinds than those below, when one ends: counted, told to no queue.
  void count(Counted what, int error = 0) const noexcept { counters_.ended(what, error); }

  [[gnu::always_inline]] void sent(std::uint32_t flags, void* context) noexcept {
    if (flags & kOpWork) [[unlikely]]
      return work_ended(sends_, {.context = context, .flags = FI_SEND | kind(flags)});
    count(Counted::kSend);
    CompletionQueue* const queue = sent_queue(flags);
    if (!queue) return;
    if (queue->full()) return queue->write({.context = context, .flags = FI_SEND | kind(flags)});
    write_sent(*queue, flags, context);
  }

  bool counts_sends() const noexcept { return counters_.of(Counted::kSend); }
  // The same in two steps, for who counts no sends: to ask here would cost every small message a
  // twentieth of its instructions. Who wants to hear of it, null: nobody; and, if that is not full,
  // what.
  CompletionQueue* sent_queue(std::uint32_t flags) const noexcept {
    return flags & kOpCompletion ? sends_ : nullptr;
  }
  [[gnu::always_inline]] static void write_sent(CompletionQueue& queue, std::uint32_t flags,
                                                void* context) noexcept {
    Completion& slot = queue.claim();
    slot.context = context;
    slot.flags = FI_SEND | kind(flags);
    slot.length = 0;
    slot.buffer = nullptr;
    slot.data = slot.tag = 0;
    slot.source = kAnyPeer;
  }

  void send_failed(std::uint32_t flags, void* context, int error) noexcept {
    if (flags & kOpWork)
      return work_ended(sends_, {.context = context, .flags = FI_SEND | kind(flags)}, error);
    count(Counted::kSend, error);
    // It has no context that its owner could recognise; the log line and the counters speak for it.
    if (!sends_ || (flags & kOpUnheard)) return;
    sends_->write_error(
        {.completion = {.context = context, .flags = FI_SEND | kind(flags)}, .error = error});
  }

  void received(std::uint32_t flags, const Completion& completion) noexcept {
    if (flags & kOpWork) return work_ended(receives_, of_receive(flags, completion));
    count(Counted::kReceive);
    tell(flags, completion);
  }

  // A whole receive of its own, with all of its flags. False: tell it by received().
  [[gnu::always_inline]] bool received_whole(std::uint32_t flags, const Completion& done) noexcept {
    if (!quick_receives_ || (flags & (kOpCompletion | kOpWork)) != kOpCompletion)
      return !counters_.of(Counted::kReceive) && !(flags & kOpWork);
    if (struct fi_cq_tagged_entry* const entry = quick_receives_->claim_lent()) {
      *entry = {done.context, done.flags, done.length, nullptr, done.data, done.tag};
      return true;
    }
    if (quick_receives_->full()) [[unlikely]]
      return false;
    Completion& slot = quick_receives_->claim();
    slot.context = done.context;
    slot.flags = done.flags;
    slot.length = done.length;
    slot.buffer = nullptr;
    slot.data = done.data;
    slot.tag = done.tag;
    slot.source = source_ ? done.source : kAnyPeer;
    return true;
  }

  void receive_failed(std::uint32_t flags, const Completion& completion, int error,
                      std::size_t overflow = 0) noexcept {
    if (flags & kOpWork)
      return work_ended(receives_, of_receive(flags, completion), error, overflow);
    count(Counted::kReceive, error);
    tell_failure(flags, completion, error, overflow);
  }

  // What is no message received, and is not counted: how a peek went, that a multi-receive's buffer
  // is free.
  void tell(std::uint32_t flags, Completion completion) noexcept {
    if (!receives_) return;
    completion = of_receive(flags, completion);
    // The last of a multi-receive tells that its buffer is free: never withheld.
    if ((flags & kOpCompletion) || (completion.flags & FI_MULTI_RECV)) receives_->write(completion);
  }
  void tell_failure(std::uint32_t flags, Completion completion, int error,
                    std::size_t overflow = 0) noexcept {
    if (!receives_) return;
    completion = of_receive(flags, completion);
    receives_->write_error({.completion = completion, .overflow = overflow, .error = error});
  }

  // An operation on remote memory has its answer, or has ended in error. The one place of the
  // initiator where such an operation ends.
  void operation_ended(RmaKind of, std::uint32_t flags, void* context, int error) noexcept {
    if (flags & kOpWork)
      return work_ended(sends_, {.context = context, .flags = initiated(of)}, error);
    count(reads_back(of) ? Counted::kRead : Counted::kWrite, error);
    if (!sends_ || (flags & kOpUnheard) || (error == 0 && !(flags & kOpCompletion))) return;
    const Completion completion{.context = context, .flags = initiated(of)};
    if (error == 0)
      sends_->write(completion);
    else
      sends_->write_error({.completion = completion, .error = error});
  }

  // A peer's operation has been performed on our memory, whole. The one place of the target. data:
  // of a write, if it carries CQ data; else null.
  void operation_arrived(RmaKind of, std::size_t length, const std::uint64_t* data,
                         PeerAddress source) noexcept {
    count(reads_back(of) ? Counted::kRemoteRead : Counted::kRemoteWrite);
    if (!receives_ || !data) return;
    receives_->write({.context = nullptr,
                      .flags = FI_REMOTE_CQ_DATA | FI_REMOTE_WRITE | FI_RMA,
                      .length = length,
                      .data = *data,
                      .source = source_ ? source : kAnyPeer});
  }

 private:
  static std::uint64_t initiated(RmaKind of) noexcept {
    return (is_atomic(of) ? FI_ATOMIC : FI_RMA) | (reads_back(of) ? FI_READ : FI_WRITE);
  }
  static std::uint64_t kind(std::uint32_t flags) noexcept {
    return flags & kOpTagged ? FI_TAGGED : FI_MSG;
  }
  Completion of_receive(std::uint32_t flags, Completion completion) const noexcept {
    completion.flags |= FI_RECV | kind(flags);
    if (!source_) completion.source = kAnyPeer;
    return completion;
  }
  [[gnu::noinline]] void work_ended(CompletionQueue* queue, Completion completion, int error = 0,
                                    std::size_t overflow = 0) noexcept {
    if (muted_) return;
    const Work& work = *static_cast<const Work*>(completion.context);
    if (work.completion) work.completion->ended(error);
    completion.context = work.context;
    if (!work.tells || !queue) return;
    if (error == 0)
      queue->write(completion);
    else
      queue->write_error({.completion = completion, .overflow = overflow, .error = error});
  }

  CompletionQueue* sends_;
  CompletionQueue* receives_;
  // The same if there is nothing to count, else null: one look tells most messages both.
  CompletionQueue* quick_receives_;
  bool source_;
  bool muted_ = false;
  Counters counters_;
};

}  // namespace xs::core
