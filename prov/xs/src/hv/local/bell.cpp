// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/bell.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace xs::hv {

util::Result<UniqueFd> make_bell() noexcept {
  UniqueFd bell(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell) return util::Error{errno, "no descriptor for a bell"};
  return bell;
}

bool is_bell(const UniqueFd& fd) noexcept {
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || !(flags & O_NONBLOCK)) return false;
  std::array<char, 32> path{};
  std::array<char, 64> target{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd.get());
  const ssize_t size = readlink(path.data(), target.data(), target.size());
  return size > 0 &&
         std::string_view(target.data(), static_cast<std::size_t>(size)) == "anon_inode:[eventfd]";
}

void ring_bell(const UniqueFd& bell) noexcept {
  // Refused only if the count is full: then it has been rung.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(bell.get(), &one, sizeof one);
}

}  // namespace xs::hv
