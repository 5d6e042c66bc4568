// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "worker/fabric_link.hpp"

#include <rdma/fi_tagged.h>

#include <array>
#include <string_view>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

constexpr int kLongestSleep = 500;  // ms: the driver wakes nobody

// As Open MPI's MTL asks for it, so that both see the same code of a provider.
Info hints_for(const std::string& provider, const Demand& demand) {
  Info hints(fi_allocinfo());
  if (!hints) throw Failure("fi_allocinfo: out of memory");
  hints->caps = demand.caps;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->domain_attr->mr_mode = demand.mr_mode;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  hints->tx_attr->op_flags = FI_COMPLETION;
  hints->rx_attr->op_flags = FI_COMPLETION;
  hints->fabric_attr->prov_name = strdup(provider.c_str());  // freed with the hints
  return hints;
}

// "tcp" also finds "tcp;ofi_rxm": only the exact name will do.
Info look_for(const std::string& provider, const Demand& demand) {
  const Info hints = hints_for(provider, demand);
  struct fi_info* list = nullptr;
  const int status = fi_getinfo(FI_VERSION(1, 17), nullptr, nullptr, 0, hints.get(), &list);
  if (status != -FI_ENODATA) check("fi_getinfo", status);
  const Info owner(list);
  for (const struct fi_info* info = list; info != nullptr; info = info->next)
    if (std::string_view(info->fabric_attr->prov_name) == provider) return Info(fi_dupinfo(info));
  return nullptr;
}

Info find_provider(const std::string& provider, const Demand& demand) {
  if (Info info = look_for(provider, demand)) return info;
  if (look_for(provider, {})) throw Declined(std::string("it offers no ") + demand.name);
  throw Failure("this libfabric has no reliable tagged endpoint of that name");
}

}  // namespace

void check(const char* call, int status) {
  if (status != 0) throw Failure(std::string(call) + ": " + fi_strerror(-status));
}

FabricLink::FabricLink(const std::string& name, bool asleep, const Demand& demand)
    : info_(find_provider(name, demand)),
      asleep_(asleep),
      send_contexts_(kDepth),
      receive_contexts_(kDepth) {
  open_endpoint();
}

void FabricLink::open_endpoint() {
  struct fid_fabric* fabric = nullptr;
  check("fi_fabric", fi_fabric(info_->fabric_attr, &fabric, nullptr));
  fabric_.reset(fabric);

  struct fid_domain* domain = nullptr;
  check("fi_domain", fi_domain(fabric, info_.get(), &domain, nullptr));
  domain_.reset(domain);

  struct fi_av_attr av_attr = {};
  av_attr.type = info_->domain_attr->av_type;
  av_attr.count = 1;
  struct fid_av* av = nullptr;
  check("fi_av_open", fi_av_open(domain, &av_attr, &av, nullptr));
  av_.reset(av);

  struct fi_cq_attr cq_attr = {};
  cq_attr.size = 2 * kDepth;
  cq_attr.format = FI_CQ_FORMAT_TAGGED;
  cq_attr.wait_obj = asleep_ ? FI_WAIT_FD : FI_WAIT_NONE;
  struct fid_cq* cq = nullptr;
  check("fi_cq_open", fi_cq_open(domain, &cq_attr, &cq, nullptr));
  cq_.reset(cq);

  struct fid_ep* ep = nullptr;
  check("fi_endpoint", fi_endpoint(domain, info_.get(), &ep, nullptr));
  ep_.reset(ep);
  check("fi_ep_bind", fi_ep_bind(ep, &av->fid, 0));
  check("fi_ep_bind", fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV));
  check("fi_enable", fi_enable(ep));
}

std::string FabricLink::address() {
  std::string name(256, '\0');
  std::size_t length = name.size();
  check("fi_getname", fi_getname(&ep_->fid, name.data(), &length));
  name.resize(length);
  return name;
}

fi_addr_t FabricLink::add(const std::string& peer) {
  fi_addr_t address = FI_ADDR_UNSPEC;
  const int inserted = fi_av_insert(av_.get(), peer.data(), 1, &address, 0, nullptr);
  if (inserted != 1) throw Failure("fi_av_insert: the peer's address was refused");
  return address;
}

void FabricLink::post_send_to(fi_addr_t peer, const void* buffer, std::size_t bytes,
                              std::uint64_t tag) {
  post("fi_tsend", [&](void* context) {
    return fi_tsend(ep_.get(), buffer, bytes, nullptr, peer, tag, context);
  });
}

void FabricLink::post_receive_from(fi_addr_t peer, void* buffer, std::size_t bytes,
                                   std::uint64_t tag) {
  void* context = &receive_contexts_[receives_posted_++ % kDepth];
  retry("fi_trecv",
        [&] { return fi_trecv(ep_.get(), buffer, bytes, nullptr, peer, tag, 0, context); });
}

void FabricLink::progress() {
  std::array<struct fi_cq_tagged_entry, 16> entries;
  const ssize_t count =
      asleep_ ? fi_cq_sread(cq_.get(), entries.data(), entries.size(), nullptr, kLongestSleep)
              : fi_cq_read(cq_.get(), entries.data(), entries.size());
  if (count == -FI_EAGAIN) return;
  if (count == -FI_EAVAIL) throw_completion_error();
  if (count < 0) check("fi_cq_read", static_cast<int>(count));
  for (ssize_t i = 0; i < count; ++i) {
    const auto* context = static_cast<const fi_context2*>(entries[i].op_context);
    const bool is_send =
        context >= send_contexts_.data() && context < send_contexts_.data() + send_contexts_.size();
    ++(is_send ? sent_ : received_);
  }
}

void FabricLink::throw_completion_error() {
  struct fi_cq_err_entry entry = {};
  if (fi_cq_readerr(cq_.get(), &entry, 0) != 1) throw Failure("fi_cq_readerr gave no entry");
  throw Failure(std::string("a completion reports: ") + fi_strerror(entry.err));
}

void FabricLink::wait_sent(std::uint64_t count) {
  while (sent_ < count) progress();
}

void FabricLink::wait_received(std::uint64_t count) {
  while (received_ < count) progress();
}

void FabricLink::reset_counts() { sent_ = received_ = sends_posted_ = receives_posted_ = 0; }

}  // namespace xs::bench
