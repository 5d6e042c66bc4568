// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/pages.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstring>

#include "util/bytes.hpp"
#include "util/fence.hpp"

namespace xs::hv {

namespace {

using util::Error;
using util::load;
using util::Result;
using util::store;

// The head of a share: magic 0 (8), nonce 8 (16), size 24 (8), zero 32 (32).
constexpr std::uint64_t kMagic = 0x3153474150545358;  // "XSTPAGS1"

// Linux 5.1's; Debian 12's <fcntl.h> knows it, older ones don't.
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
constexpr int kSealsNeeded = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;

// ftruncate beyond the limit does not fail: it kills, by SIGXFSZ.
bool within_file_limit(std::size_t size) noexcept {
  struct rlimit limit {};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
  return limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

void write_head(std::byte* head, const Id& nonce, std::uint64_t size) noexcept {
  store(head + 8, nonce.high);
  store(head + 16, nonce.low);
  store(head + 24, size);
  store(head, kMagic);
}

// A child's stores would be stores of a second writer; and it has no use for them.
void keep_from_children(const Range& range) noexcept {
  madvise(range.begin(), range.size(), MADV_DONTFORK);
}

Range map(int fd, std::size_t size, int protection) noexcept {
  void* const begin = mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (begin == MAP_FAILED) return {};
  return Range(static_cast<std::byte*>(begin), size, (protection & PROT_WRITE) != 0);
}

Range map_private(std::size_t size) noexcept {
  void* const begin =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) return {};
  return Range(static_cast<std::byte*>(begin), size, true);
}

// A huge-page file may lack a page when it is read, a hole may lack memory: both would trap.
bool cannot_trap(int fd, std::uint64_t size) noexcept {
  struct stat status {};
  struct statfs system {};
  if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0) return false;
  constexpr std::uint64_t kBlock = 512;  // st_blocks counts these
  return S_ISREG(status.st_mode) && system.f_type == TMPFS_MAGIC &&
         static_cast<std::uint64_t>(status.st_size) == size &&
         static_cast<std::uint64_t>(status.st_blocks) * kBlock >= size;
}

bool is_size(std::uint64_t size) noexcept {
  return size > 0 && size % kPageSize == 0 && size <= kMostPages * kPageSize;
}

Result<Range> read_only(Range made) noexcept {
  if (mprotect(made.begin(), made.size(), PROT_READ) != 0) return Error{errno, "no memory"};
  return made;
}

// Bytes that are the same at two looks, the first at all of them before the second at any, all
// stood there at the instant between: no ring writes the same twice.
bool copy_at_one_instant(std::byte* to, const std::byte* from, std::size_t size) noexcept {
  constexpr int kTries = 1000;  // a ring is full at some time, and its writer rests
  for (int i = 0; i < kTries; ++i) {
    std::memcpy(to, from, size);
    util::fence_after_copy();
    if (std::memcmp(to, from, size) == 0) return true;
  }
  return false;
}

}  // namespace

Range::~Range() {
  if (begin_) munmap(begin_, size_);
}

Result<Range> Range::copy() const noexcept {
  Range made = map_private(size_);
  if (!made) return Error{errno, "no memory"};
  keep_from_children(made);
  if (!copy_at_one_instant(made.begin(), begin_, size_)) return Error{EAGAIN, "it never rests"};
  if (writable_) return made;
  return read_only(std::move(made));
}

Result<Range> Range::all_ones() const noexcept {
  Range made = map_private(size_);
  if (!made) return Error{errno, "no memory"};
  keep_from_children(made);
  std::memset(made.begin(), 0xff, size_);
  return read_only(std::move(made));
}

bool Range::become(Range prepared) noexcept {
  void* const now =
      mremap(prepared.begin_, prepared.size_, size_, MREMAP_MAYMOVE | MREMAP_FIXED, begin_);
  if (now == MAP_FAILED) return false;
  prepared.begin_ = nullptr;  // it stands here now
  return true;
}

util::Result<OwnPages> make_pages(std::size_t pages, const Id& nonce) noexcept {
  if (pages == 0 || pages > kMostPages) return Error{EMSGSIZE, "no share has that many pages"};
  const std::size_t size = pages * kPageSize;
  if (!within_file_limit(size)) return Error{EFBIG, "the limit on file sizes forbids a share"};
  OwnPages made;
  made.memfd = UniqueFd(memfd_create("xs", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made.memfd) return Error{errno, "no memfd for a share"};
  const int fd = made.memfd.get();
  const auto bytes = static_cast<off_t>(size);
  if (ftruncate(fd, bytes) != 0) return Error{errno, "a memfd can't have the size of a share"};
  // Now, as an error: later a store without memory behind it would be a SIGBUS.
  if (const int error = posix_fallocate(fd, 0, bytes)) return Error{error, "no memory for a share"};
  made.range = map(fd, size, PROT_READ | PROT_WRITE);
  if (!made.range) return Error{errno, "no address space for a share"};
  if (fcntl(fd, F_ADD_SEALS, kSealsNeeded | F_SEAL_SEAL) != 0)
    return Error{errno, "a memfd can't be sealed"};
  keep_from_children(made.range);
  write_head(made.range.begin(), nonce, size);
  return made;
}

util::Result<Range> map_pages(const UniqueFd& memfd, std::uint64_t size) noexcept {
  const int seals = fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSealsNeeded) != kSealsNeeded)
    return Error{EBADMSG, "pages that are not sealed"};
  if (!is_size(size) || !cannot_trap(memfd.get(), size))
    return Error{EBADMSG, "pages that are not all there, or not as many as announced"};
  Range range = map(memfd.get(), size, PROT_READ);
  if (!range) return Error{errno, "no address space for a peer's pages"};
  keep_from_children(range);
  return range;
}

bool proves(const Range& range, const Id& nonce) noexcept {
  const std::byte* const head = range.begin();
  return load<std::uint64_t>(head) == kMagic && load<std::uint64_t>(head + 8) == nonce.high &&
         load<std::uint64_t>(head + 16) == nonce.low &&
         load<std::uint64_t>(head + 24) == range.size();
}

Offer encode(const PagesName& name) noexcept {
  Offer offer;
  store(&offer[0], name.number);
  store(&offer[8], name.size);
  store(&offer[16], name.nonce.high);
  store(&offer[24], name.nonce.low);
  return offer;
}

PagesName decode(const Offer& offer) noexcept {
  return {.number = load<std::uint64_t>(&offer[0]),
          .size = load<std::uint64_t>(&offer[8]),
          .nonce = {load<std::uint64_t>(&offer[16]), load<std::uint64_t>(&offer[24])}};
}

}  // namespace xs::hv
