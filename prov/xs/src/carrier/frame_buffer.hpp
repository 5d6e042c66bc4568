// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "carrier/inner.hpp"
#include "proto/frame.hpp"
#include "util/clock.hpp"
#include "util/intrusive_list.hpp"

namespace xs::carrier {

enum class OperationKind : std::uint8_t { kFrame, kSlot, kBulk, kSink };

// An operation handed to an inner endpoint, on the list of the lane that has it so that a closed
// lane can end it.
struct Operation : InnerOperation, util::ListHook<> {
  explicit Operation(OperationKind k) noexcept : kind(k) {}
  OperationKind kind;
  bool under_way = false;  // the inner provider may touch its memory
  std::uint32_t lane = 0;
};

// A transfer between user buffers beside the stream, owned by the layer above.
struct BulkOperation : Operation {
  BulkOperation() noexcept : Operation(OperationKind::kBulk) {}
};

// One frame to send: its bytes (the prefix is written at each post) and possibly a tail kept by
// reference.
//
// Invariant: it is posted at most once at a time, and its bytes change only while !under_way. It
// goes back to its pool when neither a stream keeps it nor the inner provider has it.
struct FrameBuffer : Operation {
  FrameBuffer(std::uint8_t pool_class, std::uint32_t room) noexcept
      : Operation(OperationKind::kFrame), capacity(room), size_class(pool_class) {}

  std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  std::byte* body() noexcept { return bytes() + proto::kPrefixSize; }

  proto::Prefix prefix;
  std::uint32_t capacity;       // of bytes(), prefix included
  std::uint32_t body_size = 0;  // bytes of the body in bytes(); the tail comes on top
  const void* tail = nullptr;   // user memory, or null
  std::uint32_t tail_size = 0;
  std::uint8_t size_class;
  bool confirmed = false;    // never injected: under_way tells when it has left
  bool kept = false;         // a stream still needs it for replay
  int outcome = 0;           // when it is not kept any more: 0 acknowledged, else why not
  util::Nanoseconds let_go_by = 0;  // by when it has left if all is well; 0: it is still needed
  std::uint64_t cookie = 0;  // the upper layer's; 0: it does not want to hear of this frame
  void* owner = nullptr;     // the session that keeps it; null once that is gone
};

// Frames by size class; steady state allocates nothing. Not thread-safe.
class FramePool {
 public:
  explicit FramePool(std::uint32_t largest_frame) noexcept;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool();

  // A frame with room for `body` bytes after the prefix; nullptr when memory is exhausted. body <=
  // largest - prefix.
  FrameBuffer* make(std::size_t body) noexcept;
  void drop(FrameBuffer& frame) noexcept;
  std::size_t live() const noexcept { return live_; }

 private:
  static constexpr std::size_t kClasses = 3;
  std::array<std::uint32_t, kClasses> room_;  // prefix included, ascending
  std::array<util::IntrusiveList<Operation>, kClasses> free_;
  std::size_t live_ = 0;
};

}  // namespace xs::carrier
