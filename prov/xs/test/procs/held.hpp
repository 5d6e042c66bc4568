// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the calling process holds, of the kinds that rings could leave behind.
#pragma once
#include <cstdint>
#include <string>

namespace xs::test {

// Open descriptors, but no connection that was accepted at that port, if there is one.
// libfabric forgets those whose endpoint was closed before it knew who called: a probe of the peer,
// say (docs/adr/0005).
long descriptors_held(std::uint16_t port = 0);

// Of these, shared memory and the sockets of its kind, which no lane of an inner provider has: one
// more of those may be opened at any time.
long sharing_descriptors_held();

// Mappings with that text in what /proc says of them: "memfd:" for shared memory, "" for all.
long mappings_held(const std::string& text);

}  // namespace xs::test
