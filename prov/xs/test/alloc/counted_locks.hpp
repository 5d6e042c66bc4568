// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>

namespace xs::test {

// Calls of pthread_mutex_lock so far, by whatever part of this program or its libraries but the C
// library.
std::size_t locks() noexcept;

}  // namespace xs::test
