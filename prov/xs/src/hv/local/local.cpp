// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/local.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "hv/local/bell.hpp"
#include "hv/local/peer_user.hpp"
#include "hv/local/place.hpp"
#include "hv/local/socket_name.hpp"
#include "util/log.hpp"
#include "util/reserve.hpp"

namespace xs::hv {

using util::Error;
using util::Level;
using util::Result;

namespace {

UniqueFd new_socket() noexcept {
  return UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

constexpr int kEventsAtOnce = 64;
constexpr int kStepsAtOnce = 32;  // of one link; its socket stays readable

}  // namespace

Result<std::unique_ptr<Local>> Local::open(const std::string& simulated_host,
                                           util::Random& random) noexcept {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Error{errno, "no descriptor to wait on"};
  std::unique_ptr<Local> local(new (std::nothrow) Local(random, Watch(std::move(epoll))));
  if (!local) return Error{ENOMEM, "no memory for sharing"};
  auto begun = local->begin(simulated_host);
  if (!begun) return begun.error();
  return local;
}

Local::~Local() = default;

Result<bool> Local::begin(const std::string& simulated_host) noexcept {
  auto host = real_host();
  if (!host) return host.error();
  real_host_ = *host;
  card_ = {
      .host = host_within(real_host_, simulated_host), .process = new_nonce(), .generation = 1};
  if (simulated_host.starts_with('@')) {
    auto begun = begin_vm(simulated_host.substr(1));
    if (!begun) return begun.error();
  }
  spare_ = UniqueFd(fcntl(watch_.fd(), F_DUPFD_CLOEXEC, 0));
  if (!spare_) return Error{errno, "no descriptor to be introduced by"};
  return begin_listening();
}

Result<bool> Local::begin_listening() noexcept {
  UniqueFd listener = new_socket();
  if (!listener) return Error{errno, "no descriptor to be introduced by"};
  const SocketName name(card_);
  if (bind(listener.get(), name.get(), name.size) != 0 || listen(listener.get(), SOMAXCONN) != 0)
    return Error{errno, "no socket to be introduced by"};
  if (const int error = watch_.add(listener.get(), kCalled, EPOLLIN))
    return Error{error, "the introducing socket can't be watched"};
  listener_ = std::move(listener);
  return true;
}

Result<std::unique_ptr<Link>> Local::meet(const Card& peer) noexcept {
  if (peer.host != card_.host || (vm_ && vm_->untold)) {
    ++counters_.elsewhere;
    return Error{EHOSTUNREACH, "the peer lives elsewhere"};
  }
  if (!is_real() && !is_mate(peer.process)) {
    if (card_.paused()) return Error{EAGAIN, "this VM is about to be moved"};
    if (peer.paused()) return Error{EHOSTUNREACH, "the peer's VM is about to be moved"};
  }
  if (peer.process == card_.process) return Error{EINVAL, "the peer is this process"};
  const bool known = std::any_of(links_.begin(), links_.end(), [&](const LocalLink* link) {
    return link->peer().process == peer.process;
  });
  if (known) return Error{EALREADY, "there is a link with this peer"};
  try {
    util::reserve_for(links_, links_.size() + 1);
  } catch (const std::bad_alloc&) {
    return Error{ENOMEM, "no memory for a link"};
  }
  std::unique_ptr<LocalLink> link(new (std::nothrow) LocalLink(*this, peer, ++last_key_));
  if (!link) return Error{ENOMEM, "no memory for a link"};
  links_.push_back(link.get());
  listen_again();
  if (const int error = meet_now(*link)) {
    const bool quiet = error == ECONNREFUSED;
    if (!quiet) complain(counters_.exhausted, std::strerror(error));
    return Error{error, "no link with this peer"};
  }
  return std::unique_ptr<Link>(std::move(link));
}

int Local::meet_now(LocalLink& link) noexcept {
  if (card_.process < link.peer().process) return call(link);
  const auto guest =
      std::find_if(callers_.begin(), callers_.end(), [&](const std::unique_ptr<Caller>& caller) {
        return caller->process == link.peer().process &&
               caller->generation == link.peer().generation;
      });
  if (guest == callers_.end()) return 0;  // it will call
  Channel channel = std::move((*guest)->channel);
  UniqueFd bell = std::move((*guest)->bell);
  callers_.erase(guest);
  return link.connect(std::move(channel), std::move(bell));
}

int Local::call(LocalLink& link) noexcept {
  UniqueFd socket = new_socket();
  if (!socket) return errno;
  const SocketName name(link.peer());
  // Connects at once or not at all; a full queue of callers (EAGAIN) means: no.
  if (connect(socket.get(), name.get(), name.size) != 0) return ECONNREFUSED;
  if (!is_our_user(socket)) {
    ++counters_.other_user;
    return ECONNREFUSED;
  }
  return link.connect(Channel(std::move(socket)), UniqueFd());
}

bool Local::progress(Events& events) noexcept {
  std::array<struct epoll_event, kEventsAtOnce> ready;
  const int count = epoll_wait(watch_.fd(), ready.data(), kEventsAtOnce, 0);
  for (int i = 0; i < count; ++i) serve(ready[static_cast<std::size_t>(i)], events);
  return count > 0;
}

// Whatever is told may destroy any link, so every one is looked up afresh.
void Local::serve(const struct epoll_event& event, Events& events) noexcept {
  switch (event.data.u64) {
    case kCalled:
      return accept_callers(events);
    case kVmWritten:
      return vm_written(events);
    case kToTell:
      return tell_of_move(events);
    case kToBury:
      return bury();
    default:
      break;
  }
  const std::uint64_t key = event.data.u64 / 2;
  if (event.data.u64 % 2 == 0) return serve_socket(key, event.events, events);
  LocalLink* link = find(key);
  if (link && link->state() == LinkState::kMeeting) {
    // The peer may ring before we have heard its greeting, which it has sent by then.
    tell(*link, link->step(), events);
    link = find(key);
  }
  if (!link || link->state() != LinkState::kOpen) return;
  ++counters_.rung;
  events.rung(*link);
}

void Local::serve_socket(std::uint64_t key, std::uint32_t ready, Events& events) noexcept {
  const auto caller =
      std::find_if(callers_.begin(), callers_.end(),
                   [&](const std::unique_ptr<Caller>& each) { return each->key == key; });
  if (caller != callers_.end())
    return hear_caller(static_cast<std::size_t>(caller - callers_.begin()), events);
  LocalLink* link = find(key);
  if (link && (ready & EPOLLOUT)) link->flush();
  for (int i = 0; link && i < kStepsAtOnce; ++i, link = find(key)) {
    const News news = link->step();
    if (news == News::kNothing) return;
    tell(*link, news, events);
  }
}

void Local::tell(LocalLink& link, News news, Events& events) noexcept {
  switch (news) {
    case News::kOpened:
      ++counters_.opened;
      return events.opened(link);
    case News::kPages:
      return events.pages_came(link);
    case News::kLost:
      if (link.loss() == Loss::kGone) ++counters_.gone;
      link.release();
      return events.lost(link, link.loss());
    case News::kMore:
    case News::kNothing:
      return;
  }
}

LocalLink* Local::find(std::uint64_t key) noexcept {
  LocalLink* const link = find_from(key);
  return link && link->key() == key ? link : nullptr;
}

LocalLink* Local::find_from(std::uint64_t key) noexcept {
  const auto at =
      std::lower_bound(links_.begin(), links_.end(), key,
                       [](const LocalLink* link, std::uint64_t k) { return link->key() < k; });
  return at != links_.end() ? *at : nullptr;
}

void Local::forget(const LocalLink& link) noexcept { std::erase(links_, &link); }

}  // namespace xs::hv
