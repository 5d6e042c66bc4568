// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv for a simulated process: what hv/local and real Xen do, in simulated time, and what they do
// when a place is lost. docs/hv.md is its contract.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "hv/hv.hpp"
#include "hv/unique_fd.hpp"
#include "sim/fake/hv_pages.hpp"
#include "sim/fake/hypervisor.hpp"

namespace xs::sim {

class FakeHv final : public hv::Backend {
 public:
  FakeHv(FakeHypervisor& machine, ProcessId process, unsigned host);
  ~FakeHv() override;

  const hv::Card& card() const noexcept override { return card_; }
  util::Result<std::unique_ptr<hv::Link>> meet(const hv::Card& peer) noexcept override;
  bool progress(hv::Events& events) noexcept override;
  // Made when first asked for. Time passes by itself, so ask again before looking at it.
  int descriptor() const noexcept override;
  bool restless() const noexcept override;
  bool wants_peers_told() const noexcept override { return card_.paused() && !told_; }
  void peers_know() noexcept override { told_ = true; }
  const hv::Counters& counters() const noexcept override { return counters_; }

  // ---- For the weather ----
  // kill -9: what is destroyed from now on is not heard or seen by anybody.
  void kill() noexcept;
  // The process finds itself on that host, perhaps the same one. From this instant on it sees, and
  // others see of it, what is said here; it is told later.
  void move(unsigned host, Sight seen, Sight shown) noexcept;
  // The system lacks something until then: meet(), share() and map() say so.
  void lack(int error, Nanoseconds until) noexcept;
  // Nothing is told until then.
  void delay(Nanoseconds until) noexcept { told_from_ = until; }
  // From now on its links have a budget, or another one.
  void set_budget(std::size_t pages);
  // Somebody announces that its VM will be moved, or takes that back. A move ends it, too.
  void announce(bool pause);
  // It shares its VM with those of the same number: the links with them stand through a pause. By
  // default it is alone there.
  void set_vm(unsigned vm) noexcept { vm_ = vm; }
  unsigned vm() const noexcept { return vm_; }
  // Rings without a cause.
  void jingle() noexcept;

  ProcessId process() const noexcept { return process_; }
  unsigned number() const noexcept { return number_; }
  unsigned host() const noexcept { return host_; }
  bool dead() const noexcept { return dead_; }
  const std::vector<FakeLink*>& links() const noexcept { return links_; }

  // ---- For sleepers and judges ----
  // When the descriptor becomes readable, or did.
  Nanoseconds readable_at() const noexcept;
  Nanoseconds told_from() const noexcept { return told_from_; }
  // Links of ours that were lost so far.
  std::uint64_t losses() const noexcept { return losses_; }

  // ---- For links ----
  FakeHypervisor& machine() noexcept { return machine_; }
  hv::Counters& count() noexcept { return counters_; }
  // Why nothing can be made now, or 0.
  int lacks() noexcept;
  // Null: it has none. Shares count themselves there.
  const std::shared_ptr<hv::Budget>& budget() const noexcept { return budget_; }
  // Was told of the newest one.
  bool knows_budget() const noexcept { return !other_budget_; }
  // Has moved, and was not told yet.
  bool moving() const noexcept { return moving_; }
  bool announced() const noexcept { return announced_; }
  bool knows_pause() const noexcept { return announced_ == card_.paused(); }
  // All peers have heard of the pause, as it believes.
  bool told() const noexcept { return told_; }
  void count_loss() noexcept { ++losses_; }
  void forget(const FakeLink& link) noexcept { std::erase(links_, &link); }
  void stir(Nanoseconds at) noexcept { machine_.stir(process_, std::max(at, told_from_)); }

 private:
  hv::Id host_digest() const noexcept;
  int introduce(FakeLink& link) noexcept;
  FakeLink* link_with(const hv::Id& process) const noexcept;
  // Those who called us and are not met yet hear that we are gone.
  void hang_up_on_callers(bool moved) noexcept;
  void arrive(hv::Events& events) noexcept;
  void change_pause(hv::Events& events) noexcept;
  bool has_news() const noexcept { return moving_ || other_budget_ || !knows_pause(); }
  FakeLink* first_due() const noexcept;
  bool due() const noexcept;

  FakeHypervisor& machine_;
  ProcessId process_;
  unsigned number_;
  unsigned host_;
  unsigned vm_;
  hv::Card card_;
  hv::Counters counters_;
  std::vector<FakeLink*> links_;
  bool dead_ = false;
  bool moving_ = false;
  bool announced_ = false;
  bool told_ = false;
  std::uint64_t losses_ = 0;
  Nanoseconds told_from_ = 0;
  Nanoseconds lacks_until_ = 0;
  std::shared_ptr<hv::Budget> budget_;
  bool other_budget_ = false;
  int lacking_ = 0;
  mutable hv::UniqueFd event_;
  mutable bool readable_ = false;
};

class FakeLink final : public hv::Link {
 public:
  FakeLink(FakeHv& backend, const hv::Card& peer, bool within_vm) noexcept;
  ~FakeLink() override;

  const hv::Card& peer() const noexcept override { return peer_; }
  bool within_vm() const noexcept override { return within_vm_; }
  hv::LinkState state() const noexcept override { return state_; }
  const hv::Budget* budget() const noexcept override;
  // As hv/xen: what has more than 6 pages has a list.
  std::size_t cost(std::size_t pages) const noexcept override { return pages + (pages > 6); }
  util::Result<std::unique_ptr<hv::Share>> share(std::size_t pages) noexcept override;
  util::Result<std::unique_ptr<hv::Mapping>> map(const hv::Offer& offer) noexcept override;
  hv::Rang ring() noexcept override;

  FakeHv& backend() noexcept { return backend_; }
  // Both ends are there and have not heard otherwise.
  bool whole() const noexcept { return far_ && state_ == hv::LinkState::kOpen; }
  // A ring of the peer went unheard, and none was heard since.
  bool missed_ring() const noexcept { return missed_ring_; }
  // Nobody has answered yet.
  bool waits() const noexcept { return state_ == hv::LinkState::kMeeting && !met_; }
  // The process with the smaller incarnation calls.
  bool calls() const noexcept { return backend_.card().process < peer_.process; }
  // genuine: else the two live on different hosts, and only their pages tell.
  void connect(FakeLink& far, bool genuine) noexcept;
  // Ends it; progress() tells of that then. The peer hears of it later.
  void lose(hv::Loss why, Nanoseconds at) noexcept;
  void lose(hv::Loss why) noexcept { lose(why, soon()); }
  // Behind what is still to be heard.
  void hear_loss(hv::Loss why, Nanoseconds at) noexcept;
  // Nothing that we do is heard by the peer any more, but for that: lost(kGone).
  void part(Nanoseconds at) noexcept;
  void be_rung() noexcept;
  // When a peer is told of what is done now.
  Nanoseconds soon() noexcept;

  // When there is something to tell; kNever: nothing.
  Nanoseconds due() const noexcept { return news_.empty() ? util::kNever : news_.front().due; }
  // Tells it, as the last thing it does: whoever is told may destroy the link.
  void tell(hv::Events& events) noexcept;

  // By a share that is revoked.
  void withdraw(FakeShare& share) noexcept;

 private:
  enum class Kind : std::uint8_t { kOpened, kPages, kWithdrawn, kRung, kLost };
  struct Unclaimed {
    std::uint64_t number;
    hv::Id nonce;
    unsigned owner;
    std::shared_ptr<Pages> pages;
  };
  struct News {
    Nanoseconds due;
    Kind kind;
    hv::Loss why{};
    Unclaimed shared{};
  };
  static constexpr std::size_t kMostWaiting = 9;  // shares that the peer has not looked at yet

  void hear(News news) noexcept;
  std::size_t unread() const noexcept;
  util::Error lacking(int error) noexcept;

  FakeHv& backend_;
  hv::Card peer_;
  bool within_vm_;
  hv::LinkState state_ = hv::LinkState::kMeeting;
  FakeLink* far_ = nullptr;  // until one of the two has parted
  bool met_ = false;
  bool genuine_ = true;
  bool missed_ring_ = false;
  std::deque<News> news_;
  std::vector<Unclaimed> unclaimed_;
  std::vector<FakeShare*> shares_;
};

}  // namespace xs::sim
