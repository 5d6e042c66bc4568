// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/info.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "abi/env.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"
#include "abi/provider.hpp"

namespace xs::abi {

namespace {

using InfoPtr = decltype(core::discover({}))::value_type;

// libfabric's own, private there (OFI_CORE_PROV_ONLY) and unchanged from 1.11 on: a provider that
// is built over others looks for them. xs is none of those.
constexpr std::uint64_t kForLayering = 1ull << 59;

// Looking for an inner provider comes back to us if libfabric asks everyone.
thread_local bool inside = false;

class Inside {
 public:
  Inside() noexcept { inside = true; }
  ~Inside() { inside = false; }
};

char* copy_text(const char* text) {
  if (!text) return nullptr;
  char* copy = strdup(text);
  if (!copy) throw std::bad_alloc();
  return copy;
}

void copy_address(void*& to, std::size_t& size, const void* from, std::size_t length) {
  if (!from) return;
  to = std::malloc(length);
  if (!to) throw std::bad_alloc();
  std::memcpy(to, from, length);
  size = length;
}

core::FabricQuery query_of(const core::Config& config, const char* node, const char* service,
                           std::uint64_t flags, const struct fi_info* hints) {
  core::FabricQuery query;
  query.provider = config.fallback;
  query.interface = config.interface;
  query.node = node;
  query.service = service;
  query.flags = flags & (FI_SOURCE | FI_NUMERICHOST);
  if (!hints) return query;
  query.addr_format = hints->addr_format;
  query.src_addr = hints->src_addr;
  query.src_addrlen = hints->src_addrlen;
  query.dest_addr = hints->dest_addr;
  query.dest_addrlen = hints->dest_addrlen;
  return query;
}

void describe(struct fi_tx_attr& attr) noexcept {
  attr.caps = kCaps & kSendCaps;
  attr.msg_order = kMessageOrder;
  attr.comp_order = kCompletionOrder;
  attr.inject_size = core::kInjectLimit;
  attr.size = core::kSendLimit;
  attr.iov_limit = core::kIovLimit;
  attr.rma_iov_limit = kRmaIovLimit;
}

void describe(struct fi_rx_attr& attr) noexcept {
  attr.caps = kCaps & kReceiveCaps;
  attr.msg_order = kMessageOrder;
  attr.comp_order = kCompletionOrder;
  attr.size = kReceiveSize;
  attr.iov_limit = core::kIovLimit;
}

void describe(struct fi_ep_attr& attr, std::size_t largest) noexcept {
  attr.type = FI_EP_RDM;
  attr.protocol = kProtocol;
  attr.protocol_version = kProtocolVersion;
  attr.max_msg_size = std::min(largest, kLargestMessage);
  attr.max_order_raw_size = attr.max_order_waw_size = attr.max_msg_size;
  attr.mem_tag_format = kTagFormat;
  attr.tx_ctx_cnt = 1;
  attr.rx_ctx_cnt = 1;
}

void describe(struct fi_domain_attr& attr, std::uint32_t version) noexcept {
  // Whoever knows but the old names of modes has to be told one.
  attr.mr_mode = FI_VERSION_LT(version, FI_VERSION(1, 5)) ? kScalableMode : 0;
  attr.threading = FI_THREAD_SAFE;
  attr.control_progress = FI_PROGRESS_MANUAL;
  attr.data_progress = FI_PROGRESS_MANUAL;
  attr.resource_mgmt = FI_RM_ENABLED;
  attr.av_type = FI_AV_UNSPEC;
  attr.mr_key_size = sizeof(std::uint64_t);
  attr.cq_data_size = kCqDataSize;
  attr.cq_cnt = kQueueCount;
  attr.ep_cnt = kEndpointCount;
  attr.cntr_cnt = kCounterCount;
  attr.tx_ctx_cnt = kEndpointCount;
  attr.rx_ctx_cnt = kEndpointCount;
  attr.max_ep_tx_ctx = 1;
  attr.max_ep_rx_ctx = 1;
  attr.max_ep_stx_ctx = kEndpointCount;
  attr.max_ep_srx_ctx = kEndpointCount;
  attr.mr_iov_limit = core::kIovLimit;
  attr.caps = kDomainCaps;
}

// What xs offers over this inner provider and address.
InfoPtr make_info(const struct fi_info& inner, std::uint32_t version) {
  InfoPtr info(fi_allocinfo());
  if (!info) throw std::bad_alloc();
  info->caps = kCaps;
  info->addr_format = inner.addr_format;
  copy_address(info->src_addr, info->src_addrlen, inner.src_addr, inner.src_addrlen);
  copy_address(info->dest_addr, info->dest_addrlen, inner.dest_addr, inner.dest_addrlen);
  describe(*info->tx_attr);
  describe(*info->rx_attr);
  describe(*info->ep_attr, inner.ep_attr->max_msg_size);
  describe(*info->domain_attr, version);
  info->domain_attr->name = copy_text(inner.domain_attr->name);
  info->fabric_attr->name = copy_text(inner.fabric_attr->name);
  info->fabric_attr->prov_version = kProviderVersion;
  info->fabric_attr->api_version = version;
  return info;
}

bool wants_other_type(const struct fi_info* hints) noexcept {
  if (!hints || !hints->ep_attr) return false;
  const std::uint32_t type = raw(hints->ep_attr->type);
  return type != FI_EP_UNSPEC && !is_offered_type(type);
}

int find(std::uint32_t version, const char* node, const char* service, std::uint64_t flags,
         const struct fi_info* hints, struct fi_info** out) {
  if (hints && !acceptable(*hints)) return -FI_ENODATA;
  auto config = read_variables();
  if (!config) return to_errno(config.error());
  const Inside mark;
  for (const InfoPtr& inner : core::discover(query_of(*config, node, service, flags, hints))) {
    if (hints && !names_match(*hints, *inner)) continue;
    InfoPtr info = make_info(*inner, version);
    if (hints && hints->ep_attr && hints->ep_attr->max_msg_size > info->ep_attr->max_msg_size)
      continue;
    if (hints) alter(*info, *hints);
    // One alone: two with the same attributes would send the processes of an MPI job to different
    // networks.
    *out = info.release();
    return 0;
  }
  return -FI_ENODATA;
}

}  // namespace

int getinfo(std::uint32_t version, const char* node, const char* service, std::uint64_t flags,
            const struct fi_info* hints, struct fi_info** out) noexcept {
  if (inside || (flags & kForLayering) || wants_other_type(hints)) return -FI_ENODATA;
  return control([&] { return find(version, node, service, flags, hints, out); });
}

util::Result<std::unique_ptr<core::InnerProvider>> open_inner(const core::Config& config,
                                                              const struct fi_info& info) {
  core::FabricQuery query = query_of(config, nullptr, nullptr, 0, nullptr);
  query.addr_format = info.addr_format;
  query.src_addr = info.src_addr;
  query.src_addrlen = info.src_addrlen;
  const Inside mark;
  const auto found = core::discover(query);
  if (found.empty()) return util::Error{FI_ENODATA, "no inner provider for that source address"};
  return core::open_fabric_provider(*found.front(), false, config.interface);
}

util::Result<std::unique_ptr<core::InnerProvider>> open_inner_at(const core::Config& config,
                                                                 const core::Address& source) {
  struct sockaddr_storage room;
  struct fi_info at {};
  at.addr_format = source.family == 6 ? FI_SOCKADDR_IN6 : FI_SOCKADDR_IN;
  at.src_addr = &room;
  at.src_addrlen = source.to_sockaddr(room);
  return open_inner(config, at);
}

}  // namespace xs::abi
