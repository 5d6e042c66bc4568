// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a ring needs of the machine below it: pages that one peer may read, a bell, and word of who
// lives, dies and moves. States, invariants and failures are in docs/hv.md; every backend passes
// prov/xs/test/contract/hv_contract*.cpp.
//
// One thread at a time (the domain's rule) for a backend and its links. Shares and mappings are
// plain memory: they outlive link and backend and belong to whoever holds them. Nothing blocks and
// nothing waits for a peer.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "hv/card.hpp"
#include "util/result.hpp"

namespace xs::hv {

inline constexpr std::size_t kPageSize = 4096;
// Of a share, in front of its user's bytes: hv's own words, the proof of co-residence among them.
inline constexpr std::size_t kHeadSize = 64;
inline constexpr std::size_t kMostPages = 16384;  // of one share
inline constexpr unsigned kSharesPerLink = 8;     // standing at a time, in each direction

// Names a share to its peer. Travels over the fabric.
using Offer = std::array<std::byte, 32>;

// Pages of ours that one peer may read. Destroying it revokes it.
class Share {
 public:
  virtual ~Share() = default;
  // pages * kPageSize - kHeadSize bytes, zeroed at first, aligned to 64. Ours until destruction,
  // whatever becomes of the peer. What the peer must find in it stands there before the offer
  // leaves: nobody looks earlier.
  virtual std::span<std::byte> bytes() noexcept = 0;
  virtual const Offer& offer() const noexcept = 0;
  // A peer that is honest can't map it any more; who lies can see no more than what was shared with
  // it anyhow. Mappings that stand are not touched.
  virtual void revoke() noexcept = 0;
};

// A peer's share, seen by us. Destroying it unmaps it.
class Mapping {
 public:
  virtual ~Mapping() = default;
  // Written by the peer at any time, or all ones, or frozen: when a place is lost there is no
  // signal. Copy, then check.
  virtual std::span<const std::byte> bytes() const noexcept = 0;
};

enum class Rang : std::uint8_t {
  kRung,
  kNoBell,  // this link has none (yet, or any more): ring over the fabric
  kNotOpen,
};

enum class LinkState : std::uint8_t { kMeeting, kOpen, kLost };

enum class Loss : std::uint8_t {
  kGone,       // the peer has left, ended or was killed, or never lived here
  kFault,      // it said what an honest peer would not
  kExhausted,  // this process lacks descriptors or memory
  kMoved,      // this process lives elsewhere now
  kPaused,     // its VM is about to be moved: nothing of other VMs may be held
};

// How much the links of one kind may share, where a machine has little of that and its processes
// must divide it (docs/budgets.md). Pages; what a share costs beyond its own is counted.
struct Budget {
  std::size_t pages = 0;    // of this process; may become less than what stands
  std::size_t in_use = 0;   // of shares that stand
  std::size_t leaving = 0;  // of those: revoked, so their owners are about to give them back
  std::size_t links = 0;    // open ones, among which they are divided
  std::size_t left() const noexcept { return in_use < pages ? pages - in_use : 0; }
};

// Our end of the pair with one peer process. Destroying it parts from the peer. Must not outlive
// its backend.
class Link {
 public:
  virtual ~Link() = default;
  virtual const Card& peer() const noexcept = 0;
  // Both ends live in one VM and are moved together: a pause leaves it alone.
  virtual bool within_vm() const noexcept { return false; }
  virtual LinkState state() const noexcept = 0;
  // Looks whether it is still open, where that can be seen before it is told: asked by who finds
  // the peer's memory gone.
  virtual bool look_open() noexcept { return state() == LinkState::kOpen; }
  // What shares over it are counted in, as long as the backend lives; null: nothing but memory
  // bounds them. EAGAIN is said to whoever asks for more than is left.
  virtual const Budget* budget() const noexcept { return nullptr; }
  // Pages of the budget that a share of so many costs: no fewer.
  virtual std::size_t cost(std::size_t pages) const noexcept { return pages; }
  // 1 to kMostPages pages. EAGAIN: later; EMSGSIZE; ENOTCONN; what the system lacks (logged).
  virtual util::Result<std::unique_ptr<Share>> share(std::size_t pages) noexcept = 0;
  // Once per offer. EAGAIN: its pages are not there (yet); EBADMSG: they don't prove it, and the
  // link will be lost; ENOTCONN.
  virtual util::Result<std::unique_ptr<Mapping>> map(const Offer& offer) noexcept = 0;
  // May be heard late, or as one with others; never blocks.
  virtual Rang ring() noexcept = 0;
};

// Told by progress() alone. Any link, share or mapping may be destroyed in them, the backend not.
class Events {
 public:
  virtual ~Events() = default;
  virtual void opened(Link& link) noexcept = 0;
  virtual void pages_came(Link& link) noexcept = 0;  // offers that map() put off: ask again
  virtual void rung(Link& link) noexcept = 0;
  virtual void lost(Link& link, Loss why) noexcept = 0;  // the last that is told of a link
  // Links have another budget: who has shared more than that is to give some back.
  virtual void budget_changed() noexcept = 0;
  // This process lives elsewhere, or the same place has lost its memory of it: card() is a new one,
  // and lost(kMoved) follows for every link.
  virtual void moved() noexcept = 0;
  // This VM is about to be moved, or not any more: card() says which. If it is, lost(kPaused)
  // follows for every link that is not within the VM; if not, peers may be met again.
  virtual void pause_changed() noexcept = 0;
};

// How often it happened. Faults also leave one warning each.
struct Counters {
  std::uint64_t opened = 0;
  std::uint64_t gone = 0;
  std::uint64_t elsewhere = 0;   // cards of other hosts
  std::uint64_t stale = 0;       // greetings for or from another generation
  std::uint64_t other_user = 0;  // peers under another user id
  std::uint64_t evicted = 0;     // callers that nobody asked for, and too many of them
  std::uint64_t nonsense = 0;
  std::uint64_t bad_pages = 0;
  std::uint64_t exhausted = 0;
  std::uint64_t moved = 0;  // this process
  std::uint64_t rung = 0;   // bells heard
};

class Backend {
 public:
  virtual ~Backend() = default;
  // Ours, for greetings.
  virtual const Card& card() const noexcept = 0;
  // Begins to make the acquaintance of the process whose card came in a greeting. Quietly refused,
  // if that can be said without asking anybody (else lost(kGone) follows): EHOSTUNREACH, it lives
  // elsewhere, or its VM is about to be moved; ECONNREFUSED, it is not there (any more), or not for
  // us; EALREADY, there is a link with it (of any generation); EINVAL, it is this process; EAGAIN,
  // our VM is about to be moved. Not quietly: what the system lacks.
  virtual util::Result<std::unique_ptr<Link>> meet(const Card& peer) noexcept = 0;
  // Does what is to be done and tells of it; true if there was anything. One system call if not.
  virtual bool progress(Events& events) noexcept = 0;
  // Readable (poll, epoll) whenever progress() has something to do.
  virtual int descriptor() const noexcept = 0;
  // A part of that: readable when progress() may have to tell of a place or a life, ours or a
  // peer's, and not for bells. -1: this process can't be moved. The same as long as the backend is.
  virtual int life_descriptor() const noexcept { return -1; }
  // This VM is about to be moved, and something is still to be given back or said. No system call.
  virtual bool restless() const noexcept { return false; }
  // Who announced it wants to know when no peer is left that has not heard of it: peers_know() is
  // to be called then. No system call.
  virtual bool wants_peers_told() const noexcept { return false; }
  virtual void peers_know() noexcept {}
  virtual const Counters& counters() const noexcept = 0;
};

}  // namespace xs::hv
