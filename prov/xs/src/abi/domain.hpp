// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "abi/auto_progress.hpp"
#include "abi/deferred.hpp"
#include "abi/guard.hpp"
#include "abi/life_cycle.hpp"
#include "abi/wait.hpp"
#include "core/domain.hpp"
#include "core/endpoint.hpp"
#include "core/memory.hpp"

namespace xs::abi {

struct Eq;
struct Fabric;

struct Domain;

// Writes FI_XS_PATHS_REFRESHED (abi/paths.cpp).
class PathEvents final : public core::PathObserver {
 public:
  explicit PathEvents(Domain& domain) noexcept : domain_(domain) {}
  void paths_refreshed() noexcept override;

 private:
  Domain& domain_;
};

struct Domain : fid_domain {
  using Foreign = struct fid_domain;

  Domain(Fabric& owner, bool locked, core::MemoryModes modes, core::Config config,
         std::unique_ptr<core::InnerProvider> inner) noexcept
      : fid_domain{},
        fabric(owner),
        gate(locked),
        core(std::move(config), std::move(inner)),
        memory(modes, core.random()) {}

  // Moves every enabled endpoint: whoever reads one queue drives them all. Inside the gate.
  void progress() noexcept {
    for (core::Endpoint* endpoint : endpoints) endpoint->progress();
  }

  // Begins `life` if this process may be moved.
  void follow_life() noexcept;
  // Begins `alone`, once: from now on progress is made without the application, too. Outside the
  // gate. 0 or a negative errno; throws bad_alloc.
  int progress_alone();
  // Makes `waits`, once. Inside the gate. 0 or a negative errno; throws bad_alloc.
  int open_waits();

  Fabric& fabric;
  Gate gate;
  core::Domain core;
  core::Registrations memory;
  std::vector<core::Endpoint*> endpoints;  // enabled
  std::size_t children = 0;                // open endpoints, queues, counters, and so on
  Eq* eq = nullptr;
  std::unique_ptr<Waits> waits;            // null until a queue or counter is waitable
  std::unique_ptr<DeferredWork> deferred;  // null until something is
  std::vector<Eq*> endpoint_eqs;           // one for each open endpoint but connections
  PathEvents path_events{*this};
  // Last, so they go first: they visit all of the above.
  std::unique_ptr<LifeCycle> life;
  std::unique_ptr<AutoProgress> alone;  // null until somebody wants it
};

int open_domain(struct fid_fabric* fabric, struct fi_info* info, struct fid_domain** domain,
                void* context) noexcept;

// What a domain opens.
int open_av(struct fid_domain* domain, struct fi_av_attr* attr, struct fid_av** av,
            void* context) noexcept;
int open_cq(struct fid_domain* domain, struct fi_cq_attr* attr, struct fid_cq** cq,
            void* context) noexcept;
int open_cntr(struct fid_domain* domain, struct fi_cntr_attr* attr, struct fid_cntr** cntr,
              void* context) noexcept;
int open_endpoint(struct fid_domain* domain, struct fi_info* info, struct fid_ep** ep,
                  void* context) noexcept;
int open_stx(struct fid_domain* domain, struct fi_tx_attr* attr, struct fid_stx** stx,
             void* context) noexcept;
int open_srx(struct fid_domain* domain, struct fi_rx_attr* attr, struct fid_ep** srx,
             void* context) noexcept;
int open_poll(struct fid_domain* domain, struct fi_poll_attr* attr, struct fid_poll** set) noexcept;
// fi_query_atomic.
int query_atomic(struct fid_domain* domain, enum fi_datatype datatype, enum fi_op op,
                 struct fi_atomic_attr* attr, std::uint64_t flags) noexcept;
// fi_open_ops: what <rdma/fi_ext_xs.h> offers.
int open_ops(struct fid* domain, const char* name, std::uint64_t flags, void** ops,
             void* context) noexcept;

}  // namespace xs::abi
