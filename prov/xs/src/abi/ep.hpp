// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>
#include <rdma/fi_tagged.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "abi/av.hpp"
#include "abi/cntr.hpp"
#include "abi/connected.hpp"
#include "abi/cq.hpp"
#include "abi/domain.hpp"
#include "abi/errno.hpp"
#include "abi/srx.hpp"
#include "abi/stx.hpp"
#include "core/endpoint.hpp"
#include "core/inner.hpp"

namespace xs::abi {

struct Ep : fid_ep {
  using Foreign = struct fid_ep;

  Ep(Domain& owner, const struct fi_info& info) noexcept;

  Cntr* counter_of(core::Counted what) const noexcept {
    return counters[static_cast<std::size_t>(what)];
  }
  core::Counters core_counters() const noexcept;
  // Before it is enabled: the address that it will have; port 0: any. 0 or a negative errno.
  int set_source(const core::Address& address);
  // Opens the core endpoint; from here on it has an address.
  int enable() noexcept;
  // It must not close yet. Inside the gate.
  bool busy() const noexcept { return aliases > 0 || regions > 0; }
  // Of a vector, or of its own; null: not bound yet.
  core::AddressBook* book() const noexcept;

  // A data operation. What can't be taken now is worth one round of progress: callers may retry
  // without reading a queue.
  ssize_t send(const core::SendOp& op) noexcept {
    const Guard guard(domain.gate);
    if (!core) return -FI_EOPBADSTATE;
    return outcome(core->send(op));
  }
  ssize_t receive(const core::ReceiveOp& op) noexcept {
    const Guard guard(domain.gate);
    if (!core) return -FI_EOPBADSTATE;
    return outcome(core->receive(op));
  }

  template <class Op>  // core::RmaOp or core::AtomicOp
  ssize_t reach(const Op& op) noexcept {
    const Guard guard(domain.gate);
    if (!core) return -FI_EOPBADSTATE;
    return outcome(core->reach(op));
  }

  // Whether a data operation in one piece may go the quick way (core/quick.hpp).
  // Whatever it says, leave_quickly() follows, before another way is gone.
  bool enter_quickly(const void* piece, std::size_t size) noexcept {
    return domain.gate.enter_quickly() && core && (piece || size == 0);
  }
  // Looks the gate up anew: a register for it would cost the way there more.
  void leave_quickly() noexcept { std::launder(this)->domain.gate.leave_quickly(); }

  // Default flags of the calls that have none, as core knows them; from op_flags and the way queues
  // were bound.
  void set_defaults() noexcept;
  // Flags of a ...msg call as core knows them. False: not allowed there.
  bool send_flags(std::uint64_t flags, std::uint32_t& out) const noexcept;
  bool write_flags(std::uint64_t flags, std::uint32_t& out) const noexcept {
    return send_flags(flags, out);
  }
  bool read_flags(std::uint64_t flags, std::uint32_t& out) const noexcept;
  bool receive_flags(std::uint64_t flags, bool tagged, std::uint32_t& out) const noexcept;

  Domain& domain;
  std::unique_ptr<core::Endpoint> core;  // null until enabled
  std::uint32_t default_send = 0;
  std::uint32_t default_receive = 0;
  std::size_t inject_size;      // bytes
  std::size_t largest_message;  // bytes
  std::size_t quick_below = 0;  // bytes: shorter messages may be sent in any way, the quick one too

  std::uint64_t caps;
  std::uint64_t send_op_flags;
  std::uint64_t receive_op_flags;
  Cq* send_queue = nullptr;
  Cq* receive_queue = nullptr;
  std::array<Cntr*, core::kCountedKinds> counters{};  // by core::Counted; null: not counted
  Stx* stx = nullptr;
  Srx* srx = nullptr;
  Av* av = nullptr;
  Eq* eq = nullptr;
  bool selective_send = false;  // completions only where FI_COMPLETION asks for one
  bool selective_receive = false;
  std::size_t aliases = 0;             // that are open
  std::size_t regions = 0;             // that are reached by this endpoint alone
  std::size_t min_multi_receive = 64;  // bytes
  // Its own, if its address is not the domain's.
  std::unique_ptr<core::InnerProvider> inner;
  std::unique_ptr<Connected> connection;  // of type FI_EP_MSG; else null

 private:
  ssize_t outcome(core::Status status) noexcept {
    if (status == core::Status::kAgain) core->progress();
    return to_errno(status);
  }
};

// fi_ep_bind.
int bind_endpoint(struct fid* fid, struct fid* other, std::uint64_t flags) noexcept;

// The endpoint that an application means: this one, or the one that this is an alias of.
Ep& endpoint_of(struct fid_ep& fid) noexcept;
// Inside the gate. As fi_ep_alias.
int open_alias(Ep& ep, const struct fi_alias* wanted) noexcept;

// fi_control's FI_GETOPSFLAG and FI_SETOPSFLAG: which direction is told by a flag in the word
// itself. more: flags that may be set besides the usual ones.
struct OpFlags {
  std::uint64_t& send;
  std::uint64_t& receive;
  std::uint64_t more = 0;
};
int exchange_op_flags(const OpFlags& flags, bool set, std::uint64_t& word) noexcept;
// Flags of a receive, as core knows them. False: there are some that it does not know.
bool flags_of_receive(std::uint64_t flags, bool selective, bool tagged,
                      std::uint32_t& out) noexcept;

// FI_OPT_MIN_MULTI_RECV is the one option that there is. About memory of devices fi_endpoint(3) and
// fabtests 2.x want to hear that it is not supported, -FI_EOPNOTSUPP; about any other that there is
// no such option, -FI_ENOPROTOOPT.
constexpr int answer_to_other_option(int name) noexcept {
  constexpr int kCudaApiPermitted = 10;  // FI_OPT_CUDA_API_PERMITTED of libfabric 2.x
  return name == FI_OPT_FI_HMEM_P2P || name == kCudaApiPermitted ? -FI_EOPNOTSUPP : -FI_ENOPROTOOPT;
}
template <class F>
int get_min_multi_receive(int level, int name, void* value, std::size_t* size, F&& get) noexcept {
  if (level != FI_OPT_ENDPOINT || name != FI_OPT_MIN_MULTI_RECV) return -FI_ENOPROTOOPT;
  if (!value || !size) return -FI_EINVAL;
  const bool fits = *size >= sizeof(std::size_t);
  *size = sizeof(std::size_t);
  if (!fits) return -FI_ETOOSMALL;
  const std::size_t bytes = get();
  std::memcpy(value, &bytes, sizeof bytes);
  return 0;
}
template <class F>
int set_min_multi_receive(int level, int name, const void* value, std::size_t size,
                          F&& set) noexcept {
  if (level != FI_OPT_ENDPOINT) return -FI_ENOPROTOOPT;
  if (name != FI_OPT_MIN_MULTI_RECV) return answer_to_other_option(name);
  std::size_t bytes;
  if (!value || size != sizeof bytes) return -FI_EINVAL;
  std::memcpy(&bytes, value, sizeof bytes);
  set(bytes);
  return 0;
}

extern struct fi_ops_msg message_ops;
extern struct fi_ops_tagged tagged_ops;
extern struct fi_ops_rma rma_ops;
extern struct fi_ops_atomic atomic_ops;

}  // namespace xs::abi
