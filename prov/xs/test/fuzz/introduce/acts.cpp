// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the user and the peers do, as the fuzzer's bytes have it.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fuzz/introduce/world.hpp"
#include "hv/local/bell.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using hv::LinkState;
using hv::Message;
using hv::MessageKind;
using hv::UniqueFd;
using test::RawPeer;

namespace {
constexpr std::size_t kMostFiles = 16;   // of one peer
constexpr std::size_t kMostMapped = 16;  // of one peer
}  // namespace

void IntroduceWorld::act() {
  const std::uint8_t what = script_.next();
  Peer& peer = somebody();
  switch (what % 18) {
    case 0:
    case 1:
      progress();
      break;
    case 2:
      meet(peer);
      break;
    case 3:
      share(peer);
      break;
    case 4:
      share_again_and_again(peer);
      break;
    case 5:
    case 6:
      map(peer);
      break;
    case 7:
      let_go(peer);
      break;
    case 8:
      call(peer);
      break;
    case 9:
      say_hello(peer);
      break;
    case 10:
    case 11:
      say_pages(peer);
      break;
    case 12:
      say_anything(peer);
      break;
    case 13:
      what < 0x80 ? say_bytes(peer) : say_with_many(peer);
      break;
    case 14:
      greet_well(peer);
      break;
    case 15:
      change_file(peer);
      break;
    case 16:
      hear(peer);
      break;
    default:
      hang_up(peer);
  }
  check();
}

// ---- Our user ----

void IntroduceWorld::meet(Peer& peer) {
  hv::Card card = peer.card;
  card.generation = near(card.generation);
  const int error = LinkWorld::meet(*local_, peer, card);
  require(error == 0 || error == (peer.link ? EALREADY : ECONNREFUSED));
}

void IntroduceWorld::share(Peer& peer) {
  const std::size_t pages = script_.next() % (kMostPages + 2);
  if (!peer.link) return;
  auto shared = peer.link->share(pages);
  if (!shared) {
    const int error = shared.error().code;
    return require(error == EAGAIN || error == ENOTCONN || (error == EMSGSIZE && pages == 0));
  }
  require((*shared)->bytes().size() == pages * hv::kPageSize - hv::kHeadSize);
  const std::byte pattern{++patterns_};
  std::ranges::fill((*shared)->bytes(), pattern);
  peer.shares.push_back({std::move(*shared), pattern});
}

// Until the socket of one who does not read is full.
void IntroduceWorld::share_again_and_again(Peer& peer) {
  for (int i = 0; peer.link && i < 40; ++i) {
    auto shared = peer.link->share(1);
    if (!shared) return;
  }
}

void IntroduceWorld::map(Peer& peer) {
  const std::uint8_t which = script_.next(), form = script_.next();
  if (!peer.link || peer.files.empty() || peer.mapped.size() >= kMostMapped) return;
  hv::PagesName name = peer.files[which % peer.files.size()]->name();
  if ((form & 1) != 0) name.number = near(name.number);
  if ((form & 2) != 0) name.size = near(name.size / hv::kPageSize) * hv::kPageSize;
  if ((form & 4) != 0) (form & 8 ? name.nonce.high : name.nonce.low) ^= script_.next();
  const LinkState before = peer.link->state();
  auto mapping = peer.link->map(hv::encode(name));
  if (!mapping) {
    const int error = mapping.error().code;
    require(error == EAGAIN || error == EBADMSG || error == ENOTCONN);
    // A lie costs the link, and nothing else does here.
    const bool lost = before != LinkState::kLost && peer.link->state() == LinkState::kLost;
    return require(lost == (error == EBADMSG));
  }
  require(before == LinkState::kOpen);
  require(std::ranges::any_of(peer.files, [&](const std::unique_ptr<File>& file) {
    return file->is_good() && file->number == name.number && file->size == name.size &&
           file->proves(name.nonce);
  }));
  const auto bytes = (*mapping)->bytes();
  auto* const begin = const_cast<std::byte*>(bytes.data()) - hv::kHeadSize;
  require(peer.said_ones || mprotect(begin, hv::kPageSize, PROT_READ | PROT_WRITE) != 0);
  peer.mapped.push_back({std::move(*mapping), name.size - hv::kHeadSize});
}

// Or rings.
void IntroduceWorld::let_go(Peer& peer) {
  const std::uint8_t form = script_.next();
  switch (form % 5) {
    case 0:
      peer.link.reset();
      return;
    case 1:
      if (!peer.shares.empty()) peer.shares.erase(peer.shares.begin());
      return;
    case 2:
      for (OwnShare& each : peer.shares) each.share->revoke();
      return;
    case 3:
      if (!peer.mapped.empty()) peer.mapped.erase(peer.mapped.begin());
      return;
    default:
      if (!peer.link) return;
      require(peer.link->ring() ==
              (peer.link->state() == LinkState::kOpen ? hv::Rang::kRung : hv::Rang::kNotOpen));
  }
}

// ---- Sockets ----

RawPeer* IntroduceWorld::socket_of(Peer& peer) {
  if (!calls(peer) && peer.sockets.size() < kMostSockets) {
    UniqueFd socket(accept4(peer.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) peer.sockets.emplace_back(std::move(socket));
  }
  return peer.sockets.empty() ? nullptr : &peer.sockets.back();
}

void IntroduceWorld::call(Peer& peer) {
  if (peer.sockets.size() >= kMostSockets) return;
  RawPeer made = RawPeer::call(local_->card());
  if (made) peer.sockets.push_back(std::move(made));
}

void IntroduceWorld::hang_up(Peer& peer) {
  const std::uint8_t form = script_.next();
  if (RawPeer* const socket = socket_of(peer)) {
    if ((form & 1) != 0) socket->close();
    if ((form & 1) == 0) peer.sockets.pop_back();
  }
}

// ---- Messages ----

// To whom it may be: the whole way until the link is open, if nothing is in it.
void IntroduceWorld::greet_well(Peer& peer) {
  if (calls(peer)) call(peer);
  LinkWorld::meet(*local_, peer, peer.card);
  if (RawPeer* const socket = socket_of(peer))
    socket->say(RawPeer::hello(peer.card, local_->card()), test::bell());
  progress();
}

void IntroduceWorld::say_hello(Peer& peer) {
  const std::uint8_t form = script_.next();
  Message hello = RawPeer::hello(peer.card, local_->card());
  if ((form & 1) != 0) hello.first = near(hello.first);
  if ((form & 2) != 0) hello.second = near(hello.second);
  if ((form & 4) != 0) hello.from.high = script_.number<std::uint64_t>();
  if ((form & 8) != 0) hello.to.low ^= script_.next();
  if ((form & 16) != 0) hello.from = somebody().card.process;
  const UniqueFd fd = form < 0xc0 ? test::bell() : something(peer);
  if (RawPeer* const socket = socket_of(peer)) socket->say(hello, fd);
}

File& IntroduceWorld::new_file(Peer& peer, std::uint64_t number, File::Flaw flaw) {
  const std::size_t size = (1 + script_.next() % kMostPages) * hv::kPageSize;
  if (peer.files.size() >= kMostFiles) peer.files.erase(peer.files.begin());
  peer.files.push_back(std::make_unique<File>(size, flaw, number, hv::Id{names_.next(), 9}));
  return *peer.files.back();
}

// Mostly good ones, since the first bad one is the last.
void IntroduceWorld::say_pages(Peer& peer) {
  const std::uint8_t form = script_.next();
  const auto flaw = form < 0xd0 ? File::Flaw::kNone : static_cast<File::Flaw>(form % File::kFlaws);
  const File& file = new_file(peer, near(++numbers_), flaw);
  Message pages{.kind = MessageKind::kPages, .first = file.number, .second = file.size};
  if (form % 16 == 15) pages.second = near(pages.second / hv::kPageSize) * hv::kPageSize;
  if (form == 0xcf) pages.second = script_.number<std::uint64_t>();
  if (RawPeer* const socket = socket_of(peer)) socket->say(pages, file.fd());
}

UniqueFd IntroduceWorld::something(Peer& peer) {
  switch (script_.next() % 6) {
    case 0:
      return UniqueFd();
    case 1:
      return test::bell();
    case 2:
      return UniqueFd(eventfd(0, EFD_CLOEXEC));
    case 3:
      return UniqueFd(open("/dev/null", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    case 4:
      return UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    default:
      return UniqueFd(
          peer.files.empty() ? -1 : fcntl(peer.files.back()->fd().get(), F_DUPFD_CLOEXEC, 0));
  }
}

void IntroduceWorld::say_anything(Peer& peer) {
  const std::uint8_t form = script_.next();
  Message message{.kind = static_cast<MessageKind>(form % 8)};
  const std::uint8_t where = script_.next();
  message.first = peer.files.empty() ? script_.next() : near(peer.files.back()->number);
  message.second = script_.next() * std::uint64_t{hv::kPageSize};
  auto* const bytes = reinterpret_cast<std::byte*>(&message);
  if ((form & 0x40) != 0) bytes[where % sizeof message] ^= std::byte{script_.next()};
  peer.said_ones = peer.said_ones || message.kind == MessageKind::kOnes;
  const bool carries = message.kind == MessageKind::kHello || message.kind == MessageKind::kPages;
  const UniqueFd fd = (form & 0x80) != 0 || carries ? something(peer) : UniqueFd();
  if (RawPeer* const socket = socket_of(peer)) socket->say(message, fd);
}

// Of any length, none among them.
void IntroduceWorld::say_bytes(Peer& peer) {
  std::vector<std::byte> bytes(script_.next());
  const Message like = RawPeer::hello(peer.card, local_->card());
  std::copy_n(reinterpret_cast<const std::byte*>(&like), std::min(bytes.size(), sizeof like),
              bytes.begin());
  if (RawPeer* const socket = socket_of(peer)) socket->say_bytes(bytes.data(), bytes.size());
}

void IntroduceWorld::say_with_many(Peer& peer) {
  const std::uint8_t form = script_.next();
  std::vector<UniqueFd> held;
  std::vector<int> numbers;
  for (unsigned i = 0; i < form % 5u; ++i) {
    held.push_back(something(peer));
    if (held.back()) numbers.push_back(held.back().get());
  }
  Message message = RawPeer::hello(peer.card, local_->card());
  if ((form & 0x80) != 0)
    message = {.kind = MessageKind::kPages, .first = ++numbers_, .second = hv::kPageSize};
  RawPeer* const socket = socket_of(peer);
  if (!socket) return;
  if (numbers.empty())
    socket->say(message, UniqueFd());
  else
    socket->say_with_descriptors(message, numbers);
}

// ---- Memory ----

void IntroduceWorld::change_file(Peer& peer) {
  const std::uint8_t form = script_.next();
  const std::uint8_t which = script_.next();
  if (peer.files.empty()) return;
  File& file = *peer.files[which % peer.files.size()];
  if (form >= 0xc0) return file.try_to_trap(form);
  file.scribble(form % 12, form < 0x80 ? script_.next() : script_.number<std::uint64_t>());
}

// All that has come; and what can be written of it.
void IntroduceWorld::hear(Peer& peer) {
  RawPeer* const socket = socket_of(peer);
  if (!socket || !*socket) return;
  for (int i = 0; i < 64; ++i) {
    Message message;
    UniqueFd fd;
    if (socket->hear(message, fd) != hv::Got::kMessage) return;
    if (message.kind == MessageKind::kPages) try_to_write(fd, message.second);
    if (message.kind == MessageKind::kHello) hv::ring_bell(fd);
  }
}

void IntroduceWorld::try_to_write(const UniqueFd& file, std::size_t size) {
  const std::byte byte{0xff};
  require(pwrite(file.get(), &byte, 1, static_cast<off_t>(size / 2)) < 0);
  require(ftruncate(file.get(), 0) != 0 &&
          ftruncate(file.get(), static_cast<off_t>(2 * size)) != 0);
  require(fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    static_cast<off_t>(size)) != 0);
  require(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0) == MAP_FAILED);
}

}  // namespace xs::fuzz
