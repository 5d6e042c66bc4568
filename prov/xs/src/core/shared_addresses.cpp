// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/shared_addresses.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <new>

#include "proto/limits.hpp"
#include "util/log.hpp"

namespace xs::core {

namespace {

constexpr std::uint64_t kMagic = 0x5342564153585321;  // "!SXSAVBS"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kHeadRoom = 64;  // bytes before the first record
constexpr int kOpenTries = 100;          // each lost to another process that removed the file

// What is locked: bytes that mean nothing else. The kernel lets go of what a dead process had.
constexpr off_t kChanging = 0;  // by who changes the list, or finds out whether he is alone
constexpr off_t kHaving = 1;    // shared, by everybody who has it open

// 0, or an errno value; EAGAIN: others are in the way.
int set_lock(int fd, off_t byte, short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
  return errno == EACCES ? EAGAIN : errno;
}

bool read_all(int fd, void* to, std::size_t size, std::uint64_t at) noexcept {
  return pread(fd, to, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
}

int write_all(int fd, const void* from, std::size_t size, std::uint64_t at) noexcept {
  const ssize_t done = pwrite(fd, from, size, static_cast<off_t>(at));
  if (done == static_cast<ssize_t>(size)) return 0;
  return done < 0 ? errno : ENOSPC;
}

bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

// The user is part of it: another one's can't be in the way, unless he wants to be. Empty: the name
// can't be one.
std::string file_of(std::string_view name) {
  constexpr std::array kDigits{'0', '1', '2', '3', '4', '5', '6', '7',
                               '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string file = "/xs-av-" + std::to_string(geteuid()) + "-";
  for (const char c : name) {
    if (is_plain(c)) {
      file += c;
      continue;
    }
    const auto code = static_cast<unsigned char>(c);
    file += '%';
    file += kDigits[code / 16];
    file += kDigits[code % 16];
  }
  return name.empty() || file.size() > NAME_MAX ? std::string() : file;
}

// Nobody else may have written it, or may yet; nor is it another file of this user's that somebody
// has given the name.
bool is_ours_alone(const struct stat& is) noexcept {
  return S_ISREG(is.st_mode) && is.st_uid == geteuid() && (is.st_mode & (S_IRWXG | S_IRWXO)) == 0 &&
         is.st_nlink <= 1;
}

}  // namespace

struct SharedAddresses::Record {
  std::array<std::byte, proto::kAddressSize> address;  // as on the wire
  std::uint64_t uses;                                  // insertions that were not removed
};

util::Result<std::unique_ptr<SharedAddresses>> SharedAddresses::open(
    std::string_view name, std::uint16_t family, Access access, unsigned patience) noexcept try {
  std::string file = file_of(name);
  if (file.empty()) return util::Error{EINVAL, "no name for a shared address vector"};
  std::unique_ptr<SharedAddresses> list(
      new SharedAddresses(std::move(file), family, access, patience));
  for (int tries = 0; tries < kOpenTries; ++tries) {
    auto opened = list->try_open();
    if (!opened) {
      list->close();
      return opened.error();
    }
    if (*opened) return list;
    list->close();
  }
  return util::Error{EAGAIN, "a shared address vector that others remove all the time"};
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "no memory for a shared address vector"};
}

// False: it was removed between two steps of ours.
util::Result<bool> SharedAddresses::try_open() noexcept {
  const int create = access_ == Access::kWrite ? O_CREAT : 0;
  fd_ = shm_open(file_.c_str(), O_RDWR | create, S_IRUSR | S_IWUSR);
  if (fd_ < 0) return util::Error{errno, "a shared address vector can't be opened"};
  struct stat is;
  if (fstat(fd_, &is) != 0) return util::Error{errno, "a shared address vector can't be opened"};
  if (!is_ours_alone(is)) {
    util::log(util::Level::kWarn, "/dev/shm%s is not a file of this user alone", file_.c_str());
    return util::Error{EACCES, "a shared address vector of somebody else"};
  }
  if (const int error = wait_and_lock())
    return util::Error{error, "a shared address vector is held by a process"};
  auto joined = fstat(fd_, &is) == 0 && is.st_nlink > 0 ? join() : util::Result<bool>(false);
  unlock();
  return joined;
}

// Whom nobody else shows to have it open has found what a process left that died.
util::Result<bool> SharedAddresses::join() noexcept {
  Head head;
  if (set_lock(fd_, kHaving, F_WRLCK) == 0) {
    if (access_ == Access::kRead) {
      shm_unlink(file_.c_str());
      return util::Error{ENOENT, "nobody has that shared address vector open"};
    }
    if (const int error = make_new()) {
      shm_unlink(file_.c_str());
      return util::Error{error, "a shared address vector can't be made"};
    }
  } else if (!read_head(head)) {
    return util::Error{EIO, "what a shared address vector should be is none"};
  } else if (head.family != family_) {
    return util::Error{EINVAL, "a shared address vector of another family"};
  }
  if (const int error = set_lock(fd_, kHaving, F_RDLCK))
    return util::Error{error, "no locks of shared memory"};
  return true;
}

int SharedAddresses::make_new() noexcept {
  if (ftruncate(fd_, 0) != 0) return errno;
  const Head head{kMagic, kVersion, family_, 0, 0};
  return write_all(fd_, &head, sizeof head, 0);
}

SharedAddresses::~SharedAddresses() {
  if (fd_ < 0) return;
  struct stat is;
  if (wait_and_lock() == 0) {
    const bool alone = set_lock(fd_, kHaving, F_WRLCK) == 0;
    if (alone && fstat(fd_, &is) == 0 && is.st_nlink > 0) shm_unlink(file_.c_str());
    unlock();
  }
  close();
}

void SharedAddresses::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

// Who holds it may have been stopped: it is waited for, but not for ever, and once, since many
// addresses may be about to be inserted.
int SharedAddresses::lock(unsigned waited) noexcept {
  const int error = set_lock(fd_, kChanging, F_WRLCK);
  if (error == 0) lost_patience_ = false;
  if (error != EAGAIN) return error;
  if (!lost_patience_ && waited < patience_) return EAGAIN;
  lost_patience_ = true;
  return ETIMEDOUT;
}

int SharedAddresses::wait_and_lock() noexcept {
  for (unsigned waited = 0;; ++waited) {
    const int error = lock(waited);
    if (error != EAGAIN) return error;
    constexpr struct timespec kPause { 0, 1'000'000 };
    nanosleep(&kPause, nullptr);
  }
}

void SharedAddresses::unlock() noexcept { set_lock(fd_, kChanging, F_UNLCK); }

bool SharedAddresses::read_head(Head& head) const noexcept {
  return read_all(fd_, &head, sizeof head, 0) && head.magic == kMagic && head.version == kVersion &&
         head.count <= kMost;
}

bool SharedAddresses::read_item(std::uint64_t at, Item& item) const noexcept {
  Record record;
  if (!read_all(fd_, &record, sizeof record, kHeadRoom + at * sizeof record)) return false;
  if (record.uses > 0) item.address = proto::Address::decode(record.address.data());
  if (item.address && (item.address->family != family_ || item.address->is_wildcard()))
    item.address.reset();
  return true;
}

int SharedAddresses::write_head(const Head& head) noexcept {
  return write_all(fd_, &head, sizeof head, 0);
}

int SharedAddresses::write_record(PeerAddress number, const Record& record) noexcept {
  static_assert(sizeof(Head) <= kHeadRoom && sizeof(Record) == 40);
  return write_all(fd_, &record, sizeof record, kHeadRoom + number * sizeof record);
}

int SharedAddresses::read_used(PeerAddress number, Head& head, Record& record) const noexcept {
  if (!read_head(head)) return EIO;
  if (number >= head.count) return ENOENT;
  if (!read_all(fd_, &record, sizeof record, kHeadRoom + number * sizeof record)) return EIO;
  return record.uses > 0 ? 0 : ENOENT;
}

// The record first: who dies before it is counted has done nothing.
int SharedAddresses::append(const proto::Address& address) noexcept {
  Head head;
  if (!read_head(head) || head.count != known_) return EIO;
  if (head.count == kMost) return ENOSPC;
  Record record{{}, 1};
  address.encode(record.address.data());
  if (const int error = write_record(head.count, record)) return error;
  ++head.count;
  return write_head(head);
}

int SharedAddresses::use(PeerAddress number) noexcept {
  Head head;
  Record record;
  if (const int error = read_used(number, head, record)) return error;
  ++record.uses;
  return write_record(number, record);
}

// Who dies before it is counted leaves others with a number of nothing, which they can use no more.
int SharedAddresses::drop(PeerAddress number, bool& last) noexcept {
  Head head;
  Record record;
  if (const int error = read_used(number, head, record)) return error;
  --record.uses;
  if (const int error = write_record(number, record)) return error;
  last = record.uses == 0;
  if (!last) return 0;
  if (head.removals == removals_) ++removals_;  // ours is nothing new to us
  ++head.removals;
  return write_head(head);
}

}  // namespace xs::core
