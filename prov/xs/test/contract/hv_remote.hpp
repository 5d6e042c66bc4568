// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Parties in another machine: processes there, and lines of text over TCP.
#pragma once
#include <memory>
#include <string>

#include "contract/hv_party.hpp"

namespace xs::test {

// server: ADDRESS:PORT of serve_parties() there.
std::unique_ptr<HvParty> party_remote(const std::string& server);

// A child for each connection, each with a backend of its own, until nobody has called for so many
// seconds. 0, or an errno value.
int serve_parties(std::uint16_t port, MakeBackend make, int patience);

}  // namespace xs::test
