// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_tagged(3).
#include "abi/data_call.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

using core::kOpData;
using core::kOpMultiReceive;
using core::kOpTagged;

ssize_t recvv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
              fi_addr_t from, std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return receive(ep, {.iov = Pieces(iov, count),
                      .from = from,
                      .tag = tag,
                      .ignore = ignore,
                      .flags = (ep.default_receive & ~kOpMultiReceive) | kOpTagged,
                      .context = context});
}

ssize_t recv(struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
             std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
  if (!buffer && size > 0) [[unlikely]]
    return -FI_EINVAL;
  auto& ep = object_of<Ep>(fid);
  const struct iovec iov = piece(buffer, size);
  return ep.receive({.iov = Pieces(&iov, 1),
                     .from = from,
                     .tag = tag,
                     .ignore = ignore,
                     .flags = (ep.default_receive & ~kOpMultiReceive) | kOpTagged,
                     .context = context});
}

ssize_t recvmsg(struct fid_ep* fid, const struct fi_msg_tagged* msg, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  std::uint32_t op_flags;
  if (!ep.receive_flags(flags, true, op_flags)) return -FI_EBADFLAGS;
  return receive(ep, {.iov = Pieces(msg->msg_iov, msg->iov_count),
                      .from = msg->addr,
                      .tag = msg->tag,
                      .ignore = msg->ignore,
                      .flags = op_flags,
                      .context = msg->context});
}

ssize_t send_plain(struct fid_ep* fid, Pieces iov, std::uint64_t data, fi_addr_t to,
                   std::uint64_t tag, std::uint32_t more_flags, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return send(ep, {.iov = iov,
                   .to = to,
                   .tag = tag,
                   .data = data,
                   .flags = ep.default_send | kOpTagged | more_flags,
                   .context = context});
}

ssize_t send_inject(struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                    fi_addr_t to, std::uint64_t tag, std::uint32_t flags) noexcept {
  const struct iovec iov = piece(buffer, size);
  return send(object_of<Ep>(fid), {.iov = Pieces(&iov, 1),
                                   .to = to,
                                   .tag = tag,
                                   .data = data,
                                   .flags = flags | kOpTagged,
                                   .context = nullptr});
}

ssize_t send(struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
             std::uint64_t tag, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  const struct iovec iov = piece(buffer, size);
  const core::SendOp op{.iov = Pieces(&iov, 1),
                        .to = to,
                        .tag = tag,
                        .data = 0,
                        .flags = ep.default_send | kOpTagged,
                        .context = context};
  if ((!buffer && size > 0) || size > ep.never_too_long) [[unlikely]]
    return abi::send(ep, op);
  return ep.send(op);
}

ssize_t sendv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count, fi_addr_t to,
              std::uint64_t tag, void* context) noexcept {
  return send_plain(fid, Pieces(iov, count), 0, to, tag, 0, context);
}

ssize_t sendmsg(struct fid_ep* fid, const struct fi_msg_tagged* msg, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  std::uint32_t op_flags;
  if (!ep.send_flags(flags, op_flags)) return -FI_EBADFLAGS;
  return send(ep, {.iov = Pieces(msg->msg_iov, msg->iov_count),
                   .to = msg->addr,
                   .tag = msg->tag,
                   .data = msg->data,
                   .flags = op_flags | kOpTagged,
                   .context = msg->context});
}

ssize_t inject(struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to,
               std::uint64_t tag) noexcept {
  return send_inject(fid, buffer, size, 0, to, tag, kInjectFlags);
}

ssize_t senddata(struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                 std::uint64_t data, fi_addr_t to, std::uint64_t tag, void* context) noexcept {
  const struct iovec iov = piece(buffer, size);
  return send_plain(fid, Pieces(&iov, 1), data, to, tag, kOpData, context);
}

ssize_t injectdata(struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                   fi_addr_t to, std::uint64_t tag) noexcept {
  return send_inject(fid, buffer, size, data, to, tag, kInjectFlags | kOpData);
}

}  // namespace

struct fi_ops_tagged tagged_ops = [] {
  auto ops = no_ops<struct fi_ops_tagged>();
  ops.recv = recv;
  ops.recvv = recvv;
  ops.recvmsg = recvmsg;
  ops.send = send;
  ops.sendv = sendv;
  ops.sendmsg = sendmsg;
  ops.inject = inject;
  ops.senddata = senddata;
  ops.injectdata = injectdata;
  return ops;
}();

}  // namespace xs::abi
