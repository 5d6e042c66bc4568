// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// libfabric's flags of a data operation, as core knows them.
#include "abi/ep.hpp"
#include "abi/info.hpp"

namespace xs::abi {

namespace {

using namespace core;

constexpr std::uint64_t kSendMessageFlags = kSendOpFlags | FI_REMOTE_CQ_DATA | FI_MORE;
constexpr std::uint64_t kGrantedFlags = FI_TRIGGER | FI_FENCE;  // to who asked for the capability
constexpr std::uint64_t kReceiveMessageFlags = FI_COMPLETION | FI_MORE | FI_MULTI_RECV;
constexpr std::uint64_t kReceiveTaggedFlags =
    FI_COMPLETION | FI_MORE | FI_PEEK | FI_CLAIM | FI_DISCARD;

constexpr std::uint32_t when(bool yes, std::uint32_t flag) noexcept { return yes ? flag : 0; }

std::uint32_t of_send(std::uint64_t flags, bool selective) noexcept {
  return when(!selective || (flags & FI_COMPLETION), kOpCompletion) |
         when(flags & FI_REMOTE_CQ_DATA, kOpData) | when(flags & FI_INJECT, kOpInject) |
         when(flags & FI_TRANSMIT_COMPLETE, kOpTransmitComplete) |
         when(flags & FI_DELIVERY_COMPLETE, kOpDeliveryComplete) | when(flags & FI_FENCE, kOpFence);
}

std::uint32_t of_receive(std::uint64_t flags, bool selective) noexcept {
  return when(!selective || (flags & FI_COMPLETION), kOpCompletion) |
         when(flags & FI_MULTI_RECV, kOpMultiReceive) | when(flags & FI_PEEK, kOpPeek) |
         when(flags & FI_CLAIM, kOpClaim) | when(flags & FI_DISCARD, kOpDiscard);
}

}  // namespace

void Ep::set_defaults() noexcept {
  default_send = of_send(send_op_flags, selective_send);
  default_receive = of_receive(receive_op_flags, selective_receive);
}

bool Ep::send_flags(std::uint64_t flags, std::uint32_t& out) const noexcept {
  out = of_send(flags, selective_send);
  return !(flags & ~(kSendMessageFlags | (caps & kGrantedFlags)));
}

bool Ep::read_flags(std::uint64_t flags, std::uint32_t& out) const noexcept {
  out = of_send(flags, selective_send);
  return !(flags & ~(kReadOpFlags | FI_MORE | (caps & kGrantedFlags)));
}

bool flags_of_receive(std::uint64_t flags, bool selective, bool tagged,
                      std::uint32_t& out) noexcept {
  out = of_receive(flags, selective);
  if (tagged) out |= kOpTagged;
  if ((flags & FI_DISCARD) && !(flags & (FI_PEEK | FI_CLAIM))) return false;
  return !(flags & ~(tagged ? kReceiveTaggedFlags : kReceiveMessageFlags));
}

bool Ep::receive_flags(std::uint64_t flags, bool tagged, std::uint32_t& out) const noexcept {
  return flags_of_receive(flags & ~(caps & FI_TRIGGER), selective_receive, tagged, out);
}

}  // namespace xs::abi
