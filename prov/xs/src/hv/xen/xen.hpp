// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sharing between processes in different domains of one Xen (docs/hv.md, hv/xen).
#pragma once
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "hv/hv.hpp"
#include "hv/options.hpp"
#include "hv/unique_fd.hpp"
#include "hv/xen/calls.hpp"
#include "hv/xen/holdings.hpp"
#include "hv/xen/link.hpp"
#include "hv/xen/mates.hpp"
#include "hv/xen/note.hpp"
#include "hv/xen/pages.hpp"
#include "hv/xen/sign.hpp"
#include "util/random.hpp"

namespace xs::hv {

// What ENOSPC means when pages are granted.
inline constexpr const char* kNoPagesLeft =
    "the pages that this VM may grant are used up (raise "
    "/sys/module/xen_gntalloc/parameters/limit)";

inline constexpr const char* kNoPortsLeft =
    "the event channels of this VM are used up (raise event_channels in its configuration)";

class Xen final : public Backend, private Holdings::Owner {
 public:
  // The card's host, process and generation are the process'; its domid is filled in. `random` must
  // outlive the backend. pages: that it may grant, 0 for its part of what the VM may.
  static util::Result<std::unique_ptr<Xen>> open(std::shared_ptr<XenCalls> calls, const Card& own,
                                                 util::Random& random,
                                                 XenBellUse bells = XenBellUse::kFabric,
                                                 std::size_t pages = 0) noexcept;
  ~Xen() override;

  const Card& card() const noexcept override { return card_; }
  util::Result<std::unique_ptr<Link>> meet(const Card& peer) noexcept override;
  bool progress(Events& events) noexcept override;
  int descriptor() const noexcept override { return epoll_.get(); }
  int life_descriptor() const noexcept override { return lives_.get(); }
  bool restless() const noexcept override;
  bool wants_peers_told() const noexcept override;
  void peers_know() noexcept override;
  const Counters& counters() const noexcept override { return counters_; }

  // Links at a time: as many as a note has room for.
  static constexpr std::size_t kMostLinks = 56;
  // Other domains at a time, each of which costs a watch and a page.
  static constexpr std::size_t kMostDomains = 8;

  // For links.
  const std::shared_ptr<XenCalls>& calls() const noexcept { return calls_; }
  Counters& count() noexcept { return counters_; }
  // These two outlive the backend with its shares and mappings.
  const std::shared_ptr<Budget>& budget() const noexcept { return budget_; }
  const std::shared_ptr<Holdings>& holdings() const noexcept { return holdings_; }
  Id new_nonce() noexcept { return {random_.next(), random_.next()}; }
  // Of all links: a late offer of a former one must not name another share.
  std::uint64_t new_share_number() noexcept { return ++last_share_; }
  // Our note is to be written, or a link to be told of, by progress().
  void changed() noexcept;
  // Our note is to say so, for onlookers: at the next tick, with all that changes until then.
  void granted_changed() noexcept;
  void part(XenLink& link) noexcept;
  // What the note of an open link's peer says.
  void heed_bell(XenLink& link, const NoteToUs& note) noexcept;
  bool ring(const XenBell& bell) noexcept { return channels_ && bell.ring(*channels_); }
  void close(XenBell& bell) noexcept;

 private:
  enum Happening : std::uint64_t { kTodo, kStore, kTick, kBell };
  // A domain that we have links with.
  struct Vicinity {
    std::uint32_t domain;
    std::size_t links;
    bool watched;
    MadeLife life;
  };

  Xen(std::shared_ptr<XenCalls> calls, const Card& own, util::Random& random, std::size_t pages)
      : calls_(std::move(calls)),
        random_(random),
        process_(getpid()),
        card_(own),
        fixed_pages_(pages),
        holdings_(std::make_shared<Holdings>(static_cast<Holdings::Owner&>(*this))),
        mates_(calls_, own.process) {}  // throws bad_alloc
  util::Result<bool> begin() noexcept;
  util::Result<bool> make_descriptors() noexcept;
  void sweep() noexcept;
  bool read_domid() noexcept;
  int publish_first() noexcept;
  int publish() noexcept;
  Vicinity* find_vicinity(std::uint32_t domain) noexcept;
  util::Result<bool> enter(std::uint32_t domain) noexcept;
  void leave(std::uint32_t domain) noexcept;
  void watch_vicinities() noexcept;
  void join_mates() noexcept;
  void count_mates() noexcept;
  void become_deaf(int error) noexcept;
  XenLink* find_from(std::uint64_t key) noexcept;

  void wake() noexcept;
  void hear(Events& events) noexcept;
  void hear(std::string_view path) noexcept;
  void tick(Events& events) noexcept;
  bool look_for_move(Events& events) noexcept;  // true: this VM has moved
  void settle(Events& events) noexcept;
  void attend(Events& events) noexcept;
  void ask(XenLink& link) noexcept;
  void tell(XenLink& link, Events& events) noexcept;
  void set_timer() noexcept;
  std::optional<std::uint64_t> read_quiesce() noexcept;
  void begin_paused() noexcept;
  void look_for_pause(Events& events) noexcept;
  void begin_pause(std::uint64_t serial, Events& events) noexcept;
  void end_pause(Events& events) noexcept;
  bool holds_nothing() const noexcept;
  bool is_unsaid() const noexcept;
  void nothing_stands() noexcept override;
  // A forked child has our memory, and nothing of what it names is its own.
  bool is_childs() const noexcept { return getpid() != process_; }
  bool is_elsewhere() noexcept;
  void open_bells() noexcept;
  void hear_bells() noexcept;
  void complain_of_bell(int error) noexcept;
  void lose_bells(int error) noexcept;
  void move_bells() noexcept;
  void abandon_bells() noexcept;
  void close_channels() noexcept;
  void complain(std::uint64_t& counter, const char* what, const char* why) noexcept;

  std::shared_ptr<XenCalls> calls_;
  util::Random& random_;
  const pid_t process_;
  Card card_;
  Counters counters_;
  Sign sign_;
  UniqueFd epoll_, todo_, timer_;
  UniqueFd lives_;                           // of these: what is not of bells, nor of every second
  std::unique_ptr<EventChannels> channels_;  // null: the fabric rings
  bool warned_of_bells_ = false;
  bool warned_of_quiesce_ = false;
  bool ticks_ = false;
  bool deaf_ = false;          // no watch works: the store is asked at every tick
  bool other_budget_ = false;  // and nobody was told yet
  bool dirty_ = false;         // our node is to be written
  bool granted_changed_ = false;
  bool pending_ = false;  // there is something to tell, or to ask
  bool progressing_ = false;
  // The serial of who announces a move of this VM, and of whom our node answers; 0: nobody.
  std::uint64_t quiesce_ = 0;
  std::uint64_t said_ = 0;
  // Its serial once all peers have heard of the pause, and what our node says of that.
  std::uint64_t told_ = 0;
  std::uint64_t said_told_ = 0;
  std::size_t fixed_pages_;
  std::shared_ptr<Budget> budget_ = std::make_shared<Budget>();
  std::shared_ptr<Holdings> holdings_;
  Mates mates_;
  std::uint64_t last_key_ = 0;
  std::uint32_t last_session_ = 0;
  std::uint64_t last_share_ = 0;
  std::vector<Vicinity> vicinities_;
  std::vector<XenLink*> links_;  // in order of their keys
};

}  // namespace xs::hv
