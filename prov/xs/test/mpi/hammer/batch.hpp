// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <optional>
#include <vector>

#include "channel.hpp"

namespace hammer {

enum class SendMode { kStandard, kSynchronous };
enum class WaitStyle { kAll, kAny, kTestSome, kEachBackwards };

/// Non-blocking sends and receives which are outstanding together. Receives are checked in the
/// order they were posted: MPI matches the messages of one (source, tag) to the receives they fit
/// in exactly that order, whatever the order of completion.
class Batch {
 public:
  explicit Batch(Channel& channel) : channel_(channel) {}

  void send(int dest, int tag, SendMode mode = SendMode::kStandard);

  /// A receive with exactly the room that its message needs. Not to be mixed with receive_wild()
  /// where both could take the same message.
  void receive_exact(int source, int tag);

  /// A receive with room for any message; source and tag may be wild.
  void receive_wild(int source, int tag);

  /// Waits for everything, checks it, and leaves the batch empty.
  void finish(WaitStyle style);

 private:
  struct Item {
    InFlight flight;
    std::vector<std::byte> sent;
    std::optional<Buffer> received;    ///< for receives
    std::optional<Envelope> expected;  ///< for receives which were claimed when posted
  };

  void receive(int source, int tag, std::size_t room, std::optional<Envelope> expected);
  void wait_any();
  void test_some();
  void wait_backwards();
  void done(int index, const MPI_Status& status);

  Channel& channel_;
  std::vector<MPI_Request> requests_;
  std::vector<MPI_Status> statuses_;
  std::vector<Item> items_;
};

}  // namespace hammer
