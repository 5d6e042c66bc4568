// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A peer made by hand: it writes every byte of its frames itself and so can lie.
#pragma once
#include <initializer_list>
#include <optional>
#include <vector>

#include "proto/frame.hpp"
#include "proto/greeting.hpp"
#include "stream/scripted_inner.hpp"

namespace xs::test {

using Frame = std::vector<std::byte>;

struct Stranger {
  explicit Stranger(std::uint16_t port, std::uint64_t own_nonce = 0x5151)
      : home(test_address(port)), life{7, port}, nonce(own_nonce) {}

  // ---- Greetings ----
  proto::Greeting greeting() const;
  static Frame greet(proto::Kind kind, const proto::Greeting& body, std::uint64_t token);
  Frame hello() const { return greet(proto::Kind::kHello, greeting(), 0); }
  Frame welcome() const { return greet(proto::Kind::kWelcome, greeting(), far_nonce); }
  // Learns the nonce of the other side from its newest greeting to us.
  bool read(const std::vector<Handed>& handed);

  // ---- Frames under our token ----
  std::uint64_t token() const { return proto::mix_token(far_nonce, nonce); }
  // By which the other side knows us.
  std::uint64_t far_token() const { return proto::mix_token(nonce, far_nonce); }
  Frame frame(proto::Kind kind, std::uint64_t seq, const Frame& body = {},
              std::uint8_t flags = 0) const;
  // The next of our stream. A GOODBYE without a body says what we have acknowledged.
  Frame next(proto::Kind kind, const Frame& body = {}, std::uint8_t flags = 0) {
    return frame(kind, seq++, kind == proto::Kind::kGoodbye && body.empty() ? goodbye() : body,
                 flags);
  }
  Frame goodbye() const;
  Frame ack_up_to(std::uint64_t number) {
    ack = number;
    return frame(proto::Kind::kAck, 0);
  }
  Frame ping(std::uint64_t number) const;
  Frame reset(proto::ResetReason reason, std::uint32_t route = 0) const;
  Frame refuse(proto::RefuseReason reason) const;

  proto::Address home;
  proto::Incarnation life;
  std::uint64_t nonce;
  std::uint64_t far_nonce = 0;
  std::uint64_t seq = 1;  // of our next frame
  std::uint64_t ack = 1;  // what we expect next
  std::uint32_t largest_frame = 65536;
  std::uint32_t window = 8;
};

template <class T>
Frame body_of(const T& body) {
  Frame bytes(T::kSize);
  proto::encode(body, bytes.data());
  return bytes;
}
Frame text(const char* characters);
Frame eager(std::uint64_t tag, const Frame& payload);
Frame data(std::uint64_t receive_id, std::uint64_t offset, const Frame& payload);

// What was handed over that is a frame of that kind, oldest first.
std::vector<Handed> of_kind(const std::vector<Handed>& handed, proto::Kind kind);
proto::Prefix prefix_of(const Handed& handed);
std::span<const std::byte> body_in(const Handed& handed);

}  // namespace xs::test
