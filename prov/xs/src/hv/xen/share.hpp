// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>
#include <utility>

#include "hv/hv.hpp"
#include "hv/xen/holdings.hpp"
#include "hv/xen/link.hpp"
#include "hv/xen/pages.hpp"

namespace xs::hv {

class XenShare final : public Share {
 public:
  XenShare(XenLink& link, MadePages made, std::shared_ptr<Budget> budget,
           std::shared_ptr<Holdings> holdings) noexcept
      : held_(std::move(holdings)),
        link_(&link),
        grant_(std::move(made.grant)),
        pages_(made.name.pages),
        offer_(encode(made.name)),
        budget_(std::move(budget)) {
    budget_->in_use += granted_for(pages_);
  }
  ~XenShare() override {
    revoke();
    budget_->in_use -= granted_for(pages_);
    budget_->leaving -= granted_for(pages_);
  }

  std::span<std::byte> bytes() noexcept override {
    return {grant_.begin() + kHeadSize, pages_ * kPageSize - kHeadSize};
  }
  const Offer& offer() const noexcept override { return offer_; }
  std::size_t granted() const noexcept { return grant_.pages(); }
  void revoke() noexcept override {
    mark_revoked(grant_.begin());
    if (!std::exchange(revoked_, true)) budget_->leaving += granted_for(pages_);
    if (link_) link_->forget(*this);
    link_ = nullptr;
  }
  // The link is no more.
  void detach() noexcept {
    link_ = nullptr;
    revoke();
  }

 private:
  Holdings::One held_;  // first: the last to go
  XenLink* link_;
  OwnGrant grant_;
  std::size_t pages_;
  Offer offer_;
  std::shared_ptr<Budget> budget_;
  bool revoked_ = false;
};

class XenMapping final : public Mapping {
 public:
  XenMapping(TheirGrant grant, std::size_t pages, std::shared_ptr<Holdings> holdings) noexcept
      : held_(std::move(holdings)), grant_(std::move(grant)), pages_(pages) {}
  std::span<const std::byte> bytes() const noexcept override {
    return {grant_.begin() + kHeadSize, pages_ * kPageSize - kHeadSize};
  }

 private:
  Holdings::One held_;  // first: the last to go
  TheirGrant grant_;
  std::size_t pages_;
};

}  // namespace xs::hv
