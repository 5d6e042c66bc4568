// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstdint>
#include <new>
#include <vector>

namespace xs::core {

// Numbers for objects that a peer names on the wire: a number that is not in use finds nothing, and
// none is given twice (a generation stands above the place). Not thread-safe.
template <class T>
class IdTable {
 public:
  // 0 when memory is exhausted; never a valid number.
  std::uint64_t add(T& object) noexcept try {
    if (free_.empty()) {
      free_.reserve(places_.size() + 1);  // so that remove() can't fail
      places_.push_back({nullptr, 1});
      free_.push_back(static_cast<std::uint32_t>(places_.size() - 1));
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    places_[place].object = &object;
    return places_[place].generation << 32 | place;
  } catch (const std::bad_alloc&) {
    return 0;
  }

  T* find(std::uint64_t number) const noexcept {
    const auto place = static_cast<std::uint32_t>(number);
    if (place >= places_.size() || places_[place].generation != number >> 32) return nullptr;
    return places_[place].object;
  }

  void remove(std::uint64_t number) noexcept {
    const auto place = static_cast<std::uint32_t>(number);
    places_[place].object = nullptr;
    places_[place].generation = (places_[place].generation + 1) & 0xffffffff;
    if (places_[place].generation == 0) places_[place].generation = 1;
    free_.push_back(place);
  }

 private:
  struct Place {
    T* object;
    std::uint64_t generation;  // 1 to 2^32 - 1
  };
  std::vector<Place> places_;
  std::vector<std::uint32_t> free_;
};

}  // namespace xs::core
