// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include "hv/hv.hpp"
#include "hv/local/link.hpp"
#include "hv/local/memory.hpp"
#include "hv/local/pages.hpp"

namespace xs::hv {

class LocalShare final : public Share {
 public:
  LocalShare(LocalLink& link, Memories& all, Range range, const PagesName& name) noexcept
      : link_(&link),
        memory_(all, link.key(), std::move(range)),
        number_(name.number),
        offer_(encode(name)) {}
  ~LocalShare() override { revoke(); }

  std::span<std::byte> bytes() noexcept override { return memory_.range().user_bytes(); }
  const Offer& offer() const noexcept override { return offer_; }
  void revoke() noexcept override {
    if (link_) link_->withdraw(*this);
    link_ = nullptr;
  }

  std::uint64_t number() const noexcept { return number_; }
  // The link is no more.
  void detach() noexcept { link_ = nullptr; }

 private:
  LocalLink* link_;
  Memory memory_;
  std::uint64_t number_;
  Offer offer_;
};

class LocalMapping final : public Mapping {
 public:
  LocalMapping(Memories& all, std::uint64_t link, Range range) noexcept
      : memory_(all, link, std::move(range)) {}
  std::span<const std::byte> bytes() const noexcept override {
    return memory_.range().user_bytes();
  }

 private:
  Memory memory_;
};

}  // namespace xs::hv
