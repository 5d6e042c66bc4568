// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The data operations of an endpoint of type FI_EP_MSG: those of any other one, towards its peer.
#include <rdma/fi_atomic.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>
#include <rdma/fi_tagged.h>

#include <tuple>

#include "abi/connected.hpp"
#include "abi/ep.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

constexpr fi_addr_t kPeer = core::Connection::kPeer;

Connected& connection_of(struct fid_ep* fid) noexcept { return *object_of<Ep>(fid).connection; }

// The operation of that table, to the peer, whoever is named. at: the argument that names him,
// after the endpoint.
template <auto& table, auto member, std::size_t at, class Table, class... A>
constexpr auto to_peer(ssize_t (*Table::*)(struct fid_ep*, A...)) noexcept {
  return +[](struct fid_ep* fid, A... arguments) noexcept -> ssize_t {
    if (!connection_of(fid).sends()) return -FI_ENOTCONN;
    std::tuple<A...> all(arguments...);
    std::get<at>(all) = kPeer;
    return std::apply([fid](A... each) { return (table.*member)(fid, each...); }, all);
  };
}

// The same where a struct names him.
template <auto& table, auto member, class Table, class Message, class... A>
constexpr auto message_to_peer(ssize_t (*Table::*)(struct fid_ep*, const Message*, A...)) noexcept {
  return +[](struct fid_ep* fid, const Message* message, A... arguments) noexcept -> ssize_t {
    if (!connection_of(fid).sends()) return -FI_ENOTCONN;
    Message mine = *message;
    mine.addr = kPeer;
    return (table.*member)(fid, &mine, arguments...);
  };
}

// Receives are from nobody else as it is.
template <auto& table, auto member, class Table, class... A>
constexpr auto from_peer(ssize_t (*Table::*)(struct fid_ep*, A...)) noexcept {
  return +[](struct fid_ep* fid, A... arguments) noexcept -> ssize_t {
    return connection_of(fid).received((table.*member)(fid, arguments...));
  };
}

// The same into one piece of memory. Where there is none there is no room, whatever was promised:
// programs ask so for messages without content.
template <auto& table, auto member, class Table, class... A>
constexpr auto piece_from_peer(ssize_t (*Table::*)(struct fid_ep*, void*, std::size_t,
                                                   A...)) noexcept {
  return +[](struct fid_ep* fid, void* buffer, std::size_t size,
             A... arguments) noexcept -> ssize_t {
    return connection_of(fid).received(
        (table.*member)(fid, buffer, buffer ? size : 0, arguments...));
  };
}

template <auto& table, auto member, std::size_t at>
constexpr auto kToPeer = to_peer<table, member, at>(member);
template <auto& table, auto member>
constexpr auto kMessageToPeer = message_to_peer<table, member>(member);
template <auto& table, auto member>
constexpr auto kPieceFromPeer = piece_from_peer<table, member>(member);
template <auto& table, auto member>
constexpr auto kFromPeer = from_peer<table, member>(member);

}  // namespace

struct fi_ops_msg connected_message_ops = [] {
  using Ops = struct fi_ops_msg;
  auto ops = no_ops<Ops>();
  ops.recv = kPieceFromPeer<message_ops, &Ops::recv>;
  ops.recvv = kFromPeer<message_ops, &Ops::recvv>;
  ops.recvmsg = kFromPeer<message_ops, &Ops::recvmsg>;
  ops.send = kToPeer<message_ops, &Ops::send, 3>;
  ops.sendv = kToPeer<message_ops, &Ops::sendv, 3>;
  ops.sendmsg = kMessageToPeer<message_ops, &Ops::sendmsg>;
  ops.inject = kToPeer<message_ops, &Ops::inject, 2>;
  ops.senddata = kToPeer<message_ops, &Ops::senddata, 4>;
  ops.injectdata = kToPeer<message_ops, &Ops::injectdata, 3>;
  return ops;
}();

struct fi_ops_tagged connected_tagged_ops = [] {
  using Ops = struct fi_ops_tagged;
  auto ops = no_ops<Ops>();
  ops.recv = kPieceFromPeer<tagged_ops, &Ops::recv>;
  ops.recvv = kFromPeer<tagged_ops, &Ops::recvv>;
  ops.recvmsg = kFromPeer<tagged_ops, &Ops::recvmsg>;
  ops.send = kToPeer<tagged_ops, &Ops::send, 3>;
  ops.sendv = kToPeer<tagged_ops, &Ops::sendv, 3>;
  ops.sendmsg = kMessageToPeer<tagged_ops, &Ops::sendmsg>;
  ops.inject = kToPeer<tagged_ops, &Ops::inject, 2>;
  ops.senddata = kToPeer<tagged_ops, &Ops::senddata, 4>;
  ops.injectdata = kToPeer<tagged_ops, &Ops::injectdata, 3>;
  return ops;
}();

namespace {
template <auto member, class Table, class... A>
constexpr auto refused(ssize_t (*Table::*)(struct fid_ep*, A...)) noexcept {
  return +[](struct fid_ep*, A...) noexcept -> ssize_t { return -FI_EINVAL; };
}

template <class Ops>
Ops without_receives(Ops ops) noexcept {
  ops.recv = refused<&Ops::recv>(&Ops::recv);
  ops.recvv = refused<&Ops::recvv>(&Ops::recvv);
  ops.recvmsg = refused<&Ops::recvmsg>(&Ops::recvmsg);
  return ops;
}
}  // namespace

struct fi_ops_msg connected_sends = without_receives(connected_message_ops);
struct fi_ops_tagged connected_tagged_sends = without_receives(connected_tagged_ops);

struct fi_ops_rma connected_rma_ops = [] {
  using Ops = struct fi_ops_rma;
  auto ops = no_ops<Ops>();
  ops.read = kToPeer<rma_ops, &Ops::read, 3>;
  ops.readv = kToPeer<rma_ops, &Ops::readv, 3>;
  ops.readmsg = kMessageToPeer<rma_ops, &Ops::readmsg>;
  ops.write = kToPeer<rma_ops, &Ops::write, 3>;
  ops.writev = kToPeer<rma_ops, &Ops::writev, 3>;
  ops.writemsg = kMessageToPeer<rma_ops, &Ops::writemsg>;
  ops.inject = kToPeer<rma_ops, &Ops::inject, 2>;
  ops.writedata = kToPeer<rma_ops, &Ops::writedata, 4>;
  ops.injectdata = kToPeer<rma_ops, &Ops::injectdata, 3>;
  return ops;
}();

struct fi_ops_atomic connected_atomic_ops = [] {
  using Ops = struct fi_ops_atomic;
  auto ops = no_ops<Ops>();
  ops.write = kToPeer<atomic_ops, &Ops::write, 3>;
  ops.writev = kToPeer<atomic_ops, &Ops::writev, 3>;
  ops.writemsg = kMessageToPeer<atomic_ops, &Ops::writemsg>;
  ops.inject = kToPeer<atomic_ops, &Ops::inject, 2>;
  ops.readwrite = kToPeer<atomic_ops, &Ops::readwrite, 5>;
  ops.readwritev = kToPeer<atomic_ops, &Ops::readwritev, 6>;
  ops.readwritemsg = kMessageToPeer<atomic_ops, &Ops::readwritemsg>;
  ops.compwrite = kToPeer<atomic_ops, &Ops::compwrite, 7>;
  ops.compwritev = kToPeer<atomic_ops, &Ops::compwritev, 9>;
  ops.compwritemsg = kMessageToPeer<atomic_ops, &Ops::compwritemsg>;
  // What can be asked of any endpoint.
  ops.writevalid = [](struct fid_ep* fid, enum fi_datatype datatype, enum fi_op op,
                      std::size_t* count) noexcept {
    return atomic_ops.writevalid(fid, datatype, op, count);
  };
  ops.readwritevalid = [](struct fid_ep* fid, enum fi_datatype datatype, enum fi_op op,
                          std::size_t* count) noexcept {
    return atomic_ops.readwritevalid(fid, datatype, op, count);
  };
  ops.compwritevalid = [](struct fid_ep* fid, enum fi_datatype datatype, enum fi_op op,
                          std::size_t* count) noexcept {
    return atomic_ops.compwritevalid(fid, datatype, op, count);
  };
  return ops;
}();

}  // namespace xs::abi
