// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <rdma/fi_errno.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "carrier/fabric_inner.hpp"
#include "carrier/fabric_interfaces.hpp"
#include "util/log.hpp"

namespace xs::carrier {

namespace {

using proto::Address;
using util::Level;

constexpr std::uint32_t kApiVersion = FI_VERSION(1, 15);

// Asks also the providers that FI_PROVIDER hides. Private to libfabric (OFI_GETINFO_HIDDEN), the
// same bit from 1.11 on; providers that are built from others use it in the same way.
constexpr std::uint64_t kIncludeHidden = 1ull << 60;

constexpr const char* kPreferred[] = {"tcp", "net", "tcp;ofi_rxm", "sockets"};

// What xs asks of libfabric in one fi_getinfo.
struct Request {
  const char* provider = nullptr;
  const char* node = nullptr;
  const char* service = nullptr;
  std::uint64_t flags = 0;
  std::uint32_t addr_format = FI_FORMAT_UNSPEC;
  Address source = {};
  Address destination = {};
};

// fi_freeinfo gives addresses back to malloc.
void set_address(void*& field, std::size_t& length, const Address& address) {
  std::free(field);
  field = nullptr;
  length = 0;
  if (!address) return;
  struct sockaddr_storage room;
  const std::size_t size = address.to_sockaddr(room);
  field = std::malloc(size);
  if (!field) throw std::bad_alloc();
  std::memcpy(field, &room, size);
  length = size;
}

Address source_of(const struct fi_info& info) noexcept {
  const auto* sa = static_cast<const struct sockaddr*>(info.src_addr);
  return Address::from_sockaddr(sa, info.src_addrlen).value_or(Address{});
}

Address destination_of(const struct fi_info& info) noexcept {
  const auto* sa = static_cast<const struct sockaddr*>(info.dest_addr);
  return Address::from_sockaddr(sa, info.dest_addrlen).value_or(Address{});
}

std::uint32_t format_of(const Address& address) noexcept {
  return address.family == 6 ? FI_SOCKADDR_IN6 : FI_SOCKADDR_IN;
}

bool is_of(const Address& address, std::uint32_t format) noexcept {
  return format == FI_FORMAT_UNSPEC || format == format_of(address);
}

InfoPtr make_hints(const Request& request) {
  InfoPtr hints(fi_allocinfo());
  if (!hints) throw std::bad_alloc();
  hints->caps = FI_MSG | FI_TAGGED;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->addr_format = request.addr_format;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->mr_mode = 0;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  hints->fabric_attr->prov_name = strdup(request.provider);
  if (!hints->fabric_attr->prov_name) throw std::bad_alloc();
  set_address(hints->src_addr, hints->src_addrlen, request.source);
  set_address(hints->dest_addr, hints->dest_addrlen, request.destination);
  const Address& named = request.source ? request.source : request.destination;
  if (named) hints->addr_format = format_of(named);
  return hints;
}

// The infos of exactly this provider; naming "tcp" also brings what is layered over it.
std::vector<InfoPtr> ask(const Request& request) {
  const InfoPtr hints = make_hints(request);
  struct fi_info* list = nullptr;
  const int rc = fi_getinfo(kApiVersion, request.node, request.service,
                            request.flags | kIncludeHidden, hints.get(), &list);
  if (rc)
    util::log(Level::kDebug, "inner provider %s: fi_getinfo: %s", request.provider,
              fi_strerror(-rc));
  std::vector<InfoPtr> exact;
  for (InfoPtr rest(rc ? nullptr : list); rest;) {
    InfoPtr info = std::move(rest);
    rest.reset(std::exchange(info->next, nullptr));
    if (std::strcmp(info->fabric_attr->prov_name, request.provider) == 0)
      exact.push_back(std::move(info));
  }
  return exact;
}

// The local addresses that the user's rule and good sense allow, each with its rank.
class Choice {
 public:
  explicit Choice(const std::string& setting) : rule_(setting), local_(local_addresses()) {
    std::erase_if(local_, [this](const LocalAddress& l) { return !rule_.rank(l); });
    const auto better = [this](const LocalAddress& a, const LocalAddress& b) {
      return rule_.rank(a) < rule_.rank(b);
    };
    std::stable_sort(local_.begin(), local_.end(), better);
    if (local_.empty() || *rule_.rank(local_.front()) >= InterfaceRule::kLastResort) return;
    std::erase_if(local_, [this](const LocalAddress& l) {
      return *rule_.rank(l) >= InterfaceRule::kLastResort;
    });
  }

  bool is_preference() const noexcept { return rule_.is_preference(); }
  bool empty() const noexcept { return local_.empty(); }

  // Position among the allowed addresses, best first.
  std::optional<std::size_t> place(Address address) const noexcept {
    address.port = 0;
    for (std::size_t i = 0; i < local_.size(); ++i) {
      if (local_[i].address == address) return i;
    }
    return std::nullopt;
  }

  // The best address of this family; none if there is none.
  Address best(std::uint16_t family) const noexcept {
    for (const LocalAddress& local : local_) {
      if (local.address.family == family) return local.address;
    }
    return {};
  }

 private:
  InterfaceRule rule_;
  std::vector<LocalAddress> local_;
};

// One info per allowed local address, best first, bound to `port`.
std::vector<InfoPtr> spread(const Request& request, const Choice& choice, std::uint16_t port,
                            const Address& destination) {
  Request bare;
  bare.provider = request.provider;
  bare.addr_format = destination ? format_of(destination) : request.addr_format;
  std::vector<InfoPtr> infos = ask(bare);
  // net 1.17 does not look at the format asked for.
  std::erase_if(infos, [&](const InfoPtr& info) {
    const Address source = source_of(*info);
    return !choice.place(source) || !is_of(source, bare.addr_format);
  });
  const auto better = [&](const InfoPtr& a, const InfoPtr& b) {
    return choice.place(source_of(*a)) < choice.place(source_of(*b));
  };
  std::stable_sort(infos.begin(), infos.end(), better);
  const auto same = [](const InfoPtr& a, const InfoPtr& b) {
    return source_of(*a) == source_of(*b);
  };
  infos.erase(std::unique(infos.begin(), infos.end(), same), infos.end());
  for (const InfoPtr& info : infos) {
    Address source = source_of(*info);
    source.port = port;
    set_address(info->src_addr, info->src_addrlen, source);
    set_address(info->dest_addr, info->dest_addrlen, destination);
  }
  return infos;
}

// Infos of one provider. The application's own source address stands as it is; the user's rule
// replaces one that came from the route to the destination; none or a wildcard is spelled out.
std::vector<InfoPtr> infos_of(const Request& request, const Choice& choice) {
  std::vector<InfoPtr> infos = ask(request);
  if (infos.empty()) return infos;
  const Address source = source_of(*infos.front());
  const Address destination = destination_of(*infos.front());
  const bool by_name = request.flags & FI_SOURCE;
  const bool asked_source = by_name || request.source;
  if (!source || source.is_wildcard() || (!asked_source && !destination)) {
    return spread(request, choice, by_name ? source.port : request.source.port, destination);
  }
  infos.resize(1);
  if (!asked_source && choice.is_preference()) {
    const Address preferred = choice.best(destination.family);
    if (!preferred) return {};
    set_address(infos.front()->src_addr, infos.front()->src_addrlen, preferred);
  }
  return infos;
}

Request request_of(const FabricQuery& query) noexcept {
  Request request;
  request.node = query.node;
  request.service = query.service;
  request.flags = query.flags & (FI_SOURCE | FI_NUMERICHOST);
  if (query.addr_format != FI_SOCKADDR) request.addr_format = query.addr_format;
  const auto from = [](const void* sa, std::size_t size) {
    return Address::from_sockaddr(static_cast<const struct sockaddr*>(sa), size)
        .value_or(Address{});
  };
  request.source = from(query.src_addr, query.src_addrlen);
  request.destination = from(query.dest_addr, query.dest_addrlen);
  return request;
}

std::vector<InfoPtr> first_usable(const FabricQuery& query, const Choice& choice) {
  Request request = request_of(query);
  if (!query.provider.empty()) {
    request.provider = query.provider.c_str();
    return infos_of(request, choice);
  }
  for (const char* provider : kPreferred) {
    request.provider = provider;
    std::vector<InfoPtr> infos = infos_of(request, choice);
    if (!infos.empty()) return infos;
  }
  return {};
}

}  // namespace

std::vector<InfoPtr> discover(const FabricQuery& query) noexcept try {
  const Choice choice(query.interface);
  if (choice.empty() && choice.is_preference()) {
    util::log(Level::kWarn,
              "FI_XS_IFACE=%s: no interface that is up has this name or such an address",
              query.interface.c_str());
    return {};
  }
  std::vector<InfoPtr> infos = first_usable(query, choice);
  if (!infos.empty()) {
    const struct fi_info& first = *infos.front();
    util::log(Level::kInfo, "inner provider %s on %s%s", first.fabric_attr->prov_name,
              source_of(first).text().c_str(), choice.is_preference() ? " (FI_XS_IFACE)" : "");
  } else if (query.provider.empty()) {
    util::log(Level::kInfo, "no inner provider (tcp, net, tcp;ofi_rxm, sockets) fits");
  } else {
    util::log(Level::kWarn, "FI_XS_FALLBACK=%s: this libfabric has no such provider that fits",
              query.provider.c_str());
  }
  return infos;
} catch (const std::bad_alloc&) {
  util::log(Level::kWarn, "no memory to look for an inner provider");
  return {};
}

}  // namespace xs::carrier
