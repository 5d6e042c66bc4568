// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fi_cm.h>
#include <rdma/fi_tagged.h>

#include <unordered_map>

#include "carrier/fabric_handles.hpp"
#include "carrier/fabric_inner.hpp"

namespace xs::carrier {

// Each endpoint has a domain of its own: the tcp family keeps progress and unexpected messages per
// domain, and with two endpoints in one, a receive posted on the first may be spent on waking a
// stalled connection of the second.
class FabricEndpoint final : public InnerEndpoint {
 public:
  // info: its src_addr is bound, port 0 for any. EADDRINUSE and whatever else the inner provider
  // says.
  static util::Result<std::unique_ptr<InnerEndpoint>> open(struct fid_fabric& fabric,
                                                           struct fi_info& info,
                                                           bool waits) noexcept;

  const proto::Address& name() const noexcept override { return name_; }
  util::Result<InnerAddress> insert(const proto::Address& address) noexcept override;

  Posted inject(InnerAddress to, const void* bytes, std::size_t size) noexcept override;
  Posted send(InnerAddress to, std::span<const struct iovec> iov,
              InnerOperation& operation) noexcept override;
  Posted tagged_send(InnerAddress to, std::uint64_t tag, std::span<const struct iovec> iov,
                     InnerOperation& operation) noexcept override;
  Posted receive(void* buffer, std::size_t size, InnerOperation& operation) noexcept override;
  Posted tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                        InnerOperation& operation) noexcept override;
  void cancel_receive(InnerOperation& operation) noexcept override;
  std::size_t poll(std::span<InnerCompletion> out) noexcept override;

  int wait_descriptor() const noexcept override { return wait_descriptor_; }
  void want_waits() noexcept override;
  bool may_sleep() noexcept override;
  bool settled() const noexcept override { return drained_; }

 private:
  explicit FabricEndpoint(struct fid_fabric& fabric) noexcept : fabric_(fabric) {}

  // Steps of open(): 0 or a negative fi_errno.
  int open_domain(struct fi_info& info) noexcept;
  int open_queues(const struct fi_info& info, bool waits) noexcept;
  int open_watch() noexcept;
  int open_endpoint(struct fi_info& info) noexcept;

  Posted posted(ssize_t rc) noexcept;
  Posted not_posted(int error) noexcept;
  bool read_error(InnerCompletion& out) noexcept;
  void report_once(int error, const char* what) noexcept;

  struct fid_fabric& fabric_;
  DomainPtr domain_;
  AddressTablePtr table_;
  QueuePtr queue_;
  QueuePtr watch_;  // see open_queues()
  EndpointPtr endpoint_;

  proto::Address name_;
  std::unordered_map<proto::Address, InnerAddress> inserted_;
  bool apart_ = false;  // see open_queues()
  int wait_descriptor_ = -1;
  bool drained_ = false;  // the last poll() found the queue empty and nothing was posted since
  int reported_ = 0;      // last error that was logged
};

}  // namespace xs::carrier
