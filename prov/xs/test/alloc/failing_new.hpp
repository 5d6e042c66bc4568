// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>

namespace xs::test {

// The global operator new of this program can be told to fail.
//
// The nth call from now on (0: the next) fails; earlier and later ones work.
void fail_new(std::size_t nth) noexcept;
// Every call from now on that may answer with null does so; those that would throw work.
void starve() noexcept;
// Ends either; true if a call has failed.
bool end_failing() noexcept;
// Calls so far.
std::size_t news() noexcept;

}  // namespace xs::test
