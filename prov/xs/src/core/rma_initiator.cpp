// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/rma_initiator.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "core/frame_out.hpp"
#include "core/rma_target.hpp"
#include "core/sender.hpp"
#include "util/log.hpp"

namespace xs::core {

using proto::Kind;

RmaInitiator::~RmaInitiator() {
  peers_.for_each([this](Peer& peer) {
    peer.pending.for_each([&](Queued& queued) {
      if (!queued.is_rma) return;
      peer.pending.remove(queued);
      requests_.drop(&static_cast<RmaRequest&>(queued));
    });
    while (!peer.rma.operations.empty()) requests_.drop(&peer.rma.operations.pop_front());
  });
}

Status RmaInitiator::start(const RmaOp& op) noexcept {
  std::size_t length = 0;
  return UserMemory::sum(op.iov, length) ? start_any(op) : Status::kInvalid;
}

template <class Op>
Status RmaInitiator::start_any(const Op& op) noexcept {
  if (!reporter_.send_room(op.flags)) return Status::kAgain;
  Peer* const peer = peers_.of(op.to);
  if (!peer) return Status::kInvalid;
  if (peer->self)
    return Sender::holds_back(*peer, op.flags) ? Status::kAgain : perform_own(*peer, op);
  if (!sender_.admits(*peer)) return Status::kAgain;
  RmaRequest* const request = make_request(*peer, op);
  if (!request) return Status::kAgain;
  sender_.enqueue(*request);
  return Status::kOk;
}
template Status RmaInitiator::start_any(const AtomicOp& op) noexcept;

template <class Op>
RmaRequest* RmaInitiator::make_any(Peer& peer, const Op& op) noexcept {
  RmaRequest* const request = requests_.make();
  if (!request) return nullptr;
  request->peer = &peer;
  request->flags = op.flags;
  request->context = op.context;
  request->kind = op.kind;
  request->address = op.address;
  request->key = op.key;
  return request;
}
template RmaRequest* RmaInitiator::make_any(Peer& peer, const AtomicOp& op) noexcept;

RmaRequest* RmaInitiator::make_request(Peer& peer, const RmaOp& op) noexcept {
  RmaRequest* const request = make_any(peer, op);
  if (!request) return nullptr;
  request->data = op.data;
  (op.kind == RmaKind::kRead ? request->in : request->out) = UserMemory(op.iov);
  const std::size_t length = request->out.size();
  if ((op.flags & kOpInject) && length > 0) {
    if (!make_copy(*request, length)) return nullptr;
    request->out.copy_to(request->copy.get(), 0, length);
    request->out = UserMemory::of(request->copy.get(), length);
  }
  return with_id(*request);
}

// Room for what goes out. False, and the request is gone: no memory.
bool RmaInitiator::make_copy(RmaRequest& request, std::size_t size) noexcept {
  request.copy.reset(new (std::nothrow) std::byte[size]);
  if (request.copy) return true;
  requests_.drop(&request);
  return false;
}

// nullptr, and the request is gone: no memory for one.
RmaRequest* RmaInitiator::with_id(RmaRequest& request) noexcept {
  request.id = ids_.add(request);
  if (request.id != 0) return &request;
  requests_.drop(&request);
  return nullptr;
}

// On our own memory, at once.
Status RmaInitiator::perform_own(Peer& self, const RmaOp& op) noexcept {
  if ((op.flags & kOpData) && !reporter_.receive_room()) return Status::kAgain;
  const UserMemory memory(op.iov);
  const RmaTarget::Range range{op.key, op.address, memory.size()};
  self.rma.fabric.initiated.of(op.kind).add(memory.size());
  int status = 0;
  if (op.kind == RmaKind::kRead) {
    status = target_.read_own(self, range, memory);
  } else {
    status = target_.write_own(self, range, memory, (op.flags & kOpData) ? &op.data : nullptr);
  }
  reporter_.operation_ended(op.kind, op.flags, op.context, status);
  return Status::kOk;
}

bool RmaInitiator::cancel(void* context) noexcept {
  RmaRequest* found = nullptr;
  peers_.for_each([&](Peer& peer) {
    for (Queued& queued : peer.pending) {
      if (found || !queued.is_rma || !queued.goes_by(context)) continue;
      auto& request = static_cast<RmaRequest&>(queued);
      if (!request.begun) found = &request;
    }
  });
  if (!found) return false;
  Peer& peer = *found->peer;
  peer.pending.remove(*found);
  end(*found, ECANCELED);
  sender_.pump(peer);  // it may have been a fence
  return true;
}

// ---- Giving ----

bool RmaInitiator::give(RmaRequest& request) noexcept {
  const bool done = request.kind == RmaKind::kRead ? give_read(request) : give_out(request);
  if (done) given(request);
  return done;
}

bool RmaInitiator::give_read(RmaRequest& request) noexcept {
  std::array<std::byte, proto::Read::kSize> body;
  proto::encode(proto::Read{.id = request.id,
                            .key = request.key,
                            .address = request.address,
                            .length = request.in.size()},
                body.data());
  stream::Session& session = *request.peer->session;
  RmaTraffic& traffic = request.peer->rma_leaves_by();
  if (!put_out(session, {Kind::kRead, 0, body, request.in, 0, 0})) return false;
  traffic.initiated.reads.add(request.in.size());
  session.await();
  return request.begun = true;
}

void RmaInitiator::encode_head(const RmaRequest& request, std::byte* to) noexcept {
  if (!is_atomic(request.kind))
    return proto::encode(proto::Write{.id = request.id,
                                      .key = request.key,
                                      .address = request.address,
                                      .length = request.out.size(),
                                      .data = request.data},
                         to);
  proto::encode(proto::Atomic{.id = request.id,
                              .key = request.key,
                              .address = request.address,
                              .operation = static_cast<std::uint8_t>(request.call.operation),
                              .datatype = static_cast<std::uint8_t>(request.call.datatype),
                              .form = request.call.form,
                              .count = request.count,
                              .length = static_cast<std::uint32_t>(request.out.size())},
                to);
}

// The first frame with its head, then the rest as PUT.
bool RmaInitiator::give_out(RmaRequest& request) noexcept {
  stream::Session& session = *request.peer->session;
  std::array<std::byte, proto::kOperationHeadSize> head;
  while (!request.begun || request.given < request.out.size()) {
    const bool first = !request.begun;
    const std::size_t size = first ? head.size() : proto::PartHead::kSize;
    const std::size_t part =
        std::min(session.largest_body() - size, request.out.size() - request.given);
    if (first)
      encode_head(request, head.data());
    else
      proto::encode(proto::PartHead{request.id, request.given}, head.data());
    const Kind begins = is_atomic(request.kind) ? Kind::kAtomic : Kind::kWrite;
    const std::uint8_t flags = first && (request.flags & kOpData) ? proto::kCqData : 0;
    RmaTraffic& traffic = request.peer->rma_leaves_by();
    if (!put_out(session, {first ? begins : Kind::kPut, flags, util::Bytes(head).first(size),
                           request.out, request.given, part}))
      return false;
    if (first) {
      traffic.initiated.of(request.kind).add(request.reach());
      session.await();
    }
    request.begun = true;
    request.given += part;
  }
  return true;
}

void RmaInitiator::given(RmaRequest& request) noexcept {
  Peer& peer = *request.peer;
  peer.pending.remove(request);
  peer.rma.operations.push_back(request);
}

// ---- Answers ----

// The operation that the peer has answered; nullptr if there is none such.
RmaRequest* RmaInitiator::answered(Peer& peer, std::uint64_t id) noexcept {
  RmaRequest* const request = ids_.find(id);
  // Its answer follows its last frame, so it is not first in line any more.
  const bool given =
      request && request->peer == &peer && request->begun && request->given == request->out.size();
  return given ? request : nullptr;
}

Taken RmaInitiator::got_received(Peer& peer, util::Bytes head, Payload& payload) noexcept {
  const auto part = proto::decode_part(head);
  RmaRequest* const request = part ? answered(peer, part->id) : nullptr;
  if (!request && peer.session->goodbye_sent())  // our GOODBYE crossed it
    return payload.take() ? Taken::kYes : Taken::kVanished;
  if (!request || !reads_back(request->kind) || part->offset != request->got ||
      payload.size() == 0 || payload.size() > request->in.size() - request->got)
    return payload.take() ? Taken::kLie : Taken::kVanished;
  request->in.fill_from(payload, request->got);
  if (!payload.take()) return Taken::kVanished;
  request->got += payload.size();
  if (request->got == request->in.size()) finish(*request, 0);
  return Taken::kYes;
}

bool RmaInitiator::done_received(Peer& peer, const proto::Done& done) noexcept {
  RmaRequest* const request = answered(peer, done.id);
  if (!request) return peer.session->goodbye_sent();
  const bool lacks = reads_back(request->kind) && request->got < request->in.size();
  if (done.status == 0 && lacks) return false;
  finish(*request, static_cast<int>(done.status));
  return true;
}

void RmaInitiator::finish(RmaRequest& request, int error) noexcept {
  Peer& peer = *request.peer;
  peer.session->await_done();
  peer.rma.operations.remove(request);
  end(request, error);
  sender_.lift_fence(peer);
}

// The one place where a request ends.
void RmaInitiator::end(RmaRequest& request, int error) noexcept {
  if (error != 0 && (request.flags & kOpUnheard))
    util::log(util::Level::kWarn,
              "an injected operation on the memory of %s came to nothing: error %d",
              request.peer->home.text().c_str(), error);
  reporter_.operation_ended(request.kind, request.flags, request.context, error);
  ids_.remove(request.id);
  requests_.drop(&request);
}

// ---- Ends ----

void RmaInitiator::peer_ended(Peer& peer, int error) noexcept {
  while (!peer.rma.operations.empty()) end(peer.rma.operations.pop_front(), error);
  peer.pending.for_each([&](Queued& queued) {
    if (!queued.is_rma) return;
    peer.pending.remove(queued);
    end(static_cast<RmaRequest&>(queued), error);
  });
}

void RmaInitiator::fail_pending(Peer& peer, int error) noexcept {
  peer.pending.for_each([&](Queued& queued) {
    if (!queued.is_rma || static_cast<RmaRequest&>(queued).begun) return;
    peer.pending.remove(queued);
    end(static_cast<RmaRequest&>(queued), error);
  });
}

void RmaInitiator::goodbye_taken(Peer& peer) noexcept {
  while (!peer.rma.operations.empty()) {
    RmaRequest& request = peer.rma.operations.front();
    finish(request, ECONNRESET);
  }
  peer.pending.for_each([&](Queued& queued) {
    if (!queued.is_rma || !static_cast<RmaRequest&>(queued).begun) return;
    peer.session->await_done();
    peer.pending.remove(queued);
    end(static_cast<RmaRequest&>(queued), ECONNRESET);
  });
}

}  // namespace xs::core
