// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/xen.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <new>

#include "util/log.hpp"
#include "util/reserve.hpp"

namespace xs::hv {

using util::Error;
using util::Level;
using util::Result;

Result<std::unique_ptr<Xen>> Xen::open(std::shared_ptr<XenCalls> calls, const Card& own,
                                       util::Random& random, XenBellUse bells,
                                       std::size_t pages) noexcept try {
  std::unique_ptr<Xen> xen(new Xen(std::move(calls), own, random, pages));
  auto begun = xen->begin();
  if (!begun) return begun.error();
  if (bells == XenBellUse::kEvent) xen->open_bells();
  return xen;
} catch (const std::bad_alloc&) {
  return Error{ENOMEM, "no memory for sharing"};
}

Xen::~Xen() {
  holdings_->disown();
  if (is_childs())
    mates_.disown();
  else if (card_.domid != kNoDomid)
    calls_->remove(node_of(card_.process).data());
}

Result<bool> Xen::begin() noexcept {
  if (!read_domid()) return Error{EIO, "the store does not say which domain this is"};
  if (auto made = make_descriptors(); !made) return made.error();
  if (auto made = sign_.begin(card_.process.high); !made) return made.error();
  sweep();
  if (const int error = publish_first()) {
    card_.domid = kNoDomid;  // there is no node to remove
    return Error{error, "data/ of this domain in the store can't be written (is it the guest's?)"};
  }
  if (const int error = calls_->watch(kMatesDirectory)) become_deaf(error);
  begin_paused();
  return true;
}

namespace {
bool watch_for(const UniqueFd& epoll, int fd, std::uint64_t happening) noexcept {
  struct epoll_event event {};
  event.events = EPOLLIN;
  event.data.u64 = happening;
  return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}
}  // namespace

Result<bool> Xen::make_descriptors() noexcept {
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  todo_ = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  timer_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const std::array<std::pair<int, Happening>, 3> watched{
      {{todo_.get(), kTodo}, {calls_->descriptor(), kStore}, {timer_.get(), kTick}}};
  for (const auto& [fd, happening] : watched)
    if (!watch_for(epoll_, fd, happening))
      return Error{errno, "no descriptor to wait for other domains"};
  lives_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {todo_.get(), calls_->descriptor()})
    if (!watch_for(lives_, fd, 0)) return Error{errno, "no descriptor to hear of moves"};
  return true;
}

bool Xen::read_domid() noexcept {
  std::array<char, 16> text{};
  auto size = calls_->read("domid", text);
  if (!size) return false;
  return std::from_chars(text.data(), text.data() + *size, card_.domid).ec == std::errc{};
}

// What processes of this VM left behind that were killed: a directory has room for some 120 nodes.
void Xen::sweep() noexcept {
  std::array<char, 4096> names;
  std::array<char, kNoteSize> text;
  auto size = calls_->list("data/xs", names);
  if (!size) return;
  std::string_view left(names.data(), *size);
  while (!left.empty()) {
    const std::string_view name = left.substr(0, left.find('\n'));
    left.remove_prefix(name.size() + 1);
    Id process;
    if (std::from_chars(name.data(), name.data() + name.size(), process.high, 16).ec != std::errc{})
      continue;
    if (process.high == card_.process.high || sign_.is_up(process.high)) continue;
    const XenPath path = node_of(process);
    auto found = calls_->read(path.data(), text);
    const auto note =
        found ? parse_note({text.data(), *found}, card_.process, card_.domid) : std::nullopt;
    if (note && note->network == sign_.network()) calls_->remove(path.data());
  }
}

// A node may be read by others once it is whole, and its directory watched.
int Xen::publish_first() noexcept {
  int error = publish();
  if (error == 0) error = calls_->permit_all(node_of(card_.process).data(), card_.domid);
  if (error == 0) error = calls_->permit_all("data/xs", card_.domid);
  return error;
}

// M1: Q is said of this very moment, and while our node says it nobody is met.
int Xen::publish() noexcept {
  dirty_ = granted_changed_ = false;
  const std::uint64_t says = holds_nothing() ? quiesce_ : 0;
  Note note(card_.generation, sign_.network());
  note.add_pid(static_cast<std::uint32_t>(getpid()));
  if (says != 0) note.add_quiesced(says);
  if (told_ != 0) note.add_told(told_);
  for (const Vicinity& vicinity : vicinities_)
    note.add_life(vicinity.domain, vicinity.life.reference);
  for (const XenLink* link : links_)
    if (link->state() != LinkState::kLost)
      note.add_peer(link->peer().process, link->session(), link->echo(),
                    channels_ ? link->bell().word() : std::nullopt);
  for (const XenLink* link : links_)
    if (link->state() != LinkState::kLost) note.add_granted(link->granted());
  if (note.is_full()) complain(counters_.exhausted, "a node of the store", "it is full");
  const int error = calls_->write(node_of(card_.process).data(), note.text());
  if (error == 0) said_ = says, said_told_ = told_;
  return error;
}

Result<std::unique_ptr<Link>> Xen::meet(const Card& peer) noexcept {
  if (peer.process == card_.process) return Error{EINVAL, "the peer is this process"};
  if (peer.domid == kNoDomid || peer.domid == card_.domid) {
    ++counters_.elsewhere;
    return Error{EHOSTUNREACH, "the peer lives elsewhere"};
  }
  if (card_.paused()) return Error{EAGAIN, "this VM is about to be moved"};
  if (peer.paused()) return Error{EHOSTUNREACH, "the peer's VM is about to be moved"};
  const bool known = std::any_of(links_.begin(), links_.end(), [&](const XenLink* link) {
    return link->peer().process == peer.process;
  });
  if (known) return Error{EALREADY, "there is a link with this peer"};
  if (links_.size() >= kMostLinks) {
    complain(counters_.exhausted, "another peer", "there are too many");
    return Error{EAGAIN, "too many peers in other domains"};
  }
  try {
    util::reserve_for(links_, links_.size() + 1);
  } catch (const std::bad_alloc&) {
    return Error{ENOMEM, "no memory for a link"};
  }
  if (auto entered = enter(peer.domid); !entered) return entered.error();
  std::unique_ptr<XenLink> link(new (std::nothrow)
                                    XenLink(*this, peer, ++last_key_, ++last_session_));
  if (!link) {
    leave(peer.domid);
    return Error{ENOMEM, "no memory for a link"};
  }
  links_.push_back(link.get());
  changed();
  return std::unique_ptr<Link>(std::move(link));
}

// Another link there.
Result<bool> Xen::enter(std::uint32_t domain) noexcept {
  if (Vicinity* const vicinity = find_vicinity(domain)) {
    ++vicinity->links;
    return true;
  }
  if (vicinities_.size() >= kMostDomains) {
    complain(counters_.exhausted, "another domain", "there are too many");
    return Error{EAGAIN, "too many other domains"};
  }
  auto life = grant_life(calls_, domain, card_.process);
  if (!life) {
    const int error = life.error().code;
    complain(counters_.exhausted, "another domain",
             error == ENOSPC ? kNoPagesLeft : std::strerror(error));
    return life.error();
  }
  try {
    vicinities_.push_back({domain, 1, false, std::move(*life)});
  } catch (const std::bad_alloc&) {
    return Error{ENOMEM, "no memory for another domain"};
  }
  if (!mates_.entered()) join_mates();
  return true;
}

void Xen::leave(std::uint32_t domain) noexcept {
  Vicinity* const vicinity = find_vicinity(domain);
  if (--vicinity->links > 0) return;
  if (vicinity->watched && !deaf_) calls_->unwatch(directory_of(domain).data());
  vicinities_.erase(vicinities_.begin() + (vicinity - vicinities_.data()));
}

// From the first peer in another domain on.
void Xen::join_mates() noexcept {
  if (const int error = mates_.enter(sign_.network()))
    complain(counters_.exhausted, "other processes of this VM to count", std::strerror(error));
  count_mates();
}

// Our part of what the VM may grant, without the life pages that we may need.
void Xen::count_mates() noexcept {
  const std::size_t part =
      fixed_pages_ != 0 ? fixed_pages_ : part_of(calls_->limit(), mates_.count(sign_.network()));
  const std::size_t pages = part > kMostDomains ? part - kMostDomains : 0;
  other_budget_ = other_budget_ || pages != budget_->pages;
  budget_->pages = pages;
}

// The owner's link is no more. The peer learns of it now, or at the end of this pass of progress(),
// when many may have gone: nobody may ever come to another one.
void Xen::part(XenLink& link) noexcept {
  std::erase(links_, &link);
  if (is_childs()) return;
  leave(link.peer().domid);
  if (progressing_)
    dirty_ = pending_ = true;
  else if (!is_elsewhere())
    publish();
  set_timer();
}

void Xen::changed() noexcept {
  dirty_ = pending_ = true;
  if (!progressing_) wake();
}

void Xen::granted_changed() noexcept {
  granted_changed_ = true;
  set_timer();
}

void Xen::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(todo_.get(), &one, sizeof one);
}

Xen::Vicinity* Xen::find_vicinity(std::uint32_t domain) noexcept {
  const auto found = std::find_if(vicinities_.begin(), vicinities_.end(),
                                  [&](const Vicinity& each) { return each.domain == domain; });
  return found == vicinities_.end() ? nullptr : &*found;
}

XenLink* Xen::find_from(std::uint64_t key) noexcept {
  const auto at =
      std::lower_bound(links_.begin(), links_.end(), key,
                       [](const XenLink* link, std::uint64_t k) { return link->key() < k; });
  return at != links_.end() ? *at : nullptr;
}

// One warning for each kind of trouble.
void Xen::complain(std::uint64_t& counter, const char* what, const char* why) noexcept {
  if (counter++ == 0) util::log(Level::kWarn, "no shared memory for %s: %s", what, why);
}

}  // namespace xs::hv
