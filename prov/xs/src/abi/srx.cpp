// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/srx.hpp"

#include <rdma/fi_atomic.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_collective.h>
#include <rdma/fi_rma.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "abi/data_call.hpp"
#include "abi/errno.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

ssize_t Srx::receive(const core::ReceiveOp& op) noexcept {
  if (!valid(op.iov.data(), op.iov.size())) return -FI_EINVAL;
  const Guard guard(domain.gate);
  const core::Status status = core.receive(op);
  if (status == core::Status::kAgain) domain.progress();
  return to_errno(status);
}

namespace {

// ---- fi_msg(3) and fi_tagged(3) ----

// Whether a success is told is up to the endpoint that receives, but for who asks for it.
ssize_t receive(struct fid_ep* fid, const core::ReceiveOp& op, std::uint64_t flags,
                bool tagged) noexcept {
  std::uint32_t op_flags;
  if (!flags_of_receive(flags, true, tagged, op_flags)) return -FI_EBADFLAGS;
  core::ReceiveOp whole = op;
  whole.flags = op_flags;
  return object_of<Srx>(fid).receive(whole);
}

ssize_t recvv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
              fi_addr_t from, void* context) noexcept {
  return receive(fid,
                 {.iov = Pieces(iov, count),
                  .from = from,
                  .tag = 0,
                  .ignore = 0,
                  .flags = 0,
                  .context = context},
                 object_of<Srx>(fid).op_flags, false);
}

ssize_t recv(struct fid_ep* fid, void* buffer, std::size_t size, void* desc, fi_addr_t from,
             void* context) noexcept {
  // Where there is no memory there is no room: programs ask so for messages without content.
  const struct iovec iov = piece(buffer, buffer ? size : 0);
  return recvv(fid, &iov, &desc, 1, from, context);
}

ssize_t recvmsg(struct fid_ep* fid, const struct fi_msg* msg, std::uint64_t flags) noexcept {
  return receive(fid,
                 {.iov = Pieces(msg->msg_iov, msg->iov_count),
                  .from = msg->addr,
                  .tag = 0,
                  .ignore = 0,
                  .flags = 0,
                  .context = msg->context},
                 flags, false);
}

struct fi_ops_msg message_receives = [] {
  auto ops = no_ops<struct fi_ops_msg>();
  ops.recv = recv;
  ops.recvv = recvv;
  ops.recvmsg = recvmsg;
  return ops;
}();

ssize_t trecvv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
               fi_addr_t from, std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
  return receive(fid,
                 {.iov = Pieces(iov, count),
                  .from = from,
                  .tag = tag,
                  .ignore = ignore,
                  .flags = 0,
                  .context = context},
                 object_of<Srx>(fid).op_flags & ~FI_MULTI_RECV, true);
}

ssize_t trecv(struct fid_ep* fid, void* buffer, std::size_t size, void* desc, fi_addr_t from,
              std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
  const struct iovec iov = piece(buffer, buffer ? size : 0);
  return trecvv(fid, &iov, &desc, 1, from, tag, ignore, context);
}

ssize_t trecvmsg(struct fid_ep* fid, const struct fi_msg_tagged* msg,
                 std::uint64_t flags) noexcept {
  return receive(fid,
                 {.iov = Pieces(msg->msg_iov, msg->iov_count),
                  .from = msg->addr,
                  .tag = msg->tag,
                  .ignore = msg->ignore,
                  .flags = 0,
                  .context = msg->context},
                 flags, true);
}

struct fi_ops_tagged tagged_receives = [] {
  auto ops = no_ops<struct fi_ops_tagged>();
  ops.recv = trecv;
  ops.recvv = trecvv;
  ops.recvmsg = trecvmsg;
  return ops;
}();

// ---- fi_endpoint(3) ----

int close(struct fid* fid) noexcept {
  auto& srx = object_of<Srx>(fid);
  const Guard guard(srx.domain.gate);
  if (srx.users > 0) return -FI_EBUSY;
  --srx.domain.children;
  delete &srx;
  return 0;
}

// It is enabled from the beginning.
int control_srx(struct fid*, int command, void*) noexcept {
  return command == FI_ENABLE ? 0 : -FI_ENOSYS;
}

ssize_t cancel(struct fid* fid, void* context) noexcept {
  auto& srx = object_of<Srx>(fid);
  const Guard guard(srx.domain.gate);
  return to_errno(srx.core.cancel(context));
}

int getopt(struct fid* fid, int level, int name, void* value, std::size_t* size) noexcept {
  auto& srx = object_of<Srx>(fid);
  return get_min_multi_receive(level, name, value, size, [&] {
    const Guard guard(srx.domain.gate);
    return srx.core.min_multi_receive();
  });
}

int setopt(struct fid* fid, int level, int name, const void* value, std::size_t size) noexcept {
  auto& srx = object_of<Srx>(fid);
  return set_min_multi_receive(level, name, value, size, [&](std::size_t bytes) {
    const Guard guard(srx.domain.gate);
    srx.core.set_min_multi_receive(bytes);
  });
}

ssize_t rx_size_left(struct fid_ep* fid) noexcept {
  auto& srx = object_of<Srx>(fid);
  const Guard guard(srx.domain.gate);
  return static_cast<ssize_t>(kReceiveSize - std::min(srx.core.posted(), kReceiveSize));
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.control = control_srx;
  return ops;
}();

struct fi_ops_ep context_ops = [] {
  auto ops = no_ops<struct fi_ops_ep>();
  ops.cancel = cancel;
  ops.getopt = getopt;
  ops.setopt = setopt;
  ops.rx_size_left = rx_size_left;
  return ops;
}();

struct fi_ops_cm no_names = no_ops<struct fi_ops_cm>();
struct fi_ops_rma no_rma = no_ops<struct fi_ops_rma>();
struct fi_ops_atomic no_atomics = no_ops<struct fi_ops_atomic>();
struct fi_ops_collective no_collectives = no_ops<struct fi_ops_collective>();

}  // namespace

struct fi_ops_tagged& tagged_ops_without_receives() noexcept {
  static struct fi_ops_tagged ops = [] {
    auto made = tagged_ops;
    made.recv = [](struct fid_ep*, void*, std::size_t, void*, fi_addr_t, std::uint64_t,
                   std::uint64_t, void*) noexcept -> ssize_t { return -FI_EINVAL; };
    return made;
  }();
  return ops;
}

int open_srx(struct fid_domain* fid, struct fi_rx_attr* attr, struct fid_ep** out,
             void* context) noexcept {
  if (!out) return -FI_EINVAL;
  if (attr && !acceptable(*attr)) return -FI_EINVAL;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    const bool directed = attr && (attr->caps & FI_DIRECTED_RECV);
    auto srx = std::make_unique<Srx>(domain, directed, attr ? attr->op_flags : 0);
    srx->fid = {.fclass = FI_CLASS_SRX_CTX, .context = context, .ops = &fid_ops};
    srx->ops = &context_ops;
    srx->msg = &message_receives;
    srx->tagged = &tagged_receives;
    srx->cm = &no_names;
    srx->rma = &no_rma;
    srx->atomic = &no_atomics;
    srx->collective = &no_collectives;
    const Guard guard(domain.gate);
    ++domain.children;
    *out = srx.release();
    return 0;
  });
}

}  // namespace xs::abi
