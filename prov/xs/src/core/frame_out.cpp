// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/frame_out.hpp"

#include <algorithm>
#include <cstring>

#include "stream/ring_writing.hpp"

namespace xs::core {

namespace {

bool put_in_ring(stream::Session& session, const FrameOut& out) noexcept {
  const std::size_t body = out.head.size() + out.size;
  if (!session.claim_in_ring(body)) return false;
  session.put_in_ring(0, out.head);
  for (std::size_t done = 0; done < out.size;) {
    const std::span<std::byte> run = out.memory.run(out.offset + done);
    const std::size_t part = std::min(run.size(), out.size - done);
    session.put_in_ring(out.head.size() + done, run.first(part));
    done += part;
  }
  if (session.commit_in_ring(out.kind, out.flags, body)) session.ring_bell();
  return true;
}

}  // namespace

bool put_out(stream::Session& session, const FrameOut& out) noexcept {
  if (session.writes_ring()) return put_in_ring(session, out);
  stream::FrameBuffer* const frame = session.claim(out.kind, out.head.size() + out.size);
  if (!frame) return false;
  std::memcpy(frame->body(), out.head.data(), out.head.size());
  out.memory.copy_to(frame->body() + out.head.size(), out.offset, out.size);
  session.commit(*frame, out.flags, 0);
  return true;
}

}  // namespace xs::core
