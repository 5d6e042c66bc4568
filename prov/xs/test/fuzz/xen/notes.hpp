// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Text of the store.
#pragma once
#include <string_view>

#include "util/bytes.hpp"

namespace xs::fuzz {

// As a note, as the name of a node, and as what announces a move.
void read_text(std::string_view text);
// A note that says what the script wants, in its order, and is read by everybody.
void write_and_read_note(util::Bytes script);

}  // namespace xs::fuzz
