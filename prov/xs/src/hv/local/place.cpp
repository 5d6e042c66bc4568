// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hv/unique_fd.hpp"

namespace xs::hv {

namespace {

// FNV-1a twice, from different beginnings. Nothing relies on it: who lives where is proven by a
// socket and a page; this only has to differ where places differ.
class Digest {
 public:
  Digest() noexcept = default;
  explicit Digest(const Id& so_far) noexcept : id_(so_far) {}
  void add(const void* bytes, std::size_t size) noexcept {
    const auto* from = static_cast<const unsigned char*>(bytes);
    for (std::size_t i = 0; i < size; ++i) {
      id_.high = (id_.high ^ from[i]) * kPrime;
      id_.low = (id_.low ^ (from[i] + 0x80u)) * kPrime;
    }
  }
  Id value() const noexcept { return id_; }

 private:
  static constexpr std::uint64_t kPrime = 0x100000001b3;
  Id id_{0xcbf29ce484222325, 0x6c62272e07bb0142};
};

bool add_boot(Digest& digest) noexcept {
  const UniqueFd file(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t size = file ? read(file.get(), text.data(), text.size()) : -1;
  if (size <= 0) return false;
  digest.add(text.data(), static_cast<std::size_t>(size));
  return true;
}

bool add_namespace(Digest& digest, const char* path) noexcept {
  struct stat status {};
  if (stat(path, &status) != 0) return false;
  digest.add(&status.st_dev, sizeof status.st_dev);
  digest.add(&status.st_ino, sizeof status.st_ino);
  return true;
}

}  // namespace

util::Result<Id> real_host() noexcept {
  Digest digest;
  bool known = add_boot(digest);
  for (const char* path : {"/proc/self/ns/mnt", "/proc/self/ns/net", "/proc/self/ns/user"})
    known = known && add_namespace(digest, path);
  if (!known) return util::Error{ENOTSUP, "/proc does not tell where this process lives"};
  const uid_t user = geteuid();
  digest.add(&user, sizeof user);
  return digest.value();
}

Id host_within(const Id& real, const std::string& simulated_host) noexcept {
  Digest digest(real);
  digest.add(simulated_host.data(), simulated_host.size());
  return digest.value();
}

}  // namespace xs::hv
