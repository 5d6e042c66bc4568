// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_rma(3).
#include <rdma/fi_rma.h>

#include "abi/data_call.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"
#include "abi/remote_call.hpp"

namespace xs::abi {

namespace {

using core::kOpData;
using core::kOpInject;
using core::RmaKind;
using core::RmaOp;

// What the flags of the endpoint ask of a read: it injects nothing.
std::uint32_t default_read(const Ep& ep) noexcept {
  return ep.default_send & ~(kOpInject | kOpData);
}

ssize_t reach(Ep& ep, const RmaOp& op) noexcept {
  if (!valid(op.iov.data(), op.iov.size())) return -FI_EINVAL;
  if (too_long(ep, op.iov, op.flags)) return -FI_EMSGSIZE;
  return ep.reach(op);
}

ssize_t write_plain(Ep& ep, Pieces iov, fi_addr_t to, std::uint64_t address, std::uint64_t key,
                    std::uint64_t data, std::uint32_t flags, void* context) noexcept {
  return reach(ep, {.kind = RmaKind::kWrite,
                    .iov = iov,
                    .to = to,
                    .address = address,
                    .key = key,
                    .data = data,
                    .flags = flags,
                    .context = context});
}

ssize_t readv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
              fi_addr_t from, std::uint64_t address, std::uint64_t key, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return reach(ep, {.kind = RmaKind::kRead,
                    .iov = Pieces(iov, count),
                    .to = from,
                    .address = address,
                    .key = key,
                    .data = 0,
                    .flags = default_read(ep),
                    .context = context});
}

ssize_t read(struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
             std::uint64_t address, std::uint64_t key, void* context) noexcept {
  const struct iovec iov = piece(buffer, size);
  return readv(fid, &iov, nullptr, 1, from, address, key, context);
}

// One remote piece, as long as the local ones together.
bool valid_remote(const struct fi_msg_rma& msg) noexcept {
  if (msg.rma_iov_count != kRmaIovLimit || !msg.rma_iov) return false;
  if (!valid(msg.msg_iov, msg.iov_count)) return false;
  std::size_t local = 0;
  return core::UserMemory::sum(Pieces(msg.msg_iov, msg.iov_count), local) &&
         local == msg.rma_iov->len;
}

ssize_t reach_message(struct fid_ep* fid, RmaKind kind, const struct fi_msg_rma& msg,
                      std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  RmaOp op;
  if (const int rc = make_rma(ep, kind, msg, flags, op)) return rc;
  return flags & FI_TRIGGER ? defer(ep, op) : ep.reach(op);
}

ssize_t readmsg(struct fid_ep* fid, const struct fi_msg_rma* msg, std::uint64_t flags) noexcept {
  return reach_message(fid, RmaKind::kRead, *msg, flags);
}

ssize_t writemsg(struct fid_ep* fid, const struct fi_msg_rma* msg, std::uint64_t flags) noexcept {
  return reach_message(fid, RmaKind::kWrite, *msg, flags);
}

ssize_t write(struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
              std::uint64_t address, std::uint64_t key, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  const struct iovec iov = piece(buffer, size);
  return write_plain(ep, Pieces(&iov, 1), to, address, key, 0, ep.default_send, context);
}

ssize_t writev(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count, fi_addr_t to,
               std::uint64_t address, std::uint64_t key, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return write_plain(ep, Pieces(iov, count), to, address, key, 0, ep.default_send, context);
}

ssize_t writedata(struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                  std::uint64_t data, fi_addr_t to, std::uint64_t address, std::uint64_t key,
                  void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  const struct iovec iov = piece(buffer, size);
  return write_plain(ep, Pieces(&iov, 1), to, address, key, data, ep.default_send | kOpData,
                     context);
}

ssize_t inject(struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to,
               std::uint64_t address, std::uint64_t key) noexcept {
  const struct iovec iov = piece(buffer, size);
  return write_plain(object_of<Ep>(fid), Pieces(&iov, 1), to, address, key, 0, kInjectFlags,
                     nullptr);
}

ssize_t injectdata(struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                   fi_addr_t to, std::uint64_t address, std::uint64_t key) noexcept {
  const struct iovec iov = piece(buffer, size);
  return write_plain(object_of<Ep>(fid), Pieces(&iov, 1), to, address, key, data,
                     kInjectFlags | kOpData, nullptr);
}

}  // namespace

int make_rma(const Ep& ep, RmaKind kind, const struct fi_msg_rma& msg, std::uint64_t flags,
             RmaOp& out) noexcept {
  std::uint32_t op_flags;
  const bool known =
      kind == RmaKind::kRead ? ep.read_flags(flags, op_flags) : ep.write_flags(flags, op_flags);
  if (!known) return -FI_EBADFLAGS;
  if (!valid_remote(msg)) return -FI_EINVAL;
  out = {.kind = kind,
         .iov = Pieces(msg.msg_iov, msg.iov_count),
         .to = ep.connection ? core::Connection::kPeer : msg.addr,
         .address = msg.rma_iov->addr,
         .key = msg.rma_iov->key,
         .data = msg.data,
         .flags = op_flags,
         .context = msg.context};
  return too_long(ep, out.iov, op_flags) ? -FI_EMSGSIZE : 0;
}

struct fi_ops_rma rma_ops = [] {
  auto ops = no_ops<struct fi_ops_rma>();
  ops.read = read;
  ops.readv = readv;
  ops.readmsg = readmsg;
  ops.write = write;
  ops.writev = writev;
  ops.writemsg = writemsg;
  ops.inject = inject;
  ops.writedata = writedata;
  ops.injectdata = injectdata;
  return ops;
}();

}  // namespace xs::abi
