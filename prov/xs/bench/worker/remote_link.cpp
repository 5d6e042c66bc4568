// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "worker/remote_link.hpp"

#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

#include <cstring>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

constexpr std::uint64_t kExposedKey = 1;
constexpr std::uint64_t kOwnKey = 2;

/// What the peer needs; goes before the address of the endpoint.
struct Exposure {
  std::uint64_t base;  // what operations call the first byte
  std::uint64_t key;
};

Demand demand_of(const Suite& suite) {
  const bool atomics = &suite == &kAtomics;
  return {.name = atomics ? "atomic operations" : "remote memory access",
          .caps = FI_TAGGED | (atomics ? FI_ATOMIC : FI_RMA),
          .mr_mode = FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_LOCAL};
}

bool demands(const FabricLink& link, int mr_mode) {
  return (link.info().domain_attr->mr_mode & mr_mode) != 0;
}

}  // namespace

RemoteLink::RemoteLink(const std::string& provider, const Suite& suite, bool asleep)
    : link_(provider, asleep, demand_of(suite)) {
  if (&suite == &kAtomics) require_atomics();
  const std::size_t longest = link_.info().ep_attr->max_msg_size;
  if (longest < suite.sizes.back())
    throw Declined("its operations have at most " + std::to_string(longest) + " bytes");
  exposed_region_ = register_memory(exposed_, FI_REMOTE_READ | FI_REMOTE_WRITE, kExposedKey);
  if (!demands(link_, FI_MR_LOCAL)) return;
  own_region_ = register_memory(own_, FI_READ | FI_WRITE, kOwnKey);
  own_desc_ = fi_mr_desc(own_region_.get());
}

void RemoteLink::require_atomics() const {
  struct fid_ep* const ep = link_.endpoint();
  std::size_t count = 0;
  if (fi_atomicvalid(ep, FI_UINT64, FI_SUM, &count) != 0 || count == 0)
    throw Declined("it adds no integers of 64 bits");
  if (fi_fetch_atomicvalid(ep, FI_UINT64, FI_SUM, &count) != 0 || count == 0)
    throw Declined("it doesn't fetch and add integers of 64 bits");
  if (fi_compare_atomicvalid(ep, FI_UINT64, FI_CSWAP, &count) != 0 || count == 0)
    throw Declined("it doesn't compare and swap integers of 64 bits");
}

// A provider that chooses keys ignores ours.
MemoryRegion RemoteLink::register_memory(const Buffer& buffer, std::uint64_t access,
                                         std::uint64_t key) const {
  struct fid_mr* region = nullptr;
  check("fi_mr_reg", fi_mr_reg(link_.domain(), buffer.slot(0, 1), kWindowBytes, access, 0, key, 0,
                               &region, nullptr));
  return MemoryRegion(region);
}

std::string RemoteLink::address() {
  const bool by_address = demands(link_, FI_MR_VIRT_ADDR);
  const Exposure exposure = {
      .base = by_address ? reinterpret_cast<std::uintptr_t>(exposed_.slot(0, 1)) : 0,
      .key = fi_mr_key(exposed_region_.get())};
  std::string text(reinterpret_cast<const char*>(&exposure), sizeof exposure);
  return text + link_.address();
}

void RemoteLink::connect(const std::string& peer) {
  Exposure exposure;
  if (peer.size() < sizeof exposure) throw Failure("the peer's address is too short");
  std::memcpy(&exposure, peer.data(), sizeof exposure);
  peer_base_ = exposure.base;
  peer_key_ = exposure.key;
  link_.connect(peer.substr(sizeof exposure));
}

std::uint64_t RemoteLink::address_of(std::size_t index, std::size_t bytes) const {
  return peer_base_ + static_cast<std::uint64_t>(exposed_.slot(index, bytes) - exposed_.slot(0, 1));
}

void RemoteLink::post_write(std::size_t index, std::size_t bytes, Completion completion) {
  void* const from = own_.slot(index, bytes);
  const std::uint64_t to = address_of(index, bytes);
  if (completion == Completion::kDefault) {
    link_.post("fi_write", [&](void* context) {
      return fi_write(link_.endpoint(), from, bytes, own_desc_, link_.peer(), to, peer_key_,
                      context);
    });
    return;
  }
  struct iovec local = {from, bytes};
  struct fi_rma_iov remote = {.addr = to, .len = bytes, .key = peer_key_};
  struct fi_msg_rma message = {};
  message.msg_iov = &local;
  message.desc = &own_desc_;
  message.iov_count = 1;
  message.addr = link_.peer();
  message.rma_iov = &remote;
  message.rma_iov_count = 1;
  link_.post("fi_writemsg", [&](void* context) {
    message.context = context;
    return fi_writemsg(link_.endpoint(), &message, FI_COMPLETION | FI_DELIVERY_COMPLETE);
  });
}

void RemoteLink::post_read(std::size_t index, std::size_t bytes) {
  link_.post("fi_read", [&](void* context) {
    return fi_read(link_.endpoint(), own_.slot(index, bytes), bytes, own_desc_, link_.peer(),
                   address_of(index, bytes), peer_key_, context);
  });
}

void RemoteLink::post_add(std::size_t index, Completion completion) {
  const std::uint64_t to = address_of(index, sizeof(Word));
  if (completion == Completion::kDefault) {
    link_.post("fi_atomic", [&](void* context) {
      return fi_atomic(link_.endpoint(), &operand(), 1, own_desc_, link_.peer(), to, peer_key_,
                       FI_UINT64, FI_SUM, context);
    });
    return;
  }
  struct fi_ioc local = {&operand(), 1};
  struct fi_rma_ioc remote = {.addr = to, .count = 1, .key = peer_key_};
  struct fi_msg_atomic message = {};
  message.msg_iov = &local;
  message.desc = &own_desc_;
  message.iov_count = 1;
  message.addr = link_.peer();
  message.rma_iov = &remote;
  message.rma_iov_count = 1;
  message.datatype = FI_UINT64;
  message.op = FI_SUM;
  link_.post("fi_atomicmsg", [&](void* context) {
    message.context = context;
    return fi_atomicmsg(link_.endpoint(), &message, FI_COMPLETION | FI_DELIVERY_COMPLETE);
  });
}

void RemoteLink::post_fetch_add(std::size_t index) {
  link_.post("fi_fetch_atomic", [&](void* context) {
    return fi_fetch_atomic(link_.endpoint(), &operand(), 1, own_desc_, &word(2), own_desc_,
                           link_.peer(), address_of(index, sizeof(Word)), peer_key_, FI_UINT64,
                           FI_SUM, context);
  });
}

void RemoteLink::post_compare_swap(std::size_t index) {
  link_.post("fi_compare_atomic", [&](void* context) {
    return fi_compare_atomic(link_.endpoint(), &operand(), 1, own_desc_, &comparand(), own_desc_,
                             &word(2), own_desc_, link_.peer(), address_of(index, sizeof(Word)),
                             peer_key_, FI_UINT64, FI_CSWAP, context);
  });
}

}  // namespace xs::bench
