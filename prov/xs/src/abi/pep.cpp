// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/pep.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "abi/env.hpp"
#include "abi/eq.hpp"
#include "abi/errno.hpp"
#include "abi/fabric.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

// libfabric frees it.
int put_address(void*& to, std::size_t& size, const core::Address& address) noexcept {
  struct sockaddr_storage room;
  const std::size_t length = address.to_sockaddr(room);
  void* copy = std::malloc(length);
  if (!copy) return -FI_ENOMEM;
  std::memcpy(copy, &room, length);
  std::free(to);
  to = copy;
  size = length;
  return 0;
}

}  // namespace

// ---- Its address ----

// The domain of the endpoints that will be made of requests does not exist yet: it has one of its
// own, with nothing but the fabric.
int Pep::open() {
  auto config = read_variables();
  if (!config) return to_errno(config.error());
  config->ring_size = 0;
  auto inner = open_inner(*config, *info);
  if (!inner) return to_errno(inner.error());
  auto engine = std::make_unique<Domain>(fabric, true, core::MemoryModes{}, std::move(*config),
                                         std::move(*inner));
  auto opened = core::Endpoint::open({.config = engine->core.config(),
                                      .inner = engine->core.inner(),
                                      .clock = engine->core.clock(),
                                      .random = engine->core.random(),
                                      .gatekeeper = &listener_});
  if (!opened) return to_errno(opened.error());
  engine->endpoints.push_back(opened->get());
  core_ = std::move(*opened);
  engine_ = std::move(engine);
  name_ = core_->name();
  return 0;
}

int Pep::set_source(const core::Address& address) {
  if (engine_) return -FI_EOPBADSTATE;
  const int rc = put_address(info->src_addr, info->src_addrlen, address);
  return rc ? rc : open();
}

int Pep::name(void* to, std::size_t* size) noexcept {
  return name_ ? give_address(name_, to, size) : -FI_EOPBADSTATE;
}

std::optional<core::Address> Pep::give_up_address() noexcept {
  if (!engine_ && control([this] { return open(); }) != 0) return std::nullopt;
  if (!core_) return std::nullopt;
  close_core();
  return name_;
}

// ---- Its life ----

int Pep::bind(Eq& queue) {
  if (eq_) return -FI_EINVAL;
  if (core_ && listener_.listens()) return -FI_EOPBADSTATE;
  eq_ = &queue;
  queue.add_user();
  return 0;
}

int Pep::listen() {
  if (!eq_) return -FI_ENOEQ;
  if (!engine_)
    if (const int rc = open()) return rc;
  if (!core_ || listener_.listens()) return -FI_EOPBADSTATE;
  if (const int rc = eq_->add_source(*engine_)) return rc;
  const Guard guard(engine_->gate);
  listener_.listen();
  return 0;
}

int Pep::set_backlog(int requests) noexcept {
  if (requests < 1) return -FI_EINVAL;
  const std::size_t most =
      std::min<std::size_t>(static_cast<std::size_t>(requests), core::Listener::kLargestBacklog);
  if (!engine_) {
    listener_.set_backlog(most);
  } else {
    const Guard guard(engine_->gate);
    listener_.set_backlog(most);
  }
  return 0;
}

void Pep::close_core() noexcept {
  if (!core_) return;
  if (listener_.listens()) eq_->remove_source(*engine_);
  const Guard guard(engine_->gate);
  core_->close();
  engine_->endpoints.clear();
  core_.reset();
}

// Nobody looks us up any more.
void Pep::close() noexcept {
  close_core();
  if (!eq_) return;
  eq_->forget(&fid);
  eq_->remove_user();
}

// ---- Requests ----

const Pep::Handle* Pep::find(const struct fid* handle) const noexcept {
  for (const auto& each : handles_)
    if (&each->fid == handle) return each.get();
  return nullptr;
}

void Pep::drop(const struct fid* handle) noexcept {
  std::erase_if(handles_, [handle](const auto& each) { return &each->fid == handle; });
}

// Inside the gate.
bool Pep::requested(const core::ConnectRequest& request) noexcept {
  return control([&] { return tell(request); }) == 0;
}

int Pep::tell(const core::ConnectRequest& request) {
  std::unique_ptr<struct fi_info, FreeInfo> told(fi_dupinfo(info.get()));
  if (!told) return -FI_ENOMEM;
  core::Address source = name_;
  source.port = 0;
  if (const int rc = put_address(told->src_addr, told->src_addrlen, source)) return rc;
  if (const int rc = put_address(told->dest_addr, told->dest_addrlen, request.client)) return rc;
  handles_.push_back(std::make_unique<Handle>(
      Handle{.fid = {.fclass = FI_CLASS_CONNREQ, .context = nullptr, .ops = nullptr},
             .number = request.number}));
  struct fid* handle = &handles_.back()->fid;
  told->handle = handle;
  const util::Bytes data = request.data.bytes();
  const int rc = eq_->write_connection(FI_CONNREQ, &fid, told.get(), data.data(), data.size());
  if (rc == 0)
    told.release();
  else
    drop(handle);
  return rc;
}

std::optional<TakenRequest> Pep::take(struct fid* handle) noexcept {
  if (!engine_) return std::nullopt;
  const Guard guard(engine_->gate);
  const Handle* found = find(handle);
  core::ConnectRequest* request = found ? listener_.find(found->number) : nullptr;
  if (!request || request->taken) return std::nullopt;
  request->taken = true;
  return TakenRequest{.passive = this,
                      .handle = handle,
                      .id = request->id,
                      .client = request->client,
                      .listener = name_};
}

bool Pep::finish(const struct fid* handle) noexcept {
  const Guard guard(engine_->gate);
  const Handle* found = find(handle);
  const core::ConnectRequest* request = found ? listener_.find(found->number) : nullptr;
  if (!request) return false;
  listener_.forget(*request);
  drop(handle);
  return true;
}

int Pep::reject(const struct fid* handle, util::Bytes data) noexcept {
  if (!engine_) return -FI_EINVAL;
  const Guard guard(engine_->gate);
  const Handle* found = find(handle);
  core::ConnectRequest* request = found ? listener_.find(found->number) : nullptr;
  if (!request) return -FI_EINVAL;
  drop(handle);
  listener_.refuse(*request, data);
  return 0;
}

// ---- The C face ----

namespace {

int close(struct fid* fid) noexcept {
  auto& pep = object_of<Pep>(fid);
  Fabric& fabric = pep.fabric;
  fabric.remove_passive(pep);
  pep.close();
  delete &pep;
  fabric.remove_child();
  return 0;
}

int bind(struct fid* fid, struct fid* other, std::uint64_t flags) noexcept {
  auto& pep = object_of<Pep>(fid);
  if (flags) return -FI_EBADFLAGS;
  if (other->fclass != FI_CLASS_EQ) return -FI_EINVAL;
  auto& eq = object_of<Eq>(other);
  return &eq.fabric == &pep.fabric ? pep.bind(eq) : -FI_EINVAL;
}

int control_pep(struct fid* fid, int command, void* arg) noexcept {
  if (command != FI_BACKLOG) return -FI_ENOSYS;
  if (!arg) return -FI_EINVAL;
  return object_of<Pep>(fid).set_backlog(*static_cast<const int*>(arg));
}

int getopt(struct fid*, int level, int name, void* value, std::size_t* size) noexcept {
  if (level != FI_OPT_ENDPOINT || name != FI_OPT_CM_DATA_SIZE) return -FI_ENOPROTOOPT;
  return give_data_size(value, size);
}

int setname(struct fid* fid, void* address, std::size_t size) noexcept {
  auto& pep = object_of<Pep>(fid);
  const auto* given = static_cast<const struct sockaddr*>(address);
  if (!given || size < sizeof given->sa_family) return -FI_EINVAL;
  const auto source = core::Address::from_sockaddr(given, size);
  if (!source) return -FI_EINVAL;
  return control([&] { return pep.set_source(*source); });
}

int getname(struct fid* fid, void* to, std::size_t* size) noexcept {
  if (!size || (!to && *size > 0)) return -FI_EINVAL;
  return object_of<Pep>(fid).name(to, size);
}

int listen(struct fid_pep* fid) noexcept {
  auto& pep = object_of<Pep>(fid);
  return control([&] { return pep.listen(); });
}

int reject(struct fid_pep* fid, struct fid* handle, const void* data, std::size_t size) noexcept {
  const auto said = data_given(data, size);
  return said ? object_of<Pep>(fid).reject(handle, *said) : -FI_EINVAL;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.bind = bind;
  ops.control = control_pep;
  return ops;
}();

struct fi_ops_ep option_ops = [] {
  auto ops = no_ops<struct fi_ops_ep>();
  ops.getopt = getopt;
  return ops;
}();

struct fi_ops_cm passive_ops = [] {
  auto ops = no_ops<struct fi_ops_cm>();
  ops.setname = setname;
  ops.getname = getname;
  ops.listen = listen;
  ops.reject = reject;
  return ops;
}();

}  // namespace

int open_passive(struct fid_fabric* fid, struct fi_info* info, struct fid_pep** out,
                 void* context) noexcept {
  if (!info || !out || !is_connection(*info) || !acceptable(*info)) return -FI_EINVAL;
  return control([&] {
    auto& fabric = object_of<Fabric>(fid);
    std::unique_ptr<struct fi_info, FreeInfo> copy(fi_dupinfo(info));
    if (!copy) return -FI_ENOMEM;
    auto pep = std::make_unique<Pep>(fabric, copy.release());
    pep->fid = {.fclass = FI_CLASS_PEP, .context = context, .ops = &fid_ops};
    pep->ops = &option_ops;
    pep->cm = &passive_ops;
    fabric.add_passive(*pep);
    fabric.add_child();
    *out = pep.release();
    return 0;
  });
}

}  // namespace xs::abi
