// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "hv/unique_fd.hpp"

namespace xs::sim {

namespace {

// Reads what may be gone: the kernel says so. Who is not allowed to read other processes may read
// itself this way.
ssize_t peek(const void* from, std::byte* to, std::size_t size) noexcept {
  static const hv::UniqueFd own(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  if (own.get() < 0) std::abort();
  return pread(own.get(), to, size, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(from)));
}

// What was read goes where it belongs.
void spread(std::span<const std::byte> bytes, std::span<const struct iovec> to) noexcept {
  for (const struct iovec& piece : to) {
    const std::size_t part = std::min(piece.iov_len, bytes.size());
    std::copy_n(bytes.data(), part, static_cast<std::byte*>(piece.iov_base));
    bytes = bytes.subspan(part);
  }
}

}  // namespace

bool FakeReader::finds(std::uint32_t process) const noexcept {
  return std::ranges::any_of(own_.machine().backends(), [&](const FakeHv* each) {
    return each->number() == process && each->host() == own_.host() && !each->dead();
  });
}

// With a payload before the witness, that is one more read; else it is a look at the witness alone.
ssize_t FakeReader::read(std::uint32_t process, std::span<const struct iovec> to,
                         std::span<const struct iovec> from) noexcept {
  FakeHypervisor& machine = own_.machine();
  const bool is_payload = from.size() > 1;
  const bool refused = is_payload && machine.dice().percent(machine.habits().unread_percent);
  std::vector<std::byte> bytes;
  if (finds(process)) {
    for (const struct iovec& piece : from) {
      const std::size_t before = bytes.size();
      const std::size_t part = refused ? machine.dice().below(piece.iov_len) : piece.iov_len;
      bytes.resize(before + part);
      if (peek(piece.iov_base, bytes.data() + before, part) != static_cast<ssize_t>(part))
        bytes.resize(before);
      if (bytes.size() != before + piece.iov_len) break;
    }
  }
  std::size_t wanted = 0;
  for (const struct iovec& piece : from) wanted += piece.iov_len;
  const bool all = bytes.size() == wanted;
  if (is_payload) {
    const auto witness = std::span(bytes).last(all ? from.back().iov_len : 0);
    const bool wiped = all && std::ranges::count(witness, std::byte{0}) == std::ssize(witness);
    ++(!all ? machine.tally().unread : wiped ? machine.tally().late : machine.tally().read);
  }
  spread(bytes, to);
  if (!bytes.empty()) return std::ssize(bytes);
  errno = ESRCH;
  return -1;
}

}  // namespace xs::sim
