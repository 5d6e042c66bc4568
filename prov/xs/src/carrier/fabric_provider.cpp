// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <rdma/fi_errno.h>

#include "carrier/fabric_endpoint.hpp"
#include "carrier/fabric_inner.hpp"
#include "carrier/fabric_interfaces.hpp"
#include "carrier/fabric_probe.hpp"
#include "util/log.hpp"

namespace xs::carrier {

namespace {

// rxm's default eager limit (FI_OFI_RXM_BUFFER_SIZE, 16 KiB) less room for its header.
constexpr std::size_t kRxmEager = 16000;

class FabricProvider final : public InnerProvider {
 public:
  // Throws bad_alloc.
  FabricProvider(InfoPtr info, FabricPtr fabric, const proto::Address& source, bool waits,
                 const std::string& rule)
      : info_(std::move(info)),
        fabric_(std::move(fabric)),
        source_(source),
        waits_(waits),
        substitute_(source, rule) {}

  const char* name() const noexcept override { return info_->fabric_attr->prov_name; }
  std::size_t inject_limit() const noexcept override { return info_->tx_attr->inject_size; }
  std::size_t iov_limit() const noexcept override {
    return std::min(info_->tx_attr->iov_limit, info_->rx_attr->iov_limit);
  }
  std::size_t receive_depth() const noexcept override { return info_->rx_attr->size; }
  std::size_t frame_limit() const noexcept override {
    return is_rxm() ? std::min(kRxmEager, message_limit()) : message_limit();
  }
  bool bulk_ends() const noexcept override { return !is_rxm(); }
  std::size_t message_limit() const noexcept override { return info_->ep_attr->max_msg_size; }
  const proto::Address& source() const noexcept override { return source_; }

  proto::Address place() const noexcept override { return substitute_.now(); }

  void want_waits() noexcept override { waits_ = true; }

  util::Result<std::unique_ptr<InnerEndpoint>> open(const proto::Address& at) noexcept override {
    const InfoPtr info(fi_dupinfo(info_.get()));
    if (!info) return util::Error{ENOMEM, "inner endpoint"};
    if (at) {
      if (at.family != source_.family)
        return util::Error{EINVAL, "inner endpoint of another address family"};
      struct sockaddr_storage room;
      std::memcpy(info->src_addr, &room, at.to_sockaddr(room));
    }
    return FabricEndpoint::open(*fabric_, *info, waits_);
  }

  util::Result<std::unique_ptr<Probe>> probe(const proto::Address& address,
                                             std::uint64_t timeout) noexcept override {
    return TcpProbe::start(address, timeout);
  }

 private:
  bool is_rxm() const noexcept { return std::strstr(name(), "ofi_rxm") != nullptr; }

  InfoPtr info_;
  FabricPtr fabric_;
  proto::Address source_;
  bool waits_;
  Substitute substitute_;
};

}  // namespace

util::Result<std::unique_ptr<InnerProvider>> open_fabric_provider(const struct fi_info& info,
                                                                  bool waits,
                                                                  const std::string& rule) noexcept
    try {
  InfoPtr copy(fi_dupinfo(&info));
  if (!copy) return util::Error{ENOMEM, "inner fabric"};
  const auto source = proto::Address::from_sockaddr(
      static_cast<const struct sockaddr*>(copy->src_addr), copy->src_addrlen);
  if (!source) return util::Error{EINVAL, "inner fabric without a source address"};
  // Endpoints of ours name their peers one by one.
  std::free(std::exchange(copy->dest_addr, nullptr));
  copy->dest_addrlen = 0;
  struct fid_fabric* opened = nullptr;
  if (const int rc = fi_fabric(copy->fabric_attr, &opened, nullptr)) {
    // A layered provider looks for its core by itself, and FI_PROVIDER=xs hides that from it.
    util::log(util::Level::kWarn,
              "inner provider %s can't be opened: %s; if it is layered over tcp, FI_PROVIDER must "
              "name that too (FI_PROVIDER=xs,tcp)",
              copy->fabric_attr->prov_name, fi_strerror(-rc));
    return util::Error{-rc, "inner fabric"};
  }
  FabricPtr fabric(opened);
  std::unique_ptr<InnerProvider> made =
      std::make_unique<FabricProvider>(std::move(copy), std::move(fabric), *source, waits, rule);
  return made;
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "inner fabric"};
}

}  // namespace xs::carrier
