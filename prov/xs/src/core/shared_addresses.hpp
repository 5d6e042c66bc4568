// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/types.hpp"
#include "proto/address.hpp"
#include "util/result.hpp"

namespace xs::core {

// The list of addresses that processes of one user share by a name: a file in shared memory
// (docs/vectors.md). It only grows; who has read it as far as that needs nothing but what follows.
// It is read and written by calls, never mapped: whatever becomes of the file, nobody faults.
class SharedAddresses {
 public:
  enum class Access : std::uint8_t { kWrite, kRead };

  // kWrite makes it if nobody has it open. Errors: EINVAL for a name that can't be one, or another
  // family; ENOENT for kRead if nobody has it open; EACCES if the file is not this user's alone;
  // EIO for one that is no list; ETIMEDOUT if another process holds it; others are the system's.
  static util::Result<std::unique_ptr<SharedAddresses>> open(
      std::string_view name, std::uint16_t family, Access access,
      unsigned patience = kPatience) noexcept;
  // The last one that has it open removes it. Waits like open() while another process holds it.
  ~SharedAddresses();
  SharedAddresses(const SharedAddresses&) = delete;
  SharedAddresses& operator=(const SharedAddresses&) = delete;

  bool writable() const noexcept { return access_ == Access::kWrite; }

  // How long another process may hold the list, in milliseconds: a change takes microseconds.
  static constexpr unsigned kPatience = 10000;

  // While one of these holds, nobody else changes the list.
  class Change {
   public:
    // waited: the milliseconds that the caller has waited for this change already.
    Change(SharedAddresses& list, unsigned waited) noexcept
        : list_(list), error_(list.lock(waited)) {}
    ~Change() {
      if (error_ == 0) list_.unlock();
    }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    // 0: it holds. EAGAIN: another process is at it, ask again in a millisecond. ETIMEDOUT: it has
    // been for too long. Others are the system's.
    int error() const noexcept { return error_; }

   private:
    SharedAddresses& list_;
    int error_;
  };

  // Inside a Change, when all was read; 0 or an errno value. EIO: it is no list, or another one
  // than was read. append: at the number that follows the last one. use: one insertion more. drop:
  // one less; last: nothing is at that number any more. ENOENT: nothing was.
  int append(const proto::Address& address) noexcept;
  int use(PeerAddress number) noexcept;
  int drop(PeerAddress number, bool& last) noexcept;

  struct Item {
    std::optional<proto::Address> address;  // nullopt: not used, or not believed
  };
  // Calls f(number, Item) for all that has come since the last time, and for everything if anything
  // was removed meanwhile. f may throw bad_alloc: then it is told again.
  template <class F>
  void read(F&& f) {
    Head head;
    if (!read_head(head)) return;
    const bool again = head.removals != removals_;
    for (std::uint64_t at = again ? 0 : known_; at < head.count; ++at) {
      Item item;
      if (!read_item(at, item)) return;
      f(PeerAddress{at}, item);
      if (at >= known_) known_ = at + 1;
    }
    removals_ = head.removals;
  }

  static constexpr std::uint64_t kMost = 1u << 20;  // addresses that there ever were

 private:
  // As they stand in the file.
  struct Head {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t family;
    std::uint64_t count;     // of records that are whole
    std::uint64_t removals;  // how often one has ceased to be used
  };
  struct Record;

  SharedAddresses(std::string file, std::uint16_t family, Access access, unsigned patience) noexcept
      : file_(std::move(file)), family_(family), access_(access), patience_(patience) {}

  util::Result<bool> try_open() noexcept;
  util::Result<bool> join() noexcept;
  int make_new() noexcept;
  int lock(unsigned waited) noexcept;
  int wait_and_lock() noexcept;
  void unlock() noexcept;
  bool read_head(Head& head) const noexcept;
  int write_head(const Head& head) noexcept;
  int read_used(PeerAddress number, Head& head, Record& record) const noexcept;
  int write_record(PeerAddress number, const Record& record) noexcept;
  bool read_item(std::uint64_t at, Item& item) const noexcept;
  void close() noexcept;

  std::string file_;  // as shm_open knows it
  std::uint16_t family_;
  Access access_;
  unsigned patience_;           // milliseconds
  bool lost_patience_ = false;  // in who still holds it, perhaps
  int fd_ = -1;
  std::uint64_t known_ = 0;  // records that were read
  std::uint64_t removals_ = 0;
};

}  // namespace xs::core
