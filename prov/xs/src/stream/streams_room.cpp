// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which sessions have rings when there is no room for all, and how large ones: docs/paths.md
// section 4, Budget; docs/budgets.md.
#include <algorithm>

#include "stream/streams.hpp"

namespace xs::stream {

namespace {

constexpr std::size_t kPage = 4096;
constexpr util::Nanoseconds kUnused = util::kSecond;
// Frames are counted over at least that long; what was counted over much longer says nothing of
// now.
constexpr util::Nanoseconds kCount = util::kSecond;
constexpr util::Nanoseconds kCountLongest = 4 * util::kSecond;
constexpr std::uint64_t kBusier = 2;  // times: who takes another one's place
constexpr std::uint32_t kGrowth = 4;  // times: how much larger the next ring is
constexpr std::size_t kHalf = 2;      // of what is left, for the largest ring at once

// The largest region whose share costs no more than that.
std::uint32_t most_within(const Neighbour& link, std::uint32_t pages, std::size_t room) noexcept {
  while (pages > 0 && link.cost(pages) > room) --pages;
  return pages;
}

bool in_hand(const Path& path) noexcept {
  return path.state != PathState::kFabric && path.state != PathState::kLeaving;
}

bool is_of(const Session& session, const Budget* budget) noexcept {
  const Path& path = session.path();
  return in_hand(path) && path.link && path.link->budget() == budget;
}

}  // namespace

// Pages of a region that the session may share now, at most that many; 0: none. Then, or if it
// grows, others make room for later: their regions come back when their peers have answered.
std::uint32_t Streams::ring_room(const Session& session, std::uint32_t wanted) noexcept {
  const Neighbour& link = *session.path_.link;
  std::uint32_t pages = wanted;
  if (const Budget* const budget = link.budget()) {
    // A link's part first; more is for those who have moved much.
    const std::size_t part = budget->pages / std::max<std::size_t>(budget->links, 1);
    if (!session.path_.grows) pages = std::max(most_within(link, wanted, part), 1u);
    pages = most_within(link, pages, budget->left());
    if (pages == 0 && budget->pages > 0) vacate(session, *budget);
  }
  return pages > 0 && make_ring_room(session, pages * kPage) ? pages : 0;
}

// One session leaves its ring for another one's, unless somebody is about to have left; who has
// been stopped never has.
void Streams::vacate(const Session& asking, const Budget& budget) noexcept {
  if (budget.leaving > 0 && now_ - vacated_at_ < kUnused) return;
  Session* victim = longest_unused(asking, &budget);
  if (!victim) victim = least_used(asking, budget);
  if (!victim) return;
  vacated_at_ = now_;
  victim->leave(LeaveReason::kBudget);
}

// Pages of the ring that takes the place of one through which much has gone; 0: not now.
std::uint32_t Streams::larger_ring(const Session& session) noexcept {
  const auto largest = static_cast<std::uint32_t>((rings_.limits.largest + kPage - 1) / kPage);
  const Neighbour& link = *session.path_.link;
  const Budget* const budget = link.budget();
  if (!budget) return largest;
  const std::uint32_t own = session.path_.ring->pages();
  const std::size_t room = budget->left() + link.cost(own);
  if (link.cost(largest) <= room / kHalf) return largest;
  const std::uint32_t next = std::min(largest, kGrowth * own);
  const std::uint32_t pages = most_within(link, next, room);
  if (pages >= 2 * own || pages == largest) return pages;
  while (budget->left() + budget->leaving + link.cost(own) < link.cost(next)) {
    Session* const idle = longest_unused(session, budget);
    if (!idle) break;
    idle->leave(LeaveReason::kBudget);
  }
  return 0;
}

// The session whose ring was not used for a while leaves it, if memory is short.
bool Streams::make_ring_room(const Session& session, std::size_t bytes) noexcept {
  if (rings_.in_use + bytes <= rings_.limits.memory) return true;
  if (Session* const oldest = longest_unused(session, nullptr)) oldest->leave(LeaveReason::kBudget);
  return rings_.in_use + bytes <= rings_.limits.memory;
}

// of: null for any.
Session* Streams::longest_unused(const Session& asking, const Budget* of) noexcept {
  Session* oldest = nullptr;
  for (auto& [token, each] : sessions_) {
    const Path& path = each->path_;
    if (each.get() == &asking || !in_hand(path) || (of && !is_of(*each, of))) continue;
    const bool unused = now_ - path.used_at >= std::max(kUnused, limits_.quiet);
    if (unused && (!oldest || path.used_at < oldest->path_.used_at)) oldest = each.get();
  }
  return oldest;
}

// Who has far fewer frames for each page than the one that asks, which has none.
Session* Streams::least_used(const Session& asking, const Budget& of) noexcept {
  count_frames();
  Session* least = nullptr;
  const auto less = [](const Path& a, const Path& b) {
    return a.rate * b.ring->pages() < b.rate * a.ring->pages();
  };
  for (auto& [token, each] : sessions_) {
    if (each.get() == &asking || !is_of(*each, &of)) continue;
    const Path& path = each->path_;
    if (kBusier * path.rate >= asking.path_.rate * path.ring->pages()) continue;
    if (!least || less(path, least->path_)) least = each.get();
  }
  return least;
}

void Streams::count_frames() noexcept {
  const util::Nanoseconds time = now_ - counted_at_;
  if (time < kCount) return;
  counted_at_ = now_;
  for (auto& [token, session] : sessions_) {
    const std::uint64_t frames = session->tail_ + session->next_;
    Path& path = session->path_;
    path.rate = time <= kCountLongest ? frames - path.counted : 0;
    path.counted = frames;
  }
}

// Who leaves when a budget has become less than what stands: the largest of those that have more
// than their part, then who was not used for longest.
Session* Streams::too_large(const Budget& of) noexcept {
  const std::size_t part = of.pages / std::max<std::size_t>(of.links, 1);
  const auto excess = [&](const Path& path) {
    const std::size_t cost = path.link->cost(path.ring->pages());
    return cost > part ? cost : 0;
  };
  Session* found = nullptr;
  for (auto& [token, each] : sessions_) {
    if (!is_of(*each, &of)) continue;
    if (!found || excess(each->path_) > excess(found->path_) ||
        (excess(each->path_) == excess(found->path_) && each->path_.used_at < found->path_.used_at))
      found = each.get();
  }
  return found;
}

void Streams::keep_budget() noexcept {
  const auto exceeded = [this]() -> Session* {
    for (auto& [token, session] : sessions_) {
      const Path& path = session->path_;
      const Budget* const budget = in_hand(path) && path.link ? path.link->budget() : nullptr;
      if (budget && budget->in_use - budget->leaving > budget->pages) return too_large(*budget);
    }
    return nullptr;
  };
  while (Session* const session = exceeded()) session->leave(LeaveReason::kBudget);
}

}  // namespace xs::stream
