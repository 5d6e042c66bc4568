// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/arena.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace xs::sim {

namespace {

constexpr std::size_t kRoom = std::size_t{1} << 30;  // reserved, not used
constexpr std::size_t kFence = 16;                   // bytes between blocks
constexpr int kPoison = 0xdd;
constexpr int kFencePost = 0xa5;

// Each run begins at the same place, so that addresses, and what is hashed by them, repeat.
std::byte* base() {
  static std::byte* const at = [] {
    void* room = mmap(reinterpret_cast<void*>(0x510000000000), kRoom, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) std::abort();
    return static_cast<std::byte*>(room);
  }();
  return at;
}

bool all(const std::byte* from, std::size_t size, int value) noexcept {
  return std::all_of(from, from + size,
                     [value](std::byte each) { return each == static_cast<std::byte>(value); });
}

}  // namespace

std::byte* Arena::allot(std::size_t size) {
  std::byte* at = base() + used_;
  const std::size_t taken = (size + kFence + 15) / 16 * 16;
  if (used_ + taken > kRoom) std::abort();
  used_ += taken;
  std::memset(at + size, kFencePost, taken - size);
  return at;
}

Buffer Arena::take(std::size_t size, std::size_t pieces, Use use) {
  Buffer made;
  made.size = size;
  made.count = pieces;
  made.block = blocks_.size();
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t part = i + 1 == pieces ? size : size / 2;
    size -= part;
    std::byte* at = allot(part);
    made.pieces[i] = {at, part};
    blocks_.push_back({at, part, use, true});
  }
  return made;
}

void Arena::retire(const Buffer& buffer) noexcept {
  for (std::size_t i = 0; i < buffer.count; ++i) {
    Block& block = blocks_[buffer.block + i];
    block.live = false;
    std::memset(block.at, kPoison, block.size);
  }
}

void Arena::touched(const void* at, std::size_t size, bool writes) noexcept {
  const auto* from = static_cast<const std::byte*>(at);
  if (from < base() || from >= base() + kRoom || size == 0) return;
  auto block = std::upper_bound(blocks_.begin(), blocks_.end(), from,
                                [](const std::byte* a, const Block& b) { return a < b.at; });
  if (block == blocks_.begin()) return judge_.fail("the inner provider touches nobody's memory");
  --block;
  if (from + size > block->at + block->size)
    return judge_.fail("the inner provider touches memory beyond a buffer");
  if (!block->live)
    return judge_.fail("the inner provider %s a buffer whose operation has ended",
                       writes ? "writes into" : "reads from");
  if (writes != (block->use == Use::kReceive))
    judge_.fail("the inner provider %s a buffer for the other direction",
                writes ? "writes into" : "reads from");
}

void Arena::inspect() noexcept {
  for (const Block& block : blocks_) {
    if (!block.live && !all(block.at, block.size, kPoison))
      judge_.fail("a buffer was written after its operation had ended");
    if (!all(block.at + block.size, kFence, kFencePost))
      judge_.fail("memory behind a buffer was written");
  }
}

}  // namespace xs::sim
