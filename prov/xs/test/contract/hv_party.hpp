// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An HvActor, wherever it lives, as a test speaks to it.
#pragma once
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "contract/hv_actor.hpp"
#include "hv/hv.hpp"

namespace xs::test {

class HvParty {
 public:
  virtual ~HvParty() = default;
  virtual std::string ask(const std::string& line) = 0;
  // Ends it as kill -9 does, or as near as can be.
  virtual void kill() = 0;

  struct Shared {
    int error;
    unsigned share;
    std::string offer;
  };
  struct Numbered {
    int error;
    unsigned number;
  };
  struct PairNews {
    unsigned opened, pages, rung, lost;
    hv::Loss why;
  };

  struct Budget {
    std::size_t pages = 0, in_use = 0, leaving = 0, cost = 0;  // of a share
  };

  std::string card() { return ask("card"); }
  bool progress() { return ask("progress") == "1"; }
  bool readable(int milliseconds) { return ask("readable " + std::to_string(milliseconds)) == "1"; }
  Numbered meet(const std::string& card);
  hv::LinkState state(unsigned pair);
  PairNews news(unsigned pair);
  hv::Rang ring(unsigned pair);
  void leave(unsigned pair) { ask("leave " + std::to_string(pair)); }
  Shared share(unsigned pair, std::size_t pages);
  // What that link's shares are counted in, and what one of so many pages would cost.
  std::optional<Budget> budget(unsigned pair, std::size_t pages);
  Numbered map(unsigned pair, const std::string& offer);
  void put(unsigned share, std::size_t at, const std::string& hex);
  std::string get(unsigned mapping, std::size_t at, std::size_t size);
  // What the share's owner reads in it.
  std::string own(unsigned share, std::size_t at, std::size_t size);
  std::string sum(unsigned mapping) { return ask("sum " + std::to_string(mapping)); }
  std::string rights(unsigned mapping) { return ask("rights " + std::to_string(mapping)); }
  void revoke(unsigned share) { ask("revoke " + std::to_string(share)); }
  void unshare(unsigned share) { ask("unshare " + std::to_string(share)); }
  void unmap(unsigned mapping) { ask("unmap " + std::to_string(mapping)); }
  hv::Counters counters();
  // How often it was told that it had moved; -1 if a link was lost by a move before that.
  int moves();
  // How often a pause has begun or ended, and whether something is still to be given back in it.
  struct Pauses {
    unsigned count;
    bool restless;
  };
  Pauses pauses();
  // Descriptors and shared mappings of the process.
  std::string cost() { return ask("cost"); }
};

using MakeBackend = std::unique_ptr<hv::Backend> (*)(const std::string& simulated_host);

// In this process.
std::unique_ptr<HvParty> party_here(MakeBackend make, const std::string& simulated_host);
// In a child of this process.
std::unique_ptr<HvParty> party_forked(MakeBackend make, const std::string& simulated_host);

}  // namespace xs::test
