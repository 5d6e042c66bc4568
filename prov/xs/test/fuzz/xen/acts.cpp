// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the user, the other domain and our own domain's processes do, as the fuzzer's bytes have it.
#include <algorithm>
#include <cerrno>

#include "fuzz/xen/world.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using hv::LinkState;

namespace {

constexpr std::size_t kMostGranted = 16;
constexpr std::size_t kMostHeld = 8;  // shares of a link, mappings of all
constexpr std::uint64_t kMagic = 0x31474e4552475358;
constexpr std::uint64_t kLifeMagic = 0x314546494c535358;
constexpr std::size_t kAliveAt = 24;
constexpr std::size_t kInHead = 6;  // pages that need no list

}  // namespace

void XenWorld::act() {
  const std::uint8_t what = script_.next();
  Peer& peer = somebody();
  switch (what % 14) {
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
      map(peer);
      break;
    case 5:
      let_go(peer);
      break;
    case 6:
      write_note(peer);
      break;
    case 7:
      grant_life(peer);
      break;
    case 8:
      grant_pages();
      break;
    case 9:
      change_grant();
      break;
    case 10:
      what < 0x80 ? take_back() : announce();
      break;
    case 11:
      open_well(peer);
      break;
    case 12:
      what < 0x80 ? put_name() : machine_.remove(hv::node_of(kThem, peer.card.process).data());
      break;
    default:
      lies_ = what % 4;
  }
  check();
}

// ---- Our user ----

void XenWorld::meet(Peer& peer) {
  hv::Card card = peer.card;
  const std::uint8_t form = script_.next();
  if ((form & 1) != 0) card.generation = near(card.generation);
  if (form >= 0xf0) card.pauses = 1;
  const int error = LinkWorld::meet(*xen_, peer, card);
  require(error == 0 || (error == EALREADY && peer.link) ||
          (error == EAGAIN && xen_->card().paused()) || (error == EHOSTUNREACH && card.paused()));
}

void XenWorld::share(Peer& peer) {
  const std::size_t pages = script_.next() % 24u;
  if (!peer.link || peer.shares.size() >= kMostHeld) return;
  auto shared = peer.link->share(pages);
  if (shared) return peer.shares.push_back(std::move(*shared));
  const int error = shared.error().code;
  require(error == EAGAIN || error == ENOTCONN || (error == EMSGSIZE && pages == 0));
}

void XenWorld::map(Peer& peer) {
  const std::uint8_t which = script_.next(), form = script_.next();
  if (!peer.link || granted_.empty() || mapped_.size() >= kMostHeld) return;
  hv::GrantName name = granted_[which % granted_.size()].name;
  if ((form & 1) != 0) name.head = static_cast<std::uint32_t>(near(name.head));
  if ((form & 2) != 0) name.pages = static_cast<std::uint32_t>(near(name.pages));
  if ((form & 4) != 0) name.number = near(name.number);
  if ((form & 8) != 0) name.nonce.low ^= script_.next();
  if ((form & 0xf0) == 0xf0) name.pages = script_.number<std::uint32_t>();
  const LinkState before = peer.link->state();
  auto mapping = peer.link->map(hv::encode(name));
  if (mapping) {
    require(before == LinkState::kOpen);
    const std::size_t size = name.pages * hv::kPageSize - hv::kHeadSize;
    return mapped_.push_back({std::move(*mapping), size});
  }
  const int error = mapping.error().code;
  require(error == EAGAIN || error == EBADMSG || error == ENOTCONN);
  require(error != EBADMSG || peer.link->state() == LinkState::kLost);
}

void XenWorld::let_go(Peer& peer) {
  const std::uint8_t form = script_.next();
  if (form % 4 == 0) peer.link.reset();
  if (form % 4 == 1 && !peer.shares.empty()) peer.shares.erase(peer.shares.begin());
  if (form % 4 == 2)
    for (auto& each : peer.shares) each->revoke();
  if (form % 4 == 3 && !mapped_.empty()) mapped_.erase(mapped_.begin());
}

// ---- Domain 2's text ----

void XenWorld::put_note(Peer& peer, std::string text) {
  machine_.put(hv::node_of(kThem, peer.card.process).data(), text);
}

// What it should say now, or something near.
void XenWorld::write_note(Peer& peer) {
  const std::uint8_t form = script_.next();
  const auto ours = hv::parse_note(machine_.value(own_node()), peer.card.process, kThem);
  const auto session = static_cast<std::uint32_t>((form & 1) != 0 ? near(5) : 5);
  const std::uint32_t echo = ours ? ours->session : 0;
  hv::Note note((form & 2) != 0 ? near(peer.card.generation) : peer.card.generation, 7);
  if ((form & 4) != 0) note.add_quiesced(script_.next());
  if ((form & 8) == 0) note.add_life(kUs, peer.life);
  note.add_peer(xen_->card().process, session,
                static_cast<std::uint32_t>((form & 16) != 0 ? near(echo) : echo),
                (form & 32) != 0 ? std::optional<std::uint32_t>(script_.next()) : std::nullopt);
  std::string text(note.text());
  if ((form & 64) != 0) text += word() + '\n';
  if ((form & 128) != 0) {
    const std::size_t at = script_.next() % text.size();
    const std::uint8_t byte = script_.next();
    byte < 0xf0 ? void(text[at] = static_cast<char>(byte)) : text.resize(at);
  }
  put_note(peer, std::move(text));
}

// ---- Domain 2's pages ----

void XenWorld::grant_life(Peer& peer) {
  const std::uint8_t form = script_.next();
  if (granted_.size() >= kMostGranted) take_back();
  auto page = theirs_->share(kUs, {&peer.life, 1});
  if (!page) return;
  util::store(*page, kLifeMagic);
  util::store(*page + 8, peer.card.process.high);
  util::store(*page + 16, peer.card.process.low);
  (*page)[kAliveAt] = std::byte{form < 0xf0 ? std::uint8_t{1} : form};
  if ((form & 1) != 0) (*page)[script_.next() % 32u] ^= std::byte{script_.next()};
  granted_.push_back({*page, {peer.life}, {.head = peer.life, .pages = 1}});
}

void XenWorld::grant_pages() {
  const std::size_t pages = 1 + script_.next() % 20u;
  if (granted_.size() >= kMostGranted) take_back();
  std::vector<std::uint32_t> references(hv::granted_for(pages));
  auto begin = theirs_->share(kUs, references);
  if (!begin) return;
  granted_.push_back({*begin,
                      std::move(references),
                      {.head = 0,
                       .pages = static_cast<std::uint32_t>(pages),
                       .number = dice_->next() | 1,
                       .nonce = {dice_->next(), 7}}});
  granted_.back().name.head = granted_.back().references[0];
  write_grant(granted_.back());
}

void XenWorld::write_grant(const Granted& granted) {
  util::store(granted.begin, kMagic);
  util::store(granted.begin + 8, granted.name.number);
  util::store(granted.begin + 16, granted.name.nonce.high);
  util::store(granted.begin + 24, granted.name.nonce.low);
  util::store(granted.begin + 32, granted.name.pages);
  const std::size_t pages = granted.name.pages;
  std::byte* const list =
      pages <= kInHead ? granted.begin + 40 : granted.begin + pages * hv::kPageSize;
  for (std::size_t i = 0; i + 1 < pages; ++i) util::store(list + 4 * i, granted.references[i + 1]);
  if (pages > kInHead) util::store(granted.begin + 40, granted.references[pages]);
}

// A word of the first page, or of the last, which may be the list's.
void XenWorld::change_grant() {
  const std::uint8_t which = script_.next(), where = script_.next();
  if (granted_.empty()) return;
  const Granted& granted = granted_[which % granted_.size()];
  const std::size_t last = where < 0x80 ? 0 : granted.references.size() - 1;
  std::byte* const word = granted.begin + last * hv::kPageSize + 4 * (where % 16u);
  const std::uint8_t what = script_.next();
  util::store(word, what < 0x40   ? util::load<std::uint32_t>(word) ^ script_.next()
                    : what < 0xc0 ? granted_[what % granted_.size()].references[0]
                                  : script_.number<std::uint32_t>());
}

void XenWorld::take_back() {
  if (granted_.empty()) return;
  const auto at = granted_.begin() + script_.next() % static_cast<std::ptrdiff_t>(granted_.size());
  theirs_->unshare(at->begin, at->references.size());
  granted_.erase(at);
}

// The whole way until the link is open, if nothing is in it.
void XenWorld::open_well(Peer& peer) {
  if (!peer.link) meet(peer);
  progress();
  grant_life(peer);
  for (int i = 0; i < 2; ++i) {
    write_note(peer);
    progress();
  }
}

// ---- Our own domain's part of the store ----

std::string XenWorld::word() {
  std::string text;
  for (unsigned left = script_.next() % 64; left > 0; --left) {
    const auto letter = static_cast<char>(script_.next());
    if (letter != '\0' && letter != '/') text += letter;
  }
  return text;
}

// As a process that was killed, or as nobody would; or more of them than a list has room for.
void XenWorld::put_name() {
  constexpr std::size_t kMostNodes = 20, kMany = 75;
  const std::uint8_t form = script_.next();
  const std::string directory =
      form & 1 ? "/local/domain/1/data/xs/" : "/local/domain/1/data/xs-here/";
  std::string name = form & 2 ? word() : hv::node_of({script_.next() + 1u, 0}).data() + 8;
  if (form & 4) name.resize(60, 'f');
  std::erase(name, '\n');
  const std::string value = form & 8 ? word() : "xs1 1 f00\n";
  if (name.empty() || machine_.used(kUs).nodes > kMostNodes) return;
  machine_.put(directory + name, value);
  for (std::size_t i = 0; form >= 0xf0 && i < kMany; ++i)
    machine_.put(directory + std::to_string(10 + i) + name, value);
}

void XenWorld::announce() {
  const std::uint8_t form = script_.next();
  const std::string node = "/local/domain/1/data/xs-here/quiesce";
  if (form < 0x60) return machine_.remove(node);
  machine_.put(node, form < 0xc0 ? "2a" : word());
}

}  // namespace xs::fuzz
