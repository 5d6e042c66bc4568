// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What hv/xen asks of Xen, and no more, so that tests can stand in for it. Errors are errno values;
// which ones to expect is listed in docs/hv.md (hv/xen).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hv/xen/channels.hpp"
#include "util/result.hpp"

namespace xs::hv {

class XenCalls {
 public:
  virtual ~XenCalls() = default;

  // Pages of ours that one domain may read: zeroed, in one piece, a reference for each.
  virtual util::Result<std::byte*> share(std::uint32_t domain,
                                         std::span<std::uint32_t> references) noexcept = 0;
  // One page. The kernel clears its byte at `offset` when this process ends, however it does.
  virtual util::Result<std::byte*> share_life(std::uint32_t domain, std::uint32_t& reference,
                                              std::uint32_t offset) noexcept = 0;
  // How many pages the processes of this VM may share at a time, all together.
  virtual std::size_t limit() noexcept = 0;
  virtual void unshare(std::byte* begin, std::size_t pages) noexcept = 0;
  // Another domain's pages, in one piece, without write permission. All of them or none.
  virtual util::Result<const std::byte*> map(
      std::uint32_t domain, std::span<const std::uint32_t> references) noexcept = 0;
  virtual void unmap(const std::byte* begin, std::size_t pages) noexcept = 0;
  // One page. The kernel rings that port of ours when it is unmapped, be it since this process
  // ends.
  virtual util::Result<const std::byte*> map_alarm(std::uint32_t domain, std::uint32_t reference,
                                                   std::uint32_t port) noexcept = 0;
  virtual void unmap_alarm(const std::byte* page) noexcept = 0;
  // The descriptor of all alarms: none rings before it is closed for the last time, or its page
  // unmapped in order.
  virtual int alarms() const noexcept = 0;

  // The store. A path that begins without a slash is below our own domain's.
  // How much of the value stands in `to`.
  virtual util::Result<std::size_t> read(const char* path, std::span<char> to) noexcept = 0;
  // The names of the nodes right below, one a line, as many as have room; how much stands in `to`.
  virtual util::Result<std::size_t> list(const char* path, std::span<char> to) noexcept = 0;
  virtual int write(const char* path, std::string_view value) noexcept = 0;
  virtual int remove(const char* path) noexcept = 0;
  // Of a node of ours, that of domain `own`: everybody may read it.
  virtual int permit_all(const char* path, std::uint32_t own) noexcept = 0;
  // After an error no watch works any more, neither this one nor those before it.
  virtual int watch(const char* path) noexcept = 0;
  virtual void unwatch(const char* path) noexcept = 0;
  // The path of what a watch has seen, with a zero at its end; false: nothing (more).
  virtual bool next_event(std::span<char> path) noexcept = 0;
  // Readable when there may be an event.
  virtual int descriptor() const noexcept = 0;

  virtual util::Result<std::unique_ptr<EventChannels>> open_channels() noexcept = 0;
};

}  // namespace xs::hv
