// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/pages.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <vector>

#include "util/bytes.hpp"

namespace xs::hv {

namespace {

using util::Error;
using util::load;
using util::Result;
using util::store;
using Calls = std::shared_ptr<XenCalls>;

// The head of a share: magic 0 (8), number 8 (8), nonce 16 (16), pages 32 (4), state 36 (4),
// references 40 (20), zero 60 (4).
constexpr std::uint64_t kMagic = 0x31474e4552475358;  // "XSGRENG1"
constexpr std::uint32_t kStands = 0, kRevoked = 1;
constexpr std::size_t kReferencesAt = 40;
constexpr std::size_t kReferencesInHead = 5;
// A list's page: so many references, and that of the next one.
constexpr std::size_t kReferencesInList = kPageSize / 4 - 1;

// A life page: magic 0 (8), process 8 (16), alive 24 (1).
constexpr std::uint64_t kLifeMagic = 0x314546494c535358;  // "XSSLIFE1"
constexpr std::size_t kAliveAt = 24;

using Head = std::array<std::byte, kHeadSize>;

std::size_t lists_for(std::size_t pages) noexcept {
  const std::size_t others = pages - 1;
  return others <= kReferencesInHead ? 0 : (others + kReferencesInList - 1) / kReferencesInList;
}

// Where the reference of page 1 + `index` stands, counted from the first page of all.
std::byte* place_of(std::byte* begin, std::size_t pages, std::size_t index) noexcept {
  if (lists_for(pages) == 0) return begin + kReferencesAt + 4 * index;
  const std::size_t list = pages + index / kReferencesInList;
  return begin + list * kPageSize + 4 * (index % kReferencesInList);
}

void write_references(std::byte* begin, std::size_t pages,
                      const std::vector<std::uint32_t>& references) noexcept {
  for (std::size_t i = 0; i + 1 < pages; ++i) store(place_of(begin, pages, i), references[i + 1]);
  const std::size_t lists = lists_for(pages);
  if (lists > 0) store(begin + kReferencesAt, references[pages]);
  for (std::size_t i = 1; i < lists; ++i)
    store(begin + (pages + i) * kPageSize - 4, references[pages + i]);
}

void write_head(std::byte* head, const GrantName& name) noexcept {
  store(head + 8, name.number);
  store(head + 16, name.nonce.high);
  store(head + 24, name.nonce.low);
  store(head + 32, name.pages);
  store(head + 36, kStands);
  store(head, kMagic);
}

// 0: it is what was offered, and stands.
int check_head(const Head& head, const GrantName& name) noexcept {
  if (load<std::uint64_t>(&head[0]) != kMagic || load<std::uint64_t>(&head[8]) != name.number)
    return EAGAIN;  // references are used again: the offer is late
  const bool proven = load<std::uint64_t>(&head[16]) == name.nonce.high &&
                      load<std::uint64_t>(&head[24]) == name.nonce.low &&
                      load<std::uint32_t>(&head[32]) == name.pages;
  if (!proven) return EBADMSG;
  return load<std::uint32_t>(&head[36]) == kStands ? 0 : EAGAIN;
}

// Whatever its owner does meanwhile, what was copied is looked at, and nothing else.
Head copy_head(const TheirGrant& from) noexcept {
  Head head;
  std::memcpy(head.data(), from.begin(), head.size());
  return head;
}

Result<TheirGrant> map(const Calls& calls, std::uint32_t domain,
                       std::span<const std::uint32_t> references) noexcept {
  auto begin = calls->map(domain, references);
  if (begin) return TheirGrant(calls, *begin, references.size());
  const bool lacks = begin.error().code == ENOMEM || begin.error().code == EMFILE;
  return lacks ? begin.error() : Error{EAGAIN, "these pages are not there"};
}

// Adds those of a list's pages; throws bad_alloc.
int read_lists(const Calls& calls, std::uint32_t domain, std::uint32_t list, std::size_t pages,
               std::vector<std::uint32_t>& references) {
  std::array<std::byte, kPageSize> copy;
  while (references.size() < pages) {
    auto page = map(calls, domain, {&list, 1});
    if (!page) return page.error().code;
    std::memcpy(copy.data(), page->begin(), copy.size());
    const std::size_t here = std::min(pages - references.size(), kReferencesInList);
    for (std::size_t i = 0; i < here; ++i) references.push_back(load<std::uint32_t>(&copy[4 * i]));
    list = load<std::uint32_t>(&copy[4 * kReferencesInList]);
  }
  return 0;
}

// Throws bad_alloc.
int read_references(const Calls& calls, std::uint32_t domain, const GrantName& name,
                    const Head& head, std::vector<std::uint32_t>& references) {
  references.reserve(name.pages);
  references.push_back(name.head);
  if (lists_for(name.pages) > 0) {
    const auto list = load<std::uint32_t>(&head[kReferencesAt]);
    return read_lists(calls, domain, list, name.pages, references);
  }
  for (std::size_t i = 0; i + 1 < name.pages; ++i)
    references.push_back(load<std::uint32_t>(&head[kReferencesAt + 4 * i]));
  return 0;
}

}  // namespace

Offer encode(const GrantName& name) noexcept {
  Offer offer;
  store(&offer[0], name.head);
  store(&offer[4], name.pages);
  store(&offer[8], name.number);
  store(&offer[16], name.nonce.high);
  store(&offer[24], name.nonce.low);
  return offer;
}

GrantName decode_grant(const Offer& offer) noexcept {
  return {.head = load<std::uint32_t>(&offer[0]),
          .pages = load<std::uint32_t>(&offer[4]),
          .number = load<std::uint64_t>(&offer[8]),
          .nonce = {load<std::uint64_t>(&offer[16]), load<std::uint64_t>(&offer[24])}};
}

std::size_t granted_for(std::size_t pages) noexcept { return pages + lists_for(pages); }

Result<MadePages> grant_pages(const Calls& calls, std::uint32_t domain, std::size_t pages,
                              std::uint64_t number, const Id& nonce) noexcept try {
  if (pages == 0 || pages > kMostPages) return Error{EMSGSIZE, "no share has that many pages"};
  std::vector<std::uint32_t> references(granted_for(pages));
  auto begin = calls->share(domain, references);
  if (!begin) return begin.error();
  MadePages made{OwnGrant(calls, *begin, references.size()),
                 {.head = references[0],
                  .pages = static_cast<std::uint32_t>(pages),
                  .number = number,
                  .nonce = nonce}};
  write_references(*begin, pages, references);
  write_head(*begin, made.name);
  return made;
} catch (const std::bad_alloc&) {
  return Error{ENOMEM, "no memory for a share"};
}

void mark_revoked(std::byte* head) noexcept { store(head + 36, kRevoked); }

Result<TheirGrant> map_grant(const Calls& calls, std::uint32_t domain,
                             const GrantName& name) noexcept try {
  if (name.number == 0 || name.pages == 0 || name.pages > kMostPages)
    return Error{EAGAIN, "this offer names no pages"};
  auto first = map(calls, domain, {&name.head, 1});
  if (!first) return first.error();
  const Head head = copy_head(*first);
  if (const int error = check_head(head, name)) return Error{error, "pages that prove nothing"};
  std::vector<std::uint32_t> references;
  if (const int error = read_references(calls, domain, name, head, references))
    return Error{error, "the list of pages is not there"};
  auto whole = map(calls, domain, references);
  if (!whole) return whole.error();
  // It may have been given back meanwhile, and the references used for something else.
  if (check_head(copy_head(*whole), name) != 0) return Error{EAGAIN, "these pages were revoked"};
  return whole;
} catch (const std::bad_alloc&) {
  return Error{ENOMEM, "no memory to map pages"};
}

Result<MadeLife> grant_life(const Calls& calls, std::uint32_t domain, const Id& process) noexcept {
  MadeLife made;
  auto begin = calls->share_life(domain, made.reference, kAliveAt);
  if (!begin) return begin.error();
  made.grant = OwnGrant(calls, *begin, 1);
  store(*begin + 8, process.high);
  store(*begin + 16, process.low);
  (*begin)[kAliveAt] = std::byte{1};
  store(*begin, kLifeMagic);
  return made;
}

Result<TheirGrant> map_life(const Calls& calls, std::uint32_t domain, std::uint32_t reference,
                            const Id& process) noexcept {
  auto page = map(calls, domain, {&reference, 1});
  if (!page) return page.error();
  const Head head = copy_head(*page);
  const bool right = load<std::uint64_t>(&head[0]) == kLifeMagic &&
                     load<std::uint64_t>(&head[8]) == process.high &&
                     load<std::uint64_t>(&head[16]) == process.low && is_alive(*page);
  if (!right) return Error{EAGAIN, "another process' page"};
  return page;
}

bool is_alive(const TheirGrant& life) noexcept {
  std::byte alive;
  std::memcpy(&alive, life.begin() + kAliveAt, 1);
  return alive == std::byte{1};
}

}  // namespace xs::hv
