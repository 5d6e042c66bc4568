// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "batch.hpp"

#include <sched.h>

#include <utility>

namespace hammer {

void Batch::send(int dest, int tag, SendMode mode) {
  std::vector<std::byte> bytes = channel_.outgoing(dest, tag);
  const bool synchronous = mode == SendMode::kSynchronous;
  InFlight flight(channel_.run().watchdog,
                  {synchronous ? "issend" : "isend", dest, tag, bytes.size()});
  const auto start = synchronous ? MPI_Issend : MPI_Isend;
  requests_.emplace_back();
  start(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, dest, tag, channel_.comm(),
        &requests_.back());
  items_.push_back({std::move(flight), std::move(bytes), std::nullopt, std::nullopt});
}

void Batch::receive_exact(int source, int tag) {
  const Envelope envelope = channel_.claim(source, tag);
  receive(source, tag, channel_.size_of(envelope), envelope);
}

void Batch::receive_wild(int source, int tag) {
  receive(source, tag, channel_.most(), std::nullopt);
}

void Batch::receive(int source, int tag, std::size_t room, std::optional<Envelope> expected) {
  InFlight flight(channel_.run().watchdog, {"irecv", source, tag, room});
  Buffer buffer(room);
  requests_.emplace_back();
  MPI_Irecv(buffer.data(), buffer.capacity(), MPI_BYTE, source, tag, channel_.comm(),
            &requests_.back());
  items_.push_back({std::move(flight), {}, std::move(buffer), expected});
}

void Batch::finish(WaitStyle style) {
  statuses_.resize(requests_.size());
  switch (style) {
    case WaitStyle::kAll:
      MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), statuses_.data());
      break;
    case WaitStyle::kAny:
      wait_any();
      break;
    case WaitStyle::kTestSome:
      test_some();
      break;
    case WaitStyle::kEachBackwards:
      wait_backwards();
      break;
  }
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (item.received) {
      const MPI_Status& status = statuses_[i];
      const Envelope envelope =
          item.expected ? *item.expected : channel_.claim(status.MPI_SOURCE, status.MPI_TAG);
      channel_.verify(envelope, status, *item.received);
    }
  }
  requests_.clear();
  items_.clear();
}

void Batch::done(int index, const MPI_Status& status) {
  const auto at = static_cast<std::size_t>(index);
  statuses_[at] = status;
  items_[at].flight.finish();
}

void Batch::wait_any() {
  for (std::size_t left = requests_.size(); left > 0; --left) {
    int index = 0;
    MPI_Status status;
    MPI_Waitany(static_cast<int>(requests_.size()), requests_.data(), &index, &status);
    done(index, status);
  }
}

void Batch::test_some() {
  std::vector<int> indices(requests_.size());
  std::vector<MPI_Status> statuses(requests_.size());
  for (std::size_t left = requests_.size(); left > 0;) {
    int count = 0;
    MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, indices.data(),
                 statuses.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      done(indices[i], statuses[i]);
    }
    left -= static_cast<std::size_t>(count);
    sched_yield();
  }
}

void Batch::wait_backwards() {
  for (std::size_t i = requests_.size(); i-- > 0;) {
    MPI_Status status;
    MPI_Wait(&requests_[i], &status);
    done(static_cast<int>(i), status);
  }
}

}  // namespace hammer
