// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// xs-allpairs [ROUNDS [LARGEST]]
//
// Sends between all pairs of ranks, checks every content, and then prints for each rank which path
// carried how much to and from each peer. The paths are known where FI_XS_STATS=PREFIX is set: when
// its endpoint closes, that is in MPI_Finalize, xs writes them to the file PREFIX.<pid>. Exit
// status: 0 all right, 1 a wrong content or statistics that don't cover what was sent. All sizes
// that are no larger than LARGEST bytes, ROUNDS times (all of them, once).
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "payload.hpp"

namespace {

constexpr std::array<std::size_t, 6> kSizes = {0, 8, 1U << 10U, 1U << 14U, 1U << 18U, 1U << 20U};
constexpr int kMessages = 20;  ///< of each size, from each rank to each rank

/// What is sent from each rank to each rank.
struct Job {
  std::uint64_t rounds = 1;
  std::vector<std::size_t> sizes;

  std::uint64_t messages() const { return rounds * sizes.size() * kMessages; }
  std::uint64_t bytes() const {
    return rounds * kMessages * std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  }
};

Job parse(int argc, char** argv) {
  const auto word = [&](int at, std::uint64_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  Job job{word(1, 1), {}};
  const std::uint64_t largest = word(2, kSizes.back());
  std::copy_if(kSizes.begin(), kSizes.end(), std::back_inserter(job.sizes),
               [&](std::size_t size) { return size <= largest; });
  return job;
}

using Bytes = std::vector<std::byte>;

/// Exchanges kMessages messages of one size with everybody, all outstanding at once; the number of
/// wrong ones.
int exchange(int rank, int ranks, int tag, std::size_t size) {
  std::vector<Bytes> sent;
  std::vector<Bytes> received;
  std::vector<MPI_Request> requests;
  const int length = static_cast<int>(size);
  for (int i = 0; i < kMessages; ++i) {
    for (int peer = 0; peer < ranks; ++peer) {
      Bytes& in = received.emplace_back(size);
      MPI_Irecv(in.data(), length, MPI_BYTE, peer, tag, MPI_COMM_WORLD, &requests.emplace_back());
    }
  }
  for (int i = 0; i < kMessages; ++i) {
    for (int peer = 0; peer < ranks; ++peer) {
      Bytes& out = sent.emplace_back(size);
      payload::fill(payload::key_of(rank, peer, tag, i), out);
      MPI_Isend(out.data(), length, MPI_BYTE, peer, tag, MPI_COMM_WORLD, &requests.emplace_back());
    }
  }
  std::vector<MPI_Status> statuses(requests.size());
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), statuses.data());
  int wrong = 0;
  for (std::size_t at = 0; at < received.size(); ++at) {
    const std::size_t peer = at % static_cast<std::size_t>(ranks);
    const std::size_t i = at / static_cast<std::size_t>(ranks);
    int count = -1;
    MPI_Get_count(&statuses[at], MPI_BYTE, &count);
    const bool same =
        payload::first_difference(payload::key_of(peer, rank, tag, i), received[at]) == size;
    wrong += count == length && same ? 0 : 1;
  }
  return wrong;
}

/// One line of the statistics: what one path carried to and from one peer.
struct Row {
  int peer = -1;
  std::string path;
  std::string address;
  std::uint64_t tx_msgs = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_msgs = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t replayed = 0;
};

/// Reads `peer fi_addr=N addr=TEXT path=NAME tx_msgs=N ...`; nothing where the line isn't one of
/// those.
std::optional<Row> parse_row(const std::string& line) {
  std::istringstream words(line);
  std::string word;
  if (!(words >> word) || word != "peer") {
    return std::nullopt;
  }
  std::map<std::string, std::string> fields;
  while (words >> word) {
    const std::size_t equals = word.find('=');
    fields[word.substr(0, equals)] = equals == std::string::npos ? "" : word.substr(equals + 1);
  }
  const auto number = [&](const char* name) {
    return std::strtoull(fields[name].c_str(), nullptr, 10);
  };
  return Row{static_cast<int>(number("fi_addr")),
             fields["path"],
             fields["addr"],
             number("tx_msgs"),
             number("tx_bytes"),
             number("rx_msgs"),
             number("rx_bytes"),
             number("replayed")};
}

std::vector<Row> read_rows(const std::string& file) {
  std::vector<Row> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (const std::optional<Row> row = parse_row(line)) {
      rows.push_back(*row);
    }
  }
  return rows;
}

/// Complains of each peer whose paths together didn't carry as much as we know was sent and
/// received.
std::string shortfalls(const std::vector<Row>& rows, int ranks, const Job& job) {
  std::vector<Row> sums(static_cast<std::size_t>(ranks));
  for (const Row& row : rows) {
    if (row.peer >= 0 && row.peer < ranks) {
      Row& sum = sums[static_cast<std::size_t>(row.peer)];
      sum.tx_msgs += row.tx_msgs;
      sum.tx_bytes += row.tx_bytes;
      sum.rx_msgs += row.rx_msgs;
      sum.rx_bytes += row.rx_bytes;
    }
  }
  std::ostringstream text;
  for (std::size_t peer = 0; peer < sums.size(); ++peer) {
    const Row& sum = sums[peer];
    if (sum.tx_msgs < job.messages() || sum.rx_msgs < job.messages() ||
        sum.tx_bytes < job.bytes() || sum.rx_bytes < job.bytes()) {
      text << "  peer " << peer << ": the statistics don't cover the " << job.messages()
           << " messages and " << job.bytes() << " bytes in each direction\n";
    }
  }
  return text.str();
}

std::string table(const std::vector<Row>& rows) {
  constexpr double kMi = 1U << 20U;
  std::ostringstream text;
  std::array<char, 200> line{};
  std::snprintf(line.data(), line.size(), "  %4s  %-8s %10s %11s %10s %11s %9s  %s\n", "peer",
                "path", "sent", "MiB", "received", "MiB", "replayed", "address");
  text << line.data();
  for (const Row& row : rows) {
    std::snprintf(
        line.data(), line.size(), "  %4d  %-8s %10llu %11.2f %10llu %11.2f %9llu  ", row.peer,
        row.path.c_str(), static_cast<unsigned long long>(row.tx_msgs),
        static_cast<double>(row.tx_bytes) / kMi, static_cast<unsigned long long>(row.rx_msgs),
        static_cast<double>(row.rx_bytes) / kMi, static_cast<unsigned long long>(row.replayed));
    text << line.data() << row.address << '\n';
  }
  return text.str();
}

/// Prints this rank's table in one write, after the ranks below it; true if it covers what was
/// sent.
bool show_paths(const std::string& prefix, int rank, int ranks, const Job& job) {
  const std::vector<Row> rows = read_rows(prefix + '.' + std::to_string(getpid()));
  const std::string missing = shortfalls(rows, ranks, job);
  const std::string text =
      "rank " + std::to_string(rank) + ", pid " + std::to_string(getpid()) + "\n" +
      (rows.empty() ? "  no statistics were written: was this MPI job run over xs?\n"
                    : table(rows) + missing);
  // MPI is over, so nothing orders the ranks; a pause by rank does, well enough to read.
  std::this_thread::sleep_for(std::chrono::milliseconds(30) * rank);
  const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
  return written == static_cast<ssize_t>(text.size()) && missing.empty();
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const Job job = parse(argc, argv);
  int wrong = 0;
  int tag = 0;
  for (std::uint64_t round = 0; round < job.rounds; ++round) {
    for (const std::size_t size : job.sizes) {
      wrong += exchange(rank, ranks, tag++, size);
    }
  }
  int all_wrong = 0;
  MPI_Allreduce(&wrong, &all_wrong, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  if (rank == 0) {
    std::printf(
        "allpairs: %d ranks, %llu messages of each size from 0 B to %zu KiB in each direction, %d "
        "of them wrong\n",
        ranks, static_cast<unsigned long long>(job.rounds * kMessages), job.sizes.back() >> 10U,
        all_wrong);
    std::fflush(stdout);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
  const char* prefix = std::getenv("FI_XS_STATS");
  const bool covered = prefix == nullptr || show_paths(prefix, rank, ranks, job);
  return wrong == 0 && all_wrong == 0 && covered ? 0 : 1;
}
