// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/link.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <new>

#include "hv/local/bell.hpp"
#include "hv/local/local.hpp"
#include "hv/local/share.hpp"
#include "util/log.hpp"

namespace xs::hv {

using util::Error;
using util::Result;

LocalLink::LocalLink(Local& backend, const Card& peer, std::uint64_t key) noexcept
    : backend_(backend),
      peer_(peer),
      key_(key),
      within_vm_(backend.is_real() || backend.is_mate(peer.process)) {}

LocalLink::~LocalLink() {
  for (LocalShare* share : shares_)
    if (share) share->detach();
  release();
  backend_.forget(*this);
}

int LocalLink::connect(Channel channel, UniqueFd their_bell) noexcept {
  auto bell = make_bell();
  if (!bell) return bell.error().code;
  own_bell_ = std::move(*bell);
  channel_ = std::move(channel);
  their_bell_ = std::move(their_bell);
  greeted_ = static_cast<bool>(their_bell_);
  if (!watch_socket()) return ENOSPC;
  backend_.hear_of_life(channel_.fd());
  if (const int error = backend_.watch().add(own_bell_.get(), 2 * key_ + 1, EPOLLIN | EPOLLET))
    return error;
  const Message hello{.kind = MessageKind::kHello,
                      .from = backend_.card().process,
                      .to = peer_.process,
                      .first = backend_.card().generation,
                      .second = peer_.generation};
  const Gave gave = channel_.try_send(hello, own_bell_);
  // So that progress() tells of the opening, and nobody else.
  if (greeted_) ring_bell(own_bell_);
  if (gave == Gave::kEnd) return ECONNREFUSED;
  return gave == Gave::kSent ? 0 : ENOBUFS;
}

bool LocalLink::watch_socket() noexcept {
  const std::uint32_t events = EPOLLIN | (channel_.waits() ? std::uint32_t{EPOLLOUT} : 0u);
  Watch& watch = backend_.watch();
  const int error = watch.change(channel_.fd(), 2 * key_, events);
  return error == 0 || (error == ENOENT && watch.add(channel_.fd(), 2 * key_, events) == 0);
}

Result<std::unique_ptr<Share>> LocalLink::share(std::size_t pages) noexcept {
  if (state_ == LinkState::kLost) return Error{ENOTCONN, "the link is lost"};
  LocalShare** const place = place_of(nullptr);
  if (state_ == LinkState::kMeeting || cut_off_ || channel_.waits() || !place)
    return Error{EAGAIN, "no share now"};
  const Id nonce = backend_.new_nonce();
  auto made = make_pages(pages, nonce);
  if (!made) return made.error().code == EMSGSIZE ? made.error() : lacks(made.error());
  const PagesName name{backend_.new_share_number(), made->range.size(), nonce};
  std::unique_ptr<LocalShare> share(new (std::nothrow) LocalShare(
      *this, backend_.shared(within_vm_), std::move(made->range), name));
  if (!share) return lacks({ENOMEM, "no memory for a share"});
  const Message message{.kind = MessageKind::kPages, .first = name.number, .second = name.size};
  const Gave gave = channel_.send(message, std::move(made->memfd));
  if (gave == Gave::kWaits) watch_socket();
  if (gave == Gave::kSent || gave == Gave::kWaits) {
    *place = share.get();
    return std::unique_ptr<Share>(std::move(share));
  }
  share->detach();
  if (gave == Gave::kExhausted) return lacks({ENOBUFS, "a descriptor can't be handed over"});
  return Error{ENOTCONN, "the peer has gone"};
}

Result<std::unique_ptr<Mapping>> LocalLink::map(const Offer& offer) noexcept {
  if (state_ == LinkState::kLost) return Error{ENOTCONN, "the link is lost"};
  const PagesName name = decode(offer);
  Unclaimed* const found = name.number == 0 ? nullptr : find(name.number);
  if (!found) return Error{EAGAIN, "these pages are not there"};
  found->number = 0;
  Range range = std::move(found->range);
  if (name.size != range.size() || !proves(range, name.nonce)) {
    ++backend_.count().bad_pages;
    lose(Loss::kFault, "its pages are not those that it offered");
    return Error{EBADMSG, "pages that prove nothing"};
  }
  std::unique_ptr<Mapping> mapping(
      new (std::nothrow) LocalMapping(backend_.mapped(within_vm_), key_, std::move(range)));
  if (!mapping) return lacks({ENOMEM, "no memory for a mapping"});
  return mapping;
}

Rang LocalLink::ring() noexcept {
  if (state_ != LinkState::kOpen) return Rang::kNotOpen;
  if (!cut_off_) ring_bell(their_bell_);
  return Rang::kRung;
}

News LocalLink::step() noexcept {
  // With its socket goes the occasion to be told twice.
  if (state_ == LinkState::kLost) return channel_ ? News::kLost : News::kNothing;
  if (!channel_) return News::kNothing;
  if (greeted_) {
    greeted_ = false;
    state_ = LinkState::kOpen;
    return News::kOpened;
  }
  Message message;
  UniqueFd fd;
  switch (channel_.receive(message, fd)) {
    case Got::kMessage:
      return take(message, std::move(fd));
    case Got::kNothing:
      return News::kNothing;
    case Got::kEnd:
      return lost(Loss::kGone, "");
    case Got::kExhausted:
      ++backend_.count().exhausted;
      return lost(Loss::kExhausted, "no descriptor free for what it hands over");
    case Got::kNonsense:
      break;
  }
  ++backend_.count().nonsense;
  return lost(Loss::kFault, "it says nonsense");
}

News LocalLink::take(const Message& message, UniqueFd fd) noexcept {
  const bool meeting = state_ == LinkState::kMeeting;
  if (meeting && message.kind == MessageKind::kHello) return take_hello(message, std::move(fd));
  if (!meeting && message.kind == MessageKind::kPages) return take_pages(message, std::move(fd));
  if (!meeting && message.kind == MessageKind::kWithdraw) {
    if (Unclaimed* const found = message.first == 0 ? nullptr : find(message.first)) {
      found->number = 0;
      found->range = Range();
    }
    return News::kMore;
  }
  if (!meeting && message.kind == MessageKind::kOnes) {
    backend_.mapped(within_vm_).make_ones(key_);
    unclaimed_ = {};
    return News::kMore;
  }
  ++backend_.count().nonsense;
  return lost(Loss::kFault, "it says things out of order");
}

News LocalLink::take_hello(const Message& message, UniqueFd fd) noexcept {
  const Card& own = backend_.card();
  const bool right = message.from == peer_.process && message.to == own.process &&
                     message.second == own.generation && is_bell(fd);
  if (!right) {
    ++backend_.count().nonsense;
    return lost(Loss::kFault, "its greeting is not for this process");
  }
  if (message.first != peer_.generation) {
    ++backend_.count().stale;
    return lost(Loss::kGone, "");
  }
  their_bell_ = std::move(fd);
  state_ = LinkState::kOpen;
  return News::kOpened;
}

News LocalLink::take_pages(const Message& message, UniqueFd fd) noexcept {
  Unclaimed* const place = find(0);
  if (!place || message.first <= heard_) {
    ++backend_.count().nonsense;
    return lost(Loss::kFault, "it shares out of order, or too much");
  }
  heard_ = message.first;
  auto range = map_pages(fd, message.second);
  if (range) {
    *place = {message.first, std::move(*range)};
    return News::kPages;
  }
  const bool bad = range.error().code == EBADMSG;
  ++(bad ? backend_.count().bad_pages : backend_.count().exhausted);
  return lost(bad ? Loss::kFault : Loss::kExhausted, range.error().what);
}

News LocalLink::lost(Loss why, const char* reason) noexcept {
  lose(why, reason);
  return News::kLost;
}

void LocalLink::lose(Loss why, const char* reason) noexcept {
  if (state_ == LinkState::kLost) return;
  state_ = LinkState::kLost;
  loss_ = why;
  channel_.hang_up();
  if (why == Loss::kFault || why == Loss::kExhausted)
    util::log(util::Level::kWarn,
              "no shared memory with process %016" PRIx64 " (host %016" PRIx64 "): %s",
              peer_.process.high, peer_.host.high, reason);
}

Error LocalLink::lacks(const Error& error) noexcept {
  ++backend_.count().exhausted;
  if (!warned_)
    util::log(util::Level::kWarn, "no shared memory for process %016" PRIx64 " now: %s: %s",
              peer_.process.high, error.what, std::strerror(error.code));
  warned_ = true;
  return error;
}

void LocalLink::flush() noexcept {
  if (!channel_ || state_ == LinkState::kLost) return;
  if (channel_.flush() == Gave::kExhausted) {
    ++backend_.count().exhausted;
    lose(Loss::kExhausted, "a descriptor can't be handed over");
  } else {
    watch_socket();
  }
}

Channel LocalLink::cut_off(bool ones) noexcept {
  if (state_ == LinkState::kLost || cut_off_) return Channel();
  cut_off_ = true;
  backend_.watch().remove(channel_.fd());
  backend_.forget_life(channel_.fd());
  backend_.watch().remove(own_bell_.get());
  unclaimed_ = {};
  const Message message{.kind = MessageKind::kOnes};
  if (ones && state_ == LinkState::kOpen) channel_.try_send(message, UniqueFd());
  return std::move(channel_);
}

void LocalLink::lose_by_move() noexcept {
  if (state_ == LinkState::kLost) return;
  state_ = LinkState::kLost;
  loss_ = Loss::kMoved;
}

void LocalLink::release() noexcept {
  told_ = true;
  backend_.watch().remove(channel_.fd());
  backend_.forget_life(channel_.fd());
  backend_.watch().remove(own_bell_.get());
  channel_.close();
  own_bell_.reset();
  their_bell_.reset();
  unclaimed_ = {};
  backend_.listen_again();
}

void LocalLink::withdraw(LocalShare& share) noexcept {
  if (LocalShare** const place = place_of(&share)) *place = nullptr;
  if (state_ != LinkState::kOpen || cut_off_ || channel_.take_back(share.number())) return;
  const Message message{.kind = MessageKind::kWithdraw, .first = share.number()};
  if (channel_.send(message, UniqueFd()) == Gave::kWaits) watch_socket();
}

LocalLink::Unclaimed* LocalLink::find(std::uint64_t number) noexcept {
  const auto found = std::find_if(unclaimed_.begin(), unclaimed_.end(),
                                  [&](const Unclaimed& each) { return each.number == number; });
  return found == unclaimed_.end() ? nullptr : &*found;
}

LocalShare** LocalLink::place_of(const LocalShare* share) noexcept {
  const auto found = std::find(shares_.begin(), shares_.end(), share);
  return found == shares_.end() ? nullptr : &*found;
}

}  // namespace xs::hv
