// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Pages that one guest writes and the other reads: what works, and with which error what doesn't.
#include <algorithm>
#include <fstream>

#include "xen/probe/cases.hpp"

namespace xs::probe {

namespace {

// What stands in a page: who wrote it and which one it is.
std::uint64_t nonce(unsigned domain, std::size_t page) {
  return (0x9e3779b97f4a7c15U * (domain + 1)) ^ page;
}

void sign(const Shared& shared, unsigned domain) {
  for (std::size_t page = 0; page * kPage < shared.bytes().size(); ++page) {
    const std::uint64_t word = nonce(domain, page);
    std::memcpy(shared.bytes().data() + page * kPage, &word, sizeof word);
    std::memcpy(shared.bytes().data() + (page + 1) * kPage - sizeof word, &word, sizeof word);
  }
}

bool is_signed(std::span<const std::byte> bytes, unsigned domain) {
  for (std::size_t page = 0; page * kPage < bytes.size(); ++page) {
    const std::uint64_t word = nonce(domain, page);
    if (std::memcmp(bytes.data() + page * kPage, &word, sizeof word) != 0) return false;
    if (std::memcmp(bytes.data() + (page + 1) * kPage - sizeof word, &word, sizeof word) != 0)
      return false;
  }
  return true;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; });
}

std::string permissions(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    char rights[5] = "";
    const auto at = reinterpret_cast<unsigned long>(address);
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) == 3 && begin <= at &&
        at < end)
      return rights;
  }
  return "none";
}

void share_both_ways(Probe p, std::size_t pages) {
  const unsigned peer = p.partner.domain();
  const std::string size = std::to_string(pages) + " pages ";
  const Stopwatch sharing;
  Shared shared(p.grants, peer, pages);
  const std::string shared_in = sharing.text();
  p.report.expect_error(shared.error(), 0, size + "shared");
  if (shared.error()) return;
  p.report.expect(is_zero(shared.bytes()), size + "are zero at first");
  sign(shared, p.store.own_domain());
  const auto references = from_text(p.partner.exchange(to_text(shared.references())));
  const Stopwatch mapping;
  Mapped mapped(p.grants, peer, references);
  const std::string mapped_in = mapping.text();
  p.report.expect_error(mapped.error(), 0, size + "mapped");
  if (mapped.error()) return;
  p.report.expect(is_signed(mapped.bytes(), peer), size + "are the peer's");
  p.report.expect(permissions(mapped.bytes().data()) == "r--s", size + "are read-only");
  p.partner.meet();
  std::fill(shared.bytes().begin(), shared.bytes().end(), std::byte{0x2a});
  p.partner.meet();
  p.report.expect(mapped.bytes()[100] == std::byte{0x2a}, size + "show what is written later");
  const Stopwatch unmapping;
  p.report.expect_error(mapped.end(), 0, size + "unmapped");
  const std::string unmapped_in = unmapping.text();
  p.partner.meet();
  const Stopwatch unsharing;
  shared.end();
  p.report.note(size + "share " + shared_in + ", map " + mapped_in + ", unmap " + unmapped_in +
                ", unshare " + unsharing.text());
  p.partner.meet();
}

void one_descriptor(Probe p) {
  constexpr std::size_t kMany = 32;
  const std::size_t before = open_descriptors();
  std::vector<Shared> shared;
  std::vector<std::uint32_t> first_pages;
  for (std::size_t i = 0; i < kMany; ++i) {
    shared.emplace_back(p.grants, p.partner.domain(), 2);
    sign(shared.back(), p.store.own_domain());
    for (const auto reference : shared.back().references()) first_pages.push_back(reference);
  }
  const auto references = from_text(p.partner.exchange(to_text(first_pages)));
  std::vector<Mapped> mapped;
  bool good = references.size() == 2 * kMany;
  for (std::size_t i = 0; good && i < kMany; ++i) {
    mapped.emplace_back(p.grants, p.partner.domain(),
                        std::vector{references[2 * i], references[2 * i + 1]});
    good = mapped.back().error() == 0 && is_signed(mapped.back().bytes(), p.partner.domain());
  }
  p.report.expect(good && open_descriptors() == before,
                  "one descriptor each is enough for 32 shares and 32 mappings");
  // The head of a share is mapped alone first, to read which other pages there are.
  Mapped again(p.grants, p.partner.domain(), {references.at(0)});
  p.report.expect(again.error() == 0, "a page that is mapped can be mapped once more");
  p.partner.meet();
}

}  // namespace

void probe_sharing(Probe p) {
  for (const std::size_t pages : {1u, 17u, 65u, 257u}) share_both_ways(p, pages);
  one_descriptor(p);
}

void probe_refusals(Probe p) {
  const unsigned peer = p.partner.domain();
  Shared mine(p.grants, peer, 1), others(p.grants, kNobody, 1);
  p.report.note("sharing with a domain that isn't there: " + error_name(others.error()));
  Shared stale(p.grants, peer, 1);
  const std::uint32_t stale_reference = stale.references()[0];
  stale.end();
  const auto theirs = from_text(
      p.partner.exchange(to_text({mine.references()[0], others.references()[0], stale_reference})));
  const auto mapping = [&](unsigned domain, std::uint32_t reference, int protection = PROT_READ) {
    return Mapped(p.grants, domain, {reference}, protection).error();
  };
  p.report.expect_error(mapping(peer, theirs.at(0), PROT_READ | PROT_WRITE), EINVAL,
                        "mapping a read-only grant for writing");
  p.report.expect_error(mapping(peer, theirs[0]), 0, "... and for reading afterwards");
  p.report.expect_error(mapping(peer, theirs.at(1)), EINVAL, "mapping another domain's grant");
  p.report.expect_error(mapping(peer, theirs.at(2)), EINVAL, "mapping a stale reference");
  p.report.expect_error(mapping(peer, 0x00ffffff), EINVAL, "mapping an impossible reference");
  p.report.expect_error(mapping(kNobody, theirs[0]), EINVAL,
                        "mapping of a domain that isn't there");
  p.report.expect_error(mapping(0, theirs[0]), EINVAL, "mapping of dom0 what it doesn't grant");
  p.report.expect_error(Mapped(p.grants, peer, {theirs[0], theirs[2]}).error(), EINVAL,
                        "mapping a good and a stale reference together");
  p.report.expect_error(mapping(peer, theirs[0]), 0, "the good one afterwards");
  p.partner.meet();
}

}  // namespace xs::probe
