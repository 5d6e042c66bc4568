// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What hv/xen does when somebody announces that this VM will be moved: docs/migration.md, The
// pause.
//
// M1: our node says `Q SERIAL` only while nothing stands between us and other domains, and nothing
//     will until it has ceased to say so.
// M2: no step waits for anybody.
// M4: the pause ends when the node that announced it goes, and with a move.
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "hv/xen/xen.hpp"
#include "util/log.hpp"

namespace xs::hv {

using util::Level;

// The serial of who announces a move; 0: nobody does; nothing: that can't be told now.
std::optional<std::uint64_t> Xen::read_quiesce() noexcept {
  std::array<char, 64> text{};
  auto size = calls_->read(kQuiesceNode, text);
  if (!size && size.error().code == ENOENT) return 0;
  const auto serial = size ? parse_quiesce({text.data(), *size}) : std::nullopt;
  if (serial) return serial;
  ++counters_.nonsense;
  if (!std::exchange(warned_of_quiesce_, true))
    util::log(Level::kWarn, "%s in the store can't be read, or makes no sense: it changes nothing",
              kQuiesceNode);
  return std::nullopt;
}

void Xen::look_for_pause(Events& events) noexcept {
  const auto serial = read_quiesce();
  if (!serial || *serial == quiesce_) return;
  if (*serial != 0)
    begin_pause(*serial, events);
  else
    end_pause(events);
}

// At the beginning of a life, with nobody met yet. Our note stands already: who announces a move
// writes first and then counts the notes, so one of us sees the other.
void Xen::begin_paused() noexcept {
  quiesce_ = read_quiesce().value_or(0);
  if (quiesce_ == 0) return;
  card_.pauses = 1;
  if (publish() != 0) changed();
}

void Xen::begin_pause(std::uint64_t serial, Events& events) noexcept {
  quiesce_ = serial;
  told_ = 0;
  dirty_ = pending_ = true;
  if (card_.paused()) return;  // by another serial, for which our node says no more
  ++card_.pauses;
  util::log(Level::kInfo, "this VM is about to be moved: rings with other domains are left");
  sweep();  // the dead can't answer
  for (XenLink* link : links_) link->lose(Loss::kPaused, "");
  events.pause_changed();  // and attend() tells of the links
}

// Nobody is met before our node has ceased to say Q (M1). If it can't be written that is tried
// again at every tick.
void Xen::end_pause(Events& events) noexcept {
  // The node may have gone with all of data/: then there are peers to be met at a new place.
  if (look_for_move(events)) return;
  quiesce_ = told_ = 0;
  if (const int error = publish()) {
    dirty_ = true;
    return complain(counters_.exhausted, "other domains: our node can't be written",
                    std::strerror(error));
  }
  ++card_.pauses;
  util::log(Level::kInfo, "this VM is not about to be moved any more");
  events.pause_changed();
}

// Ports that an unannounced move has left behind (docs/hv.md, Bells between domains) are nobody's.
bool Xen::holds_nothing() const noexcept { return holdings_->empty() && vicinities_.empty(); }

bool Xen::restless() const noexcept { return card_.paused() && said_ != quiesce_; }

// Nothing but our note is still to be written.
bool Xen::is_unsaid() const noexcept {
  return (restless() && holds_nothing()) || (card_.paused() && said_told_ != told_);
}

// Until our node says it, too.
bool Xen::wants_peers_told() const noexcept {
  return card_.paused() && quiesce_ != 0 && said_told_ != quiesce_;
}

void Xen::peers_know() noexcept {
  if (told_ == quiesce_) return;
  told_ = quiesce_;
  changed();
}

// By a mapping or a share, whenever its owner likes.
void Xen::nothing_stands() noexcept {
  if (quiesce_ != 0) changed();
}

}  // namespace xs::hv
