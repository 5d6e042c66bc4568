// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A neighbour without a hypervisor: a test says which pages have come, what is lacking, and sees
// what stands.
#pragma once
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "hv/hv.hpp"
#include "ring/pages.hpp"

namespace xs::test {

using ring::test::Pages;

// Shares and mappings, counted while they stand.
class Standing {
 public:
  Standing(std::size_t& count, std::shared_ptr<Pages> pages) noexcept
      : count_(count), pages_(std::move(pages)) {
    ++count_;
  }
  ~Standing() { --count_; }
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;
  std::span<std::byte> span() const noexcept { return pages_->span(); }

 private:
  std::size_t& count_;
  std::shared_ptr<Pages> pages_;
};

class ScriptedShare final : public hv::Share {
 public:
  // budget: may be null; its cost is counted there.
  ScriptedShare(std::size_t& count, unsigned& revoked, std::shared_ptr<Pages> pages,
                const hv::Offer& name, hv::Budget* budget, std::size_t cost) noexcept
      : standing_(count, std::move(pages)),
        revoked_(revoked),
        name_(name),
        budget_(budget),
        cost_(cost) {
    if (budget_) budget_->in_use += cost_;
  }
  ~ScriptedShare() override {
    if (!budget_) return;
    budget_->in_use -= cost_;
    if (leaving_) budget_->leaving -= cost_;
  }
  std::span<std::byte> bytes() noexcept override { return standing_.span(); }
  const hv::Offer& offer() const noexcept override { return name_; }
  void revoke() noexcept override {
    ++revoked_;
    if (budget_ && !leaving_) budget_->leaving += cost_;
    leaving_ = true;
  }

 private:
  Standing standing_;
  unsigned& revoked_;
  hv::Offer name_;
  hv::Budget* budget_;
  std::size_t cost_;
  bool leaving_ = false;
};

class ScriptedMapping final : public hv::Mapping {
 public:
  ScriptedMapping(std::size_t& count, std::shared_ptr<Pages> pages) noexcept
      : standing_(count, std::move(pages)) {}
  std::span<const std::byte> bytes() const noexcept override { return standing_.span(); }

 private:
  Standing standing_;
};

class ScriptedLink final : public hv::Link {
 public:
  const hv::Card& peer() const noexcept override { return card; }
  hv::LinkState state() const noexcept override { return hv::LinkState::kOpen; }
  const hv::Budget* budget() const noexcept override { return limited; }
  // A page more for a list, from 4 on.
  std::size_t cost(std::size_t pages) const noexcept override { return pages + (pages >= 4); }
  util::Result<std::unique_ptr<hv::Share>> share(std::size_t pages) noexcept override {
    if (share_error != 0) return util::Error{share_error, "as scripted"};
    newest = std::make_shared<Pages>(pages * hv::kPageSize - hv::kHeadSize);
    newest->fill(std::byte{0});
    hv::Offer name{};
    util::store(name.data(), ++shared);
    return std::unique_ptr<hv::Share>(
        new ScriptedShare(shares, revoked, newest, name, limited, cost(pages)));
  }
  util::Result<std::unique_ptr<hv::Mapping>> map(const hv::Offer& offer) noexcept override {
    if (map_error != 0) return util::Error{map_error, "as scripted"};
    const auto found = theirs.find(offer);
    if (found == theirs.end()) return util::Error{EAGAIN, "these pages are not there"};
    auto pages = found->second;
    theirs.erase(found);
    return std::unique_ptr<hv::Mapping>(new ScriptedMapping(mappings, std::move(pages)));
  }
  hv::Rang ring() noexcept override {
    ++rung;
    return hv::Rang::kRung;
  }

  hv::Budget* limited = nullptr;                       // of this link and others
  int share_error = 0;                                 // to every share()
  int map_error = 0;                                   // to every map()
  std::map<hv::Offer, std::shared_ptr<Pages>> theirs;  // that the peer has shared
  std::shared_ptr<Pages> newest;                       // that was shared with the peer
  std::uint64_t shared = 0;                            // ever
  std::size_t shares = 0;                              // that stand
  std::size_t mappings = 0;                            // that stand
  unsigned revoked = 0;
  unsigned rung = 0;
  hv::Card card;
};

}  // namespace xs::test
