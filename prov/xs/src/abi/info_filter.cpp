// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Hints against what xs offers.
#include <rdma/fi_endpoint.h>

#include <cstring>

#include "abi/info.hpp"
#include "abi/ops.hpp"
#include "util/log.hpp"

namespace xs::abi {

namespace {

bool refuse(const char* what) noexcept {
  util::log(util::Level::kInfo, "not offered: %s", what);
  return false;
}

bool within(std::uint64_t asked, std::uint64_t offered) noexcept { return !(asked & ~offered); }

bool is_socket_format(std::uint32_t format) noexcept {
  return format == FI_FORMAT_UNSPEC || format == FI_SOCKADDR || format == FI_SOCKADDR_IN ||
         format == FI_SOCKADDR_IN6;
}

bool is_socket_address(const void* at, std::size_t size) noexcept {
  return !at || core::Address::from_sockaddr(static_cast<const struct sockaddr*>(at), size);
}

}  // namespace

bool is_connection(const struct fi_info& info) noexcept {
  return info.ep_attr && info.ep_attr->type == FI_EP_MSG;
}

bool acceptable(const struct fi_tx_attr& hints) noexcept {
  if (!within(hints.caps, kSendCaps)) return refuse("transmit capabilities that xs lacks");
  if (!within(hints.op_flags, kSendOpFlags)) return refuse("transmit op_flags that xs lacks");
  if (!within(hints.msg_order, kMessageOrder)) return refuse("WAR or SAR order of transmits");
  if (!within(hints.comp_order, kCompletionOrder)) return refuse("ordered completions");
  if (hints.inject_size > core::kInjectLimit) return refuse("a larger inject_size");
  if (hints.size > core::kSendLimit) return refuse("a larger transmit size");
  if (hints.iov_limit > core::kIovLimit) return refuse("a larger transmit iov_limit");
  if (hints.rma_iov_limit > kRmaIovLimit) return refuse("a larger rma_iov_limit");
  return true;
}

bool acceptable(const struct fi_rx_attr& hints) noexcept {
  if (!within(hints.caps, kReceiveCaps)) return refuse("receive capabilities that xs lacks");
  if (!within(hints.op_flags, kReceiveOpFlags)) return refuse("receive op_flags that xs lacks");
  if (!within(hints.msg_order, kMessageOrder)) return refuse("WAR or SAR order of receives");
  if (!within(hints.comp_order, kCompletionOrder)) return refuse("ordered completions");
  if (hints.total_buffered_recv > 0) return refuse("total_buffered_recv");
  if (hints.size > kReceiveSize) return refuse("a larger receive size");
  if (hints.iov_limit > core::kIovLimit) return refuse("a larger receive iov_limit");
  return true;
}

namespace {

bool acceptable(const struct fi_ep_attr& hints) noexcept {
  if (hints.protocol != FI_PROTO_UNSPEC && hints.protocol != kProtocol)
    return refuse("another protocol");
  if (hints.protocol_version > kProtocolVersion) return refuse("another protocol version");
  if (hints.max_msg_size > kLargestMessage) return refuse("larger messages");
  if (hints.tx_ctx_cnt > 1 && hints.tx_ctx_cnt != FI_SHARED_CONTEXT)
    return refuse("several transmit contexts per endpoint");
  if (hints.rx_ctx_cnt > 1 && hints.rx_ctx_cnt != FI_SHARED_CONTEXT)
    return refuse("several receive contexts per endpoint");
  if (hints.auth_key_size > 0) return refuse("an authorization key");
  return true;
}

// Numbers that no libfabric has mean nothing that could be promised, and would be echoed.
bool is_known(const struct fi_domain_attr& hints) noexcept {
  constexpr std::uint32_t kControlUnified = 3;  // FI_PROGRESS_CONTROL_UNIFIED of libfabric 2.x
  return raw(hints.threading) <= FI_THREAD_ENDPOINT &&
         raw(hints.control_progress) <= kControlUnified &&
         raw(hints.data_progress) <= kControlUnified && raw(hints.av_type) <= FI_AV_TABLE &&
         raw(hints.resource_mgmt) <= FI_RM_ENABLED;
}

bool acceptable(const struct fi_domain_attr& hints) noexcept {
  if (!is_known(hints)) return refuse("a model of threads, progress or resources that is unknown");
  if (hints.mr_iov_limit > core::kIovLimit) return refuse("a larger mr_iov_limit");
  if (hints.cq_data_size > kCqDataSize) return refuse("more CQ data");
  if (!within(hints.caps, kDomainCaps)) return refuse("domain capabilities that xs lacks");
  if (hints.cq_cnt > kQueueCount || hints.ep_cnt > kEndpointCount || hints.cntr_cnt > kCounterCount)
    return refuse("more queues, endpoints or counters");
  if (hints.max_ep_tx_ctx > 1 || hints.max_ep_rx_ctx > 1 || hints.max_ep_stx_ctx > kEndpointCount ||
      hints.max_ep_srx_ctx > kEndpointCount)
    return refuse("several contexts per endpoint, or more shared ones");
  if (hints.auth_key_size > 0) return refuse("an authorization key");
  return true;
}

// Of reads and what is written behind them: docs/rma.md section 4. Other data is ordered whatever
// its size.
bool asks_order_after_reads(const struct fi_info& hints) noexcept {
  const bool remote = hints.caps == 0 || (hints.caps & kRemote);
  return remote && hints.ep_attr && hints.ep_attr->max_order_war_size > 0;
}

}  // namespace

bool acceptable(const struct fi_info& hints) noexcept {
  if (!within(hints.caps, kCaps)) return refuse("capabilities that xs lacks");
  if (is_connection(hints) && (hints.caps & kConnectionlessCaps))
    return refuse("sources, receives from one, or address vectors, with a connection");
  if (!is_socket_format(hints.addr_format)) return refuse("another address format");
  if (!is_socket_address(hints.src_addr, hints.src_addrlen) ||
      !is_socket_address(hints.dest_addr, hints.dest_addrlen))
    return refuse("a malformed address");
  if (asks_order_after_reads(hints)) return refuse("WAR order of data");
  return (!hints.tx_attr || acceptable(*hints.tx_attr)) &&
         (!hints.rx_attr || acceptable(*hints.rx_attr)) &&
         (!hints.ep_attr || acceptable(*hints.ep_attr)) &&
         (!hints.domain_attr || acceptable(*hints.domain_attr));
}

bool names_match(const struct fi_info& hints, const struct fi_info& inner) noexcept {
  const auto same = [](const char* asked, const char* is) {
    return !asked || (is && std::strcmp(asked, is) == 0);
  };
  return (!hints.domain_attr || same(hints.domain_attr->name, inner.domain_attr->name)) &&
         (!hints.fabric_attr || same(hints.fabric_attr->name, inner.fabric_attr->name));
}

namespace {

// A message capability, or one of remote memory, without a direction means all.
std::uint64_t with_directions(std::uint64_t caps) noexcept {
  if ((caps & (FI_MSG | FI_TAGGED)) && !(caps & (FI_SEND | FI_RECV))) caps |= FI_SEND | FI_RECV;
  constexpr std::uint64_t kDirections = kRemoteInitiator | kRemoteTarget;
  if ((caps & kRemote) && !(caps & kDirections)) caps |= kDirections;
  return caps;
}

// Modes of who registers memory: hints tell what the user could do, and nothing of it is needed.
// The old names stand for a whole way to register; offered is one for who knows no others.
int memory_mode(int offered, int hints) noexcept {
  return hints == kBasicMode || hints == kScalableMode ? hints : offered;
}

template <class T>
void echo(T& to, T asked) noexcept {
  if (asked != T{}) to = asked;
}

void alter(struct fi_tx_attr& attr, const struct fi_tx_attr& hints) noexcept {
  attr.op_flags = hints.op_flags;
  echo(attr.inject_size, hints.inject_size);
  echo(attr.size, hints.size);
  echo(attr.iov_limit, hints.iov_limit);
  echo(attr.tclass, hints.tclass);
}

void alter(struct fi_rx_attr& attr, const struct fi_rx_attr& hints) noexcept {
  attr.op_flags = hints.op_flags;
  echo(attr.size, hints.size);
  echo(attr.iov_limit, hints.iov_limit);
}

void alter(struct fi_ep_attr& attr, const struct fi_ep_attr& hints) noexcept {
  echo(attr.type, hints.type);
  echo(attr.max_msg_size, hints.max_msg_size);
  echo(attr.tx_ctx_cnt, hints.tx_ctx_cnt);
  echo(attr.rx_ctx_cnt, hints.rx_ctx_cnt);
}

void alter(struct fi_domain_attr& attr, const struct fi_domain_attr& hints) noexcept {
  echo(attr.threading, hints.threading);
  echo(attr.control_progress, hints.control_progress);
  echo(attr.data_progress, hints.data_progress);
  echo(attr.av_type, hints.av_type);
  echo(attr.tclass, hints.tclass);
}

}  // namespace

void alter(struct fi_info& info, const struct fi_info& hints) noexcept {
  if (hints.caps) {
    info.caps = with_directions(hints.caps & kPrimaryCaps) | (hints.caps & ~kPrimaryCaps);
    info.caps |= kSecondaryCaps;
    if (!(info.caps & FI_RECV)) info.caps &= ~(FI_MULTI_RECV | FI_SOURCE) | hints.caps;
  }
  if (is_connection(hints)) info.caps &= ~kConnectionlessCaps;
  info.tx_attr->caps = info.caps & kSendCaps;
  info.rx_attr->caps = info.caps & kReceiveCaps;
  if (hints.tx_attr) alter(*info.tx_attr, *hints.tx_attr);
  if (hints.rx_attr) alter(*info.rx_attr, *hints.rx_attr);
  if (hints.domain_attr) {
    alter(*info.domain_attr, *hints.domain_attr);
    int& mode = info.domain_attr->mr_mode;
    mode = memory_mode(mode, hints.domain_attr->mr_mode);
  }
  if (hints.ep_attr) alter(*info.ep_attr, *hints.ep_attr);
  info.mode = info.tx_attr->mode = info.rx_attr->mode = hints.mode & kModes;
  info.handle = hints.handle;
}

bool makes_progress_alone(const struct fi_domain_attr& attr) noexcept {
  return attr.data_progress == FI_PROGRESS_AUTO || attr.control_progress == FI_PROGRESS_AUTO;
}

core::MemoryModes memory_modes(const struct fi_domain_attr& attr) noexcept {
  const bool basic = (attr.mr_mode & kBasicMode) != 0;
  return {.own_keys = basic || (attr.mr_mode & FI_MR_PROV_KEY),
          .virtual_addresses = basic || (attr.mr_mode & FI_MR_VIRT_ADDR)};
}

}  // namespace xs::abi
