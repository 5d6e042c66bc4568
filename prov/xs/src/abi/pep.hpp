// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A passive endpoint: docs/connections.md.
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "abi/connected.hpp"
#include "abi/domain.hpp"
#include "core/listener.hpp"

namespace xs::abi {

struct Eq;

struct FreeInfo {
  void operator()(struct fi_info* info) const noexcept { fi_freeinfo(info); }
};

struct Pep final : fid_pep, core::ListenerObserver {
  using Foreign = struct fid_pep;

  Pep(Fabric& owner, struct fi_info* copy) noexcept : fid_pep{}, fabric(owner), info(copy) {}

  // fi_cm(3) and fi_endpoint(3). 0 or a negative errno; throw bad_alloc.
  int set_source(const core::Address& address);
  int bind(Eq& queue);
  int listen();
  int name(void* to, std::size_t* size) noexcept;
  int set_backlog(int requests) noexcept;
  int reject(const struct fid* handle, util::Bytes data) noexcept;
  void close() noexcept;

  // For an active endpoint. nullopt: not one of our handles, or it is taken.
  std::optional<TakenRequest> take(struct fid* handle) noexcept;
  // It is answered. False: it is not open any more.
  bool finish(const struct fid* handle) noexcept;
  // Nobody listens here any more. nullopt: there is none.
  std::optional<core::Address> give_up_address() noexcept;

  Fabric& fabric;

 private:
  struct Handle {
    struct fid fid;
    std::uint64_t number;  // of the request
  };
  bool requested(const core::ConnectRequest& request) noexcept override;
  int tell(const core::ConnectRequest& request);
  int open();
  void close_core() noexcept;
  const Handle* find(const struct fid* handle) const noexcept;
  void drop(const struct fid* handle) noexcept;

  std::unique_ptr<struct fi_info, FreeInfo> info;
  core::Listener listener_{*this};
  std::unique_ptr<Domain> engine_;        // null until it has an address; never seen by anybody
  std::unique_ptr<core::Endpoint> core_;  // null when it does not listen, and can't any more
  core::Address name_;                    // of core_, also afterwards
  std::vector<std::unique_ptr<Handle>> handles_;  // of requests that are offered or taken
  Eq* eq_ = nullptr;
};

int open_passive(struct fid_fabric* fabric, struct fi_info* info, struct fid_pep** pep,
                 void* context) noexcept;

}  // namespace xs::abi
