// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/providers/fi_prov.h>

#include <cstdint>

namespace xs::abi {

inline constexpr const char* kProviderName = "xs";
inline constexpr std::uint32_t kProviderVersion = FI_VERSION(0, 1);

// What libfabric knows us by.
struct fi_provider& provider() noexcept;

int getinfo(std::uint32_t version, const char* node, const char* service, std::uint64_t flags,
            const struct fi_info* hints, struct fi_info** info) noexcept;
int open_fabric(struct fi_fabric_attr* attr, struct fid_fabric** fabric, void* context) noexcept;

}  // namespace xs::abi
