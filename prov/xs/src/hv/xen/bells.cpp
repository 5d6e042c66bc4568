// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The event channels of a process in hv/xen: opened, heard, closed, and left behind.
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hv/xen/xen.hpp"
#include "util/log.hpp"

namespace xs::hv {

using util::Level;

void Xen::open_bells() noexcept {
  auto opened = calls_->open_channels();
  struct epoll_event event {};
  event.events = EPOLLIN;
  event.data.u64 = kBell;
  const char* why = "no descriptor to wait on";
  if (!opened)
    why = opened.error().what;
  else if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, (*opened)->descriptor(), &event) == 0)
    channels_ = std::move(*opened);
  if (!channels_)
    util::log(Level::kWarn, "no event channels: the fabric wakes peers in other domains: %s", why);
}

// A child may hold the descriptor too, and would keep it in the set.
void Xen::close_channels() noexcept {
  if (channels_) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channels_->descriptor(), nullptr);
  channels_.reset();
}

void Xen::heed_bell(XenLink& link, const NoteToUs& note) noexcept {
  if (!channels_) return;
  const Card& peer = link.peer();
  const XenBell::Place place{.offers = card_.process < peer.process, .domain = peer.domid};
  XenBell& bell = link.bell();
  const bool stood = bell.stands();
  const XenBell::Step step = bell.heed(note, place);
  const int error = step == XenBell::Step::kMake ? bell.make(note, place, calls_, *channels_) : 0;
  if (!stood && bell.stands()) link.owe_ticks();
  if (error != 0) complain_of_bell(error);
  if (error != 0 || step == XenBell::Step::kClose) close(bell);
  if (step != XenBell::Step::kNone) changed();
}

// EINVAL is a peer that has gone meanwhile, or lies: its loss.
void Xen::complain_of_bell(int error) noexcept {
  if (error == EINVAL) return;
  ++counters_.exhausted;
  if (std::exchange(warned_of_bells_, true)) return;
  util::log(Level::kWarn,
            "no event channel for a peer in another domain, which the fabric wakes: %s",
            error == ENOSPC ? kNoPortsLeft : std::strerror(error));
}

// Whoever rings without end is heard once in each pass: a port says nothing until it is unmasked.
void Xen::hear_bells() noexcept {
  std::array<std::uint32_t, kMostLinks> ports;
  std::size_t count = 0;
  while (channels_ && count < ports.size()) {
    auto port = channels_->next();
    if (port) {
      ports[count++] = *port;
    } else {
      if (port.error().code != EAGAIN) lose_bells(port.error().code);
      break;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (XenLink* link : links_)
      if (link->bell().is_at(ports[i])) link->heard();
    if (channels_) channels_->unmask(ports[i]);
  }
}

void Xen::lose_bells(int error) noexcept {
  ++counters_.exhausted;
  util::log(Level::kWarn, "event channels fail (%s): the fabric wakes peers in other domains",
            std::strerror(error));
  for (XenLink* link : links_) close(link->bell());
  close_channels();
  changed();
}

// Closing a port after a move ends in a bug of the kernel (docs/hv.md), so whoever closes one looks
// first: what tells of a move may be heard after its effects are seen.
void Xen::close(XenBell& bell) noexcept {
  if (is_childs()) return;
  if (bell.has_port() && is_elsewhere()) return abandon_bells();
  if (channels_) bell.close(*channels_);
}

// This VM has moved. What was announced has left no port; then there may be bells again.
void Xen::move_bells() noexcept {
  if (!channels_) return;
  for (const XenLink* link : links_)
    if (link->bell().has_port()) return abandon_bells();
  close_channels();
  open_bells();
}

void Xen::abandon_bells() noexcept {
  for (XenLink* link : links_) link->bell().abandon();
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channels_->descriptor(), nullptr);
  const bool kept = channels_->abandon(calls_->alarms());
  channels_.reset();
  util::log(
      Level::kWarn,
      "this VM was moved while event channels stood, without a word: the fabric wakes peers in "
      "other domains from now on; %s",
      kept ? "a process called sleep keeps them, since closing them would crash the kernel"
           : "they are left alone, but this process will hang in its kernel when it ends");
}

}  // namespace xs::hv
