// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The processes that live where this one lives: who is met, whom the endpoints are told of.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hv/hv.hpp"
#include "locality/options.hpp"
#include "util/clock.hpp"
#include "util/random.hpp"
#include "util/result.hpp"

namespace xs::locality {

using CardBytes = std::array<std::byte, hv::kCardSize>;
using Process = hv::Id;

// The process that a card names; nothing if it is no card.
std::optional<Process> process_of(const CardBytes& card) noexcept;

// Where a process lives, as it says itself.
struct Place {
  std::uint32_t domid;       // hv::Card::domid; all ones: none
  std::uint64_t generation;  // grows whenever it has moved
};
// Nothing if it is no card.
std::optional<Place> place_of(const CardBytes& card) noexcept;
// Both are cards of one process at one place: what it shares is not lost between them.
bool same_life(const CardBytes& one, const CardBytes& other) noexcept;
// The process holds nothing of other VMs, since its own is about to be moved.
bool is_paused(const CardBytes& card) noexcept;

// Who wants to know of neighbours. Told by Neighbours::turn() and look() alone.
class Listener {
 public:
  virtual void neighbour_open(const Process& process, hv::Link& link) noexcept = 0;
  // Shares of the neighbour have come: what could not be mapped may be asked for again.
  virtual void neighbour_shares(const Process& process) noexcept = 0;
  // The link is destroyed afterwards.
  virtual void neighbour_lost(const Process& process, hv::Loss why) noexcept = 0;
  // The link that stood is gone and destroyed, though we have not moved. The peer may have parted
  // for what it heard too late, and wait for us: whoever still talks with it meets it once more.
  virtual void neighbour_parted(const Process& process) noexcept = 0;
  // Links have another budget: rings beyond it are to be left.
  virtual void budget_changed() noexcept = 0;
  // We live elsewhere, and every link is lost: card() is a new one.
  virtual void we_moved() noexcept = 0;
  // Our VM is about to be moved, or not any more, which card() says: the links that this costs are
  // lost, or may be made again.
  virtual void we_paused() noexcept = 0;
  // Whether every peer has answered what card() says by now, so that its silence is not ours.
  virtual bool peers_know_card() const noexcept = 0;
  // Whether it has anything to do with that process.
  virtual bool knows(const Process& process) noexcept = 0;

 protected:
  ~Listener() = default;
};

// One for a domain. Thread rule: the domain's. Events only: nothing here asks again and again
// whether somebody has become a neighbour. Who was met again and did not open is not met a third
// time: that could go on for ever with a peer that is paused and has not told us yet.
class Neighbours final : private hv::Events {
 public:
  // random outlives it. Errors: what the machine lacks.
  static util::Result<std::unique_ptr<Neighbours>> open(const Options& options,
                                                        util::Random& random) noexcept;
  explicit Neighbours(std::unique_ptr<hv::Backend> backend) noexcept;
  ~Neighbours() { links_.clear(); }

  CardBytes card() const noexcept;
  Place place() const noexcept { return {backend_->card().domid, backend_->card().generation}; }
  // Our VM is about to be moved,
  bool paused() const noexcept { return backend_->card().paused(); }
  // and something is still to be given back or said: look() again soon. Cheap.
  bool restless() const noexcept { return backend_->restless(); }
  // and peers have still to hear of it, which whoever announced it would like. Cheap.
  bool untold() const noexcept { return backend_->wants_peers_told(); }
  // Throws bad_alloc.
  void add(Listener& listener) { listeners_.push_back(&listener); }
  void remove(const Listener& listener) noexcept { std::erase(listeners_, &listener); }

  // Makes the acquaintance of the process that has that card. The link, if it is open already; else
  // neighbour_open() follows, or nothing at all if it lives elsewhere or does not want to.
  hv::Link* meet(const CardBytes& card) noexcept;

  // A listener knows it no more. If nobody does, and it has not met us, it never will.
  void forget(const CardBytes& card) noexcept;

  // Looks now and then what has happened; to be called often. now: coarse time.
  void turn(util::Nanoseconds now) noexcept;
  // Looks now.
  void look() noexcept;
  // Readable when look() has something to do.
  int descriptor() const noexcept { return backend_->descriptor(); }
  // Readable when that may be of lives and moves; -1: this process can't be moved.
  int life_descriptor() const noexcept { return backend_->life_descriptor(); }
  const hv::Counters& counters() const noexcept { return backend_->counters(); }

 private:
  void opened(hv::Link& link) noexcept override;
  void pages_came(hv::Link& link) noexcept override;
  void rung(hv::Link& link) noexcept override;
  void lost(hv::Link& link, hv::Loss why) noexcept override;
  void budget_changed() noexcept override;
  void moved() noexcept override { moved_ = true; }
  void pause_changed() noexcept override { pause_changed_ = true; }
  void part(const Process& process, hv::Loss why) noexcept;

  struct Acquaintance {
    std::unique_ptr<hv::Link> link;
    bool stood = false;  // it has been open
  };
  std::unique_ptr<hv::Backend> backend_;
  std::vector<Listener*> listeners_;
  std::map<Process, Acquaintance> links_;
  std::vector<Process> parted_;  // to be told since the last look
  std::size_t meeting_ = 0;      // links that are not open yet
  unsigned eager_ = 0;           // turns that look, as long as there are such links
  bool moved_ = false;
  bool pause_changed_ = false;
  unsigned turns_ = 0;  // since the last look
  util::Nanoseconds looked_at_ = 0;
};

}  // namespace xs::locality
