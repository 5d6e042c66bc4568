// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include "worker/fabric_link.hpp"

namespace xs::bench {

/// Endpoints of this process that are peers of the other side's main endpoint, met and then silent:
/// neither closed nor called any more. The other side has as many for ours. One thread.
class IdlePeers {
 public:
  /// Opens `count` endpoints of this provider; throws Failure.
  IdlePeers(const std::string& provider, unsigned count);

  /// Each of them and the endpoint at the address `peer` exchange some messages, so that whatever
  /// two endpoints do when they are new to each other is done; so do `main` and those of the other
  /// side, which calls this at the same time: one side `asks_first`. Throws Failure.
  void meet(FabricLink& main, const std::string& peer, bool asks_first);

  /// Closes all of them and `main` at the same time, as the other side does: whoever closes waits
  /// for its peers.
  void close(FabricLink main);

 private:
  void ask_all(const std::string& peer);
  void answer_all(FabricLink& main) const;
  void settle(FabricLink& main);

  std::vector<FabricLink> links_;
};

}  // namespace xs::bench
