// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/memory.hpp"

#include <cerrno>

#include "util/log.hpp"

namespace xs::hv {

Memories::~Memories() {
  all_.for_each([this](Memory& memory) {
    memory.siblings_ = nullptr;
    all_.remove(memory);
  });
}

void Memories::make_private() noexcept {
  for (Memory& memory : all_) memory.make_private();
}

void Memories::make_ones() noexcept {
  for (Memory& memory : all_) memory.make_ones();
}

void Memories::make_ones(std::uint64_t link) noexcept {
  for (Memory& memory : all_)
    if (memory.link_ == link) memory.make_ones();
}

Memory::Memory(Memories& siblings, std::uint64_t link, Range range) noexcept
    : siblings_(&siblings), link_(link), range_(std::move(range)) {
  siblings.all_.push_back(*this);
}

Memory::~Memory() {
  if (siblings_) siblings_->all_.remove(*this);
}

void Memory::make_private() noexcept {
  if (private_) return;
  auto copy = range_.copy();
  if (!copy && copy.error().code == EAGAIN) return make_ones();
  replace(std::move(copy));
}

void Memory::make_ones() noexcept { replace(range_.all_ones()); }

void Memory::replace(util::Result<Range> by) noexcept {
  private_ = by && range_.become(std::move(*by));
  if (!private_)
    util::log(util::Level::kWarn, "no memory to simulate the loss of %zu bytes: they stay shared",
              range_.size());
}

}  // namespace xs::hv
