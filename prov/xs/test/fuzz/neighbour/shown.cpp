// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fuzz/neighbour/shown.hpp"

#include <algorithm>
#include <set>

#include "proto/ring_frame.hpp"

namespace xs::fuzz {

using proto::Kind;

namespace {
bool same(util::Bytes a, util::Bytes b) { return std::ranges::equal(a, b); }
}  // namespace

const ring::test::Pages* Shown::holds(const void* at) const {
  for (const auto& pages : regions_) {
    const auto span = pages->span();
    if (at >= span.data() && at < span.data() + span.size()) return pages.get();
  }
  return nullptr;
}

// A look for a frame is ordered before its copies; the second look comes after a fence and is not
// (docs/ring.md section 8, loads 1, 6 and 4).
void Shown::loaded(const std::uint64_t* word, std::uint64_t value, std::memory_order order) {
  const auto* const pages = holds(word);
  if (!pages || word < pages->cell(0)) return;
  if (order != std::memory_order_relaxed)
    look_ = {pages, word, value, Copy(ring::Stamp::from(value).size)};
  else if (word == look_.word && value == look_.stamp)
    settled();
}

void Shown::copied(const std::byte* from, util::Bytes bytes) {
  const auto* const pages = holds(from);
  if (!pages || pages != look_.pages) return;
  const std::size_t ring = ring::cells_in(pages->span().size()) * ring::kCellSize;
  const auto* const begin = reinterpret_cast<const std::byte*>(look_.word) + ring::kStampSize;
  const auto at = static_cast<std::size_t>(from - begin + static_cast<std::ptrdiff_t>(ring)) % ring;
  // The first line is copied as a whole, whatever the size of the frame.
  for (std::size_t i = 0; i < bytes.size() && at + i < look_.bytes.size(); ++i)
    look_.bytes[at + i] = bytes[i];
}

void Shown::settled() {
  const Copy bytes = std::move(look_.bytes);
  look_.bytes.clear();
  if (bytes.size() < proto::kRingHeadSize) return;
  const auto head =
      proto::unpack_ring_head(util::load<std::uint64_t>(bytes.data()),
                              static_cast<std::uint32_t>(bytes.size() - proto::kRingHeadSize));
  if (!head || head->number > next_) return;
  // In a ring they follow each other.
  const auto [expected, first] = expected_.try_emplace(look_.pages, head->number);
  if (expected->second++ != head->number && !first) return;
  add({head->kind, head->flags, head->number, {bytes.begin() + proto::kRingHeadSize, bytes.end()}});
}

void Shown::add(Frame frame) {
  numbers_.insert(frame.seq);
  while (numbers_.contains(next_)) ++next_;
  frames_.push_back(std::move(frame));
}

void Shown::frame(util::Bytes bytes) {
  const auto frame = proto::decode_frame(bytes);
  if (!frame || !proto::is_sequenced(frame->prefix.kind)) return;
  add({frame->prefix.kind,
       frame->prefix.flags,
       frame->prefix.seq,
       {frame->body.begin(), frame->body.end()}});
}

bool Shown::explains(std::uint64_t tag, util::Bytes bytes, std::size_t total) {
  return by_eager(tag, bytes, total) || by_rendezvous(tag, bytes, total);
}

// The messages of a tag come in order, each once.
bool Shown::by_eager(std::uint64_t tag, util::Bytes bytes, std::size_t total) {
  const Frame* first = nullptr;
  for (const Frame& each : frames_) {
    if (each.kind != Kind::kEager || (each.flags & proto::kTagged) == 0) continue;
    if (proto::decode_envelope(each.body)->tag != tag || each.seq <= last_[tag]) continue;
    const util::Bytes payload = util::Bytes(each.body).subspan(proto::kEnvelopeSize);
    if (payload.size() != total || !same(payload.first(bytes.size()), bytes)) continue;
    if (!first || each.seq < first->seq) first = &each;
  }
  if (first) last_[tag] = first->seq;
  return first != nullptr;
}

bool Shown::by_rendezvous(std::uint64_t tag, util::Bytes bytes, std::size_t total) const {
  const bool announced = std::ranges::any_of(frames_, [&](const Frame& each) {
    const auto rts = each.kind == Kind::kRts ? proto::decode_rts(each.body) : std::nullopt;
    return rts && rts->envelope.tag == tag && rts->length == total;
  });
  if (!announced) return false;
  if (bytes.empty() || by_data(bytes)) return true;
  return std::ranges::any_of(bulks_, [&](const Copy& each) { return same(each, bytes); });
}

bool Shown::by_data(util::Bytes bytes) const {
  std::set<std::uint64_t> ids;
  for (const Frame& each : frames_)
    if (each.kind == Kind::kData) ids.insert(util::load<std::uint64_t>(each.body.data()));
  return std::ranges::any_of(ids, [&](std::uint64_t id) { return by_data(id, bytes); });
}

// Whether the bytes can be put together of that rendezvous' DATA, one behind the other.
bool Shown::by_data(std::uint64_t receive_id, util::Bytes bytes) const {
  std::set<std::size_t> reached{0};
  for (const std::size_t at : reached) {  // grows on the way, upwards alone
    if (at == bytes.size()) return true;
    for (const Frame& each : frames_) {
      if (each.kind != Kind::kData) continue;
      const auto head = proto::decode_data(each.body);
      const util::Bytes part = util::Bytes(each.body).subspan(proto::DataHead::kSize);
      if (head && head->receive_id == receive_id && head->offset == at && !part.empty() &&
          part.size() <= bytes.size() - at && same(part, bytes.subspan(at, part.size())))
        reached.insert(at + part.size());
    }
  }
  return false;
}

}  // namespace xs::fuzz
