// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two processes in domains of a fake Xen, the first of which is about to be moved.
#pragma once
#include <poll.h>

#include <optional>

#include "hv/both_rig.hpp"

namespace xs::test {

inline constexpr const char* kNode = "/local/domain/1/data/xs-here/quiesce";
inline constexpr std::uint64_t kSerial = 0x2a;

class HvPause : public HvXen {
 protected:
  void announce(const std::string& text = "2a xsctl 17") { machine_.put(kNode, text); }
  // What its note answers.
  std::optional<std::uint64_t> said(const Party& party) const {
    const auto note = hv::parse_whole_note(machine_.value(node_of(party)));
    return note ? note->quiesced : std::nullopt;
  }
  std::optional<std::uint64_t> told(const Party& party) const {
    const auto note = hv::parse_whole_note(machine_.value(node_of(party)));
    return note ? note->told : std::nullopt;
  }
  static bool is_readable(const Party& party) {
    struct pollfd fd {
      party.xen->descriptor(), POLLIN, 0
    };
    return poll(&fd, 1, 0) == 1;
  }
  void give_back_links() {
    a_.link.reset();
    b_.link.reset();
    settle();
    a_.told = b_.told = Told();
  }
  void expect_quiet() {
    EXPECT_EQ(said(a_), kSerial);
    EXPECT_FALSE(a_.xen->restless());
    EXPECT_EQ(machine_.used(1).pages, 0u);
    EXPECT_EQ(a_.calls->mapped(), 0u);
    EXPECT_EQ(machine_.ports.count(1), 0u);
    EXPECT_FALSE(is_readable(a_)) << "it would spin";
  }
};

}  // namespace xs::test
