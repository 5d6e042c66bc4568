// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/bell.hpp"

#include <cerrno>
#include <utility>

namespace xs::hv {

XenBell::Step XenBell::heed(const NoteToUs& note, const Place& place) noexcept {
  if (refused_) return Step::kNone;
  // It wants none, or none any more.
  if (!note.bell) return has_port() ? Step::kClose : Step::kNone;
  if (!has_port()) return place.offers || *note.bell != 0 ? Step::kMake : Step::kNone;
  stands_ = stands_ || *note.bell != 0;
  return Step::kNone;
}

// Nobody is told of a port before its alarm is set.
int XenBell::make(const NoteToUs& note, const Place& place, const std::shared_ptr<XenCalls>& calls,
                  EventChannels& channels) noexcept {
  if (!note.life) return EINVAL;
  auto port = place.offers ? channels.offer(place.domain) : channels.bind(place.domain, *note.bell);
  if (!port) return port.error().code;
  port_ = *port;
  auto alarm = calls->map_alarm(place.domain, *note.life, port_);
  if (!alarm) return alarm.error().code;
  alarm_ = Alarm(calls, *alarm);
  stands_ = !place.offers;
  return 0;
}

// The alarm first: it rings by the port.
void XenBell::close(EventChannels& channels) noexcept {
  refused_ = true;
  stands_ = false;
  alarm_ = Alarm();
  if (has_port()) channels.close(std::exchange(port_, 0));
}

void XenBell::abandon() noexcept {
  refused_ = true;
  stands_ = false;
  port_ = 0;
  alarm_.abandon();
}

}  // namespace xs::hv
