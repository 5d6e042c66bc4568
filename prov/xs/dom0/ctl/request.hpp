// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The node by which the processes of a domain are asked to pause (docs/migration.md).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dom0/ctl/machine.hpp"
#include "dom0/ctl/system.hpp"
#include "util/result.hpp"

namespace xs::dom0 {

// `SERIAL PID`, hexadecimal and decimal. A guest may have written there what it likes.
struct Request {
  std::uint64_t serial = 0;  // never 0
  std::uint32_t pid = 0;     // of the xsctl that has written it
  bool operator==(const Request&) const = default;
};
std::string as_text(const Request& request);
std::optional<Request> parse_request(std::string_view text);

// Who has written it, and what is to be done about it.
std::string describe_asker(const std::string& standing, System& system);

// ENOENT: nobody asks.
util::Result<std::string> read_request(Machine& machine, std::uint32_t domain);

struct Asking {
  enum class Answer : std::uint8_t {
    kAsked,
    kAnotherStands,  // which is `standing`
    kNowhere,        // the domain has no data/ in the store, so nobody there can have a node
  };
  Answer answer = Answer::kAsked;
  std::string standing;
};
// The node is the guest's own, as is all below its data/. An error: it isn't written.
util::Result<Asking> ask(Machine& machine, std::uint32_t domain, const Request& request);

// Whatever stands there is removed if it is this text. False: it is not there.
util::Result<bool> take_back(Machine& machine, std::uint32_t domain, const std::string& text);

}  // namespace xs::dom0
