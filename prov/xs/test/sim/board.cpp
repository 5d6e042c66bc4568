// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/board.hpp"

#include <algorithm>
#include <cstring>

namespace xs::sim {

namespace {
constexpr std::size_t kSlotsAt = 64;
constexpr std::size_t kSize = kSlotsAt + Board::kSlots * Board::kSlotSize;
}  // namespace

Board::Board(Arena& arena, Judge& judge, std::uint64_t key)
    : arena_(arena), judge_(judge), buffer_(arena.take(kSize, 1, Use::kReceive)) {
  std::memset(buffer_.first(), 0, kSize);
  registration.memory = core::UserMemory(buffer_.iov());
  registration.rights = core::kReadable | core::kWritable;
  registration.key = key;
}

std::uint64_t Board::number() const noexcept {
  return util::load<std::uint64_t>(buffer_.first() + kNumberAt);
}

Board::Slot* Board::slot_of(const Life& life) noexcept {
  for (Slot& slot : slots_) {
    if (slot.owner == &life) return &slot;
    if (slot.owner) continue;
    slot.owner = &life;
    slot.stands.resize(kSlotSize);
    return &slot;
  }
  return nullptr;
}

std::uint64_t Board::address_of(const Slot& slot) const noexcept {
  return kSlotsAt + static_cast<std::size_t>(&slot - slots_.data()) * kSlotSize;
}

void Board::check(const Slot& slot) noexcept {
  if (closed_ || slot.unknown || slot.writes > 0) return;
  const std::byte* const at = buffer_.first() + address_of(slot);
  const auto [wrong, right] = std::mismatch(at, at + kSlotSize, slot.stands.begin());
  if (wrong != at + kSlotSize)
    judge_.fail("key %lu: byte %ld of the slot of life %lu is %02x, not %02x", registration.key,
                wrong - at, slot.owner->number, static_cast<unsigned>(*wrong),
                static_cast<unsigned>(*right));
}

void Board::added(const std::uint64_t* before) noexcept {
  ++added_;
  if (!closed_ && (number() < added_ || number() > adds_))
    judge_.fail("key %lu: %lu additions were asked for and %lu done, but they come to %lu",
                registration.key, adds_, added_, number());
  if (!before) return;
  if (*before >= adds_ || !fetched_.insert(*before).second)
    judge_.fail("key %lu: an addition of %lu found %lu%s", registration.key, adds_, *before,
                *before < adds_ ? ", as another one did" : "");
}

void Board::told(std::uint64_t data) noexcept {
  if (!announced_.contains(data))
    judge_.fail("key %lu: data that nobody sent: %lu", registration.key, data);
  if (!told_.insert(data).second)
    judge_.fail("key %lu: the data of write %lu come twice", registration.key, data);
}

void Board::succeeded(std::uint64_t data) {
  if (!may_refuse()) to_be_told_.insert(data);
}

void Board::close(bool listened) noexcept {
  if (closed_) return;
  for (const Slot& slot : slots_)
    if (slot.owner) check(slot);
  if (number() < added_ || number() > adds_)
    judge_.fail("key %lu: %lu additions were asked for and %lu done, but they come to %lu",
                registration.key, adds_, added_, number());
  for (const std::uint64_t data : to_be_told_)
    if (listened && !told_.contains(data))
      judge_.fail("key %lu: the data of write %lu did not come", registration.key, data);
  closed_ = true;
  arena_.retire(buffer_);
}

}  // namespace xs::sim
