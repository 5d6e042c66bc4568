// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/fabric_endpoint.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

namespace xs::carrier {

static_assert(sizeof(InnerOperation) >= sizeof(struct fi_context2), "FI_CONTEXT2 needs this room");

namespace {

using util::Level;

// Entries per fi_cq_read.
constexpr std::size_t kBatch = 32;

// Anything else is taken for the way to one peer being down for now: the inner provider connects
// afresh by itself at the next send, and what it says of failed attempts is not always to the point
// (sockets: ENOENT).
bool is_hopeless(int error) noexcept {
  switch (error) {
    case FI_EINVAL:
    case FI_EMSGSIZE:
    case FI_ENOSYS:
    case FI_EOPNOTSUPP:
    case EAFNOSUPPORT:
    case FI_EOPBADSTATE:
      return true;
    default:
      return false;
  }
}

}  // namespace

util::Result<std::unique_ptr<InnerEndpoint>> FabricEndpoint::open(struct fid_fabric& fabric,
                                                                  struct fi_info& info,
                                                                  bool waits) noexcept {
  std::unique_ptr<FabricEndpoint> made(new (std::nothrow) FabricEndpoint(fabric));
  if (!made) return util::Error{ENOMEM, "inner endpoint"};
  if (const int rc = made->open_domain(info))
    return util::Error{-rc, "inner domain or address table"};
  if (const int rc = made->open_queues(info, waits))
    return util::Error{-rc, "inner completion queue"};
  if (const int rc = made->open_endpoint(info)) return util::Error{-rc, "inner endpoint"};
  return std::unique_ptr<InnerEndpoint>(std::move(made));
}

int FabricEndpoint::open_domain(struct fi_info& info) noexcept {
  struct fid_domain* domain = nullptr;
  if (const int rc = fi_domain(&fabric_, &info, &domain, nullptr)) return rc;
  domain_.reset(domain);
  struct fi_av_attr attr {};
  attr.type = FI_AV_TABLE;
  struct fid_av* table = nullptr;
  const int rc = fi_av_open(domain, &attr, &table, nullptr);
  table_.reset(table);
  return rc;
}

// The tcp family writes to a pipe for every completion of a queue that has a wait descriptor, and
// net 1.17 never empties it. What we have to wait for is that sockets become ready, which any
// waitable queue of the domain shows; so there the waiting is done on a second queue that stays
// empty.
int FabricEndpoint::open_queues(const struct fi_info& info, bool waits) noexcept {
  apart_ = info.ep_attr->protocol == FI_PROTO_XNET;
  struct fi_cq_attr attr {};
  attr.size = info.tx_attr->size + info.rx_attr->size;
  attr.format = FI_CQ_FORMAT_MSG;
  attr.wait_obj = waits && !apart_ ? FI_WAIT_FD : FI_WAIT_NONE;
  struct fid_cq* queue = nullptr;
  if (const int rc = fi_cq_open(domain_.get(), &attr, &queue, nullptr)) return rc;
  queue_.reset(queue);
  if (!waits) return 0;
  if (apart_) return open_watch();
  const int rc = fi_control(&queue->fid, FI_GETWAIT, &wait_descriptor_);
  return rc == -FI_ENOSYS ? 0 : rc;  // sockets has none under manual progress
}

int FabricEndpoint::open_watch() noexcept {
  struct fi_cq_attr attr {};
  attr.size = 1;
  attr.format = FI_CQ_FORMAT_MSG;
  attr.wait_obj = FI_WAIT_FD;
  struct fid_cq* queue = nullptr;
  if (const int rc = fi_cq_open(domain_.get(), &attr, &queue, nullptr)) return rc;
  watch_.reset(queue);
  return fi_control(&queue->fid, FI_GETWAIT, &wait_descriptor_);
}

void FabricEndpoint::want_waits() noexcept {
  if (wait_descriptor_ >= 0 || !apart_) return;
  if (const int rc = open_watch()) report_once(-rc, "opening a queue to wait on");
}

int FabricEndpoint::open_endpoint(struct fi_info& info) noexcept {
  struct fid_ep* endpoint = nullptr;
  if (const int rc = fi_endpoint(domain_.get(), &info, &endpoint, nullptr)) return rc;
  endpoint_.reset(endpoint);
  if (const int rc = fi_ep_bind(endpoint, &table_->fid, 0)) return rc;
  if (const int rc = fi_ep_bind(endpoint, &queue_->fid, FI_TRANSMIT | FI_RECV)) return rc;
  if (const int rc = fi_enable(endpoint)) return rc;
  struct sockaddr_storage room;
  std::size_t size = sizeof room;
  if (const int rc = fi_getname(&endpoint->fid, &room, &size)) return rc;
  const auto name =
      proto::Address::from_sockaddr(reinterpret_cast<const struct sockaddr*>(&room), size);
  if (!name) return -EAFNOSUPPORT;
  name_ = *name;
  return 0;
}

// Anybody can make us answer an address: the table must not grow without bound.
constexpr std::size_t kMostAddresses = 1u << 18;

util::Result<InnerAddress> FabricEndpoint::insert(const proto::Address& address) noexcept try {
  if (address.family != name_.family || address.port == 0)
    return util::Error{EINVAL, "not an address of an inner peer"};
  if (inserted_.size() >= kMostAddresses && !inserted_.contains(address))
    return util::Error{ENOSPC, "too many inner addresses"};
  const auto [place, fresh] = inserted_.try_emplace(address, FI_ADDR_NOTAVAIL);
  if (!fresh) return place->second;
  struct sockaddr_storage room;
  address.to_sockaddr(room);
  fi_addr_t number = FI_ADDR_NOTAVAIL;
  if (fi_av_insert(table_.get(), &room, 1, &number, 0, nullptr) != 1) {
    inserted_.erase(place);
    return util::Error{ENOMEM, "inner address table"};
  }
  place->second = number;
  return InnerAddress{number};
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "inner addresses"};
}

Posted FabricEndpoint::posted(ssize_t rc) noexcept {
  drained_ = false;
  return rc == 0 ? Posted::kOk : not_posted(static_cast<int>(-rc));
}

Posted FabricEndpoint::not_posted(int error) noexcept {
  if (error != FI_EAGAIN) report_once(error, "posting");
  return is_hopeless(error) ? Posted::kFailed : Posted::kAgain;
}

void FabricEndpoint::report_once(int error, const char* what) noexcept {
  if (error == reported_) return;
  reported_ = error;
  util::log(is_hopeless(error) ? Level::kWarn : Level::kDebug, "inner endpoint: %s: %s", what,
            fi_strerror(error));
}

Posted FabricEndpoint::inject(InnerAddress to, const void* bytes, std::size_t size) noexcept {
  return posted(fi_inject(endpoint_.get(), bytes, size, to));
}

Posted FabricEndpoint::send(InnerAddress to, std::span<const struct iovec> iov,
                            InnerOperation& operation) noexcept {
  if (iov.size() == 1) {
    return posted(
        fi_send(endpoint_.get(), iov[0].iov_base, iov[0].iov_len, nullptr, to, &operation));
  }
  return posted(fi_sendv(endpoint_.get(), iov.data(), nullptr, iov.size(), to, &operation));
}

Posted FabricEndpoint::tagged_send(InnerAddress to, std::uint64_t tag,
                                   std::span<const struct iovec> iov,
                                   InnerOperation& operation) noexcept {
  return posted(fi_tsendv(endpoint_.get(), iov.data(), nullptr, iov.size(), to, tag, &operation));
}

Posted FabricEndpoint::receive(void* buffer, std::size_t size, InnerOperation& operation) noexcept {
  return posted(fi_recv(endpoint_.get(), buffer, size, nullptr, FI_ADDR_UNSPEC, &operation));
}

Posted FabricEndpoint::tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                                      InnerOperation& operation) noexcept {
  return posted(fi_trecvv(endpoint_.get(), iov.data(), nullptr, iov.size(), FI_ADDR_UNSPEC, tag, 0,
                          &operation));
}

void FabricEndpoint::cancel_receive(InnerOperation& operation) noexcept {
  drained_ = false;
  fi_cancel(&endpoint_->fid, &operation);
}

std::size_t FabricEndpoint::poll(std::span<InnerCompletion> out) noexcept {
  std::array<struct fi_cq_msg_entry, kBatch> entries;
  std::size_t filled = 0;
  drained_ = false;
  while (filled < out.size()) {
    const std::size_t wanted = std::min(entries.size(), out.size() - filled);
    const ssize_t got = fi_cq_read(queue_.get(), entries.data(), wanted);
    if (got == -FI_EAVAIL && read_error(out[filled])) {
      filled += out[filled].operation ? 1 : 0;
      continue;
    }
    if (got <= 0) {
      drained_ = got == 0 || got == -FI_EAGAIN;
      if (!drained_) report_once(static_cast<int>(-got), "reading completions");
      break;
    }
    for (const auto& entry : std::span(entries).first(static_cast<std::size_t>(got))) {
      auto* operation = static_cast<InnerOperation*>(entry.op_context);
      out[filled++] = {operation, entry.flags & FI_RECV ? entry.len : 0, 0};
    }
    if (static_cast<std::size_t>(got) < wanted) break;
  }
  return filled;
}

// Takes one error entry, if there is one. Some belong to no operation: a failed inject, say.
bool FabricEndpoint::read_error(InnerCompletion& out) noexcept {
  struct fi_cq_err_entry entry {};  // err_data_size 0: libfabric keeps its own details
  if (fi_cq_readerr(queue_.get(), &entry, 0) != 1) return false;
  out = {static_cast<InnerOperation*>(entry.op_context), 0, entry.err ? entry.err : EIO};
  if (!out.operation)
    util::log(Level::kDebug, "inner endpoint: %s for no operation", fi_strerror(out.error));
  return true;
}

bool FabricEndpoint::may_sleep() noexcept {
  if (!drained_) return false;
  struct fid* waited = watch_ ? &watch_->fid : &queue_->fid;
  return fi_trywait(&fabric_, &waited, 1) == 0;
}

}  // namespace xs::carrier
