// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/rma_target.hpp"

#include <algorithm>
#include <array>

#include <cerrno>
#include <cstring>
#include <new>

#include "core/frame_out.hpp"
#include "core/sender.hpp"
#include "util/log.hpp"

namespace xs::core {

using proto::Kind;

RmaTarget::~RmaTarget() {
  peers_.for_each([this](Peer& peer) {
    while (!peer.rma.answers.empty()) answers_.drop(&peer.rma.answers.pop_front());
  });
}

RmaTarget::Place RmaTarget::find(const Range& range, unsigned rights) const noexcept {
  if (!exposed_.memory || (exposed_.rights & rights) != rights) return {.status = EACCES};
  Registration* const registration = exposed_.memory->under(range.key);
  if (!registration) return {.status = kNoKey};
  std::size_t offset = 0;
  if ((registration->rights & rights) != rights ||
      (registration->only && registration->only != this) ||
      !registration->holds(range.address, range.length, offset))
    return {.status = EACCES};
  return {.registration = registration, .offset = offset};
}

// The payload in private memory, after its second look: nothing of it may go to registered memory
// before. nullopt: `otherwise` says what became of the frame.
std::optional<util::Bytes> RmaTarget::settle(Payload& payload, Taken& otherwise) noexcept {
  if (payload.settled()) {
    (void)payload.take();
    return payload.bytes();
  }
  const std::size_t size = payload.size();
  if (size > settled_size_ && size <= proto::kLargestFrame) {
    settled_.reset(new (std::nothrow) std::byte[size]);
    settled_size_ = settled_ ? size : 0;
  }
  const bool fits = size <= settled_size_;
  if (fits) payload.copy(0, settled_.get(), size);
  otherwise = payload.take() ? Taken::kLie : Taken::kVanished;
  if (!fits || otherwise == Taken::kVanished) return std::nullopt;
  return util::Bytes(settled_.get(), size);
}

void RmaTarget::arrived(Peer& peer, Registration* there, RmaKind of, std::size_t length,
                        const std::uint64_t* data) noexcept {
  peer.rma_arrives_by().served.of(of).add(length);
  if (there) there->arrived(reads_back(of));
  reporter_.operation_arrived(of, length, data, peer.number);
}

// One more operation of the peer. False: it has too many without an answer.
bool RmaTarget::admit(Peer& peer) noexcept {
  return !peer.rma.arriving.open && ++peer.rma.owed <= kSendLimit;
}

// ---- Writes ----

Taken RmaTarget::write_received(Peer& peer, std::uint8_t flags, util::Bytes head,
                                Payload& payload) noexcept {
  Taken taken = Taken::kYes;
  const auto settled = settle(payload, taken);
  if (!settled) return taken;
  constexpr std::size_t kRest = proto::Write::kSize - proto::kPayloadHeadSize;
  std::array<std::byte, proto::Write::kSize> whole;
  std::memcpy(whole.data(), head.data(), proto::kPayloadHeadSize);
  std::memcpy(whole.data() + proto::kPayloadHeadSize, settled->data(), kRest);
  const auto write = proto::decode_write(whole);
  const util::Bytes bytes = settled->subspan(kRest);
  if (!write || bytes.size() > write->length) return Taken::kLie;
  if (peer.session->goodbye_sent()) return Taken::kYes;  // our GOODBYE crossed it
  if (!admit(peer)) return Taken::kLie;
  const Place to = find({write->key, write->address, write->length}, kWritable);
  peer.rma.arriving = {.open = true,
                       .is_atomic = false,
                       .id = write->id,
                       .registration = to.registration ? to.registration->number : 0,
                       .offset = to.offset,
                       .length = write->length,
                       .placed = 0,
                       .data = write->data,
                       .has_data = (flags & proto::kCqData) != 0,
                       .status = to.status,
                       .atomic = {},
                       .operands = nullptr};
  place(peer.rma.arriving, bytes);
  if (peer.rma.arriving.placed == write->length) write_arrived(peer);
  return Taken::kYes;
}

Taken RmaTarget::put_received(Peer& peer, util::Bytes head, Payload& payload) noexcept {
  Taken taken = Taken::kYes;
  const auto bytes = settle(payload, taken);
  if (!bytes) return taken;
  if (peer.session->goodbye_sent()) return Taken::kYes;
  const auto part = proto::decode_part(head);
  Arriving& arriving = peer.rma.arriving;
  if (!part || !arriving.open || part->id != arriving.id || part->offset != arriving.placed ||
      bytes->empty() || bytes->size() > arriving.length - arriving.placed)
    return Taken::kLie;
  place(arriving, *bytes);
  if (arriving.placed < arriving.length) return Taken::kYes;
  if (arriving.is_atomic)
    atomic_arrived(peer, {arriving.operands.get(), arriving.length});
  else
    write_arrived(peer);
  return Taken::kYes;
}

// The registration is looked up for every part: it may have been closed since the last one.
void RmaTarget::place(Arriving& arriving, util::Bytes bytes) noexcept {
  const std::uint64_t done = arriving.placed;
  arriving.placed += bytes.size();
  if (arriving.status != 0 || bytes.empty()) return;
  if (arriving.is_atomic) {
    std::memcpy(arriving.operands.get() + done, bytes.data(), bytes.size());
    return;
  }
  Registration* const to = exposed_.memory->numbered(arriving.registration);
  if (!to) {
    arriving.status = kNoKey;
    return;
  }
  to->memory.copy_from(bytes, arriving.offset + done);
}

void RmaTarget::write_arrived(Peer& peer) noexcept {
  Arriving& arriving = peer.rma.arriving;
  arriving.open = false;
  const bool tells = arriving.status == 0 && arriving.has_data;
  const bool full = tells && !reporter_.receive_room();
  if (arriving.status == 0)
    arrived(peer, exposed_.memory->numbered(arriving.registration), RmaKind::kWrite,
            arriving.length, tells ? &arriving.data : nullptr);
  if (!full) return say_done(peer, arriving.id, arriving.status);
  // Who floods us with completions that nobody reads waits for us.
  try {
    peer.rma.withheld.push_back(arriving.id);
    ++withheld_;
  } catch (const std::bad_alloc&) {
    say_done(peer, arriving.id, 0);
  }
}

void RmaTarget::tick() noexcept {
  peers_.for_each([this](Peer& peer) {
    auto& ids = peer.rma.withheld;
    while (!ids.empty() && reporter_.receive_room()) {
      const std::uint64_t id = ids.front();
      ids.erase(ids.begin());
      --withheld_;
      say_done(peer, id, 0);
    }
  });
}

void RmaTarget::say_done(Peer& peer, std::uint64_t id, int status) noexcept {
  std::array<std::byte, proto::Done::kSize> body;
  proto::encode(proto::Done{id, static_cast<std::uint32_t>(status)}, body.data());
  sender_.reply(peer, Kind::kDone, body);
}

// ---- Reads ----

bool RmaTarget::read_received(Peer& peer, const proto::Read& read) noexcept {
  if (peer.session->goodbye_sent()) return true;
  if (!admit(peer)) return false;
  const Place from = find({read.key, read.address, read.length}, kReadable);
  if (from.status != 0 || read.length == 0) {
    if (from.status == 0) arrived(peer, from.registration, RmaKind::kRead, 0);
    say_done(peer, read.id, from.status);
    return true;
  }
  RmaAnswer* const answer = answers_.make();
  if (!answer) {
    say_done(peer, read.id, ENOMEM);
    return true;
  }
  answer->id = read.id;
  answer->registration = from.registration->number;
  answer->offset = from.offset;
  answer->length = read.length;
  peer.rma.answers.push_back(*answer);
  sender_.pump(peer);
  return true;
}

bool RmaTarget::give_answers(Peer& peer) noexcept {
  while (!peer.rma.answers.empty())
    if (!give_answer(peer, peer.rma.answers.front())) return false;
  return true;
}

// What it is answered with; nullopt: the registration was closed.
std::optional<UserMemory> RmaTarget::memory_of(const RmaAnswer& answer) const noexcept {
  if (answer.results) return UserMemory::of(answer.results.get(), answer.length);
  Registration* const from = exposed_.memory->numbered(answer.registration);
  return from ? std::optional(from->memory) : std::nullopt;
}

// Copies what is given now: it is what stands there at this place of the stream, also if it has to
// be sent again.
bool RmaTarget::give_answer(Peer& peer, RmaAnswer& answer) noexcept {
  stream::Session& session = *peer.session;
  const std::uint64_t id = answer.id;
  while (answer.given < answer.length) {
    const std::optional<UserMemory> from = memory_of(answer);
    if (!from) {
      peer.rma.answers.remove(answer);
      answers_.drop(&answer);
      say_done(peer, id, kNoKey);
      return true;
    }
    std::array<std::byte, proto::PartHead::kSize> head;
    proto::encode(proto::PartHead{id, answer.given}, head.data());
    const std::size_t part =
        std::min(session.largest_body() - head.size(), answer.length - answer.given);
    if (!put_out(session, {Kind::kGot, 0, head, *from, answer.offset + answer.given, part}))
      return false;
    answer.given += part;
  }
  if (!answer.results)
    arrived(peer, exposed_.memory->numbered(answer.registration), RmaKind::kRead, answer.length);
  drop(peer, answer);
  return true;
}

void RmaTarget::drop(Peer& peer, RmaAnswer& answer) noexcept {
  --peer.rma.owed;
  peer.rma.answers.remove(answer);
  answers_.drop(&answer);
}

void RmaTarget::peer_ended(Peer& peer) noexcept {
  PeerRma& rma = peer.rma;
  while (!rma.answers.empty()) answers_.drop(&rma.answers.pop_front());
  withheld_ -= rma.withheld.size();
  rma.withheld.clear();
  rma.arriving = {};
  rma.owed = 0;
}

// ---- Our own ----

int RmaTarget::write_own(Peer& self, const Range& range, const UserMemory& from,
                         const std::uint64_t* data) noexcept {
  const Place to = find(range, kWritable);
  if (to.status != 0) return to.status;
  to.registration->memory.move_from(from, 0, to.offset, from.size());
  arrived(self, to.registration, RmaKind::kWrite, from.size(), data);
  return 0;
}

int RmaTarget::read_own(Peer& self, const Range& range, const UserMemory& to) noexcept {
  const Place from = find(range, kReadable);
  if (from.status != 0) return from.status;
  to.move_from(from.registration->memory, from.offset, 0, to.size());
  arrived(self, from.registration, RmaKind::kRead, to.size());
  return 0;
}

}  // namespace xs::core
