// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What hv/xen hears of the store and sees in its peers' pages, and tells.
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "hv/xen/xen.hpp"
#include "util/log.hpp"

namespace xs::hv {

namespace {

constexpr int kEventsAtOnce = 64;  // of the store; what is left keeps its descriptor readable
constexpr time_t kTickSeconds = 1;

void drain(const UniqueFd& counter) noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(counter.get(), &count, sizeof count);
}

}  // namespace

bool Xen::progress(Events& events) noexcept {
  std::array<struct epoll_event, 4> ready;
  const int count = epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
  if (count <= 0) return false;
  progressing_ = true;
  for (int i = 0; i < count; ++i) {
    switch (ready[static_cast<std::size_t>(i)].data.u64) {
      case kTodo:
        drain(todo_);
        break;
      case kStore:
        hear(events);
        break;
      case kBell:
        hear_bells();
        break;
      default:
        drain(timer_);
        tick(events);
    }
  }
  settle(events);
  progressing_ = false;
  if (pending_) wake();
  set_timer();
  return true;
}

// What is told may bring up more.
void Xen::settle(Events& events) noexcept {
  constexpr int kRounds = 4;
  pending_ = true;
  for (int i = 0; i < kRounds && pending_; ++i) {
    pending_ = false;
    watch_vicinities();
    if (std::exchange(other_budget_, false)) events.budget_changed();
    attend(events);
    if (dirty_) look_for_move(events);  // what is written would hide it
    if (!dirty_) continue;
    if (const int error = publish())
      complain(counters_.exhausted, "other domains: our node can't be written",
               std::strerror(error));
  }
}

void Xen::hear(Events& events) noexcept {
  std::array<char, kPathSize> path{};
  bool woken = false, mates = false, quiesce = false;
  for (int i = 0; i < kEventsAtOnce && calls_->next_event(path); ++i) {
    const std::string_view what(path.data());
    woken = woken || what == kMatesDirectory;
    quiesce = quiesce || what == kQuiesceNode;
    mates = mates || (what.starts_with(kMatesDirectory) && what != kQuiesceNode);
    if (!what.starts_with(kMatesDirectory)) hear(what);
  }
  if (woken) look_for_move(events);
  if (woken || quiesce) look_for_pause(events);
  if (mates && mates_.entered()) count_mates();
}

// A path that is no node's, a directory's: everything there may have changed.
void Xen::hear(std::string_view path) noexcept {
  const auto name = parse_path(path);
  if (!name) return;
  for (XenLink* link : links_) {
    if (link->peer().domid != name->domain) continue;
    const XenPath node = node_of(name->domain, link->peer().process);
    if (name->node.empty() || std::string_view(node.data()).ends_with(name->node)) link->ask();
  }
}

void Xen::tick(Events& events) noexcept {
  for (XenLink* link : links_) {
    link->tick();
    if (deaf_) link->ask();
  }
  if (deaf_) {
    look_for_move(events);
    look_for_pause(events);
    if (mates_.entered()) count_mates();
  }
  if (quiesce_ == 0 && card_.paused()) end_pause(events);
  dirty_ = dirty_ || is_unsaid();
  dirty_ = dirty_ || granted_changed_;
}

// A move wipes data/, all of it; nothing else does.
bool Xen::is_elsewhere() noexcept {
  std::array<char, 1> any{};
  auto ours = calls_->read(node_of(card_.process).data(), any);
  return !ours && ours.error().code == ENOENT;
}

bool Xen::look_for_move(Events& events) noexcept {
  if (!is_elsewhere()) return false;
  read_domid();
  ++card_.generation;
  quiesce_ = told_ = 0;  // M4
  card_.pauses = 0;
  ++counters_.moved;
  move_bells();
  for (XenLink* link : links_) link->lose(Loss::kMoved, "");
  if (const int error = publish_first())
    complain(counters_.exhausted, "other domains after a move", std::strerror(error));
  if (mates_.entered()) join_mates();
  begin_paused();
  events.moved();  // and attend() tells of the links
  return true;
}

// Before the notes are asked for: what changes later is heard of.
void Xen::watch_vicinities() noexcept {
  for (Vicinity& vicinity : vicinities_) {
    if (vicinity.watched || deaf_) continue;
    vicinity.watched = true;
    if (const int error = calls_->watch(directory_of(vicinity.domain).data())) become_deaf(error);
  }
}

void Xen::become_deaf(int error) noexcept {
  deaf_ = true;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, calls_->descriptor(), nullptr);
  epoll_ctl(lives_.get(), EPOLL_CTL_DEL, calls_->descriptor(), nullptr);
  struct epoll_event every_second {};
  every_second.events = EPOLLIN;
  epoll_ctl(lives_.get(), EPOLL_CTL_ADD, timer_.get(), &every_second);
  ++counters_.exhausted;
  util::log(util::Level::kWarn,
            "the store refuses to watch other domains (%s; see its quota of watches): they are "
            "looked at once a second",
            std::strerror(error));
  set_timer();
}

// Whatever is told may destroy any link, so every one is looked up afresh.
void Xen::attend(Events& events) noexcept {
  std::uint64_t key = 0;
  while (XenLink* const link = find_from(key)) {
    key = link->key() + 1;
    if (link->is_asked_for()) ask(*link);
    tell(*link, events);
  }
}

void Xen::ask(XenLink& link) noexcept {
  std::array<char, kNoteSize> text;
  const Card& peer = link.peer();
  auto size = calls_->read(node_of(peer.domid, peer.process).data(), text);
  if (!size) return link.miss();
  const auto note = parse_note({text.data(), *size}, card_.process, card_.domid);
  if (!note) complain(counters_.nonsense, "a peer in another domain", "its note is nonsense");
  link.heed(note);
}

void Xen::tell(XenLink& link, Events& events) noexcept {
  const std::uint64_t key = link.key();
  if (link.take_loss()) {
    if (link.loss() == Loss::kGone) ++counters_.gone;
    return events.lost(link, link.loss());
  }
  const bool rang = link.take_ring();
  if (!link.take_opening()) {
    if (rang) events.rung(link);
    return;
  }
  ++counters_.opened;
  const bool put_off = link.take_put_off();
  events.opened(link);
  XenLink* const still = find_from(key);
  if (put_off && still == &link && link.key() == key && link.state() == LinkState::kOpen)
    events.pages_came(link);
}

// Nobody but the kernel clears a life page, and it tells nobody whose bell doesn't stand. Who is
// deaf is told of no pause either; and a note that could not be written is tried again.
void Xen::set_timer() noexcept {
  bool wanted = granted_changed_ || deaf_ || is_unsaid() || (quiesce_ == 0 && card_.paused());
  for (const XenLink* link : links_) wanted = wanted || link->needs_ticks();
  if (wanted == ticks_) return;
  struct itimerspec time {};
  time.it_interval.tv_sec = time.it_value.tv_sec = wanted ? kTickSeconds : 0;
  if (timerfd_settime(timer_.get(), 0, &time, nullptr) == 0) ticks_ = wanted;
}

}  // namespace xs::hv
