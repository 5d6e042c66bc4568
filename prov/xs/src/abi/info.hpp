// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What xs offers, and how fi_getinfo finds out whether that is what was asked for.
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_endpoint.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/address.hpp"
#include "core/config.hpp"
#include "core/inner.hpp"
#include "core/memory.hpp"
#include "core/types.hpp"
#include "util/result.hpp"

namespace xs::abi {

// Capabilities: granted only if hinted (or if nothing is hinted); then those that are always
// granted.
inline constexpr std::uint64_t kRemote = FI_RMA | FI_ATOMIC;
inline constexpr std::uint64_t kRemoteInitiator = FI_READ | FI_WRITE;
inline constexpr std::uint64_t kRemoteTarget = FI_REMOTE_READ | FI_REMOTE_WRITE;
inline constexpr std::uint64_t kRemoteCaps =
    kRemote | kRemoteInitiator | kRemoteTarget | FI_RMA_EVENT;
inline constexpr std::uint64_t kPrimaryCaps =
    FI_MSG | FI_TAGGED | FI_SEND | FI_RECV | FI_DIRECTED_RECV | FI_TRIGGER | FI_FENCE | kRemoteCaps;
inline constexpr std::uint64_t kSecondaryCaps =
    FI_MULTI_RECV | FI_SOURCE | FI_LOCAL_COMM | FI_REMOTE_COMM;
inline constexpr std::uint64_t kCaps = kPrimaryCaps | kSecondaryCaps | FI_SHARED_AV;
inline constexpr std::uint64_t kSendCaps =
    FI_MSG | FI_TAGGED | FI_SEND | FI_TRIGGER | FI_FENCE | kRemote | kRemoteInitiator;
inline constexpr std::uint64_t kReceiveCaps = FI_MSG | FI_TAGGED | FI_RECV | FI_DIRECTED_RECV |
                                              FI_SOURCE | FI_MULTI_RECV | FI_TRIGGER | kRemote |
                                              kRemoteTarget | FI_RMA_EVENT;
inline constexpr std::uint64_t kDomainCaps = FI_LOCAL_COMM | FI_REMOTE_COMM | FI_SHARED_AV;

// docs/rma.md section 4.
inline constexpr std::uint64_t kMessageOrder =
    FI_ORDER_SAS | FI_ORDER_RAR | FI_ORDER_RAW | FI_ORDER_RAS | FI_ORDER_WAW | FI_ORDER_WAS |
    FI_ORDER_SAW | FI_ORDER_RMA_RAR | FI_ORDER_RMA_RAW | FI_ORDER_RMA_WAW | FI_ORDER_ATOMIC_RAR |
    FI_ORDER_ATOMIC_RAW | FI_ORDER_ATOMIC_WAR | FI_ORDER_ATOMIC_WAW;
// FI_MR_BASIC and FI_MR_SCALABLE, whose names newer headers warn of.
inline constexpr int kBasicMode = 1 << 0;
inline constexpr int kScalableMode = 1 << 1;
inline constexpr std::size_t kRmaIovLimit = 1;
inline constexpr std::uint64_t kCompletionOrder =
    0;  // a large message completes after later small ones
inline constexpr std::uint64_t kSendOpFlags =
    FI_INJECT | FI_COMPLETION | FI_INJECT_COMPLETE | FI_TRANSMIT_COMPLETE | FI_DELIVERY_COMPLETE;
// Reads know fewer.
inline constexpr std::uint64_t kReadOpFlags = kSendOpFlags & ~FI_INJECT;
inline constexpr std::uint64_t kReceiveOpFlags = FI_COMPLETION | FI_MULTI_RECV;

inline constexpr std::size_t kReceiveSize = 1024;  // rx_attr.size
inline constexpr std::size_t kLargestMessage =
    1ull << 40;  // bytes, or less if the inner provider takes less
inline constexpr std::uint64_t kTagFormat = 0xaaaaaaaaaaaaaaaa;  // every bit is the application's
inline constexpr std::size_t kCqDataSize = 8;
inline constexpr std::size_t kQueueCount = 256;  // announced, not enforced
inline constexpr std::size_t kEndpointCount = 256;
inline constexpr std::size_t kCounterCount = 1024;
inline constexpr std::uint32_t kProtocol = (1u << 31) | 0x7873;  // the provider's own
inline constexpr std::uint32_t kProtocolVersion = 1;

// Datagram endpoints are reliable ones by another name: nothing of theirs is lost either.
constexpr bool is_offered_type(std::uint32_t type) noexcept {
  return type == FI_EP_RDM || type == FI_EP_DGRAM || type == FI_EP_MSG;
}
// What makes no sense with one peer.
inline constexpr std::uint64_t kConnectionlessCaps = FI_SOURCE | FI_DIRECTED_RECV | FI_SHARED_AV;
// Modes that stay set where they are hinted. Room before a message is none that xs needs
// (msg_prefix_size is 0), but who insists on giving it gets what he asks.
inline constexpr std::uint64_t kModes = FI_MSG_PREFIX;

// False if xs can't give what the hints ask; the reason is logged at info level. names, if given,
// are those of the network chosen.
bool acceptable(const struct fi_info& hints) noexcept;
bool acceptable(const struct fi_tx_attr& hints) noexcept;
bool acceptable(const struct fi_rx_attr& hints) noexcept;
bool is_connection(const struct fi_info& info) noexcept;
bool names_match(const struct fi_info& hints, const struct fi_info& inner) noexcept;

// Grants what was asked: capabilities exactly, sizes and modes echoed. hints are acceptable().
void alter(struct fi_info& info, const struct fi_info& hints) noexcept;

// FI_PROGRESS_AUTO, of either kind.
bool makes_progress_alone(const struct fi_domain_attr& attr) noexcept;
// What mr_mode of a domain means.
core::MemoryModes memory_modes(const struct fi_domain_attr& attr) noexcept;

// The inner provider for a domain or endpoint that is opened with this info: bound to its source
// address.
util::Result<std::unique_ptr<core::InnerProvider>> open_inner(const core::Config& config,
                                                              const struct fi_info& info);
util::Result<std::unique_ptr<core::InnerProvider>> open_inner_at(const core::Config& config,
                                                                 const core::Address& source);

}  // namespace xs::abi
