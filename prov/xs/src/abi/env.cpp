// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/env.hpp"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "abi/provider.hpp"
#include "util/log.hpp"

namespace xs::abi {

namespace {

using core::Config;
using util::Level;

struct Variable {
  const char* name;  // as fi_param_define wants it; the environment has FI_XS_ and capitals
  const char* help;
  // Sets the member; false if the value can't be used.
  bool (*set)(Config& config, std::string_view value);
  const char* allowed;
};

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least,
                                    std::uint64_t most) noexcept {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < least || value > most) return std::nullopt;
  return value;
}

template <class T>
bool set_number(T& member, std::string_view text, std::uint64_t least, std::uint64_t most,
                std::uint64_t unit = 1) noexcept {
  const auto value = number(text, least, most);
  if (value) member = static_cast<T>(*value * unit);
  return value.has_value();
}

bool set_xen(locality::XenUse& member, std::string_view text) noexcept {
  using Use = locality::XenUse;
  member = text == "on" ? Use::kOn : text == "off" ? Use::kOff : Use::kAuto;
  return text == "auto" || member != Use::kAuto;
}

bool set_xen_bell(locality::XenBellUse& member, std::string_view text) noexcept {
  using Use = locality::XenBellUse;
  member = text == "event" ? Use::kEvent : Use::kFabric;
  return text == "fabric" || member != Use::kFabric;
}

constexpr Variable kVariables[] = {
    {"fallback",
     "The inner provider that carries frames between hosts, by its exact name (default: the first "
     "of tcp, net, tcp;ofi_rxm and sockets that works)",
     [](Config& c, std::string_view v) {
       c.fallback = v;
       return !v.empty();
     },
     "a provider name"},
    {"iface",
     "The network to use: an interface name, an address, or address/prefix length (default: the "
     "first that is up and is not a bridge that every host has)",
     [](Config& c, std::string_view v) {
       c.interface = v;
       return !v.empty();
     },
     "an interface name, an address, or address/prefix"},
    {"eager",
     "Bytes: the largest message that is sent in one frame, without asking (default: 65536)",
     [](Config& c, std::string_view v) {
       return set_number(c.eager, v, core::kSmallestEager, core::kLargestEager);
     },
     "a number of bytes from 256 to 1000000"},
    {"window",
     "Frames that one peer may have sent to us unacknowledged, a power of two (default: 256)",
     [](Config& c, std::string_view v) {
       return set_number(c.window, v, core::kSmallestWindow, core::kLargestWindow) &&
              std::has_single_bit(c.window);
     },
     "a power of two from 8 to 16384"},
    {"rx_buffers",
     "Receive buffers of one frame each that an endpoint keeps posted to the inner provider "
     "(default: 8)",
     [](Config& c, std::string_view v) { return set_number(c.receive_buffers, v, 2, 65536); },
     "a number from 2 to 65536"},
    {"unexpected",
     "Bytes: messages that came before their receive are buffered up to here; above it peers are "
     "asked to announce payloads only (default: 268435456)",
     [](Config& c, std::string_view v) { return set_number(c.unexpected, v, 0, 1ull << 46); },
     "a number of bytes"},
    {"quiet",
     "Milliseconds without news of unacknowledged frames before a peer is asked again (default: "
     "200)",
     [](Config& c, std::string_view v) {
       return set_number(c.quiet, v, 1, 3'600'000, util::kMillisecond);
     },
     "a number of milliseconds from 1 to 3600000"},
    {"peer_timeout",
     "Seconds during which not even a peer's kernel has answered, before its operations end in "
     "error (default: 60)",
     [](Config& c, std::string_view v) {
       return set_number(c.peer_timeout, v, 1, 1'000'000, util::kSecond);
     },
     "a number of seconds from 1 to 1000000"},
    {"pause_timeout",
     "The same for a peer whose VM was about to be moved or saved when it was heard last (default: "
     "86400, a day)",
     [](Config& c, std::string_view v) {
       return set_number(c.pause_timeout, v, 1, 100'000'000, util::kSecond);
     },
     "a number of seconds from 1 to 100000000"},
    {"linger",
     "Milliseconds that closing an endpoint waits at most for acknowledgements (default: 5000)",
     [](Config& c, std::string_view v) {
       return set_number(c.linger, v, 0, 3'600'000, util::kMillisecond);
     },
     "a number of milliseconds up to 3600000"},
    {"ring_size",
     "Bytes: shared memory that each side of a pair of co-resident processes begins with (default: "
     "65536); 0: no shared memory at all",
     [](Config& c, std::string_view v) {
       return v == "0" ? set_number(c.ring_size, v, 0, 0)
                       : set_number(c.ring_size, v, core::kSmallestRing, core::kLargestRing);
     },
     "0, or a number of bytes from 4096 to 16777216"},
    {"ring_largest",
     "Bytes: shared memory of each side of a pair that moves much (default: 1048576)",
     [](Config& c, std::string_view v) {
       return set_number(c.ring_largest, v, core::kSmallestRing, core::kLargestRing);
     },
     "a number of bytes from 4096 to 16777216"},
    {"ring_memory",
     "Bytes: all shared memory of a domain; beyond it the pairs that talk least use the network "
     "(default: 268435456)",
     [](Config& c, std::string_view v) { return set_number(c.ring_memory, v, 0, 1ull << 46); },
     "a number of bytes"},
    {"direct_read",
     "Bytes: larger messages are read straight out of the memory of a sender on this machine, "
     "where "
     "the kernel allows it; 0: none, they go through shared memory (default: 12288)",
     [](Config& c, std::string_view v) { return set_number(c.direct_read, v, 0, 1ull << 46); },
     "a number of bytes"},
    {"xen",
     "Shared memory with processes in other domains of the same Xen: auto, if it can be had; off; "
     "on, an error if it can't (default: auto)",
     [](Config& c, std::string_view v) { return set_xen(c.locality.xen, v); }, "auto, off or on"},
    {"xen_bell",
     "What wakes a process in another domain of the same Xen: fabric, a frame over the inner "
     "provider; event, an event channel, where both sides say so and their VMs are never moved "
     "without an announcement (default: fabric)",
     [](Config& c, std::string_view v) { return set_xen_bell(c.locality.xen_bell, v); },
     "fabric or event"},
    {"xen_pages",
     "Pages that this process may share with processes in other domains of the same Xen (default: "
     "its part of what the module xen_gntalloc lets all processes of this VM share)",
     [](Config& c, std::string_view v) { return set_number(c.locality.xen_pages, v, 9, 1u << 20); },
     "a number of pages from 9 to 1048576"},
    {"sim_host",
     "For tests: the simulated host that this process lives on, NAME or @FILE; processes on "
     "different "
     "ones share no memory (default: none)",
     [](Config& c, std::string_view v) {
       c.locality.simulated_host = v;
       return !v.empty();
     },
     "a name, or @ and the path of a file"},
    {"stats",
     "Path prefix: an endpoint that closes appends to PREFIX.<pid> how many messages and bytes "
     "went to and came from each peer, and by which path (default: no report)",
     [](Config& c, std::string_view v) {
       c.stats = v;
       return !v.empty();
     },
     "a path"},
};

constexpr std::string_view kPrefix = "FI_XS_";

std::string capitals(std::string_view name) {
  std::string out(kPrefix);
  for (const char c : name) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

bool is_known(std::string_view name) {
  for (const Variable& variable : kVariables)
    if (capitals(variable.name) == name) return true;
  return false;
}

void warn_of_unknown() {
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    if (!text.starts_with(kPrefix)) continue;
    const std::string name(text.substr(0, text.find('=')));
    if (!is_known(name))
      util::log(Level::kWarn, "%s: xs has no such variable (fi_info -e lists them)", name.c_str());
  }
}

}  // namespace

void define_variables() noexcept {
  for (const Variable& variable : kVariables)
    fi_param_define(&provider(), variable.name, FI_PARAM_STRING, "%s", variable.help);
}

util::Result<Config> read_variables() {
  [[maybe_unused]] static const bool warned = (warn_of_unknown(), true);
  Config config;
  for (const Variable& variable : kVariables) {
    char* value = nullptr;
    if (fi_param_get_str(&provider(), variable.name, &value) != 0 || !value) continue;
    if (variable.set(config, value)) continue;
    util::log(Level::kWarn, "%s=%s can't be used: it must be %s", capitals(variable.name).c_str(),
              value, variable.allowed);
    return util::Error{EINVAL, "unusable FI_XS_ variable"};
  }
  return config;
}

}  // namespace xs::abi
