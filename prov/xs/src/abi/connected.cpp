// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/connected.hpp"

#include <cstring>

#include "abi/ep.hpp"
#include "abi/eq.hpp"
#include "abi/fabric.hpp"
#include "abi/ops.hpp"
#include "abi/pep.hpp"
#include "util/log.hpp"

namespace xs::abi {

using State = core::ConnectionState;

std::optional<core::Address> address_given(const void* from, std::size_t size,
                                           std::uint16_t family) noexcept {
  if (!from) return std::nullopt;
  struct sockaddr_storage room {};
  std::memcpy(&room, from, std::min(size, sizeof room));
  const auto address =
      core::Address::from_sockaddr(reinterpret_cast<const struct sockaddr*>(&room), size);
  return address && address->family == family ? address : std::nullopt;
}

std::optional<util::Bytes> data_given(const void* data, std::size_t size) noexcept {
  if (size > core::kConnectDataLimit || (!data && size > 0)) return std::nullopt;
  return util::Bytes(static_cast<const std::byte*>(data), size);
}

int give_data_size(void* value, std::size_t* size) noexcept {
  if (!value || !size) return -FI_EINVAL;
  const bool fits = *size >= sizeof *size;
  *size = sizeof *size;
  if (!fits) return -FI_ETOOSMALL;
  const std::size_t limit = core::kConnectDataLimit;
  std::memcpy(value, &limit, sizeof limit);
  return 0;
}

std::optional<core::Address> Connected::take_over(const struct fid* handle) noexcept {
  std::optional<core::Address> address;
  if (!handle) return address;
  took_over_ = ep_.domain.fabric.any_passive([&](Pep& passive) {
    if (handle != &passive.fid) return false;
    address = passive.give_up_address();
    return address.has_value();
  });
  return address;
}

int Connected::take_request(struct fid* handle) noexcept {
  if (!handle || took_over_) return 0;
  ep_.domain.fabric.any_passive([&](Pep& passive) {
    request_ = passive.take(handle);
    return request_.has_value();
  });
  return request_ ? 0 : -FI_EINVAL;
}

int Connected::enable() noexcept {
  if (!ep_.eq) return -FI_ENOEQ;
  return ep_.core ? 0 : ep_.enable();
}

int Connected::connect(const core::Address& to, util::Bytes data) noexcept {
  const Guard guard(ep_.domain.gate);
  if (core.state() != State::kNew) return -FI_EISCONN;
  if (request_) return -FI_EOPBADSTATE;
  if (const int rc = enable()) return rc;
  peer_ = to;
  return to_errno(core.ask(to, data));
}

// False: it has been refused, or answered, meanwhile.
bool Connected::finish_request() noexcept {
  bool open = false, found = false;
  ep_.domain.fabric.any_passive([&](Pep& passive) {
    if (&passive != request_->passive) return false;
    open = true;
    found = passive.finish(request_->handle);
    return true;
  });
  return found || !open;
}

int Connected::accept(util::Bytes data) noexcept {
  {
    const Guard guard(ep_.domain.gate);
    if (core.state() != State::kNew) return -FI_EISCONN;
    if (!request_) return -FI_EOPBADSTATE;
    if (const int rc = enable()) return rc;
  }
  if (!finish_request()) return -FI_EINVAL;
  const Guard guard(ep_.domain.gate);
  peer_ = request_->client;
  return to_errno(core.answer(request_->id, request_->client, data));
}

int Connected::shutdown() noexcept {
  const Guard guard(ep_.domain.gate);
  if (core.state() < State::kConnected) return -FI_ENOTCONN;
  sends_.set(false);
  core.shut();
  return 0;
}

// A server's is that of its listener, as for sockets.
int Connected::getname(void* to, std::size_t* size) noexcept {
  const Guard guard(ep_.domain.gate);
  if (!ep_.core) return -FI_EOPBADSTATE;
  return give_address(request_ ? request_->listener : ep_.core->name(), to, size);
}

int Connected::getpeer(void* to, std::size_t* size) noexcept {
  const Guard guard(ep_.domain.gate);
  if (core.state() < State::kConnected || !peer_) return -FI_ENOTCONN;
  return give_address(peer_, to, size);
}

bool Connected::before_close() noexcept {
  bool unanswered;
  {
    const Guard guard(ep_.domain.gate);
    if (ep_.busy()) return false;
    unanswered = request_ && core.state() == State::kNew;
  }
  if (unanswered)
    ep_.domain.fabric.any_passive(
        [this](Pep& passive) { return passive.reject(request_->handle, {}) == 0; });
  if (ep_.eq) ep_.eq->remove_source(ep_.domain);
  return true;
}

ssize_t Connected::received(ssize_t rc) noexcept {
  if (rc == 0 && over_.is_set()) {
    const Guard guard(ep_.domain.gate);
    core.received_posted();
  }
  return rc;
}

// ---- What core tells, inside the gate ----

void Connected::tell(std::uint32_t event, util::Bytes data) noexcept {
  if (ep_.eq->write_connection(event, &ep_.fid, nullptr, data.data(), data.size()) < 0)
    util::log(util::Level::kWarn, "no memory to tell of a connection");
}

void Connected::connected(util::Bytes data) noexcept {
  sends_.set(true);
  tell(FI_CONNECTED, data);
}

void Connected::disconnected() noexcept {
  over_.set(true);
  sends_.set(false);
  tell(FI_SHUTDOWN, {});
}

void Connected::failed(int error, util::Bytes data) noexcept {
  over_.set(true);
  struct fi_eq_err_entry entry {};
  entry.fid = &ep_.fid;
  entry.context = ep_.fid.context;
  entry.err = error;
  entry.err_data = const_cast<std::byte*>(data.data());
  entry.err_data_size = data.size();
  if (ep_.eq->write_error(entry) < 0)
    util::log(util::Level::kWarn, "no memory to tell that a connection failed: error %d", error);
}

// ---- fi_cm(3) ----

namespace {

Connected& connection_of(struct fid* fid) noexcept { return *object_of<Ep>(fid).connection; }
Connected& connection_of(struct fid_ep* fid) noexcept { return *object_of<Ep>(fid).connection; }

std::uint16_t family_of(const Ep& ep) noexcept { return ep.domain.core.inner().source().family; }

int setname(struct fid* fid, void* address, std::size_t size) noexcept {
  auto& ep = object_of<Ep>(fid);
  const auto source = address_given(address, size, family_of(ep));
  if (!source) return -FI_EINVAL;
  return control([&] {
    const Guard guard(ep.domain.gate);
    return ep.core ? -FI_EOPBADSTATE : ep.set_source(*source);
  });
}

int getname(struct fid* fid, void* to, std::size_t* size) noexcept {
  if (!size || (!to && *size > 0)) return -FI_EINVAL;
  return connection_of(fid).getname(to, size);
}

int getpeer(struct fid_ep* fid, void* to, std::size_t* size) noexcept {
  if (!size || (!to && *size > 0)) return -FI_EINVAL;
  return connection_of(fid).getpeer(to, size);
}

int connect(struct fid_ep* fid, const void* address, const void* data, std::size_t size) noexcept {
  const auto& ep = object_of<Ep>(fid);
  const auto to =
      address_given(address, ep.domain.core.inner().source().sockaddr_size(), family_of(ep));
  const auto said = data_given(data, size);
  if (!to || to->port == 0 || to->is_wildcard() || !said) return -FI_EINVAL;
  return connection_of(fid).connect(*to, *said);
}

int accept(struct fid_ep* fid, const void* data, std::size_t size) noexcept {
  const auto said = data_given(data, size);
  return said ? connection_of(fid).accept(*said) : -FI_EINVAL;
}

int shutdown(struct fid_ep* fid, std::uint64_t flags) noexcept {
  return flags ? -FI_EBADFLAGS : connection_of(fid).shutdown();
}

struct fi_ops_cm connected_cm_ops = [] {
  auto ops = no_ops<struct fi_ops_cm>();
  ops.setname = setname;
  ops.getname = getname;
  ops.getpeer = getpeer;
  ops.connect = connect;
  ops.accept = accept;
  ops.shutdown = shutdown;
  return ops;
}();

}  // namespace

void Connected::set_ops() noexcept {
  ep_.cm = &connected_cm_ops;
  ep_.msg = &connected_message_ops;
  ep_.tagged = &connected_tagged_ops;
  if (ep_.rma == &rma_ops) ep_.rma = &connected_rma_ops;
  if (ep_.atomic == &atomic_ops) ep_.atomic = &connected_atomic_ops;
}

void Connected::share_receives() noexcept {
  ep_.msg = &connected_sends;
  ep_.tagged = &connected_tagged_sends;
}

}  // namespace xs::abi
