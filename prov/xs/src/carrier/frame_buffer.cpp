// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/frame_buffer.hpp"

#include <algorithm>
#include <new>

namespace xs::carrier {

namespace {
constexpr std::uint32_t kSmallRoom = 256;    // control frames and small messages
constexpr std::uint32_t kMiddleRoom = 4352;  // a page of payload and its head
}  // namespace

FramePool::FramePool(std::uint32_t largest_frame) noexcept
    : room_{std::min(kSmallRoom, largest_frame), std::min(kMiddleRoom, largest_frame),
            largest_frame} {}

FramePool::~FramePool() {
  for (auto& list : free_)
    while (!list.empty()) {
      auto& frame = static_cast<FrameBuffer&>(list.pop_front());
      frame.~FrameBuffer();
      ::operator delete(static_cast<void*>(&frame));
    }
}

FrameBuffer* FramePool::make(std::size_t body) noexcept {
  const std::size_t size = body + proto::kPrefixSize;
  std::uint8_t size_class = 0;
  while (size_class + 1u < kClasses && room_[size_class] < size) ++size_class;
  void* memory = nullptr;
  if (!free_[size_class].empty()) {
    auto& frame = static_cast<FrameBuffer&>(free_[size_class].pop_front());
    frame.~FrameBuffer();
    memory = &frame;
  } else {
    memory = ::operator new(sizeof(FrameBuffer) + room_[size_class], std::nothrow);
    if (!memory) return nullptr;
  }
  auto* frame = ::new (memory) FrameBuffer(size_class, room_[size_class]);
  frame->body_size = static_cast<std::uint32_t>(body);
  ++live_;
  return frame;
}

void FramePool::drop(FrameBuffer& frame) noexcept {
  --live_;
  free_[frame.size_class].push_back(frame);
}

}  // namespace xs::carrier
