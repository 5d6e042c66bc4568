// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes in domains of a fake Xen, each with hv/xen and perhaps a link.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "hv/fake/xen.hpp"
#include "hv/hv_rig.hpp"
#include "hv/xen/note.hpp"
#include "hv/xen/xen.hpp"

namespace xs::test {

class HvXen : public testing::Test {
 protected:
  struct Party {
    std::shared_ptr<FakeXenCalls> calls;
    std::unique_ptr<hv::Xen> xen;
    std::unique_ptr<hv::Link> link;
    Told told;
  };
  Party party(std::uint32_t domain, std::size_t pages = 0,
              hv::XenBellUse bells = hv::XenBellUse::kFabric) {
    Party made;
    made.calls = machine_.connect(domain);
    const hv::Card card{
        .host = {1, domain}, .process = {random_.next(), random_.next()}, .generation = 1};
    auto opened = hv::Xen::open(made.calls, card, random_, bells, pages);
    if (opened) made.xen = std::move(*opened);
    return made;
  }
  void begin() {
    a_ = party(1);
    b_ = party(2);
  }
  void meet() {
    meet(a_, b_);
    meet(b_, a_);
    EXPECT_TRUE(until([&] { return a_.told.openings == 1 && b_.told.openings == 1; }));
  }
  static void meet(Party& from, Party& to) {
    auto met = from.xen->meet(to.xen->card());
    ASSERT_TRUE(met);
    from.link = std::move(*met);
  }
  bool until(const std::function<bool()>& condition) {
    const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > late) return false;
      if (!move_both()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  bool move_both() {
    const bool a = move(a_);
    return move(b_) || a;
  }
  static bool move(Party& party) { return party.xen && party.xen->progress(party.told); }
  void settle() {
    while (move_both()) {
    }
  }
  static std::string node_of(const Party& party) {
    return hv::node_of(party.xen->card().domid, party.xen->card().process).data();
  }

  FakeXen machine_;
  util::SystemRandom random_;
  Party a_, b_;
};

}  // namespace xs::test
