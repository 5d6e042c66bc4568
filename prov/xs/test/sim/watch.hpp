// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who sees both ends of a session sees at once what its ends would find out by PING later: rules of
// docs/paths.md and docs/waits.md, judged after every step.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "sim/process.hpp"

namespace xs::sim {

class Watch {
 public:
  using Processes = std::vector<std::unique_ptr<Process>>;

  Watch(Judge& judge, const Scenario& scenario, FakeNetwork& network, FakeHypervisor& machine,
        const Processes& processes) noexcept
      : judge_(judge),
        scenario_(scenario),
        network_(network),
        machine_(machine),
        processes_(processes) {}

  void begins_step() noexcept;
  // disturbed: somebody else ran in the middle of it.
  void stepped(Process& process, bool disturbed);
  // A LEFT that asks for an answer goes out, or is lost.
  void says_left(std::uint64_t epoch) noexcept { left_said_ = epoch; }
  static constexpr std::uint64_t kAnyToken = 0;
  static constexpr std::uint64_t kAnyEpoch = ~0ull;
  // LEFT or OFFER comes under that token.
  void hears(std::uint64_t token, std::uint64_t epoch, proto::Kind kind);
  void mapping_closes(FakeMapping& mapping) noexcept;
  // Nothing comes from there, or gets there, until then.
  void host_stops(unsigned host, Nanoseconds until);
  // From the end of a stop to the first frame that was taken of those that had waited, at most.
  Nanoseconds longest_return() const noexcept { return longest_return_; }
  // Rings left for a larger one, and for want of room.
  struct Leaves {
    std::uint64_t to_grow = 0;
    std::uint64_t for_room = 0;
  };
  const Leaves& leaves() const noexcept { return leaves_; }

 private:
  using Session = stream::Session;
  // As it was after the last step of its process.
  struct Seen {
    std::uint64_t nonce = 0;
    std::uint64_t peer_nonce = 0;
    stream::PathState state{};
    std::uint64_t epoch = 0;
    bool reads = false;
    bool writes = false;
    bool open = false;
    bool parting = false;
    std::uint64_t read_up_to = 0;  // the newest epoch that it has read
    std::uint64_t changes = 0;     // of paths
    std::uint64_t replayed = 0;
    std::uint64_t losses = 0;  // of our links
    std::uint64_t moves = 0;   // of the peer
    std::uint64_t own_moves = 0;
    bool within_vm = false;       // the link
    Nanoseconds apart_since = 0;  // although they could be neighbours
    stream::StreamNumbers numbers{};
    Nanoseconds leaves_since = 0;  // or since a post was refused, which may have been LEFT's
    std::uint64_t refused = 0;     // posts
  };
  struct End {
    Process& process;
    Session& session;
    Seen& seen;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  template <class F>
  void each_session(Process& process, F&& f) {
    if (!process.has_endpoint()) return;
    process.endpoint().peers().for_each([&](core::Peer& peer) {
      if (peer.session && peer.session->send_token() != 0) f(*peer.session);
    });
  }
  std::pair<Process*, Session*> other_end(const Session& session);
  Seen look(const End& end, const Process* other) const;
  std::uint64_t read_up_to(const Session& session, const Seen& seen) const noexcept;
  bool sound(const Process& reader, const Process& owner) const noexcept;
  std::uint64_t published(const Session& reader) const noexcept;
  std::uint64_t taken_by(unsigned reader, std::uint64_t nonce, std::uint64_t epoch) const noexcept;

  void judge_pair(const End& end, const End& other);
  void judge_sleep(const End& sleeper, const End& other);
  void judge_change(const End& end, Process* other, const Session* far);
  bool ended_by_peer(const Session& session) const noexcept;
  void judge_leaving(const End& end, const Process* other);
  void count_leave(const End& end) noexcept;
  void judge_pause(Process& process);
  void judge_told(const End& end, const Session* far);
  void remember_told(const Process& process);
  void judge_return(const End& end, const Process* other, const Session* far);
  bool could_be_neighbours(const End& end, const Process* other, const Session* far) const noexcept;
  void judge_acquaintance(const End& end, const Process* other, const Session* far,
                          const Seen& now);

  Judge& judge_;
  const Scenario& scenario_;
  FakeNetwork& network_;
  FakeHypervisor& machine_;
  const Processes& processes_;
  struct Paused {
    Nanoseconds since = 0;
    unsigned steps = 0;
    bool quiet = false;
    bool told = false;
  };
  // What had not been acknowledged when a host came back.
  struct Owed {
    std::uint64_t una = 0, tail = 0;
    bool taken = false;
  };
  unsigned stopped_host_ = 0;  // the last one, and when that ends
  Nanoseconds returns_at_ = util::kNever;
  std::map<Key, Owed> owed_;
  Nanoseconds longest_return_ = 0;
  Leaves leaves_;
  std::map<unsigned, Paused> paused_;     // by the hypervisor's number of a process
  std::map<Key, Seen> seen_;              // by life and receive token
  std::map<Key, std::uint64_t> written_;  // frames put into a ring, by its writer's nonce and epoch
  std::set<Key> lefts_;                   // heard, by token and epoch
  std::map<std::uint64_t, std::uint64_t> offered_;  // newest epoch heard, by token
  std::uint64_t left_said_ = 0;                     // epoch, in this step
  std::uint64_t refused_ = 0;                       // posts, before this step
};

}  // namespace xs::sim
