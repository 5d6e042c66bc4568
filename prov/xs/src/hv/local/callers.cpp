// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who calls at the introducing socket: peers that we know, peers that are early, and strangers.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "hv/local/bell.hpp"
#include "hv/local/local.hpp"
#include "hv/local/peer_user.hpp"
#include "util/log.hpp"
#include "util/reserve.hpp"

namespace xs::hv {

namespace {

constexpr int kCallersAtOnce = 16;

bool lacks_something(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

void Local::accept_callers(Events& events) noexcept {
  for (int i = 0; i < kCallersAtOnce; ++i) {
    UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      add_caller(std::move(socket), events);
    } else if (!lacks_something(errno) || !refuse_one()) {
      return;
    }
  }
}

// Gives up the spare descriptor so that a caller can be told no: left in the queue, it would wait
// for us, and keep us awake. False: there is no more to be done here.
bool Local::refuse_one() noexcept {
  spare_.reset();
  UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool refused = static_cast<bool>(socket);
  // The lack of a descriptor is found before the lack of a caller.
  const bool nobody = !refused && !lacks_something(errno);
  socket.reset();
  spare_ = UniqueFd(fcntl(watch_.fd(), F_DUPFD_CLOEXEC, 0));
  if (!nobody) complain(counters_.exhausted, "no descriptor free for a caller");
  if (spare_ && (refused || nobody)) return refused;
  // Somebody else was faster with the free descriptor, or it is not the only thing that lacks.
  watch_.change(listener_.get(), kCalled, 0);
  deaf_ = true;
  return false;
}

void Local::listen_again() noexcept {
  if (!deaf_) return;
  if (!spare_) spare_ = UniqueFd(fcntl(watch_.fd(), F_DUPFD_CLOEXEC, 0));
  if (!spare_) return;
  if (listener_)
    deaf_ = watch_.change(listener_.get(), kCalled, EPOLLIN) != 0;
  else
    deaf_ = !begin_listening();
}

void Local::add_caller(UniqueFd socket, Events& events) noexcept {
  if (!is_our_user(socket)) {
    ++counters_.other_user;
    return;
  }
  evict(true, kMostSilent - 1);
  try {
    auto caller = std::make_unique<Caller>();
    util::reserve_for(callers_, callers_.size() + 1);
    caller->key = ++last_key_;
    caller->channel = Channel(std::move(socket));
    if (watch_.add(caller->channel.fd(), 2 * caller->key, EPOLLIN) != 0) return;
    callers_.push_back(std::move(caller));
  } catch (const std::bad_alloc&) {
    return complain(counters_.exhausted, "no memory for a caller");
  }
  // An honest caller has spoken already.
  hear_caller(callers_.size() - 1, events);
}

// The oldest ones go until no more than `most` are left.
void Local::evict(bool silent, std::size_t most) noexcept {
  const auto is_kind = [&](const std::unique_ptr<Caller>& caller) {
    return (caller->process == Id{}) == silent;
  };
  auto count = static_cast<std::size_t>(std::count_if(callers_.begin(), callers_.end(), is_kind));
  for (; count > most; --count) {
    const auto oldest = std::find_if(callers_.begin(), callers_.end(), is_kind);
    drop_caller(static_cast<std::size_t>(oldest - callers_.begin()));
    ++counters_.evicted;
  }
}

void Local::hear_caller(std::size_t index, Events& events) noexcept {
  Caller& caller = *callers_[index];
  Message message;
  UniqueFd fd;
  switch (caller.channel.receive(message, fd)) {
    case Got::kNothing:
      return;
    case Got::kEnd:
      return drop_caller(index);
    case Got::kExhausted:
      complain(counters_.exhausted, "no descriptor free for what a caller hands over");
      return drop_caller(index);
    case Got::kNonsense:
      complain(counters_.nonsense, "a caller says nonsense");
      return drop_caller(index);
    case Got::kMessage:
      break;
  }
  // A guest has nothing to say before it is greeted.
  const bool again = caller.process != Id{};
  if (again || message.kind != MessageKind::kHello || !is_bell(fd) ||
      !(message.from < card_.process)) {
    complain(counters_.nonsense, "a caller says things out of order");
    return drop_caller(index);
  }
  if (message.to != card_.process || message.second != card_.generation) {
    ++counters_.stale;
    return drop_caller(index);
  }
  caller.process = message.from;
  caller.generation = message.first;
  caller.bell = std::move(fd);
  admit(index, events);
}

void Local::admit(std::size_t index, Events& events) noexcept {
  const Caller& caller = *callers_[index];
  const auto link = std::find_if(links_.begin(), links_.end(), [&](const LocalLink* each) {
    return each->peer().process == caller.process && each->expects_call();
  });
  // A newer life than the one that is expected: its card is under way to us.
  const bool newer = link != links_.end() && (*link)->peer().generation < caller.generation;
  if (link == links_.end() || newer) return evict(false, kMostGuests);
  if ((*link)->peer().generation != caller.generation) {
    ++counters_.stale;
    return drop_caller(index);
  }
  Channel channel = std::move(callers_[index]->channel);
  UniqueFd bell = std::move(callers_[index]->bell);
  callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(index));
  const int error = (*link)->connect(std::move(channel), std::move(bell));
  if (error == 0) return;
  if (error != ECONNREFUSED) ++counters_.exhausted;
  (*link)->lose(error == ECONNREFUSED ? Loss::kGone : Loss::kExhausted,
                "no descriptor free for a link");
  tell(**link, News::kLost, events);
}

void Local::drop_caller(std::size_t index) noexcept {
  watch_.remove(callers_[index]->channel.fd());
  callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(index));
  listen_again();
}

// One warning for each kind of trouble.
void Local::complain(std::uint64_t& counter, const char* what) noexcept {
  if (counter++ == 0) util::log(util::Level::kWarn, "sharing memory with peers: %s", what);
}

}  // namespace xs::hv
