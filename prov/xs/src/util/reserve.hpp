// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace xs::util {

// Room for `count` elements in all, so that so many push_back() can't fail; grows by doubling.
// Throws bad_alloc.
template <class T>
void reserve_for(std::vector<T>& vector, std::size_t count) {
  if (vector.capacity() < count) vector.reserve(std::max(count, 2 * vector.capacity()));
}

}  // namespace xs::util
