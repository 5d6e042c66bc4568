// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One link's bell: an event channel, where both sides want one (docs/hv.md, Bells between domains).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "hv/xen/calls.hpp"
#include "hv/xen/note.hpp"
#include "hv/xen/pages.hpp"

namespace xs::hv {

class XenBell {
 public:
  // What our note says of it: our port; 0, none yet; nothing, there won't be one.
  std::optional<std::uint32_t> word() const noexcept {
    return refused_ ? std::nullopt : std::optional(port_);
  }
  bool has_port() const noexcept { return port_ != 0; }
  bool is_at(std::uint32_t port) const noexcept { return has_port() && port_ == port; }
  // The peer hears it; and its death, however it dies, rings ours.
  bool stands() const noexcept { return stands_; }
  bool ring(EventChannels& channels) const noexcept { return stands_ && channels.ring(port_); }

  // Which of both makes the port that the other one binds, and where that one lives.
  struct Place {
    bool offers;
    std::uint32_t domain;
  };
  // What the peer's note says by now, once its pages have proven that it lives beside us.
  enum class Step : std::uint8_t { kNone, kMake, kClose };
  Step heed(const NoteToUs& note, const Place& place) noexcept;
  // Our note says so afterwards. An errno value: to be closed.
  int make(const NoteToUs& note, const Place& place, const std::shared_ptr<XenCalls>& calls,
           EventChannels& channels) noexcept;
  // For good.
  void close(EventChannels& channels) noexcept;
  // This VM has moved: neither port nor alarm may be touched any more, not even to be closed.
  void abandon() noexcept;

 private:
  std::uint32_t port_ = 0;  // Xen's port 0 is nobody's
  bool stands_ = false;
  bool refused_ = false;
  // The peer's life page once more: when it is unmapped, be it by our death, the kernel rings.
  Alarm alarm_;
};

}  // namespace xs::hv
