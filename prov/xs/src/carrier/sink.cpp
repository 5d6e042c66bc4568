// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/sink.hpp"

#include <sys/mman.h>

#include <new>

namespace xs::carrier {

Sinks::~Sinks() {
  for (const Region& region : regions_) munmap(region.at, region.size);
}

void* Sinks::room(std::size_t size) noexcept {
  constexpr std::size_t kPage = 4096;
  const std::size_t wanted = (size + kPage - 1) / kPage * kPage + kPage;
  if (!regions_.empty() && regions_.back().size >= wanted) return regions_.back().at;
  void* at = mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  try {
    regions_.push_back({at, wanted});
  } catch (const std::bad_alloc&) {
    munmap(at, wanted);
    return nullptr;
  }
  return at;
}

SinkOperation* Sinks::make(std::uint64_t tag, std::size_t length) noexcept {
  auto* operation = new (std::nothrow) SinkOperation(tag, length);
  if (operation) ++live_;
  return operation;
}

void Sinks::drop(SinkOperation& operation) noexcept {
  delete &operation;
  if (--live_ > 0) return;
  for (const Region& region : regions_) madvise(region.at, region.size, MADV_DONTNEED);
}

}  // namespace xs::carrier
