// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/statistics.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <new>
#include <vector>

#include "core/endpoint.hpp"
#include "core/peer_report.hpp"
#include "util/log.hpp"

namespace xs::core {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

using Number = unsigned long long;  // for printf

// Without the end of the line.
void write_path(std::FILE* out, const Peer& peer, const char* path, const PathCounters& c,
                std::uint64_t replayed) {
  std::fprintf(out,
               "peer fi_addr=%lld addr=%s path=%s tx_msgs=%llu tx_bytes=%llu rx_msgs=%llu "
               "rx_bytes=%llu replayed=%llu",
               peer.last_number == kAnyPeer ? -1ll : static_cast<long long>(peer.last_number),
               peer.home.text().c_str(), path, Number{c.sent_messages}, Number{c.sent_bytes},
               Number{c.received_messages}, Number{c.received_bytes}, Number{replayed});
}

// Rounded up: 0 is for what did not happen.
void write_moves(std::FILE* out, std::uint64_t moves, util::Nanoseconds longest) {
  if (moves > 0)
    std::fprintf(out, " moves=%llu back_ms=%llu", Number{moves},
                 Number{(longest + util::kMillisecond - 1) / util::kMillisecond});
}

void write_rma(std::FILE* out, const char* way, const RmaCounters& c) {
  if (!c.any()) return;
  const auto write = [&](const char* what, const RmaCount& count) {
    std::fprintf(out, " %s_%ss=%llu %s_%s_bytes=%llu", way, what, Number{count.operations}, way,
                 what, Number{count.bytes});
  };
  write("write", c.writes);
  write("read", c.reads);
  write("atomic", c.atomics);
}

void end_line(std::FILE* out, const RmaTraffic& rma) {
  write_rma(out, "tx", rma.initiated);
  write_rma(out, "rx", rma.served);
  std::fputc('\n', out);
}

bool was_used(const PathCounters& c, const RmaTraffic& rma) {
  return c.sent_messages + c.received_messages > 0 || rma.initiated.any() || rma.served.any();
}

void write_peer(std::FILE* out, const Peer& peer) {
  const PeerReport report = report_of(peer);
  if (was_used(report.fabric, peer.rma.fabric)) {
    write_path(out, peer, peer.self ? "self" : "fabric", report.fabric, report.replayed);
    write_moves(out, report.moves.moves, report.moves.fabric);
    end_line(out, peer.rma.fabric);
  }
  if (was_used(report.ring, peer.rma.ring)) {
    write_path(out, peer, "ring", report.ring, 0);
    std::fprintf(out, " joined=%llu left=%llu", Number{report.paths.joined},
                 Number{report.paths.left});
    write_moves(out, report.moves.moves, report.moves.ring);
    end_line(out, peer.rma.ring);
  }
}

}  // namespace

void write_statistics(Endpoint& endpoint, const std::string& prefix) noexcept try {
  if (prefix.empty()) return;
  const std::string path = prefix + "." + std::to_string(getpid());
  const std::unique_ptr<std::FILE, CloseFile> out(std::fopen(path.c_str(), "ae"));
  if (!out) {
    util::log(util::Level::kWarn, "FI_XS_STATS: %s can't be written", path.c_str());
    return;
  }
  std::vector<const Peer*> peers;
  endpoint.peers().for_each([&](Peer& peer) { peers.push_back(&peer); });
  std::sort(peers.begin(), peers.end(),
            [](const Peer* a, const Peer* b) { return a->last_number < b->last_number; });
  for (const Peer* peer : peers) write_peer(out.get(), *peer);
} catch (const std::bad_alloc&) {
  util::log(util::Level::kWarn, "FI_XS_STATS: no memory for the report");
}

}  // namespace xs::core
