// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What an endpoint of type FI_EP_MSG has besides: fi_cm(3), docs/connections.md.
#pragma once
#include <rdma/fi_cm.h>

#include <cstddef>
#include <optional>

#include "core/address.hpp"
#include "core/connection.hpp"
#include "util/flag.hpp"

namespace xs::abi {

struct Ep;
struct Pep;

// A request that an endpoint was made for.
struct TakenRequest {
  const Pep* passive;  // that it came to; may have been closed since
  struct fid* handle;
  core::ConnectionId id;
  core::Address client;
  core::Address listener;
};

class Connected final : public core::ConnectionObserver {
 public:
  explicit Connected(Ep& ep) noexcept : ep_(ep) {}

  // The handle of the info that the endpoint is made of, outside the gate: a passive endpoint,
  // whose address it takes over (nullopt: it is none), or a request (0 or a negative errno), or
  // null.
  std::optional<core::Address> take_over(const struct fid* handle) noexcept;
  int take_request(struct fid* handle) noexcept;
  void set_ops() noexcept;
  // Receives are posted to a shared context from now on.
  void share_receives() noexcept;

  int connect(const core::Address& to, util::Bytes data) noexcept;
  int accept(util::Bytes data) noexcept;
  int shutdown() noexcept;
  int getname(void* to, std::size_t* size) noexcept;
  int getpeer(void* to, std::size_t* size) noexcept;
  // Outside the gate. False: it must not close yet.
  bool before_close() noexcept;

  // Whether operations may be given; looked at outside the gate.
  bool sends() const noexcept { return sends_.is_set(); }
  // What a receive came to.
  ssize_t received(ssize_t rc) noexcept;

  core::Connection core{*this};

 private:
  void connected(util::Bytes data) noexcept override;
  void failed(int error, util::Bytes data) noexcept override;
  void disconnected() noexcept override;
  int enable() noexcept;
  bool finish_request() noexcept;
  void tell(std::uint32_t event, util::Bytes data) noexcept;

  Ep& ep_;
  bool took_over_ = false;
  std::optional<TakenRequest> request_;
  core::Address peer_;
  util::Flag sends_;
  util::Flag over_;
};

// Writes what fits, and always the whole size.
int give_address(const core::Address& address, void* to, std::size_t* size) noexcept;
// fi_getopt's FI_OPT_CM_DATA_SIZE.
int give_data_size(void* value, std::size_t* size) noexcept;
// Of that family, or none.
std::optional<core::Address> address_given(const void* from, std::size_t size,
                                           std::uint16_t family) noexcept;
// nullopt: more than can be said.
std::optional<util::Bytes> data_given(const void* data, std::size_t size) noexcept;

extern struct fi_ops_msg connected_message_ops;
extern struct fi_ops_tagged connected_tagged_ops;
// For an endpoint whose receives are posted elsewhere.
extern struct fi_ops_msg connected_sends;
extern struct fi_ops_tagged connected_tagged_sends;
extern struct fi_ops_rma connected_rma_ops;
extern struct fi_ops_atomic connected_atomic_ops;

}  // namespace xs::abi
