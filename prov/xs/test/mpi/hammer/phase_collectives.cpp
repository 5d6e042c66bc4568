// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Collectives on values which every rank can recompute for every other.
#include <mpi.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "../payload.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

using Words = std::vector<std::uint64_t>;

/// Words per rank; bytes are eight times as many.
constexpr std::array<int, 7> kCounts = {1, 8, 127, 513, 2048, 8193, 70'001};

/// One collective call at a time: makes contributions, and compares what came out.
class Bench {
 public:
  Bench(Run& run, std::uint64_t salt) : run_(run), salt_(salt) {}

  int rank() const { return run_.rank; }
  int ranks() const { return run_.ranks; }

  /// Starts a new call: contributions differ from those of all earlier ones.
  void next(const char* what, int count) {
    what_ = what;
    count_ = count;
    ++call_;
    flight_.reset();
    flight_.emplace(
        run_.watchdog,
        Operation{what, -1, -1, static_cast<std::size_t>(count) * sizeof(std::uint64_t)});
  }

  /// What `rank` contributes to this call, as its block number `block`.
  Words of(int rank, int count, int block = 0) const {
    Words words(static_cast<std::size_t>(count));
    payload::fill(payload::key_of(salt_, call_, rank, block),
                  std::as_writable_bytes(std::span(words)));
    return words;
  }

  /// This rank's contribution, on its way out.
  Words mine(int count, int block = 0) const {
    Words words = of(rank(), count, block);
    run_.saboteur.touch(std::as_writable_bytes(std::span(words)));
    return words;
  }

  /// The sum of the first `ranks` contributions, modulo 2^64.
  Words sum_of(int ranks, int count) const {
    Words sum(static_cast<std::size_t>(count));
    for (int rank = 0; rank < ranks; ++rank) {
      const Words words = of(rank, count);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += words[i];
      }
    }
    return sum;
  }

  void expect(const Words& expected, std::span<const std::uint64_t> got) const {
    run_.tally.checked(got.size_bytes());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i] != got[i]) {
        run_.tally.mismatch(std::string(what_) + " of " + std::to_string(count_) +
                            " words: wrong from word " + std::to_string(i));
        return;
      }
    }
  }

 private:
  Run& run_;
  std::uint64_t salt_;
  std::uint64_t call_ = 0;
  const char* what_ = "";
  int count_ = 0;
  std::optional<InFlight> flight_;
};

Words room(int count) { return Words(static_cast<std::size_t>(count)); }

std::span<const std::uint64_t> block_of(const Words& words, int block, int count) {
  return std::span(words).subspan(static_cast<std::size_t>(block) * static_cast<std::size_t>(count),
                                  static_cast<std::size_t>(count));
}

void rooted(Bench& bench, int count, int root) {
  const int ranks = bench.ranks();
  bench.next("bcast", count);
  Words words = bench.rank() == root ? bench.mine(count) : room(count);
  MPI_Bcast(words.data(), count, MPI_UINT64_T, root, MPI_COMM_WORLD);
  bench.expect(bench.of(root, count), words);

  bench.next("reduce", count);
  Words sum = room(count);
  MPI_Reduce(bench.mine(count).data(), sum.data(), count, MPI_UINT64_T, MPI_SUM, root,
             MPI_COMM_WORLD);
  if (bench.rank() == root) {
    bench.expect(bench.sum_of(ranks, count), sum);
  }

  bench.next("gather", count);
  Words all = room(count * ranks);
  MPI_Gather(bench.mine(count).data(), count, MPI_UINT64_T, all.data(), count, MPI_UINT64_T, root,
             MPI_COMM_WORLD);
  for (int rank = 0; rank < ranks && bench.rank() == root; ++rank) {
    bench.expect(bench.of(rank, count), block_of(all, rank, count));
  }

  bench.next("scatter", count);
  Words part = room(count);
  const Words parts = bench.mine(count * ranks);
  MPI_Scatter(parts.data(), count, MPI_UINT64_T, part.data(), count, MPI_UINT64_T, root,
              MPI_COMM_WORLD);
  const Words sent = bench.of(root, count * ranks);
  const auto own = block_of(sent, bench.rank(), count);
  bench.expect(Words(own.begin(), own.end()), part);
}

void unrooted(Bench& bench, int count) {
  const int ranks = bench.ranks();
  bench.next("allreduce", count);
  Words sum = room(count);
  MPI_Allreduce(bench.mine(count).data(), sum.data(), count, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  bench.expect(bench.sum_of(ranks, count), sum);

  bench.next("scan", count);
  MPI_Scan(bench.mine(count).data(), sum.data(), count, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  bench.expect(bench.sum_of(bench.rank() + 1, count), sum);

  bench.next("allgather", count);
  Words all = room(count * ranks);
  MPI_Allgather(bench.mine(count).data(), count, MPI_UINT64_T, all.data(), count, MPI_UINT64_T,
                MPI_COMM_WORLD);
  for (int rank = 0; rank < ranks; ++rank) {
    bench.expect(bench.of(rank, count), block_of(all, rank, count));
  }

  bench.next("reduce_scatter_block", count);
  Words part = room(count);
  MPI_Reduce_scatter_block(bench.mine(count * ranks).data(), part.data(), count, MPI_UINT64_T,
                           MPI_SUM, MPI_COMM_WORLD);
  const Words sums = bench.sum_of(ranks, count * ranks);
  const auto own = block_of(sums, bench.rank(), count);
  bench.expect(Words(own.begin(), own.end()), part);
}

/// Every pair exchanges a block of its own length, some of them empty.
void alltoallv(Bench& bench, int count) {
  bench.next("alltoallv", count);
  const auto length = [count](int from, int to) {
    return (from + to) % 3 == 0 ? 0 : count / (1 + (from + 2 * to) % 4);
  };
  Words out;
  std::vector<int> out_counts, out_at, in_counts, in_at;
  int incoming = 0;
  for (int peer = 0; peer < bench.ranks(); ++peer) {
    out_at.push_back(static_cast<int>(out.size()));
    in_at.push_back(incoming);
    out_counts.push_back(length(bench.rank(), peer));
    in_counts.push_back(length(peer, bench.rank()));
    const Words block = bench.mine(out_counts.back(), peer);
    out.insert(out.end(), block.begin(), block.end());
    incoming += in_counts.back();
  }
  Words in = room(incoming);
  MPI_Alltoallv(out.data(), out_counts.data(), out_at.data(), MPI_UINT64_T, in.data(),
                in_counts.data(), in_at.data(), MPI_UINT64_T, MPI_COMM_WORLD);
  for (std::size_t peer = 0; peer < in_counts.size(); ++peer) {
    bench.expect(bench.of(static_cast<int>(peer), in_counts[peer], bench.rank()),
                 std::span(in).subspan(static_cast<std::size_t>(in_at[peer]),
                                       static_cast<std::size_t>(in_counts[peer])));
  }
}

/// Several non-blocking collectives are outstanding together.
void overlapping(Bench& bench, int count) {
  constexpr int kCalls = 4;
  bench.next("iallreduce, ibcast and ibarrier together", count);
  std::vector<Words> in, out, cast;
  for (int call = 0; call < kCalls; ++call) {
    in.push_back(bench.mine(count));
    out.push_back(room(count));
    const int root = call % bench.ranks();
    cast.push_back(bench.rank() == root ? bench.mine(count, call) : room(count));
  }
  std::vector<MPI_Request> requests(2 * kCalls + 1);
  for (int call = 0; call < kCalls; ++call) {
    const auto at = static_cast<std::size_t>(call);
    MPI_Iallreduce(in[at].data(), out[at].data(), count, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD,
                   &requests[2 * at]);
    MPI_Ibcast(cast[at].data(), count, MPI_UINT64_T, call % bench.ranks(), MPI_COMM_WORLD,
               &requests[2 * at + 1]);
  }
  MPI_Ibarrier(MPI_COMM_WORLD, &requests.back());
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
  const Words sum = bench.sum_of(bench.ranks(), count);
  for (int call = 0; call < kCalls; ++call) {
    const auto at = static_cast<std::size_t>(call);
    bench.expect(sum, out[at]);
    bench.expect(bench.of(call % bench.ranks(), count, call), cast[at]);
  }
}

}  // namespace

void phase_collectives(Run& run, std::uint64_t salt, int round) {
  Bench bench(run, salt);
  for (const int count : kCounts) {
    rooted(bench, count, (count + round) % run.ranks);
    unrooted(bench, count);
    alltoallv(bench, count);
    overlapping(bench, count);
  }
}

}  // namespace hammer
