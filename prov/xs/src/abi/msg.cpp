// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_msg(3).
#include "abi/data_call.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

using core::kOpData;
using core::ReceiveOp;
using core::SendOp;

ssize_t recvv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
              fi_addr_t from, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return receive(ep, {.iov = Pieces(iov, count),
                      .from = from,
                      .tag = 0,
                      .ignore = 0,
                      .flags = ep.default_receive,
                      .context = context});
}

ssize_t recv(struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
             void* context) noexcept {
  const struct iovec iov = piece(buffer, size);
  return recvv(fid, &iov, nullptr, 1, from, context);
}

ssize_t recvmsg(struct fid_ep* fid, const struct fi_msg* msg, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  std::uint32_t op_flags;
  if (!ep.receive_flags(flags, false, op_flags)) return -FI_EBADFLAGS;
  return act(ep,
             core::ReceiveOp{.iov = Pieces(msg->msg_iov, msg->iov_count),
                             .from = msg->addr,
                             .tag = 0,
                             .ignore = 0,
                             .flags = op_flags,
                             .context = msg->context},
             flags);
}

ssize_t send_plain(struct fid_ep* fid, Pieces iov, std::uint64_t data, fi_addr_t to,
                   std::uint32_t more_flags, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return send(ep, {.iov = iov,
                   .to = to,
                   .tag = 0,
                   .data = data,
                   .flags = ep.default_send | more_flags,
                   .context = context});
}

ssize_t send_inject(struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                    fi_addr_t to, std::uint32_t flags) noexcept {
  const struct iovec iov = piece(buffer, size);
  return send(object_of<Ep>(fid), {.iov = Pieces(&iov, 1),
                                   .to = to,
                                   .tag = 0,
                                   .data = data,
                                   .flags = flags,
                                   .context = nullptr});
}

ssize_t send(struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
             void* context) noexcept {
  const struct iovec iov = piece(buffer, size);
  return send_plain(fid, Pieces(&iov, 1), 0, to, 0, context);
}

ssize_t sendv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count, fi_addr_t to,
              void* context) noexcept {
  return send_plain(fid, Pieces(iov, count), 0, to, 0, context);
}

ssize_t sendmsg(struct fid_ep* fid, const struct fi_msg* msg, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  std::uint32_t op_flags;
  if (!ep.send_flags(flags, op_flags)) return -FI_EBADFLAGS;
  return act(ep,
             core::SendOp{.iov = Pieces(msg->msg_iov, msg->iov_count),
                          .to = msg->addr,
                          .tag = 0,
                          .data = msg->data,
                          .flags = op_flags,
                          .context = msg->context},
             flags);
}

ssize_t inject(struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to) noexcept {
  return send_inject(fid, buffer, size, 0, to, kInjectFlags);
}

ssize_t senddata(struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                 std::uint64_t data, fi_addr_t to, void* context) noexcept {
  const struct iovec iov = piece(buffer, size);
  return send_plain(fid, Pieces(&iov, 1), data, to, kOpData, context);
}

ssize_t injectdata(struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                   fi_addr_t to) noexcept {
  return send_inject(fid, buffer, size, data, to, kInjectFlags | kOpData);
}

}  // namespace

struct fi_ops_msg message_ops = [] {
  auto ops = no_ops<struct fi_ops_msg>();
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
