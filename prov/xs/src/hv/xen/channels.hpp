// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What hv/xen asks of Xen's event channels, and no more: one descriptor of a process, and its
// ports. A port is one end of a channel between two domains, and rings without a content.
#pragma once
#include <cstdint>
#include <memory>

#include "util/result.hpp"

struct xentoollog_logger;

namespace xs::hv {

class EventChannels {
 public:
  // No port stands any more, or abandon() was called.
  virtual ~EventChannels() = default;
  // A port that one domain alone may bind. ENOSPC: the ports of this VM are used up.
  virtual util::Result<std::uint32_t> offer(std::uint32_t domain) noexcept = 0;
  // A port, bound to one that `domain` offers us. EINVAL: it doesn't.
  virtual util::Result<std::uint32_t> bind(std::uint32_t domain, std::uint32_t port) noexcept = 0;
  // A child of ours may hold the descriptor too: its end would close nothing.
  virtual void close(std::uint32_t port) noexcept = 0;
  // False: it isn't ours. Nobody tells whether it was heard. One system call.
  virtual bool ring(std::uint32_t port) noexcept = 0;
  // A port that was rung, and is not told again until unmask(). EAGAIN: none; else the device is of
  // no use any more.
  virtual util::Result<std::uint32_t> next() noexcept = 0;
  virtual void unmask(std::uint32_t port) noexcept = 0;
  // Readable when next() has one.
  virtual int descriptor() const noexcept = 0;
  // This VM has moved while ports stood, which are not to be touched, nor closed (docs/hv.md), nor
  // rung by the alarms of that descriptor: somebody else keeps both from now on. False: nobody does
  // (errno), so this process will hang when it ends.
  virtual bool abandon(int alarms) noexcept = 0;
};

// By Xen's library. What is missing here, and how to cure it.
util::Result<std::unique_ptr<EventChannels>> open_event_channels(
    struct xentoollog_logger* logger) noexcept;

}  // namespace xs::hv
