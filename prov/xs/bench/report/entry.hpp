// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <string>

namespace xs::bench {

/// Entries of one group are compared with each other; the floor with all; an idle one also with
/// the same provider of kFabric.
enum class Group { kNone, kFabric, kSecond, kMpi, kAsleep, kIdle };

/// The subject is compared with every other role. The inner is what it builds on.
enum class Role { kSubject, kInner, kPeer, kFloor };

/// What the name of an entry of kIdle ends in, after that of its provider.
constexpr const char* kIdleEnding = " idle";

/// One line of the tables.
struct Entry {
  std::string name;
  Group group;
  Role role;
};

}  // namespace xs::bench
