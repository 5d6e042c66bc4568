// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Grants as the probe uses them: pages of ours for one domain, and pages of another one.
#pragma once
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "xen/probe/libraries.hpp"

namespace xs::probe {

inline constexpr std::size_t kPage = 4096;

// One descriptor each, whatever is shared and mapped by them.
class Grants {
 public:
  Grants() : share(xengntshr_open(nullptr, 0)), map(xengnttab_open(nullptr, 0)) {
    if (share && map) return;
    std::perror("opening /dev/xen/gntalloc and gntdev");
    std::exit(2);
  }
  ~Grants() {
    xengntshr_close(share);
    xengnttab_close(map);
  }
  Grants(const Grants&) = delete;
  Grants& operator=(const Grants&) = delete;

  struct xengntdev_handle* const share;
  struct xengntdev_handle* const map;
};

// Pages of ours that one domain may read.
class Shared {
 public:
  Shared(Grants& grants, unsigned domain, std::size_t pages) : grants_(grants), references_(pages) {
    void* memory =
        xengntshr_share_pages(grants.share, domain, static_cast<int>(pages), references_.data(), 0);
    error_ = memory ? 0 : errno;
    begin_ = static_cast<std::byte*>(memory);
  }
  ~Shared() { end(); }
  Shared(Shared&& other) noexcept
      : grants_(other.grants_),
        references_(std::move(other.references_)),
        begin_(std::exchange(other.begin_, nullptr)),
        error_(other.error_) {}
  void end() {
    if (begin_) xengntshr_unshare(grants_.share, begin_, static_cast<unsigned>(references_.size()));
    begin_ = nullptr;
  }
  int error() const { return error_; }
  std::span<std::byte> bytes() const { return {begin_, references_.size() * kPage}; }
  const std::vector<std::uint32_t>& references() const { return references_; }

 private:
  Grants& grants_;
  std::vector<std::uint32_t> references_;
  std::byte* begin_ = nullptr;
  int error_ = 0;
};

// Pages of another domain.
class Mapped {
 public:
  Mapped(Grants& grants, unsigned domain, std::vector<std::uint32_t> references,
         int protection = PROT_READ)
      : grants_(grants), pages_(references.size()) {
    void* memory = xengnttab_map_domain_grant_refs(grants.map, static_cast<unsigned>(pages_),
                                                   domain, references.data(), protection);
    error_ = memory ? 0 : errno;
    begin_ = static_cast<const std::byte*>(memory);
  }
  ~Mapped() { end(); }
  Mapped(Mapped&& other) noexcept
      : grants_(other.grants_),
        pages_(other.pages_),
        begin_(std::exchange(other.begin_, nullptr)),
        error_(other.error_) {}
  int end() {
    int error = 0;
    if (begin_ && xengnttab_unmap(grants_.map, const_cast<std::byte*>(begin_),
                                  static_cast<unsigned>(pages_)) != 0)
      error = errno;
    begin_ = nullptr;
    return error;
  }
  int error() const { return error_; }
  std::span<const std::byte> bytes() const { return {begin_, pages_ * kPage}; }

 private:
  Grants& grants_;
  std::size_t pages_;
  const std::byte* begin_ = nullptr;
  int error_ = 0;
};

// References as the other probe is told them.
inline std::string to_text(const std::vector<std::uint32_t>& references) {
  std::ostringstream out;
  for (const std::uint32_t reference : references) out << reference << ' ';
  return out.str();
}

inline std::vector<std::uint32_t> from_text(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::uint32_t> out;
  for (std::uint32_t reference = 0; in >> reference;) out.push_back(reference);
  return out;
}

}  // namespace xs::probe
