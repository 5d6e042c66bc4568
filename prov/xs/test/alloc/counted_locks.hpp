// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>

namespace xs::test {

// Calls of pthread_mutex_lock so far by this program, which xs is linked into. Not those of
// libraries, whether or not they find our pthread_mutex_lock: a look at the inner provider makes a
// few, and is counted by its system calls.
std::size_t locks() noexcept;

}  // namespace xs::test
