// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two backends as one: a near one for the processes of this VM, and a far one for those of others.
#pragma once
#include <memory>

#include "hv/hv.hpp"
#include "hv/unique_fd.hpp"

namespace xs::hv {

class NearBackend : public Backend {
 public:
  // The far one has found out that this VM has moved: the card gets the next generation, and all
  // that comes with a move is told.
  virtual void relocate(Events& events) noexcept = 0;
};

class Both final : public Backend {
 public:
  // The far one has the near one's card, but for the domid and the pauses: what is near moves with
  // the VM.
  static util::Result<std::unique_ptr<Backend>> make(std::unique_ptr<NearBackend> near,
                                                     std::unique_ptr<Backend> far) noexcept;

  const Card& card() const noexcept override { return card_; }
  util::Result<std::unique_ptr<Link>> meet(const Card& peer) noexcept override;
  bool progress(Events& events) noexcept override;
  int descriptor() const noexcept override { return epoll_.get(); }
  // The near one learns of moves from the far one.
  int life_descriptor() const noexcept override { return far_->life_descriptor(); }
  bool restless() const noexcept override { return far_->restless(); }
  bool wants_peers_told() const noexcept override { return far_->wants_peers_told(); }
  void peers_know() noexcept override { far_->peers_know(); }
  const Counters& counters() const noexcept override;

 private:
  class Moves;
  Both(std::unique_ptr<NearBackend> near, std::unique_ptr<Backend> far) noexcept
      : near_(std::move(near)), far_(std::move(far)) {}
  void take_card() noexcept;

  std::unique_ptr<NearBackend> near_;
  std::unique_ptr<Backend> far_;
  UniqueFd epoll_;
  Card card_;
  mutable Counters counters_;
};

}  // namespace xs::hv
