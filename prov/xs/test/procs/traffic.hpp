// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Numbered messages both ways between two nodes, every byte checked: each arrives exactly once, in
// order.
#pragma once
#include <cstdint>
#include <vector>

#include "procs/node.hpp"
#include "procs/procs.hpp"

namespace xs::test {

enum class Mix { kEager, kRendezvous, kMixed };

// Both sides know how long a message is.
std::size_t message_size(Mix mix, std::uint64_t message);

class Traffic {
 public:
  static constexpr std::size_t kWindow = 16;  // operations under way each way

  // id: this side's, 0 or 1; the other side has the other one.
  Traffic(Node& node, fi_addr_t peer, Mix mix, unsigned id);

  // Posts what the windows allow, takes what came.
  void move();
  // Sends no more; gives how many messages were sent.
  std::uint64_t stop_sending() {
    sending_ = false;
    return sent_;
  }
  // Whether all of ours are out, and that many of theirs in.
  bool finished(std::uint64_t theirs) const;
  // Takes back what is still posted; throws Failure if a message is left anywhere.
  void check_end();

 private:
  void fill_sends();
  void take_receives();
  void post_receive(Transfer& slot);
  void post_send(Transfer& slot);
  void check(const Transfer& slot);
  std::uint64_t tag_of(unsigned side) const { return 0x7a00 + side; }

  Node& node_;
  fi_addr_t peer_;
  Mix mix_;
  unsigned id_;
  bool sending_ = true;
  std::uint64_t sent_ = 0;
  std::uint64_t posted_ = 0;
  std::uint64_t taken_ = 0;
  std::vector<Transfer> sends_;
  std::vector<Transfer> receives_;  // a ring in the order of posting
};

// A process' part in a Conversation.
void talk(Worker& me, Node& node, fi_addr_t peer, Mix mix, unsigned id);

// Two processes, on hosts 0 and 1, in traffic both ways.
class Conversation : public Procs {
 protected:
  explicit Conversation(int hosts = 2) : Procs(hosts) {}
  void begin(Mix mix, const Environment& environment = {});
  // The same, but both are on host 0.
  void begin_together(Mix mix, const Environment& left, const Environment& right);
  // Both do that; id: 0 or 1.
  using Part = std::function<void(Worker& me, unsigned id)>;
  void start_apart(const Part& part, const Environment& environment);
  // The same, but both are on host 0.
  void start_together(const Part& part, const Environment& left, const Environment& right);
  Process& side(int index) const { return *sides_[index]; }
  // Both are ready to talk(): where a port refuses connections nobody is believed to live.
  void let_talk();
  // It is still alive: each side completes some more sends.
  void expect_flow();
  // Both sides stop, and all that was sent has come once and in order.
  void stop_talking();
  // The same, and they end.
  void finish();

 private:
  Process* sides_[2] = {};
};

}  // namespace xs::test
