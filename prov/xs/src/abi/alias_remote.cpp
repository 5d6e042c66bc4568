// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_rma(3) and fi_atomic(3) of an alias.
#include "abi/alias.hpp"
#include "abi/data_call.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"
#include "abi/remote_call.hpp"

namespace xs::abi {

namespace {

struct fid_ep* endpoint(struct fid_ep* fid) noexcept {
  return &object_of<Alias>(fid).of;
}

// ---- fi_rma(3) ----

struct Remote {
  fi_addr_t at;
  std::uint64_t address;
  std::uint64_t key;
};

// Lengths that overflow are found by who gets the message.
std::size_t length_of(Pieces iov) noexcept {
  std::size_t total = 0;
  for (const struct iovec& piece : iov) total += piece.iov_len;
  return total;
}

template <class Call>
ssize_t with_message(Pieces iov, const Remote& remote, std::uint64_t data, void* context,
                     Call&& call) noexcept {
  if (!valid(iov.data(), iov.size())) return -FI_EINVAL;
  const struct fi_rma_iov there { remote.address, length_of(iov), remote.key };
  return call({.msg_iov = iov.data(),
               .desc = nullptr,
               .iov_count = iov.size(),
               .addr = remote.at,
               .rma_iov = &there,
               .rma_iov_count = kRmaIovLimit,
               .context = context,
               .data = data});
}

ssize_t write(struct fid_ep* fid, Pieces iov, const Remote& to, std::uint64_t data,
              std::uint64_t more_flags, void* context) noexcept {
  return with_message(iov, to, data, context, [&](const struct fi_msg_rma& msg) {
    return endpoint(fid)->rma->writemsg(endpoint(fid), &msg,
                                        object_of<Alias>(fid).send_flags | more_flags);
  });
}

ssize_t read(struct fid_ep* fid, Pieces iov, const Remote& from, void* context) noexcept {
  return with_message(iov, from, 0, context, [&](const struct fi_msg_rma& msg) {
    return endpoint(fid)->rma->readmsg(endpoint(fid), &msg,
                                       object_of<Alias>(fid).send_flags & ~FI_INJECT);
  });
}

}  // namespace

struct fi_ops_rma alias_rma_ops = [] {
  auto ops = no_ops<struct fi_ops_rma>();
  ops.read = [](struct fid_ep* fid, void* buffer, std::size_t size, void*, fi_addr_t from,
                std::uint64_t address, std::uint64_t key, void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return read(fid, Pieces(&iov, 1), {from, address, key}, context);
  };
  ops.readv = [](struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
                 fi_addr_t from, std::uint64_t address, std::uint64_t key, void* context) noexcept {
    return read(fid, Pieces(iov, count), {from, address, key}, context);
  };
  ops.readmsg = [](struct fid_ep* fid, const struct fi_msg_rma* msg, std::uint64_t flags) noexcept {
    return endpoint(fid)->rma->readmsg(endpoint(fid), msg, flags);
  };
  ops.write = [](struct fid_ep* fid, const void* buffer, std::size_t size, void*, fi_addr_t to,
                 std::uint64_t address, std::uint64_t key, void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return write(fid, Pieces(&iov, 1), {to, address, key}, 0, 0, context);
  };
  ops.writev = [](struct fid_ep* fid, const struct iovec* iov, void**, std::size_t count,
                  fi_addr_t to, std::uint64_t address, std::uint64_t key, void* context) noexcept {
    return write(fid, Pieces(iov, count), {to, address, key}, 0, 0, context);
  };
  ops.writemsg = [](struct fid_ep* fid, const struct fi_msg_rma* msg,
                    std::uint64_t flags) noexcept {
    return endpoint(fid)->rma->writemsg(endpoint(fid), msg, flags);
  };
  ops.inject = [](struct fid_ep* fid, const void* buffer, std::size_t size, fi_addr_t to,
                  std::uint64_t address, std::uint64_t key) noexcept {
    return endpoint(fid)->rma->inject(endpoint(fid), buffer, size, to, address, key);
  };
  ops.writedata = [](struct fid_ep* fid, const void* buffer, std::size_t size, void*,
                     std::uint64_t data, fi_addr_t to, std::uint64_t address, std::uint64_t key,
                     void* context) noexcept {
    const struct iovec iov = piece(buffer, size);
    return write(fid, Pieces(&iov, 1), {to, address, key}, data, FI_REMOTE_CQ_DATA, context);
  };
  ops.injectdata = [](struct fid_ep* fid, const void* buffer, std::size_t size, std::uint64_t data,
                      fi_addr_t to, std::uint64_t address, std::uint64_t key) noexcept {
    return endpoint(fid)->rma->injectdata(endpoint(fid), buffer, size, data, to, address, key);
  };
  return ops;
}();

// ---- fi_atomic(3) ----

namespace {

struct What {
  fi_addr_t at;
  std::uint64_t address;
  std::uint64_t key;
  enum fi_datatype datatype;
  enum fi_op op;
  void* context;
};

// elements: those that the remote side has as many of.
template <class Call>
ssize_t with_message(struct fid_ep* fid, Iocs values, Iocs elements, const What& what,
                     Call&& call) noexcept {
  if (elements.pieces > core::kIovLimit || (elements.pieces > 0 && !elements.at)) return -FI_EINVAL;
  struct fi_rma_ioc there {
    what.address, 0, what.key
  };
  for (std::size_t i = 0; i < elements.pieces; ++i) there.count += elements.at[i].count;
  struct fi_msg_atomic msg {};
  msg.msg_iov = values.at;
  msg.iov_count = values.pieces;
  msg.addr = what.at;
  msg.rma_iov = &there;
  msg.rma_iov_count = kRmaIovLimit;
  msg.datatype = what.datatype;
  msg.op = what.op;
  msg.context = what.context;
  return call(msg, object_of<Alias>(fid).send_flags);
}

ssize_t writev(struct fid_ep* fid, const struct fi_ioc* ioc, void**, std::size_t pieces,
               fi_addr_t to, std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
               enum fi_op op, void* context) noexcept {
  return with_message(fid, {ioc, pieces}, {ioc, pieces}, {to, address, key, datatype, op, context},
                      [&](const struct fi_msg_atomic& msg, std::uint64_t flags) {
                        return endpoint(fid)->atomic->writemsg(endpoint(fid), &msg, flags);
                      });
}

ssize_t readwritev(struct fid_ep* fid, const struct fi_ioc* ioc, void**, std::size_t pieces,
                   struct fi_ioc* results, void**, std::size_t result_pieces, fi_addr_t to,
                   std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                   enum fi_op op, void* context) noexcept {
  return with_message(fid, {ioc, pieces}, {results, result_pieces},
                      {to, address, key, datatype, op, context},
                      [&](const struct fi_msg_atomic& msg, std::uint64_t flags) {
                        return endpoint(fid)->atomic->readwritemsg(endpoint(fid), &msg, results,
                                                                   nullptr, result_pieces, flags);
                      });
}

ssize_t compwritev(struct fid_ep* fid, const struct fi_ioc* ioc, void**, std::size_t pieces,
                   const struct fi_ioc* compares, void**, std::size_t compare_pieces,
                   struct fi_ioc* results, void**, std::size_t result_pieces, fi_addr_t to,
                   std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                   enum fi_op op, void* context) noexcept {
  return with_message(fid, {ioc, pieces}, {results, result_pieces},
                      {to, address, key, datatype, op, context},
                      [&](const struct fi_msg_atomic& msg, std::uint64_t flags) {
                        return endpoint(fid)->atomic->compwritemsg(endpoint(fid), &msg, compares,
                                                                   nullptr, compare_pieces, results,
                                                                   nullptr, result_pieces, flags);
                      });
}

struct fi_ioc ioc_of(const void* at, std::size_t count) noexcept {
  return {const_cast<void*>(at), count};
}

}  // namespace

struct fi_ops_atomic alias_atomic_ops = [] {
  auto ops = no_ops<struct fi_ops_atomic>();
  ops.write = [](struct fid_ep* fid, const void* buffer, std::size_t count, void*, fi_addr_t to,
                 std::uint64_t address, std::uint64_t key, enum fi_datatype datatype, enum fi_op op,
                 void* context) noexcept {
    const struct fi_ioc ioc = ioc_of(buffer, count);
    return writev(fid, &ioc, nullptr, 1, to, address, key, datatype, op, context);
  };
  ops.writev = writev;
  ops.writemsg = [](struct fid_ep* fid, const struct fi_msg_atomic* msg,
                    std::uint64_t flags) noexcept {
    return endpoint(fid)->atomic->writemsg(endpoint(fid), msg, flags);
  };
  ops.inject = [](struct fid_ep* fid, const void* buffer, std::size_t count, fi_addr_t to,
                  std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                  enum fi_op op) noexcept {
    return endpoint(fid)->atomic->inject(endpoint(fid), buffer, count, to, address, key, datatype,
                                         op);
  };
  ops.readwrite = [](struct fid_ep* fid, const void* buffer, std::size_t count, void*, void* result,
                     void*, fi_addr_t to, std::uint64_t address, std::uint64_t key,
                     enum fi_datatype datatype, enum fi_op op, void* context) noexcept {
    const struct fi_ioc ioc = ioc_of(buffer, count);
    struct fi_ioc results = ioc_of(result, count);
    return readwritev(fid, &ioc, nullptr, 1, &results, nullptr, 1, to, address, key, datatype, op,
                      context);
  };
  ops.readwritev = readwritev;
  ops.readwritemsg = [](struct fid_ep* fid, const struct fi_msg_atomic* msg, struct fi_ioc* results,
                        void**, std::size_t result_pieces, std::uint64_t flags) noexcept {
    return endpoint(fid)->atomic->readwritemsg(endpoint(fid), msg, results, nullptr, result_pieces,
                                               flags);
  };
  ops.compwrite = [](struct fid_ep* fid, const void* buffer, std::size_t count, void*,
                     const void* compare, void*, void* result, void*, fi_addr_t to,
                     std::uint64_t address, std::uint64_t key, enum fi_datatype datatype,
                     enum fi_op op, void* context) noexcept {
    const struct fi_ioc ioc = ioc_of(buffer, count);
    const struct fi_ioc compares = ioc_of(compare, count);
    struct fi_ioc results = ioc_of(result, count);
    return compwritev(fid, &ioc, nullptr, 1, &compares, nullptr, 1, &results, nullptr, 1, to,
                      address, key, datatype, op, context);
  };
  ops.compwritev = compwritev;
  ops.compwritemsg = [](struct fid_ep* fid, const struct fi_msg_atomic* msg,
                        const struct fi_ioc* compares, void**, std::size_t compare_pieces,
                        struct fi_ioc* results, void**, std::size_t result_pieces,
                        std::uint64_t flags) noexcept {
    return endpoint(fid)->atomic->compwritemsg(endpoint(fid), msg, compares, nullptr,
                                               compare_pieces, results, nullptr, result_pieces,
                                               flags);
  };
  ops.writevalid = [](struct fid_ep* fid, enum fi_datatype datatype, enum fi_op op,
                      std::size_t* count) noexcept {
    return endpoint(fid)->atomic->writevalid(endpoint(fid), datatype, op, count);
  };
  ops.readwritevalid = [](struct fid_ep* fid, enum fi_datatype datatype, enum fi_op op,
                          std::size_t* count) noexcept {
    return endpoint(fid)->atomic->readwritevalid(endpoint(fid), datatype, op, count);
  };
  ops.compwritevalid = [](struct fid_ep* fid, enum fi_datatype datatype, enum fi_op op,
                          std::size_t* count) noexcept {
    return endpoint(fid)->atomic->compwritevalid(endpoint(fid), datatype, op, count);
  };
  return ops;
}();

}  // namespace xs::abi
