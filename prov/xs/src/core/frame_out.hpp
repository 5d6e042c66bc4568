// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/gather.hpp"
#include "proto/frame.hpp"
#include "stream/session.hpp"

namespace xs::core {

// A frame of a head and a copy of bytes of some memory.
struct FrameOut {
  proto::Kind kind;
  std::uint8_t flags;
  util::Bytes head;
  const UserMemory& memory;
  std::size_t offset;  // in memory
  std::size_t size;
};

// Copies it into the session's ring, or into a frame. False: there is no room now, and
// Upper::window_opened will tell of some.
bool put_out(stream::Session& session, const FrameOut& out) noexcept;

}  // namespace xs::core
