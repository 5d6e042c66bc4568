// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shared memory of a simulated machine. A reader has an address range of its own, so that what it
// sees can change while its pointers stay, as real mappings do when a place is lost.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "hv/hv.hpp"

namespace xs::sim {

class FakeHypervisor;
class FakeLink;

// What a mapping shows.
enum class Sight : std::uint8_t { kTrue, kFrozen, kOnes };

// The memory of a share. It lives until its owner and everybody who might map it have let go;
// mappings need it no more.
class Pages {
 public:
  // Null: the system has none.
  static std::shared_ptr<Pages> make(std::size_t count) noexcept;
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // The same memory at another place, without write permission; null: no room.
  std::byte* again() const noexcept;
  std::byte* begin() const noexcept { return begin_; }
  std::size_t size() const noexcept { return size_; }

 private:
  Pages(std::byte* begin, std::size_t size) noexcept : begin_(begin), size_(size) {}
  std::byte* begin_;
  std::size_t size_;
};

class FakeShare final : public hv::Share {
 public:
  FakeShare(FakeHypervisor& machine, FakeLink& link, std::shared_ptr<Pages> pages,
            const hv::Offer& offer, std::uint64_t number) noexcept;
  ~FakeShare() override;
  std::span<std::byte> bytes() noexcept override {
    return {pages_->begin() + hv::kHeadSize, pages_->size() - hv::kHeadSize};
  }
  const hv::Offer& offer() const noexcept override { return offer_; }
  void revoke() noexcept override;

  std::uint64_t number() const noexcept { return number_; }
  unsigned owner() const noexcept { return owner_; }
  // For another VM.
  bool far() const noexcept { return far_; }
  // The link is no more.
  void detach() noexcept { link_ = nullptr; }

 private:
  FakeHypervisor& machine_;
  FakeLink* link_;
  unsigned owner_;
  std::shared_ptr<Pages> pages_;
  hv::Offer offer_;
  std::uint64_t number_;
  bool far_;
  std::shared_ptr<hv::Budget> budget_;  // that it is counted in
  std::size_t cost_;
  bool revoked_ = false;
};

class FakeMapping final : public hv::Mapping {
 public:
  // The processes are numbered by the hypervisor. begin: from Pages::again().
  FakeMapping(FakeHypervisor& machine, unsigned owner, unsigned reader, std::byte* begin,
              std::size_t size, bool far) noexcept;
  ~FakeMapping() override;
  std::span<const std::byte> bytes() const noexcept override {
    return {begin_ + hv::kHeadSize, size_ - hv::kHeadSize};
  }

  unsigned owner() const noexcept { return owner_; }
  unsigned reader() const noexcept { return reader_; }
  bool far() const noexcept { return far_; }  // another VM's
  std::size_t pages() const noexcept { return size_ / hv::kPageSize; }
  Sight sight() const noexcept { return sight_; }
  // It shows everything that its owner has written, dead or alive.
  bool whole() const noexcept { return sight_ == Sight::kTrue || kept_; }

  // From now on it shows that, for good. What was frozen may still turn to ones.
  void turn(Sight sight) noexcept;
  // Freezes as it is: the owner is dead.
  void keep() noexcept;
  // turn() in the middle of the next instruction that reads from that page: often one of those
  // that copy a frame. A second trap takes the place of the first. later: so many instructions
  // after that one; another build may be elsewhere by then (x86-64, else 0).
  void set_trap(std::size_t page, Sight sight, unsigned later = 0) noexcept;
  // Somebody else runs in the middle of the next instruction that reads from here, or so many
  // after it. Not while a trap is set.
  void set_visit(const std::function<void()>* visit, unsigned later) noexcept;
  // Whoever has not come by now does not come.
  void cancel_visit() noexcept;
  // Whether the address lies in the trap; then the page can be read from now on, and the trap
  // springs at once, or after the given number of instructions.
  bool touched(const void* address, unsigned& later) noexcept;
  void spring() noexcept;

 private:
  FakeHypervisor& machine_;
  unsigned owner_;
  unsigned reader_;
  std::byte* begin_;
  std::size_t size_;
  bool far_;
  Sight sight_ = Sight::kTrue;
  bool kept_ = false;
  Sight trap_ = Sight::kTrue;  // none
  std::size_t trap_page_ = 0;
  unsigned trap_later_ = 0;
  const std::function<void()>* visit_ = nullptr;  // what the trap is for, if not for that
};

}  // namespace xs::sim
