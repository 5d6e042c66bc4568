// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One process' end of a pair in hv/xen: a line in the notes of both, and the peer's life page.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "hv/hv.hpp"
#include "hv/xen/bell.hpp"
#include "hv/xen/note.hpp"
#include "hv/xen/pages.hpp"

namespace xs::hv {

class Xen;
class XenShare;

class XenLink final : public Link {
 public:
  XenLink(Xen& backend, const Card& peer, std::uint64_t key, std::uint32_t session) noexcept
      : backend_(backend), peer_(peer), key_(key), session_(session) {}
  ~XenLink() override;

  const Card& peer() const noexcept override { return peer_; }
  LinkState state() const noexcept override { return state_; }
  bool look_open() noexcept override {
    look();
    return state_ == LinkState::kOpen;
  }
  const Budget* budget() const noexcept override;
  std::size_t cost(std::size_t pages) const noexcept override { return granted_for(pages); }
  util::Result<std::unique_ptr<Share>> share(std::size_t pages) noexcept override;
  util::Result<std::unique_ptr<Mapping>> map(const Offer& offer) noexcept override;
  Rang ring() noexcept override;

  std::uint64_t key() const noexcept { return key_; }
  std::uint32_t session() const noexcept { return session_; }
  std::uint32_t echo() const noexcept { return theirs_; }
  Loss loss() const noexcept { return loss_; }
  // Pages, of shares that stand.
  std::size_t granted() const noexcept;

  // What the backend is to tell of it, each once and as the last thing it does with the link.
  bool is_asked_for() const noexcept { return ask_; }
  void ask() noexcept { ask_ = true; }
  bool take_opening() noexcept { return std::exchange(untold_opening_, false); }
  bool take_put_off() noexcept { return std::exchange(put_off_, false); }
  bool take_ring() noexcept { return std::exchange(untold_ring_, false); }
  bool take_loss() noexcept { return std::exchange(untold_loss_, false); }

  // What the peer's note says by now; nothing: no sense.
  void heed(const std::optional<NoteToUs>& note) noexcept;
  // There is none, or it can't be read.
  void miss() noexcept;
  // Whether its kernel has cleared the life page.
  void look() noexcept;
  // A while has gone by.
  void tick() noexcept;
  // Nobody would ring if the peer died, or somebody did a moment ago.
  bool needs_ticks() const noexcept;
  void owe_ticks() noexcept;
  XenBell& bell() noexcept { return bell_; }
  const XenBell& bell() const noexcept { return bell_; }
  void heard() noexcept;
  void lose(Loss why, const char* reason) noexcept;

  // By a share that is revoked.
  void forget(const XenShare& share) noexcept;

 private:
  void open(std::uint32_t life) noexcept;
  util::Error lacks(const util::Error& error) noexcept;
  bool was_mapped(std::uint64_t number) const noexcept;

  Xen& backend_;
  Card peer_;
  std::uint64_t key_;
  std::uint32_t session_;
  std::uint32_t theirs_ = 0;  // the peer's session, by its note
  LinkState state_ = LinkState::kMeeting;
  Loss loss_ = Loss::kGone;
  bool ask_ = true;    // the peer's note is to be read
  bool seen_ = false;  // it was, of this generation
  bool untold_opening_ = false;
  bool untold_loss_ = false;
  bool untold_ring_ = false;
  bool put_off_ = false;  // an offer came before the opening
  bool warned_ = false;   // of what the system lacks
  TheirGrant life_;
  XenBell bell_;
  unsigned ticks_owed_ = 0;  // although the bell stands
  std::array<XenShare*, kSharesPerLink> shares_{};
  // Numbers of the offers that were mapped last: twice as many as can stand.
  std::array<std::uint64_t, 2 * kSharesPerLink> mapped_{};
  unsigned next_mapped_ = 0;
};

}  // namespace xs::hv
