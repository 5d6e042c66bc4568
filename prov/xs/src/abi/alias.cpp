// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Its calls are those of fi_endpoint(3)'s ...msg kind on the endpoint itself.
#include "abi/alias.hpp"

#include <rdma/fi_cm.h>
#include <rdma/fi_collective.h>

#include <memory>

#include "abi/data_call.hpp"
#include "abi/errno.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

// ---- fi_msg(3) ----

ssize_t receive(struct fid_ep* fid, const struct iovec* iov, std::size_t count, fi_addr_t from,
                void* context) noexcept {
  auto& alias = object_of<Alias>(fid);
  struct fi_msg msg {};
  msg.msg_iov = iov;
  msg.iov_count = count;
  msg.addr = from;
  msg.context = context;
  return alias.of.msg->recvmsg(&alias.of, &msg, alias.receive_flags);
}

ssize_t send(struct fid_ep* fid, const struct iovec* iov, std::size_t count, fi_addr_t to,
             std::uint64_t data, std::uint64_t more_flags, void* context) noexcept {
  auto& alias = object_of<Alias>(fid);
  struct fi_msg msg {};
  msg.msg_iov = iov;
  msg.iov_count = count;
  msg.addr = to;
  msg.data = data;
  msg.context = context;
  return alias.of.msg->sendmsg(&alias.of, &msg, alias.send_flags | more_flags);
}

struct fi_ops_msg alias_message_ops = [] {
  auto ops = no_ops<struct fi_ops_msg>();
  ops.recv = [](struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
                void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return receive(fid, &iov, 1, from, context);
  };
  ops.recvv = [](struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
                 fi_addr_t from,
                 void* context) noexcept { return receive(fid, iov, count, from, context); };
  ops.recvmsg = [](struct fid_ep* fid, const struct fi_msg* msg, std::uint64_t flags) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.msg->recvmsg(&of, msg, flags);
  };
  ops.send = [](struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
                void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return send(fid, &iov, 1, to, 0, 0, context);
  };
  ops.sendv = [](struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
                 fi_addr_t to,
                 void* context) noexcept { return send(fid, iov, count, to, 0, 0, context); };
  ops.sendmsg = [](struct fid_ep* fid, const struct fi_msg* msg, std::uint64_t flags) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.msg->sendmsg(&of, msg, flags);
  };
  ops.inject = [](struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.msg->inject(&of, buffer, size, to);
  };
  ops.senddata = [](struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                    std::uint64_t data, fi_addr_t to, void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return send(fid, &iov, 1, to, data, FI_REMOTE_CQ_DATA, context);
  };
  ops.injectdata = [](struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                      fi_addr_t to) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.msg->injectdata(&of, buffer, size, data, to);
  };
  return ops;
}();

// ---- fi_tagged(3) ----

ssize_t receive_tagged(struct fid_ep* fid, const struct iovec* iov, std::size_t count,
                       fi_addr_t from, std::uint64_t tag, std::uint64_t ignore,
                       void* context) noexcept {
  auto& alias = object_of<Alias>(fid);
  struct fi_msg_tagged msg {};
  msg.msg_iov = iov;
  msg.iov_count = count;
  msg.addr = from;
  msg.tag = tag;
  msg.ignore = ignore;
  msg.context = context;
  return alias.of.tagged->recvmsg(&alias.of, &msg, alias.receive_flags & ~FI_MULTI_RECV);
}

ssize_t send_tagged(struct fid_ep* fid, const struct iovec* iov, std::size_t count, fi_addr_t to,
                    std::uint64_t tag, std::uint64_t data, std::uint64_t more_flags,
                    void* context) noexcept {
  auto& alias = object_of<Alias>(fid);
  struct fi_msg_tagged msg {};
  msg.msg_iov = iov;
  msg.iov_count = count;
  msg.addr = to;
  msg.tag = tag;
  msg.data = data;
  msg.context = context;
  return alias.of.tagged->sendmsg(&alias.of, &msg, alias.send_flags | more_flags);
}

struct fi_ops_tagged alias_tagged_ops = [] {
  auto ops = no_ops<struct fi_ops_tagged>();
  ops.recv = [](struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
                std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return receive_tagged(fid, &iov, 1, from, tag, ignore, context);
  };
  ops.recvv = [](struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
                 fi_addr_t from, std::uint64_t tag, std::uint64_t ignore, void* context) noexcept {
    return receive_tagged(fid, iov, count, from, tag, ignore, context);
  };
  ops.recvmsg = [](struct fid_ep* fid, const struct fi_msg_tagged* msg,
                   std::uint64_t flags) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.tagged->recvmsg(&of, msg, flags);
  };
  ops.send = [](struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
                std::uint64_t tag, void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return send_tagged(fid, &iov, 1, to, tag, 0, 0, context);
  };
  ops.sendv = [](struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
                 fi_addr_t to, std::uint64_t tag, void* context) noexcept {
    return send_tagged(fid, iov, count, to, tag, 0, 0, context);
  };
  ops.sendmsg = [](struct fid_ep* fid, const struct fi_msg_tagged* msg,
                   std::uint64_t flags) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.tagged->sendmsg(&of, msg, flags);
  };
  ops.inject = [](struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to,
                  std::uint64_t tag) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.tagged->inject(&of, buffer, size, to, tag);
  };
  ops.senddata = [](struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                    std::uint64_t data, fi_addr_t to, std::uint64_t tag, void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return send_tagged(fid, &iov, 1, to, tag, data, FI_REMOTE_CQ_DATA, context);
  };
  ops.injectdata = [](struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                      fi_addr_t to, std::uint64_t tag) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.tagged->injectdata(&of, buffer, size, data, to, tag);
  };
  return ops;
}();

// ---- The rest ----

int close(struct fid* fid) noexcept {
  auto& alias = object_of<Alias>(fid);
  const Guard guard(alias.of.domain.gate);
  --alias.of.aliases;
  delete &alias;
  return 0;
}

int control_alias(struct fid* fid, int command, void* arg) noexcept {
  auto& alias = object_of<Alias>(fid);
  if (command != FI_GETOPSFLAG && command != FI_SETOPSFLAG)
    return command == FI_ENABLE ? -FI_EOPBADSTATE : -FI_ENOSYS;
  if (!arg) return -FI_EINVAL;
  const Guard guard(alias.of.domain.gate);
  return exchange_op_flags({alias.send_flags, alias.receive_flags, alias.of.caps & FI_TRIGGER},
                           command == FI_SETOPSFLAG, *static_cast<std::uint64_t*>(arg));
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.control = control_alias;
  return ops;
}();

struct fi_ops_ep alias_ops = [] {
  auto ops = no_ops<struct fi_ops_ep>();
  ops.cancel = [](struct fid* fid, void* context) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.ops->cancel(&of.fid, context);
  };
  ops.getopt = [](struct fid* fid, int level, int name, void* value, std::size_t* size) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.ops->getopt(&of.fid, level, name, value, size);
  };
  return ops;
}();

struct fi_ops_cm alias_name_ops = [] {
  auto ops = no_ops<struct fi_ops_cm>();
  ops.getname = [](struct fid* fid, void* to, std::size_t* size) noexcept {
    auto& of = object_of<Alias>(fid).of;
    return of.cm->getname(&of.fid, to, size);
  };
  return ops;
}();

struct fi_ops_collective no_collectives = no_ops<struct fi_ops_collective>();

}  // namespace

Ep& endpoint_of(struct fid_ep& fid) noexcept {
  return fid.fid.ops == &fid_ops ? object_of<Alias>(&fid).of : object_of<Ep>(&fid);
}

int open_alias(Ep& ep, const struct fi_alias* wanted) noexcept {
  if (!wanted || !wanted->fid) return -FI_EINVAL;
  return control([&] {
    auto alias = std::make_unique<Alias>(ep);
    std::uint64_t flags = wanted->flags;
    if (const int rc = exchange_op_flags(
            {alias->send_flags, alias->receive_flags, ep.caps & FI_TRIGGER}, true, flags))
      return rc;
    alias->fid = {.fclass = FI_CLASS_EP, .context = ep.fid.context, .ops = &fid_ops};
    alias->ops = &alias_ops;
    alias->cm = &alias_name_ops;
    alias->msg = &alias_message_ops;
    alias->rma = ep.rma == &rma_ops || ep.rma == &connected_rma_ops ? &alias_rma_ops : ep.rma;
    alias->tagged = &alias_tagged_ops;
    alias->atomic = ep.atomic == &atomic_ops || ep.atomic == &connected_atomic_ops
                        ? &alias_atomic_ops
                        : ep.atomic;
    alias->collective = &no_collectives;
    ++ep.aliases;
    *wanted->fid = &alias.release()->fid;
    return 0;
  });
}

}  // namespace xs::abi
