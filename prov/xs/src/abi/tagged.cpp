// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_tagged(3).
#include "abi/data_call.hpp"
#include "abi/ops.hpp"
#include "core/quick.hpp"

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

[[gnu::noinline]] ssize_t recv_otherwise(struct fid_ep* fid, void* buffer, std::size_t size,
                                         fi_addr_t from, std::uint64_t tag, std::uint64_t ignore,
                                         void* context) noexcept {
  object_of<Ep>(fid).leave_quickly();
  const struct iovec iov = piece(buffer, size);
  return recvv(fid, &iov, nullptr, 1, from, tag, ignore, context);
}

ssize_t recv(struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
             std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  const std::uint32_t flags = (ep.default_receive & ~kOpMultiReceive) | kOpTagged;
  if (ep.enter_quickly(buffer, size) &&
      ep.core->receive_quickly({static_cast<std::byte*>(buffer), size}, from,
                               {.tag = tag, .ignore = ignore, .flags = flags, .context = context}))
      [[likely]] {
    ep.leave_quickly();
    return 0;
  }
  return recv_otherwise(fid, buffer, size, from, tag, ignore, context);
}

ssize_t recvmsg(struct fid_ep* fid, const struct fi_msg_tagged* msg, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  std::uint32_t op_flags;
  if (!ep.receive_flags(flags, true, op_flags)) return -FI_EBADFLAGS;
  return act(ep,
             core::ReceiveOp{.iov = Pieces(msg->msg_iov, msg->iov_count),
                             .from = msg->addr,
                             .tag = msg->tag,
                             .ignore = msg->ignore,
                             .flags = op_flags,
                             .context = msg->context},
             flags);
}

// Not by a plan: one that is somewhere in memory would be stored there by every call.
[[gnu::noinline]] ssize_t send_otherwise(Ep& ep, const void* buffer, std::size_t size, fi_addr_t to,
                                         std::uint64_t tag, std::uint64_t data, std::uint32_t flags,
                                         void* context) noexcept {
  ep.leave_quickly();
  const struct iovec iov = piece(buffer, size);
  return abi::send(ep, {.iov = Pieces(&iov, 1),
                        .to = to,
                        .tag = tag,
                        .data = data,
                        .flags = flags,
                        .context = context});
}

[[gnu::always_inline]] inline ssize_t send_piece(Ep& ep, const void* buffer, std::size_t size,
                                                 fi_addr_t to,
                                                 const core::SendPlan& plan) noexcept {
  if (size < ep.quick_below && ep.enter_quickly(buffer, size) &&
      ep.core->send_quickly({static_cast<const std::byte*>(buffer), size}, to, plan)) [[likely]] {
    ep.leave_quickly();
    return 0;
  }
  return send_otherwise(ep, buffer, size, to, plan.tag, plan.data, plan.flags, plan.context);
}

ssize_t send(struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
             std::uint64_t tag, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return send_piece(ep, buffer, size, to, {tag, 0, ep.default_send | kOpTagged, context});
}

ssize_t sendv(struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count, fi_addr_t to,
              std::uint64_t tag, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return abi::send(ep, {.iov = Pieces(iov, count),
                        .to = to,
                        .tag = tag,
                        .data = 0,
                        .flags = ep.default_send | kOpTagged,
                        .context = context});
}

ssize_t sendmsg(struct fid_ep* fid, const struct fi_msg_tagged* msg, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  std::uint32_t op_flags;
  if (!ep.send_flags(flags, op_flags)) return -FI_EBADFLAGS;
  return act(ep,
             core::SendOp{.iov = Pieces(msg->msg_iov, msg->iov_count),
                          .to = msg->addr,
                          .tag = msg->tag,
                          .data = msg->data,
                          .flags = op_flags | kOpTagged,
                          .context = msg->context},
             flags);
}

ssize_t inject(struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to,
               std::uint64_t tag) noexcept {
  return send_piece(object_of<Ep>(fid), buffer, size, to,
                    {tag, 0, kInjectFlags | kOpTagged, nullptr});
}

ssize_t senddata(struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                 std::uint64_t data, fi_addr_t to, std::uint64_t tag, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  return send_piece(ep, buffer, size, to,
                    {tag, data, ep.default_send | kOpTagged | kOpData, context});
}

ssize_t injectdata(struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                   fi_addr_t to, std::uint64_t tag) noexcept {
  return send_piece(object_of<Ep>(fid), buffer, size, to,
                    {tag, data, kInjectFlags | kOpTagged | kOpData, nullptr});
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
