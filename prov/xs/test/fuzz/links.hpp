// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a backend of hv may tell of its links, whoever their peers are: what the worlds of
// introduce/ and xen/ are made of.
#pragma once
#include <memory>
#include <vector>

#include "fuzz/script.hpp"
#include "hv/hv_rig.hpp"

namespace xs::fuzz {

// A peer, as the user of a backend sees it.
struct Acquaintance {
  hv::Card card;
  std::unique_ptr<hv::Link> link;
  hv::LinkState told = hv::LinkState::kMeeting;  // of the link
};

// Now and then a link is destroyed in the middle of being told.
class LinkWorld : protected hv::Events {
 public:
  LinkWorld(const LinkWorld&) = delete;
  LinkWorld& operator=(const LinkWorld&) = delete;

 protected:
  explicit LinkWorld(util::Bytes input) : script_(input) {}
  ~LinkWorld() override = default;

  void opened(hv::Link& link) noexcept override;
  void pages_came(hv::Link& link) noexcept override { told_while_open(link); }
  void rung(hv::Link& link) noexcept override { told_while_open(link); }
  void lost(hv::Link& link, hv::Loss why) noexcept override;

  virtual Acquaintance& owner_of(const hv::Link& link) = 0;
  virtual bool may_be_lost(hv::Loss why) const = 0;

  // 0, or what meet() says; EALREADY, and nothing else, if there is a link.
  int meet(hv::Backend& backend, Acquaintance& peer, const hv::Card& card);
  // Until it has nothing to do.
  void progress(hv::Backend& backend);
  // A link with a backend that doesn't lie, and something shared over it.
  void meets(hv::Backend& ours, Acquaintance& peer, hv::Backend& honest);
  // Nothing more can be done with a link that is lost.
  static void require_ended(hv::Link& link);
  // Every page of it: none may be missing.
  static void require_readable(const hv::Mapping& mapping, std::size_t size);
  // Mostly that number.
  std::uint64_t near(std::uint64_t number) {
    const std::uint8_t off = script_.next();
    return off < 0xe0 ? number : number + off % 8 - 3;
  }

  Script script_;

 private:
  void told_while_open(hv::Link& link);
  void perhaps_let_go(Acquaintance& peer) {
    if (script_.next() >= 0xe0) peer.link.reset();
  }

  const test::Warnings quiet_;  // nobody reads them here
};

}  // namespace xs::fuzz
