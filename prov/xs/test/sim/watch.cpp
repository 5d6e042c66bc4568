// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/watch.hpp"

#include <algorithm>

#include "ring/layout.hpp"
#include "ring/region.hpp"
#include "sim/fake/hv_pages.hpp"

namespace xs::sim {

using stream::PathState;

namespace {

constexpr Nanoseconds kLooks = 20 * util::kMillisecond;  // between looks of who is awake

bool is_ready(const stream::Session& session) noexcept {
  return session.path().ring && session.path().ring->ready();
}

const FakeLink* link_of(const stream::Session& session) noexcept {
  return static_cast<const FakeLink*>(session.path().link);
}

// The number of the session that a region was made for, and its epoch.
std::pair<std::uint64_t, std::uint64_t> name_of(std::span<const std::byte> region) noexcept {
  constexpr std::size_t kEpochAt = 16;
  const auto epoch = util::load<std::uint64_t>(region.data() + kEpochAt);
  auto read = ring::PeerRegion::read(region, epoch);
  if (!read) return {};
  return {util::load<std::uint64_t>(read->terms().nonce.data()), epoch};
}

}  // namespace

std::pair<Process*, stream::Session*> Watch::other_end(const Session& session) {
  std::pair<Process*, Session*> found{};
  for (const auto& process : processes_)
    if (process)
      each_session(*process, [&](Session& each) {
        if (each.receive_token() == session.send_token() &&
            each.send_token() == session.receive_token())
          found = {process.get(), &each};
      });
  return found;
}

void Watch::begins_step() noexcept {
  left_said_ = 0;
  refused_ = network_.refused_posts();
}

void Watch::stepped(Process& process, bool disturbed) {
  judge_pause(process);
  std::map<Key, Seen> now;
  each_session(process, [&](Session& session) {
    const Key key{process.life().number, session.receive_token()};
    const auto known = seen_.find(key);
    Seen before;
    if (known != seen_.end()) before = known->second;
    const auto [other, far] = other_end(session);
    const End end{process, session, before};
    if (is_ready(session))
      written_[{session.nonce(), session.path().epoch}] =
          session.path().ring->producer().published();
    if (known != seen_.end() && !disturbed) judge_change(end, other, far);
    count_leave(end);
    if (far) {
      Seen unknown;
      const auto theirs = seen_.find({other->life().number, far->receive_token()});
      const End opposite{*other, *far, theirs == seen_.end() ? unknown : theirs->second};
      judge_pair(end, opposite);
      judge_pair(opposite, end);
    }
    Seen then = look(end, other);
    judge_acquaintance(end, other, far, then);
    judge_told(end, far);
    judge_return(end, other, far);
    if (could_be_neighbours(end, other, far) && !session.path().link)
      then.apart_since = before.apart_since != 0 ? before.apart_since : network_.now();
    before = then;
    judge_leaving(end, other);
    now[key] = before;
  });
  remember_told(process);
  const auto first = seen_.lower_bound({process.life().number, 0});
  const auto last = seen_.lower_bound({process.life().number + 1, 0});
  seen_.erase(first, last);
  seen_.merge(now);
}

Watch::Seen Watch::look(const End& end, const Process* other) const {
  const Session& session = end.session;
  const stream::Path& path = session.path();
  Seen now{.nonce = session.nonce(),
           .peer_nonce = session.peer_nonce(),
           .state = path.state,
           .epoch = path.epoch,
           .reads = path.reads,
           .writes = path.writes,
           .open = session.open(),
           .parting = session.goodbye_sent() || session.goodbye_taken(),
           .read_up_to = read_up_to(session, end.seen),
           .changes = path.counters.joined + path.counters.left,
           .replayed = session.counters().replayed,
           .losses = end.process.hv() ? end.process.hv()->losses() : 0,
           .moves = other && other->hv() ? other->hv()->counters().moved : 0,
           .own_moves = end.process.hv() ? end.process.hv()->counters().moved : 0,
           .within_vm = path.link && path.link->within_vm(),
           .apart_since = 0,
           .numbers = session.numbers(),
           .leaves_since = 0,
           .refused = network_.refused_posts()};
  const bool leaves = now.state == PathState::kLeaving;
  const bool still = leaves && end.seen.leaves_since != 0 && end.seen.epoch == now.epoch &&
                     end.seen.refused == now.refused;
  if (leaves) now.leaves_since = still ? end.seen.leaves_since : network_.now();
  return now;
}

std::uint64_t Watch::read_up_to(const Session& session, const Seen& seen) const noexcept {
  const stream::Path& path = session.path();
  const bool changed = path.counters.joined + path.counters.left != seen.changes;
  return path.reads || changed ? std::max(seen.read_up_to, path.epoch) : seen.read_up_to;
}

// Whether all that the one sees of the other's memory is true.
bool Watch::sound(const Process& reader, const Process& owner) const noexcept {
  return std::ranges::all_of(machine_.mappings(), [&](const FakeMapping* each) {
    return each->reader() != reader.hv()->number() || each->owner() != owner.hv()->number() ||
           each->sight() == Sight::kTrue;
  });
}

// Frames that the other side has put into the ring that this one reads, or has read last.
std::uint64_t Watch::published(const Session& reader) const noexcept {
  const auto found = written_.find({reader.peer_nonce(), reader.path().epoch});
  return found == written_.end() ? 0 : found->second;
}

// ---- Both ends ----

void Watch::judge_pair(const End& end, const End& other) {
  const stream::Path& path = end.session.path();
  // P1
  if (path.writes && read_up_to(other.session, other.seen) < path.epoch)
    return judge_.fail("life %lu writes ring %lu, which life %lu has never read",
                       end.process.life().number, path.epoch, other.process.life().number);
  if (end.process.sleeper().asleep()) judge_sleep(end, other);
}

// What stands in a ring wakes by a bell, as soon as that is heard.
void Watch::judge_sleep(const End& sleeper, const End& other) {
  const stream::Path& own = sleeper.session.path();
  const stream::Path& far = other.session.path();
  if (!own.reads || !far.writes || own.epoch != far.epoch || !machine_.habits().bells) return;
  const FakeLink* const link = link_of(sleeper.session);
  const FakeLink* const back = link_of(other.session);
  if (!link || !back || !link->whole() || !back->whole() || link->missed_ring()) return;
  if (!sound(sleeper.process, other.process) || !sound(other.process, sleeper.process)) return;
  const char* what = nullptr;
  if (far.ring->producer().published() > own.ring->consumer().taken()) what = "a frame";
  const bool told = !far.ring->consumer().owes() && far.reads;
  if (sleeper.session.waits_for_acks() && told &&
      far.ring->consumer().taken() > own.ring->producer().acknowledged())
    what = "room that it waits for";
  if (!what) return;
  const Nanoseconds heard =
      std::max(network_.now(), sleeper.process.hv()->told_from()) + machine_.habits().delay_high;
  const Nanoseconds latest = heard + sleeper.process.lateness();
  if (sleeper.process.wakes_at() > latest)
    judge_.fail("life %lu sleeps, and %s in ring %lu does not wake it",
                sleeper.process.life().number, what, own.epoch);
}

// ---- What a step has changed ----

void Watch::judge_change(const End& end, Process* other, const Session* far) {
  const Session& session = end.session;
  const stream::Path& path = session.path();
  const Seen& before = end.seen;
  const unsigned long life = end.process.life().number;
  if (!session.open() || before.epoch != path.epoch) return;
  if (before.reads && !path.reads && is_ready(session) && !path.unreadable && other &&
      other->hv() && sound(end.process, *other) &&
      published(session) > path.ring->consumer().taken())
    judge_.fail("life %lu leaves ring %lu, and frames in it", life, path.epoch);
  // §5: posting restarts at the last acknowledgement. What had found no room in the ring is posted
  // now for the first time.
  const stream::StreamNumbers now = session.numbers();
  const std::uint64_t posted =
      session.counters().replayed - before.replayed + now.highest - before.numbers.highest;
  if (before.writes && !path.writes && now.cursor - now.una > posted)
    judge_.fail("life %lu leaves ring %lu without going back", life, path.epoch);
  // Both have left, or the other side is told.
  const bool done = before.state != PathState::kFabric && path.state == PathState::kFabric;
  const bool lost = !path.link || end.process.hv()->losses() != before.losses || !other ||
                    !other->hv() || other->hv()->counters().moved != before.moves;
  const bool told = left_said_ == path.epoch || network_.refused_posts() != refused_;
  if (done && !lost && !ended_by_peer(session))
    judge_.fail("life %lu gives ring %lu up, which the other side has not left", life, path.epoch);
  if (done && !lost && !told && !session.goodbye_taken() && far && far->path().writes &&
      far->path().epoch == path.epoch)
    judge_.fail("life %lu has done with ring %lu, and nobody tells life %lu, which writes it", life,
                path.epoch, other->life().number);
}

void Watch::hears(std::uint64_t token, std::uint64_t epoch, proto::Kind kind) {
  if (kind == proto::Kind::kLeft) lefts_.insert({token, epoch});
  if (kind == proto::Kind::kOffer) offered_[token] = std::max(offered_[token], epoch);
}

// By LEFT of the ring that was in hand, or by an OFFER of the next one.
bool Watch::ended_by_peer(const Session& session) const noexcept {
  const std::uint64_t token = session.receive_token();
  const std::uint64_t epoch = session.path().epoch;
  const auto offered = offered_.find(token);
  return lefts_.contains({token, epoch}) || lefts_.contains({token, kAnyEpoch}) ||
         lefts_.contains({kAnyToken, kAnyEpoch}) ||
         (offered != offered_.end() && offered->second > epoch);
}

// Of those that the other side has begun, it is that which counts.
void Watch::count_leave(const End& end) noexcept {
  const stream::Path& path = end.session.path();
  const bool same = end.seen.state == PathState::kLeaving && end.seen.epoch == path.epoch;
  if (path.state != PathState::kLeaving || path.answered || same) return;
  const auto reason = static_cast<stream::LeaveReason>(path.reason);
  if (reason == stream::LeaveReason::kGrow) ++leaves_.to_grow;
  if (reason == stream::LeaveReason::kBudget) ++leaves_.for_room;
}

// P7: in calm weather LEFT is said again a few times at most.
void Watch::judge_leaving(const End& end, const Process* other) {
  if (!is_calm(scenario_) || end.seen.leaves_since == 0) return;
  if (!other || !other->has_endpoint() || end.seen.parting) return;
  const Nanoseconds quiet = scenario_.members[end.process.life().member].config.quiet;
  const Nanoseconds longest = 7 * (quiet + scenario_.habits.latency_high + kLooks);
  if (network_.now() - end.seen.leaves_since > longest)
    judge_.fail("life %lu leaves ring %lu, and is not answered", end.process.life().number,
                end.seen.epoch);
}

// ---- The end of a ring ----

// What the reader has said that it took, by the region that it writes.
std::uint64_t Watch::taken_by(unsigned reader, std::uint64_t nonce,
                              std::uint64_t epoch) const noexcept {
  for (FakeShare* share : machine_.shares())
    if (share->owner() == reader && name_of(share->bytes()) == std::pair(nonce, epoch))
      return util::load<std::uint64_t>(share->bytes().data() + ring::kConsumedAt);
  return ~0ull;
}

// Whatever ends the use of a ring, what stood in it then has been taken, dead its writer or not.
void Watch::mapping_closes(FakeMapping& mapping) noexcept {
  if (!mapping.whole()) return;
  const auto [writer, epoch] = name_of(mapping.bytes());
  const auto written = written_.find({writer, epoch});
  if (written == written_.end()) return;
  for (const auto& process : processes_) {
    if (!process || !process->hv() || process->hv()->number() != mapping.reader()) continue;
    if (process->closes()) return;
    for (const auto& [key, seen] : seen_) {
      const bool same = key.first == process->life().number && seen.peer_nonce == writer &&
                        seen.epoch == epoch && !seen.parting;
      if (same && taken_by(mapping.reader(), seen.nonce, epoch) < written->second)
        judge_.fail("life %lu gives ring %lu up, and frames in it", process->life().number, epoch);
    }
  }
}

}  // namespace xs::sim
