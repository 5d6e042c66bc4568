// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/hv_pages.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "sim/fake/hv.hpp"
#include "sim/fake/hypervisor.hpp"

namespace xs::sim {

namespace {

std::byte* reserve(std::size_t size, int flags) noexcept {
  void* const begin = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  return begin == MAP_FAILED ? nullptr : static_cast<std::byte*>(begin);
}

// ---- Traps ----
// A page that may not be read stops the instruction that reads it; the handler changes what stands
// there and lets the instruction begin again.

std::vector<FakeMapping*> trapped;
struct sigaction handler_before = {};
FakeMapping* stepping = nullptr;  // springs when steps are over
unsigned steps = 0;

// Whether the interrupted program stops after every instruction.
void set_stepping(void* context, bool on) noexcept {
#if defined(__x86_64__)
  constexpr greg_t kTrapFlag = 0x100;
  greg_t& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
  flags = on ? flags | kTrapFlag : flags & ~kTrapFlag;
#endif
}

void page_touched(int, siginfo_t* info, void* context) noexcept {
  for (FakeMapping* mapping : trapped) {
    unsigned later = 0;
    if (!mapping->touched(info->si_addr, later)) continue;
    if (later == 0) return mapping->spring();
    stepping = mapping;
    steps = later;
    return set_stepping(context, true);
  }
  sigaction(SIGSEGV, &handler_before, nullptr);  // none of ours: it happens again, and ends us
}

void stepped(int, siginfo_t*, void* context) noexcept {
  if (stepping && --steps > 0) return;
  FakeMapping* const due = std::exchange(stepping, nullptr);
  if (due) due->spring();
  set_stepping(context, false);
}

void catch_touches() noexcept {
  static bool catching = false;
  if (catching) return;
  catching = true;
  struct sigaction action = {};
  action.sa_sigaction = page_touched;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &handler_before);
  action.sa_sigaction = stepped;
  sigaction(SIGTRAP, &action, nullptr);
}

}  // namespace

std::shared_ptr<Pages> Pages::make(std::size_t count) noexcept {
  std::byte* const begin = reserve(count * hv::kPageSize, MAP_SHARED);
  if (!begin) return nullptr;
  return std::shared_ptr<Pages>(new Pages(begin, count * hv::kPageSize));
}

Pages::~Pages() { munmap(begin_, size_); }

// Of shared pages, mremap() from a size of 0 makes a second mapping.
std::byte* Pages::again() const noexcept {
  void* const begin = mremap(begin_, 0, size_, MREMAP_MAYMOVE);
  if (begin == MAP_FAILED) return nullptr;
  mprotect(begin, size_, PROT_READ);
  return static_cast<std::byte*>(begin);
}

FakeShare::FakeShare(FakeHypervisor& machine, FakeLink& link, std::shared_ptr<Pages> pages,
                     const hv::Offer& offer, std::uint64_t number) noexcept
    : machine_(machine),
      link_(&link),
      owner_(link.backend().number()),
      pages_(std::move(pages)),
      offer_(offer),
      number_(number),
      far_(!link.within_vm()),
      budget_(link.backend().budget()),
      cost_(link.cost(pages_->size() / hv::kPageSize)) {
  if (budget_) budget_->in_use += cost_;
  machine_.add(*this);
}

FakeShare::~FakeShare() {
  revoke();
  if (budget_) budget_->in_use -= cost_, budget_->leaving -= cost_;
  machine_.remove(*this);
}

void FakeShare::revoke() noexcept {
  if (budget_ && !std::exchange(revoked_, true)) budget_->leaving += cost_;
  if (link_) link_->withdraw(*this);
  link_ = nullptr;
}

FakeMapping::FakeMapping(FakeHypervisor& machine, unsigned owner, unsigned reader, std::byte* begin,
                         std::size_t size, bool far) noexcept
    : machine_(machine), owner_(owner), reader_(reader), begin_(begin), size_(size), far_(far) {
  machine_.add(*this);
}

FakeMapping::~FakeMapping() {
  std::erase(trapped, this);
  if (stepping == this) stepping = nullptr;
  mprotect(begin_, size_, PROT_READ);  // judges may look once more
  machine_.remove(*this);
  munmap(begin_, size_);
}

// In one step, as seen from the middle of a copy. Called by a signal handler, too, but always at an
// instruction that reads shared pages.
void FakeMapping::turn(Sight sight) noexcept {
  if (sight <= sight_) return;
  kept_ = false;
  cancel_visit();
  std::byte* const fresh = reserve(size_, MAP_PRIVATE);
  if (!fresh) return;
  mprotect(begin_, size_, PROT_READ);
  trap_ = Sight::kTrue;
  if (sight == Sight::kFrozen)
    std::memcpy(fresh, begin_, size_);
  else
    std::memset(fresh, 0xff, size_);
  mprotect(fresh, size_, PROT_READ);
  mremap(fresh, size_, size_, MREMAP_MAYMOVE | MREMAP_FIXED, begin_);
  sight_ = sight;
  ++machine_.tally().turned;
}

void FakeMapping::keep() noexcept {
  const bool whole = sight_ == Sight::kTrue;
  turn(Sight::kFrozen);
  kept_ = whole;
}

void FakeMapping::set_visit(const std::function<void()>* visit, unsigned later) noexcept {
  if (trap_ != Sight::kTrue || sight_ != Sight::kTrue) return;
  catch_touches();
  std::erase(trapped, this);
  trapped.push_back(this);
  visit_ = visit;
#if defined(__x86_64__)
  trap_later_ = later;
#endif
  mprotect(begin_, size_, PROT_NONE);
}

void FakeMapping::cancel_visit() noexcept {
  if (!std::exchange(visit_, nullptr)) return;
  if (stepping == this) stepping = nullptr;
  mprotect(begin_, size_, PROT_READ);
}

void FakeMapping::set_trap(std::size_t page, Sight sight, unsigned later) noexcept {
  cancel_visit();
  catch_touches();
  mprotect(begin_, size_, PROT_READ);
  std::erase(trapped, this);
  trapped.push_back(this);
  trap_ = sight;
  trap_page_ = page;
#if defined(__x86_64__)
  trap_later_ = later;
#endif
  mprotect(begin_ + page * hv::kPageSize, hv::kPageSize, PROT_NONE);
}

bool FakeMapping::touched(const void* address, unsigned& later) noexcept {
  if (visit_ && address >= begin_ && address < begin_ + size_) {
    mprotect(begin_, size_, PROT_READ);
    later = trap_later_;
    return true;
  }
  const std::byte* const page = begin_ + trap_page_ * hv::kPageSize;
  if (trap_ == Sight::kTrue || address < page || address >= page + hv::kPageSize) return false;
  mprotect(begin_, size_, PROT_READ);
  later = trap_later_;
  return true;
}

void FakeMapping::spring() noexcept {
  if (const auto* const visit = std::exchange(visit_, nullptr)) return (*visit)();
  turn(trap_);
  trap_ = Sight::kTrue;
  ++machine_.tally().sprung;
}

}  // namespace xs::sim
