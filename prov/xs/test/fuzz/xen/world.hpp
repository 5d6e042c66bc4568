// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An hv::Xen in domain 1 of a fake machine. Domain 2 grants, writes and offers what it likes; so do
// other processes of domain 1 in its part of the store. Judged all the while by docs/hv.md.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/links.hpp"
#include "hv/fake/xen.hpp"
#include "hv/xen/note.hpp"
#include "hv/xen/pages.hpp"
#include "hv/xen/xen.hpp"
#include "sim/dice.hpp"

namespace xs::fuzz {

class XenWorld final : private LinkWorld {
 public:
  explicit XenWorld(util::Bytes input);
  ~XenWorld() override;

  bool over() const { return script_.empty(); }
  void act();
  // The liars are quiet: nothing of them is held, and an honest peer is met.
  void goes_on();

 private:
  static constexpr std::size_t kPeers = 3;
  static constexpr std::uint32_t kUs = 1, kThem = 2, kHonest = 3;

  struct Peer : Acquaintance {
    std::uint32_t life = 0;  // reference
    std::vector<std::unique_ptr<hv::Share>> shares;
  };
  // Of domain 2, to us.
  struct Granted {
    std::byte* begin;
    std::vector<std::uint32_t> references;
    hv::GrantName name;
  };
  struct Mapped {
    std::unique_ptr<hv::Mapping> mapping;
    std::size_t size;
  };

  void rung(hv::Link& link) noexcept override;
  void budget_changed() noexcept override {}
  void moved() noexcept override {}
  void pause_changed() noexcept override {}
  Acquaintance& owner_of(const hv::Link& link) override;
  bool may_be_lost(hv::Loss why) const override { return why != hv::Loss::kExhausted; }

  // What our user does.
  void meet(Peer& peer);
  void share(Peer& peer);
  void map(Peer& peer);
  void let_go(Peer& peer);
  void progress() { LinkWorld::progress(*xen_); }
  // What domain 2 does.
  void write_note(Peer& peer);
  void put_note(Peer& peer, std::string text);
  void grant_life(Peer& peer);
  void grant_pages();
  void write_grant(const Granted& granted);
  void change_grant();
  void take_back();
  void open_well(Peer& peer);
  // What others in our own domain do.
  void put_name();
  void announce();
  std::string word();

  void check();
  Peer& somebody() { return peers_[script_.next() % kPeers]; }
  std::string own_node() const;

  std::unique_ptr<sim::Dice> dice_;
  test::FakeXen machine_;
  std::shared_ptr<test::FakeXenCalls> calls_, theirs_;
  std::unique_ptr<hv::Xen> xen_;
  std::array<Peer, kPeers> peers_;
  std::vector<Granted> granted_;
  std::vector<Mapped> mapped_;
  unsigned lies_ = 0;  // changes to come, each between two looks
};

}  // namespace xs::fuzz
