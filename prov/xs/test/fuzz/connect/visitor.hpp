// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstdint>

#include "stream/stranger.hpp"

namespace xs::fuzz {

// A stranger, and what it has said in its present session that the user may be told of.
struct Visitor {
  explicit Visitor(std::uint16_t port) : self(port) { self.window = 8; }

  // Begins again, as another process at the same address.
  void begin(std::uint8_t number) {
    mark = number;
    self.life = {7, number};
    self.nonce = 0x515100 + number;
    self.seq = self.ack = 1;
    consents = asks = false;
  }

  test::Stranger self;
  std::uint8_t mark = 0;  // of this session: every byte of payload that it says
  bool met = false;       // it has greeted, or was
  bool consents = false;  // ANSWER, or CONNECTED, in its turn and under the right id
  bool asks = false;      // CONNECT, in its turn
  bool to_blame = false;  // said what may end a session, at any time
};

}  // namespace xs::fuzz
