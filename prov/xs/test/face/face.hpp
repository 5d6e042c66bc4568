// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The C face as libfabric sees it: through fi_prov_ini and op tables only.
#pragma once
#include <gtest/gtest.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_tagged.h>
#include <rdma/providers/fi_prov.h>

#include <cstdint>
#include <memory>

// Attributes are given by name; what is left out is zero.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace xs::abi::test {

struct FreeInfo {
  void operator()(struct fi_info* info) const noexcept { fi_freeinfo(info); }
};
using InfoPtr = std::unique_ptr<struct fi_info, FreeInfo>;

struct CloseFid {
  template <class T>
  void operator()(T* object) const noexcept {
    EXPECT_EQ(fi_close(&object->fid), 0);
  }
};
template <class T>
using FidPtr = std::unique_ptr<T, CloseFid>;

inline constexpr std::uint32_t kVersion = FI_VERSION(1, 17);
inline constexpr const char* kLoopback = "127.0.0.1";

// What fi_prov_ini returned, in a libfabric that is awake.
struct fi_provider& provider();

InfoPtr make_hints();
// What fi_getinfo returns; the list, which must be one alone, goes to *out.
int ask(const struct fi_info* hints, InfoPtr* out = nullptr, const char* node = kLoopback,
        const char* service = nullptr, std::uint64_t flags = FI_SOURCE);

// The number that an endpoint has in an address vector from now on.
fi_addr_t number_of(struct fid_ep& ep, struct fid_av& av);

// An open fabric and domain on the loopback interface. Members close in reverse order.
struct Face {
  explicit Face(const struct fi_info* hints = nullptr);

  FidPtr<struct fid_cq> open_cq(struct fi_cq_attr attr = {.format = FI_CQ_FORMAT_TAGGED});
  FidPtr<struct fid_av> open_av(struct fi_av_attr attr = {.type = FI_AV_TABLE});
  FidPtr<struct fid_eq> open_eq(struct fi_eq_attr attr = {.wait_obj = FI_WAIT_UNSPEC});
  FidPtr<struct fid_ep> open_ep();

  InfoPtr info;
  FidPtr<struct fid_fabric> fabric;
  FidPtr<struct fid_domain> domain;
};

// An enabled endpoint that has its own address in its address vector.
struct Loop : Face {
  explicit Loop(const struct fi_info* hints = nullptr, std::uint64_t bind_flags = 0);

  // The next completion or error of the queue; progresses until it is there.
  struct fi_cq_tagged_entry next();
  struct fi_cq_err_entry next_error();
  // 0: none came in a while.
  ssize_t try_next(struct fi_cq_tagged_entry& entry);

  FidPtr<struct fid_eq> eq;
  FidPtr<struct fid_cq> cq;
  FidPtr<struct fid_av> av;
  FidPtr<struct fid_ep> ep;
  fi_addr_t self = FI_ADDR_NOTAVAIL;
};

}  // namespace xs::abi::test
