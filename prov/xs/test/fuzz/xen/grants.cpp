// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fuzz/xen/grants.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <vector>

#include "fuzz/script.hpp"
#include "hv/xen/pages.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

namespace {

constexpr std::uint32_t kThem = 2;
constexpr std::uint32_t kFirst = 8;  // reference
constexpr std::size_t kTheirs = 6;   // pages that they grant
constexpr std::uint64_t kMagic = 0x31474e4552475358;
constexpr std::uint64_t kLifeMagic = 0x314546494c535358;

// Grants alone. What is mapped is a copy of the first page, as large as it is: so a sanitizer sees
// a look at another one, and what is changed comes with the next look.
class Grants final : public hv::XenCalls {
 public:
  explicit Grants(Script& script) : script_(script) {}
  ~Grants() override { require(mapped_.empty() && shared_.empty()); }

  using Page = std::array<std::byte, hv::kPageSize>;
  std::vector<Page> theirs = std::vector<Page>(kTheirs);
  std::vector<std::uint32_t> newest;  // references that were mapped
  unsigned looks = 0;
  bool lies = false;  // pages change whenever they are mapped
  std::size_t mapped() const { return mapped_.size(); }

  void change() {
    const std::uint8_t which = script_.next(), where = script_.next();
    // Words of the head, of a list, or of the last reference in it.
    const std::size_t at = where == 0xff ? hv::kPageSize - 4 : 4 * (where % 32u);
    const bool names_one = script_.next() < 0x80;
    const std::uint32_t value = names_one ? kFirst + script_.next() % std::uint32_t{kTheirs + 2}
                                          : script_.number<std::uint32_t>();
    util::store(&theirs[which % kTheirs][at], value);
  }

  util::Result<std::byte*> share(std::uint32_t,
                                 std::span<std::uint32_t> references) noexcept override {
    auto memory = std::make_unique<std::byte[]>(references.size() * hv::kPageSize);
    std::byte* const begin = memory.get();
    for (std::size_t i = 0; i < references.size(); ++i)
      references[i] = next_ += 1 + static_cast<std::uint32_t>(i % 3);
    shared_[begin] = {std::move(memory), {references.begin(), references.end()}};
    return begin;
  }
  util::Result<std::byte*> share_life(std::uint32_t domain, std::uint32_t& reference,
                                      std::uint32_t) noexcept override {
    return share(domain, {&reference, 1});
  }
  void unshare(std::byte* begin, std::size_t pages) noexcept override {
    require(shared_.at(begin).references.size() == pages);
    shared_.erase(begin);
  }
  util::Result<const std::byte*> map(std::uint32_t domain,
                                     std::span<const std::uint32_t> references) noexcept override {
    require(domain == kThem && !references.empty());
    ++looks;
    if (lies && script_.next() >= 0x80) change();
    newest.assign(references.begin(), references.end());
    if (lies && script_.next() == 0xff) return util::Error{ENOMEM, "no memory"};
    for (const std::uint32_t each : references)
      if (!find(each)) return util::Error{EINVAL, "no such grant"};
    auto copy = std::make_unique<Page>();
    std::copy_n(find(references.front()), hv::kPageSize, copy->begin());
    const std::byte* const begin = copy->data();
    mapped_[begin] = {std::move(copy), references.size()};
    return begin;
  }
  void unmap(const std::byte* begin, std::size_t pages) noexcept override {
    require(mapped_.at(begin).pages == pages);
    mapped_.erase(begin);
  }

  // Nothing else is asked for.
  std::size_t limit() noexcept override { std::abort(); }
  util::Result<const std::byte*> map_alarm(std::uint32_t, std::uint32_t,
                                           std::uint32_t) noexcept override {
    std::abort();
  }
  void unmap_alarm(const std::byte*) noexcept override { std::abort(); }
  int alarms() const noexcept override { std::abort(); }
  util::Result<std::size_t> read(const char*, std::span<char>) noexcept override { std::abort(); }
  util::Result<std::size_t> list(const char*, std::span<char>) noexcept override { std::abort(); }
  int write(const char*, std::string_view) noexcept override { std::abort(); }
  int remove(const char*) noexcept override { std::abort(); }
  int permit_all(const char*, std::uint32_t) noexcept override { std::abort(); }
  int watch(const char*) noexcept override { std::abort(); }
  void unwatch(const char*) noexcept override { std::abort(); }
  bool next_event(std::span<char>) noexcept override { std::abort(); }
  int descriptor() const noexcept override { std::abort(); }
  util::Result<std::unique_ptr<hv::EventChannels>> open_channels() noexcept override {
    std::abort();
  }

 private:
  struct Shared {
    std::unique_ptr<std::byte[]> memory;
    std::vector<std::uint32_t> references;
  };
  struct Mapped {
    std::unique_ptr<Page> page;
    std::size_t pages;
  };
  const std::byte* find(std::uint32_t reference) const {
    if (reference - kFirst < kTheirs) return theirs[reference - kFirst].data();
    for (const auto& [begin, shared] : shared_) {
      const auto at = std::ranges::find(shared.references, reference);
      if (at != shared.references.end())
        return begin +
               (at - shared.references.begin()) * static_cast<std::ptrdiff_t>(hv::kPageSize);
    }
    return nullptr;
  }

  Script& script_;
  std::uint32_t next_ = 1000;
  std::map<const std::byte*, Shared> shared_;
  std::map<const std::byte*, Mapped> mapped_;
};

constexpr hv::Id kNonce{0x1111, 0x2222};
constexpr hv::Id kProcess{0x3333, 0x4444};

void write_head(std::byte* head, const hv::GrantName& name) {
  util::store(head, kMagic);
  util::store(head + 8, name.number);
  util::store(head + 16, name.nonce.high);
  util::store(head + 24, name.nonce.low);
  util::store(head + 32, name.pages);
}

// Whatever is there: all of it is mapped, or nothing, after a bounded number of looks.
void map_theirs(Script& script, const std::shared_ptr<Grants>& calls) {
  const std::uint8_t form = script.next();
  hv::GrantName name{
      .head = kFirst + form % 2u, .pages = 1 + script.next() % 32u, .number = 7, .nonce = kNonce};
  if ((form & 2) != 0) name.pages = script.number<std::uint16_t>();
  write_head(calls->theirs[0].data(), name);
  for (std::size_t i = 0; i < 6; ++i)
    util::store(&calls->theirs[0][40 + 4 * i], kFirst + script.next() % std::uint32_t{kTheirs});
  for (unsigned changes = form >> 2 & 7; changes > 0; --changes) calls->change();
  calls->lies = (form & 0x80) != 0;
  calls->looks = 0;
  auto grant = hv::map_grant(calls, kThem, hv::decode_grant(hv::encode(name)));
  constexpr unsigned kInList = hv::kPageSize / 4 - 1;
  require(calls->looks <= 2 + (name.pages + kInList - 1) / kInList);
  if (!grant) {
    const int error = grant.error().code;
    return require(error == EAGAIN || error == EBADMSG || error == ENOMEM);
  }
  require(calls->newest.size() == name.pages && calls->newest[0] == name.head);
  std::array<std::byte, 40> proof{};
  write_head(proof.data(), name);
  require(std::equal(proof.begin(), proof.end(), grant->begin()));
}

void map_their_life(Script& script, const std::shared_ptr<Grants>& calls) {
  std::byte* const page = calls->theirs[0].data();
  util::store(page, kLifeMagic);
  util::store(page + 8, kProcess.high);
  util::store(page + 16, kProcess.low);
  page[24] = std::byte{script.next() < 0xf0 ? std::uint8_t{1} : script.next()};
  for (unsigned changes = script.next() % 4; changes > 0; --changes) calls->change();
  calls->lies = script.next() >= 0x80;
  auto life = hv::map_life(calls, kThem, kFirst + script.next() % 2u, kProcess);
  if (!life) return require(life.error().code == EAGAIN || life.error().code == ENOMEM);
  require(hv::is_alive(*life));
  require(util::load<std::uint64_t>(life->begin()) == kLifeMagic &&
          util::load<std::uint64_t>(life->begin() + 8) == kProcess.high &&
          util::load<std::uint64_t>(life->begin() + 16) == kProcess.low);
}

// What we write ourselves is found, page for page.
void map_ours(Script& script, const std::shared_ptr<Grants>& calls) {
  const std::size_t pages = 1 + script.number<std::uint16_t>() % 2100u;
  auto made = hv::grant_pages(calls, kThem, pages, 5, kNonce);
  require(static_cast<bool>(made) && made->grant.pages() == hv::granted_for(pages));
  calls->lies = false;
  auto found = hv::map_grant(calls, kThem, made->name);
  require(static_cast<bool>(found) && calls->newest.size() == pages);
  require(std::ranges::is_sorted(calls->newest));  // as they were given
  hv::mark_revoked(made->grant.begin());
  require(hv::map_grant(calls, kThem, made->name).error().code == EAGAIN);
}

}  // namespace

void map_grants(util::Bytes bytes) {
  Script script(bytes);
  const auto calls = std::make_shared<Grants>(script);
  for (int i = 0; i < 8 && !script.empty(); ++i) {
    switch (script.next() % 4) {
      case 0:
      case 1:
        map_theirs(script, calls);
        break;
      case 2:
        map_their_life(script, calls);
        break;
      default:
        map_ours(script, calls);
    }
    require(calls->mapped() == 0);
  }
}

}  // namespace xs::fuzz
