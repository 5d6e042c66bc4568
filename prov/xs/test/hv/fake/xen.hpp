// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A hypervisor and its store in one process, as far as hv/xen sees them: errors are those that real
// ones were seen to give (docs/hv.md, hv/xen).
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hv/fake/channels.hpp"
#include "hv/unique_fd.hpp"
#include "hv/xen/calls.hpp"

namespace xs::test {

class FakeXenCalls;

class FakeXen {
 public:
  FakeXen();
  // A process' connection; the machine must outlive it, and what was shared and mapped by it.
  std::shared_ptr<FakeXenCalls> connect(std::uint32_t domain);
  bool is_inhabited(std::uint32_t domain) const;

  // What a domain may have, for all its processes together (facts of Xen and Debian's oxenstored).
  struct Quota {
    std::size_t pages = 1024;
    std::size_t nodes = 1000;
    std::size_t watches = 93;  // the kernel's own aside
    std::size_t names = 120;   // in one directory
    std::size_t value = 2048;  // bytes of a node
  };
  // And has, or had at most.
  struct Used {
    std::size_t pages = 0, nodes = 0, watches = 0, names = 0, value = 0;
  };
  Quota& quota(std::uint32_t domain) { return domains_[domain].quota; }
  Used used(std::uint32_t domain) const;
  const Used& peak(std::uint32_t domain) { return domains_[domain].peak; }
  // So many pages can be granted besides those that are.
  void leave_pages(std::uint32_t domain, std::size_t more) {
    quota(domain).pages = used(domain).pages + more;
  }
  bool data_is_ours = true;  // whether guests may write there
  FakePorts ports;
  // Called whenever pages of that domain are about to be mapped, by whoever it is.
  std::function<void(std::uint32_t domain, std::uint32_t first)> at_map;

  std::string value(const std::string& path) const;
  // As another process, or the toolstack, does.
  void put(const std::string& path, const std::string& value);
  void remove(const std::string& path);
  std::size_t nodes() const { return nodes_.size(); }
  std::size_t granted() const { return grants_.size(); }
  // That domain becomes another one: its data/ is wiped, its grants are no more, what it had mapped
  // reads all ones, every watch fires.
  void move(std::uint32_t from, std::uint32_t to) {
    displace(from, to);
    fire_all(to);
  }
  // The same by halves: watches are heard when the store has got round to it.
  void displace(std::uint32_t from, std::uint32_t to);
  void fire_all(std::uint32_t domain);
  // Changes every byte of what that domain has granted; without its life pages, or with them.
  void scribble_shares(std::uint32_t domain, std::byte byte) { scribble_all(domain, byte, false); }
  void scribble_all(std::uint32_t domain, std::byte byte, bool lives = true);
  // Changes a byte of what a grant shows.
  void scribble(std::uint32_t domain, std::uint32_t reference, std::size_t at, std::byte byte);

 private:
  friend class FakeXenCalls;
  struct Grant {
    std::size_t page;  // of the memory
    std::uint32_t reader;
    bool life = false;
  };
  struct Node {
    std::string value;
    bool readable = false;
  };
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // domain, reference

  struct Domain {
    Quota quota;
    Used peak;
  };
  void fire(const std::string& path);
  void note_peak(std::uint32_t domain);
  // Whether the domain may have that node with that value.
  bool has_room(std::uint32_t domain, const std::string& path, std::string_view value);

  hv::UniqueFd memory_;
  std::size_t next_page_ = 0;
  std::uint32_t next_reference_ = 8;
  std::map<Key, Grant> grants_;
  std::map<std::string, Node> nodes_;
  std::vector<FakeXenCalls*> connections_;
  std::map<std::uint32_t, Domain> domains_;
};

class FakeXenCalls final : public hv::XenCalls {
 public:
  FakeXenCalls(FakeXen& xen, std::uint32_t domain);
  FakeXenCalls(const FakeXenCalls&) = delete;
  FakeXenCalls& operator=(const FakeXenCalls&) = delete;
  ~FakeXenCalls() override;

  util::Result<std::byte*> share(std::uint32_t domain,
                                 std::span<std::uint32_t> references) noexcept override;
  util::Result<std::byte*> share_life(std::uint32_t domain, std::uint32_t& reference,
                                      std::uint32_t offset) noexcept override;
  std::size_t limit() noexcept override { return xen_.quota(domain_).pages; }
  void unshare(std::byte* begin, std::size_t pages) noexcept override;
  util::Result<const std::byte*> map(std::uint32_t domain,
                                     std::span<const std::uint32_t> references) noexcept override;
  void unmap(const std::byte* begin, std::size_t pages) noexcept override;
  util::Result<const std::byte*> map_alarm(std::uint32_t domain, std::uint32_t reference,
                                           std::uint32_t port) noexcept override;
  void unmap_alarm(const std::byte* page) noexcept override;
  int alarms() const noexcept override { return alarm_device_.get(); }
  util::Result<std::size_t> read(const char* path, std::span<char> to) noexcept override;
  util::Result<std::size_t> list(const char* path, std::span<char> to) noexcept override;
  int write(const char* path, std::string_view value) noexcept override;
  int remove(const char* path) noexcept override;
  int permit_all(const char* path, std::uint32_t own) noexcept override;
  int watch(const char* path) noexcept override;
  void unwatch(const char* path) noexcept override;
  bool next_event(std::span<char> path) noexcept override;
  int descriptor() const noexcept override { return bell_.get(); }
  util::Result<std::unique_ptr<hv::EventChannels>> open_channels() noexcept override;

  std::size_t watches() const { return watched_.size(); }
  std::size_t mapped() const { return mapped_.size(); }
  // The device that it has opened.
  FakeChannels& channels() { return *channels_; }
  // The process is killed: its kernel clears the life pages, closes ports, rings alarms, and that
  // is all.
  void kill();
  // The same by halves.
  void clear_lives();
  void release_mappings();

 private:
  friend class FakeXen;
  struct Shared {
    std::vector<std::uint32_t> references;
    long clears = -1;  // offset of the byte
  };
  std::string whole(const std::string& path) const;
  bool may_all() const { return domain_ == 0; }
  void hear(const std::string& path);

  FakeXen& xen_;
  std::uint32_t domain_;
  hv::UniqueFd bell_, alarm_device_;
  bool broken_ = false;  // by one watch too many
  bool killed_ = false;
  std::set<std::string> watched_;  // as they were named
  std::deque<std::string> events_;
  std::map<std::byte*, Shared> shared_;
  std::map<const std::byte*, std::size_t> mapped_;
  std::map<const std::byte*, std::uint32_t> alarms_;  // and their ports
  FakeChannels* channels_ = nullptr;
};

}  // namespace xs::test
