// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_atomic(3).
#include <rdma/fi_atomic.h>

#include "abi/data_call.hpp"
#include "abi/domain.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"
#include "abi/remote_call.hpp"
#include "core/atomic_ops.hpp"

namespace xs::abi {

namespace {

using core::AtomicOp;
using core::AtomicOperation;
using core::Datatype;
using core::kOpData;
using core::kOpInject;
using core::RmaKind;

static_assert(static_cast<int>(AtomicOperation::kBitXor) == FI_BXOR);
static_assert(static_cast<int>(AtomicOperation::kRead) == FI_ATOMIC_READ);
static_assert(static_cast<int>(AtomicOperation::kWrite) == FI_ATOMIC_WRITE);
static_assert(static_cast<int>(AtomicOperation::kSwapIfEqual) == FI_CSWAP);
static_assert(static_cast<int>(AtomicOperation::kSwapIfLess) == FI_CSWAP_LT);
static_assert(static_cast<int>(AtomicOperation::kSwapMasked) == FI_MSWAP);
static_assert(static_cast<int>(Datatype::kUint64) == FI_UINT64);
static_assert(static_cast<int>(Datatype::kDoubleComplex) == FI_DOUBLE_COMPLEX);
static_assert(static_cast<int>(Datatype::kLongDoubleComplex) == FI_LONG_DOUBLE_COMPLEX);
static_assert(static_cast<int>(Datatype::kUint128) == FI_UINT128);

// What is asked for, as C has it: any number may stand in an enumeration.
struct Asked {
  RmaKind kind;
  std::uint32_t datatype;
  std::uint32_t operation;

  AtomicOp op() const noexcept {
    return {.kind = kind,
            .operation = static_cast<AtomicOperation>(operation),
            .datatype = static_cast<Datatype>(datatype),
            .count = 0,
            .values = {},
            .compares = {},
            .results = {},
            .to = core::kAnyPeer,
            .address = 0,
            .key = 0,
            .flags = 0,
            .context = nullptr};
  }
  // Elements that one call may have; 0: there is no such operation.
  std::size_t most() const noexcept {
    if (datatype > 255 || operation > 255 || !core::is_valid(op().call())) return 0;
    return proto::kLargestResult / core::size_of(static_cast<Datatype>(datatype));
  }
};

struct Where {
  fi_addr_t to;
  std::uint64_t address;
  std::uint64_t key;
  std::uint32_t flags;
  void* context;
};

int make(const Ep& ep, const Asked& asked, Iocs value, Iocs compare, Iocs result,
         const Where& where, AtomicRequest& out) noexcept {
  const std::size_t most = asked.most();
  if (most == 0) return -FI_EOPNOTSUPP;
  const std::size_t size = core::size_of(static_cast<Datatype>(asked.datatype));
  AtomicOp& op = out.op = asked.op();
  // FI_ATOMIC_READ looks at no operands, so nobody has to have any.
  const bool operand = core::has_operand(op.call());
  if (!operand) value = {};
  out.values = {value.at, value.pieces, size, most};
  out.compares = {compare.at, compare.pieces, size, most};
  out.results = {result.at, result.pieces, size, most};
  for (const Elements* all : {&out.values, &out.compares, &out.results})
    if (all->error != 0) return all->error;
  op.count = operand ? out.values.count : out.results.count;
  if (core::reads_back(op.kind) && out.results.count != op.count) return -FI_EINVAL;
  if (op.kind == RmaKind::kCompare && out.compares.count != op.count) return -FI_EINVAL;
  if ((where.flags & kOpInject) && op.count * size > ep.inject_size) return -FI_EMSGSIZE;
  op.values = out.values.bytes();
  op.compares = out.compares.bytes();
  op.results = out.results.bytes();
  op.to = where.to;
  op.address = where.address;
  op.key = where.key;
  op.flags = where.flags & ~kOpData;
  op.context = where.context;
  return 0;
}

ssize_t reach(struct fid_ep* fid, const Asked& asked, Iocs value, Iocs compare, Iocs result,
              const Where& where) noexcept {
  auto& ep = object_of<Ep>(fid);
  AtomicRequest request;
  const int rc = make(ep, asked, value, compare, result, where, request);
  return rc ? rc : ep.reach(request.op);
}

struct fi_ioc ioc_of(const void* at, std::size_t count) noexcept {
  return {const_cast<void*>(at), count};
}

Where usual(struct fid_ep* fid, fi_addr_t to, std::uint64_t address, std::uint64_t key,
            void* context) noexcept {
  return {to, address, key, object_of<Ep>(fid).default_send, context};
}

// Of a ...msg call. Not 0: why it is none.
int where_of(const Ep& ep, const struct fi_msg_atomic& msg, std::uint64_t flags,
             Where& out) noexcept {
  if (flags & FI_REMOTE_CQ_DATA) return -FI_EBADFLAGS;
  if (msg.rma_iov_count != kRmaIovLimit || !msg.rma_iov) return -FI_EINVAL;
  out = {ep.connection ? core::Connection::kPeer : msg.addr, msg.rma_iov->addr, msg.rma_iov->key, 0,
         msg.context};
  return ep.write_flags(flags, out.flags) ? 0 : -FI_EBADFLAGS;
}

// The remote side has as many elements as the local one.
bool as_many(const struct fi_msg_atomic& msg, Iocs local) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; local.at && i < local.pieces && i < core::kIovLimit; ++i)
    count += local.at[i].count;
  return count == msg.rma_iov->count;
}

ssize_t reach_message(struct fid_ep* fid, RmaKind kind, const struct fi_msg_atomic& msg,
                      Iocs compares, Iocs results, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  AtomicRequest request;
  if (const int rc = make_atomic(ep, kind, msg, compares, results, flags, request)) return rc;
  return flags & FI_TRIGGER ? defer(ep, request.op) : ep.reach(request.op);
}

// ---- Updates ----

ssize_t writev(struct fid_ep* fid, const struct fi_ioc* ioc, void**, std::size_t pieces,
               fi_addr_t to, std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
               enum fi_op op, void* context) noexcept {
  return reach(fid, {RmaKind::kUpdate, raw(datatype), raw(op)}, {ioc, pieces}, {}, {},
               usual(fid, to, address, key, context));
}

ssize_t write(struct fid_ep* fid, const void* buffer, std::size_t count, void*, fi_addr_t to,
              std::uint64_t address, std::uint64_t key, enum fi_datatype datatype, enum fi_op op,
              void* context) noexcept {
  const struct fi_ioc ioc = ioc_of(buffer, count);
  return writev(fid, &ioc, nullptr, 1, to, address, key, datatype, op, context);
}

ssize_t writemsg(struct fid_ep* fid, const struct fi_msg_atomic* msg,
                 std::uint64_t flags) noexcept {
  return reach_message(fid, RmaKind::kUpdate, *msg, {}, {}, flags);
}

ssize_t inject(struct fid_ep* fid, const void* buffer, std::size_t count, fi_addr_t to,
               std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
               enum fi_op op) noexcept {
  const struct fi_ioc ioc = ioc_of(buffer, count);
  return reach(fid, {RmaKind::kUpdate, raw(datatype), raw(op)}, {&ioc, 1}, {}, {},
               {to, address, key, kInjectFlags, nullptr});
}

// ---- Fetches ----

ssize_t readwritev(struct fid_ep* fid, const struct fi_ioc* ioc, void**, std::size_t pieces,
                   struct fi_ioc* results, void**, std::size_t result_pieces, fi_addr_t to,
                   std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                   enum fi_op op, void* context) noexcept {
  return reach(fid, {RmaKind::kFetch, raw(datatype), raw(op)}, {ioc, pieces}, {},
               {results, result_pieces}, usual(fid, to, address, key, context));
}

ssize_t readwrite(struct fid_ep* fid, const void* buffer, std::size_t count, void*, void* result,
                  void*, fi_addr_t to, std::uint64_t address, std::uint64_t key,
                  enum fi_datatype datatype, enum fi_op op, void* context) noexcept {
  const struct fi_ioc ioc = ioc_of(buffer, count);
  struct fi_ioc results = ioc_of(result, count);
  return readwritev(fid, &ioc, nullptr, 1, &results, nullptr, 1, to, address, key, datatype, op,
                    context);
}

ssize_t readwritemsg(struct fid_ep* fid, const struct fi_msg_atomic* msg, struct fi_ioc* results,
                     void**, std::size_t result_pieces, std::uint64_t flags) noexcept {
  return reach_message(fid, RmaKind::kFetch, *msg, {}, {results, result_pieces}, flags);
}

// ---- Comparing ----

ssize_t compwritev(struct fid_ep* fid, const struct fi_ioc* ioc, void**, std::size_t pieces,
                   const struct fi_ioc* compares, void**, std::size_t compare_pieces,
                   struct fi_ioc* results, void**, std::size_t result_pieces, fi_addr_t to,
                   std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                   enum fi_op op, void* context) noexcept {
  return reach(fid, {RmaKind::kCompare, raw(datatype), raw(op)}, {ioc, pieces},
               {compares, compare_pieces}, {results, result_pieces},
               usual(fid, to, address, key, context));
}

ssize_t compwrite(struct fid_ep* fid, const void* buffer, std::size_t count, void*,
                  const void* compare, void*, void* result, void*, fi_addr_t to,
                  std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                  enum fi_op op, void* context) noexcept {
  const struct fi_ioc ioc = ioc_of(buffer, count);
  const struct fi_ioc compares = ioc_of(compare, count);
  struct fi_ioc results = ioc_of(result, count);
  return compwritev(fid, &ioc, nullptr, 1, &compares, nullptr, 1, &results, nullptr, 1, to, address,
                    key, datatype, op, context);
}

ssize_t compwritemsg(struct fid_ep* fid, const struct fi_msg_atomic* msg,
                     const struct fi_ioc* compares, void**, std::size_t compare_pieces,
                     struct fi_ioc* results, void**, std::size_t result_pieces,
                     std::uint64_t flags) noexcept {
  return reach_message(fid, RmaKind::kCompare, *msg, {compares, compare_pieces},
                       {results, result_pieces}, flags);
}

// ---- What there is ----

int valid(const Asked& asked, std::size_t* count) noexcept {
  const std::size_t most = asked.most();
  if (most == 0) return -FI_EOPNOTSUPP;
  if (count) *count = most;
  return 0;
}

int writevalid(struct fid_ep*, enum fi_datatype datatype, enum fi_op op,
               std::size_t* count) noexcept {
  return valid({RmaKind::kUpdate, raw(datatype), raw(op)}, count);
}
int readwritevalid(struct fid_ep*, enum fi_datatype datatype, enum fi_op op,
                   std::size_t* count) noexcept {
  return valid({RmaKind::kFetch, raw(datatype), raw(op)}, count);
}
int compwritevalid(struct fid_ep*, enum fi_datatype datatype, enum fi_op op,
                   std::size_t* count) noexcept {
  return valid({RmaKind::kCompare, raw(datatype), raw(op)}, count);
}

}  // namespace

Elements::Elements(const struct fi_ioc* ioc, std::size_t pieces, std::size_t size,
                   std::size_t most) noexcept {
  if (pieces > core::kIovLimit || (!ioc && pieces > 0)) error = -FI_EINVAL;
  for (std::size_t i = 0; error == 0 && i < pieces; ++i) {
    const std::size_t more = ioc[i].count;
    if (more > most - count) error = -FI_EMSGSIZE;
    if (!ioc[i].addr && more > 0) error = -FI_EINVAL;
    iov[i] = {ioc[i].addr, more * size};
    count += more;
    used = i + 1;
  }
}

int make_atomic(const Ep& ep, RmaKind kind, const struct fi_msg_atomic& msg, Iocs compares,
                Iocs results, std::uint64_t flags, AtomicRequest& out) noexcept {
  Where where;
  if (const int rc = where_of(ep, msg, flags, where)) return rc;
  const Iocs values{msg.msg_iov, msg.iov_count};
  if (!as_many(msg, kind == RmaKind::kUpdate ? values : results)) return -FI_EINVAL;
  return make(ep, {kind, raw(msg.datatype), raw(msg.op)}, values, compares, results, where, out);
}

int query_atomic(struct fid_domain*, enum fi_datatype datatype, enum fi_op op,
                 struct fi_atomic_attr* attr, std::uint64_t flags) noexcept {
  if (!attr) return -FI_EINVAL;
  if (flags & FI_TAGGED) return -FI_ENOSYS;
  if (flags & ~(FI_FETCH_ATOMIC | FI_COMPARE_ATOMIC)) return -FI_EBADFLAGS;
  if (flags == (FI_FETCH_ATOMIC | FI_COMPARE_ATOMIC)) return -FI_EBADFLAGS;
  const RmaKind kind = flags & FI_FETCH_ATOMIC     ? RmaKind::kFetch
                       : flags & FI_COMPARE_ATOMIC ? RmaKind::kCompare
                                                   : RmaKind::kUpdate;
  const int rc = valid({kind, raw(datatype), raw(op)}, &attr->count);
  if (rc == 0) attr->size = core::size_of(static_cast<Datatype>(raw(datatype)));
  return rc;
}

struct fi_ops_atomic atomic_ops = [] {
  auto ops = no_ops<struct fi_ops_atomic>();
  ops.write = write;
  ops.writev = writev;
  ops.writemsg = writemsg;
  ops.inject = inject;
  ops.readwrite = readwrite;
  ops.readwritev = readwritev;
  ops.readwritemsg = readwritemsg;
  ops.compwrite = compwrite;
  ops.compwritev = compwritev;
  ops.compwritemsg = compwritemsg;
  ops.writevalid = writevalid;
  ops.readwritevalid = readwritevalid;
  ops.compwritevalid = compwritevalid;
  return ops;
}();

}  // namespace xs::abi
