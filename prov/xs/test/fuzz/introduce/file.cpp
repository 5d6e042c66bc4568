// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fuzz/introduce/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iterator>

#include "util/bytes.hpp"

namespace xs::fuzz {

namespace {

// The head of a share, as docs/hv.md has it.
constexpr std::uint64_t kMagic = 0x3153474150545358;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;

std::size_t size_with(File::Flaw flaw, std::size_t size) {
  if (flaw == File::Flaw::kSmall) return size - hv::kPageSize;
  return flaw == File::Flaw::kOdd ? size + 1 : size;
}

int seals_with(File::Flaw flaw) {
  switch (flaw) {
    case File::Flaw::kUnsealed:
      return 0;
    case File::Flaw::kShrinkable:
      return kSeals & ~F_SEAL_SHRINK;
    case File::Flaw::kGrowable:
      return kSeals & ~F_SEAL_GROW;
    case File::Flaw::kWritable:
      return kSeals & ~F_SEAL_FUTURE_WRITE;
    default:
      return kSeals;
  }
}

}  // namespace

File::File(std::size_t announced, Flaw flaw, std::uint64_t known_as, const hv::Id& proof)
    : number(known_as), size(announced), nonce(proof), good_(flaw == Flaw::kNone) {
  const unsigned huge = flaw == Flaw::kHuge ? unsigned{MFD_HUGETLB} : 0u;
  fd_ = hv::UniqueFd(memfd_create("xs-fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge));
  if (!fd_) return;
  const std::size_t real = size_with(flaw, size);
  const bool sized = ftruncate(fd_.get(), static_cast<off_t>(real)) == 0;
  if (sized && real > 0 && flaw != Flaw::kSparse && flaw != Flaw::kHuge &&
      posix_fallocate(fd_.get(), 0, static_cast<off_t>(real)) == 0) {
    void* const at = mmap(nullptr, real, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (at != MAP_FAILED) bytes_ = {static_cast<std::byte*>(at), real};
  }
  const std::uint64_t head[] = {kMagic, nonce.high, nonce.low, size};
  for (std::size_t i = 0; i < std::size(head); ++i) scribble(i, head[i]);
  fcntl(fd_.get(), F_ADD_SEALS, seals_with(flaw));
}

File::~File() { let_go(); }

void File::let_go() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
  bytes_ = {};
}

bool File::proves(const hv::Id& id) const {
  const auto word = [&](std::size_t at) { return util::load<std::uint64_t>(&bytes_[8 * at]); };
  return !bytes_.empty() && word(0) == kMagic && word(1) == id.high && word(2) == id.low &&
         word(3) == size;
}

void File::scribble(std::size_t word, std::uint64_t value) {
  if (8 * word + 8 <= bytes_.size()) util::store(&bytes_[8 * word], value);
}

void File::try_to_trap(std::uint8_t how) {
  [[maybe_unused]] int rc = 0;
  switch (how % 5) {
    case 0:
    case 1:
      // What is not there any more would trap ourselves.
      if (ftruncate(fd_.get(), how % 5 == 0 ? 0 : static_cast<off_t>(size / 2)) == 0) let_go();
      break;
    case 2:
      rc = fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                     static_cast<off_t>(size));
      break;
    case 3:
      if (!bytes_.empty()) rc = madvise(bytes_.data(), bytes_.size(), MADV_REMOVE);
      break;
    default:
      rc = fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  }
}

}  // namespace xs::fuzz
