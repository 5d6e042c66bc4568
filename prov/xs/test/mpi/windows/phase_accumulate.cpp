// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Operations of many ranks at the same place.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>

#include "../payload.hpp"
#include "phases.hpp"

namespace windows {
namespace {

constexpr std::array<std::size_t, 4> kCounts = {1, 5, 1000, 20000};

template <typename Element>
struct Operation {
  const char* name;
  MPI_Op op;
  std::function<Element(Element, Element)> apply;
};

/// What `rank` brings, small enough that sums of it are exact in every type.
template <typename Element>
std::vector<Element> brought(std::uint64_t salt, int rank, std::size_t count) {
  std::vector<Element> elements(count);
  payload::Random draw(payload::key_of(salt, rank, count));
  std::generate(elements.begin(), elements.end(),
                [&] { return static_cast<Element>(draw.below(1U << 20U)); });
  return elements;
}

template <typename Element>
std::vector<Element> expected(const Run& run, const Operation<Element>& operation,
                              std::uint64_t salt, std::size_t count) {
  std::vector<Element> result(count);  // as the window begins
  for (int rank = 0; rank < run.ranks; ++rank) {
    const std::vector<Element> elements = brought<Element>(salt, rank, count);
    std::transform(result.begin(), result.end(), elements.begin(), result.begin(), operation.apply);
  }
  return result;
}

/// One complaint for all elements that aren't as they should be.
template <typename Element>
void expect_elements(Run& run, std::span<const Element> got, std::span<const Element> wanted,
                     const std::string& what) {
  run.tally.checked(got.size_bytes());
  const auto wrong = std::mismatch(got.begin(), got.end(), wanted.begin());
  if (wrong.first != got.end()) {
    run.tally.mismatch(what + ": element " + std::to_string(wrong.first - got.begin()) + " of " +
                       std::to_string(got.size()) + " is " + std::to_string(*wrong.first) +
                       " instead of " + std::to_string(*wrong.second));
  }
}

template <typename Element>
std::vector<Element> copy_of(const Window& window, std::size_t count) {
  std::vector<Element> elements(count);
  std::memcpy(elements.data(), window.part().data(), count * sizeof(Element));
  return elements;
}

/// Everybody to everybody, at one place.
template <typename Element>
void all_accumulate(Run& run, const Operation<Element>& operation, MPI_Datatype type,
                    std::uint64_t salt, std::size_t count, Memory memory) {
  const Window window(run, count * sizeof(Element), memory);
  std::vector<std::vector<Element>> kept;
  const auto length = static_cast<int>(count);
  window.fence();
  for (int step = 0; step < run.ranks; ++step) {
    auto& elements = kept.emplace_back(brought<Element>(salt, run.rank, count));
    run.saboteur.touch(std::as_writable_bytes(std::span(elements)));
    MPI_Accumulate(elements.data(), length, type, (run.rank + step) % run.ranks, 0, length, type,
                   operation.op, window.handle());
  }
  window.fence();
  expect_elements<Element>(run, copy_of<Element>(window, count),
                           expected(run, operation, salt, count), operation.name);
}

template <typename Element>
void all_operations(Run& run, MPI_Datatype type, std::uint64_t salt, Memory memory) {
  const std::array<Operation<Element>, 2> operations = {{
      {"sum", MPI_SUM, std::plus<Element>()},
      {"maximum", MPI_MAX, [](Element a, Element b) { return std::max(a, b); }},
  }};
  for (const std::size_t count : kCounts) {
    for (const Operation<Element>& operation : operations) {
      all_accumulate(run, operation, type, salt, count, memory);
    }
  }
}

constexpr int kFetched = 500;  ///< elements
using Bits = std::array<std::uint64_t, kFetched>;

/// Each rank added its own bit to each element and was told what stood there. In some order: each
/// saw one bit more than the one before, and that one's bits among them.
bool is_a_chain(const std::vector<Bits>& told, std::size_t element) {
  std::vector<std::uint64_t> seen;
  for (std::size_t rank = 0; rank < told.size(); ++rank) {
    const std::uint64_t bits = told[rank][element];
    if ((bits >> rank & 1U) != 0 || bits >> told.size() != 0) {
      return false;
    }
    seen.push_back(bits);
  }
  std::sort(seen.begin(), seen.end(),
            [](auto a, auto b) { return std::popcount(a) < std::popcount(b); });
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (std::popcount(seen[i]) != static_cast<int>(i) || (i > 0 && (seen[i - 1] & ~seen[i]) != 0)) {
      return false;
    }
  }
  return true;
}

void check_chains(Run& run, const Bits& told, int target) {
  std::vector<Bits> all(static_cast<std::size_t>(run.ranks));
  MPI_Allgather(told.data(), kFetched, MPI_UINT64_T, all.data(), kFetched, MPI_UINT64_T,
                MPI_COMM_WORLD);
  run.tally.checked(sizeof(Bits));
  for (std::size_t element = 0; element < kFetched; ++element) {
    if (!is_a_chain(all, element)) {
      run.tally.mismatch("what was fetched of element " + std::to_string(element) + " at rank " +
                         std::to_string(target) + " is no order of sums");
      return;
    }
  }
}

}  // namespace

void phase_accumulate(Run& run, std::uint64_t salt, int round) {
  const Memory memory = memory_of(round);
  all_operations<std::int64_t>(run, MPI_INT64_T, salt, memory);
  all_operations<std::int32_t>(run, MPI_INT32_T, salt, memory);
  all_operations<double>(run, MPI_DOUBLE, salt, memory);
}

/// Up to 63 ranks: each has a bit.
void phase_fetch(Run& run, std::uint64_t /*salt*/, int round) {
  const Window window(run, sizeof(Bits), memory_of(round));
  for (int target = 0; target < run.ranks; ++target) {
    Bits added{};
    Bits told{};
    Bits final{};
    added.fill(std::uint64_t{1} << static_cast<unsigned>(run.rank));
    run.saboteur.touch(std::as_writable_bytes(std::span(added)));
    {
      const Locked locked(run, window, Locked::kAll);
      MPI_Get_accumulate(added.data(), kFetched, MPI_UINT64_T, told.data(), kFetched, MPI_UINT64_T,
                         target, 0, kFetched, MPI_UINT64_T, MPI_SUM, window.handle());
      locked.flush(target);
      barrier(run);
      MPI_Get_accumulate(nullptr, 0, MPI_UINT64_T, final.data(), kFetched, MPI_UINT64_T, target, 0,
                         kFetched, MPI_UINT64_T, MPI_NO_OP, window.handle());
    }
    check_chains(run, told, target);
    Bits wanted{};
    wanted.fill((std::uint64_t{1} << static_cast<unsigned>(run.ranks)) - 1);
    expect_elements<std::uint64_t>(run, final, wanted, "all bits");
  }
}

}  // namespace windows
