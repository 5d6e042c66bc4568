// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What xsctl asks of the hypervisor and the store, so that tests can stand in for both.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "util/result.hpp"

namespace xs::dom0 {

enum class State : std::uint8_t { kRunning, kBlocked, kPaused, kShutdown, kDying };

struct Domain {
  std::uint32_t id = 0;
  State state = State::kRunning;
  std::uint64_t pages = 0;  // that it has
  // Stays with the virtual machine when it becomes another domain.
  std::array<std::uint8_t, 16> uuid{};
};

// What a domain's grant table says. Its owner writes it, but for the marks of what is mapped.
struct Grants {
  struct To {
    std::uint32_t reader = 0;
    std::uint32_t pages = 0;
    std::uint32_t read_only = 0;  // of these
    std::uint32_t mapped = 0;     // of these, by the reader, at this moment
    bool operator==(const To&) const = default;
  };
  std::vector<To> to;  // in order of the readers
  std::uint32_t frames = 0;
  std::uint32_t most_frames = 0;
};

// Errors are errno values.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual util::Result<std::vector<Domain>> domains() = 0;
  virtual util::Result<Grants> grants(std::uint32_t domain) = 0;
  // The store, by whole paths. ENOENT and EACCES: it isn't there.
  virtual util::Result<std::string> read(const std::string& path) = 0;
  // The names of the nodes right below.
  virtual util::Result<std::vector<std::string>> list(const std::string& path) = 0;

  // A transaction: what is read until end_changes() stood there all at once, and nobody sees what
  // is changed before. EAGAIN: somebody else has changed something of it meanwhile, and nothing is
  // done.
  virtual util::Result<bool> begin_changes() = 0;
  virtual util::Result<bool> end_changes(bool keep) = 0;
  virtual util::Result<bool> write(const std::string& path, const std::string& value) = 0;
  virtual util::Result<bool> remove(const std::string& path) = 0;
  // To a domain, which alone may read and write it then, dom0 aside.
  virtual util::Result<bool> give(const std::string& path, std::uint32_t domain) = 0;

  virtual util::Result<bool> watch(const std::string& path) = 0;
  // Until a watched node or one below has changed, the descriptor (or none, -1) is readable, or it
  // has taken so many milliseconds. The paths that have changed: too many rather than too few.
  virtual util::Result<std::vector<std::string>> wait(std::uint64_t milliseconds,
                                                      int descriptor) = 0;
};

// Whose children appear is told at this path.
inline constexpr const char* kNewDomains = "@introduceDomain";

// ENODEV: there is no Xen; EACCES and EPERM: not in dom0, or no rights.
using OpenMachine = std::function<util::Result<std::unique_ptr<Machine>>()>;

}  // namespace xs::dom0
