// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-bench-mpi CONTROL [CPU,CPU]: both sides of a pair over MPI, for mpirun -n 2.
// What carries the messages is up to mpirun's options.
#define OMPI_SKIP_MPICXX 1  // the C bindings alone
#include <mpi.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "common/buffer.hpp"
#include "common/cores.hpp"
#include "common/failure.hpp"
#include "common/stopwatch.hpp"
#include "worker/side.hpp"

namespace xs::bench {
namespace {

constexpr int kDataTag = 1;
constexpr int kReadyTag = 2;

class Mpi {
 public:
  Mpi(int* argc, char*** argv) { MPI_Init(argc, argv); }
  ~Mpi() { MPI_Finalize(); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;

  static unsigned rank() {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return static_cast<unsigned>(rank);
  }
};

// Errors end the program: MPI's default error handler aborts.
class MpiSide final : public Side {
 public:
  explicit MpiSide(unsigned number) : number_(number), peer_(number == 0 ? 1 : 0) {}

  std::string address() override { return {}; }
  void connect(const std::string&) override {}

  void progress() override {
    int flag = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
  }

  Timing run(const Task& task) override {
    if (task.metric == Metric::kLatency) return round_trips(task);
    return number_ == 0 ? produce(task) : consume(task);
  }

 private:
  void send(std::size_t bytes, int tag) const {
    MPI_Send(outgoing_.slot(0, bytes), static_cast<int>(bytes), MPI_BYTE, peer_, tag,
             MPI_COMM_WORLD);
  }
  void receive(std::size_t bytes, int tag) const {
    MPI_Recv(incoming_.slot(0, bytes), static_cast<int>(bytes), MPI_BYTE, peer_, tag,
             MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  void post_receives(std::size_t window, std::size_t bytes) {
    for (std::size_t i = 0; i < window; ++i)
      MPI_Irecv(incoming_.slot(i, bytes), static_cast<int>(bytes), MPI_BYTE, peer_, kDataTag,
                MPI_COMM_WORLD, &requests_[i]);
  }
  void post_sends(std::size_t window, std::size_t bytes) {
    for (std::size_t i = 0; i < window; ++i)
      MPI_Isend(outgoing_.slot(i, bytes), static_cast<int>(bytes), MPI_BYTE, peer_, kDataTag,
                MPI_COMM_WORLD, &requests_[i]);
  }
  void wait_for(std::size_t window) {
    MPI_Waitall(static_cast<int>(window), requests_.data(), MPI_STATUSES_IGNORE);
  }

  Timing round_trips(const Task& task) {
    Stopwatch watch(task);
    for (std::uint64_t turn = 0; turn < task.warmup + task.turns; ++turn) {
      watch.before_turn(turn);
      if (number_ == 0) send(task.bytes, kDataTag);
      receive(task.bytes, kDataTag);
      if (number_ == 1) send(task.bytes, kDataTag);
    }
    return watch.stop();
  }

  Timing produce(const Task& task) {
    const std::size_t window = task.window;
    receive(0, kReadyTag);
    Stopwatch watch(task);
    for (std::uint64_t turn = 0; turn < task.warmup + task.turns; ++turn) {
      watch.before_turn(turn);
      post_sends(window, task.bytes);
      wait_for(window);
      receive(0, kReadyTag);
    }
    return watch.stop();
  }

  // Says whenever a window has arrived and the receives of the next one are posted.
  Timing consume(const Task& task) {
    const std::size_t window = task.window;
    const std::uint64_t total = task.warmup + task.turns;
    post_receives(window, task.bytes);
    send(0, kReadyTag);
    for (std::uint64_t turn = 0; turn < total; ++turn) {
      wait_for(window);
      if (turn + 1 < total) post_receives(window, task.bytes);
      send(0, kReadyTag);
    }
    return {};
  }

  unsigned number_;
  int peer_;
  Buffer incoming_;
  Buffer outgoing_;
  std::array<MPI_Request, kWindowMessages> requests_ = {};
};

void work(const std::string& control, const char* cpus) {
  CpuPair pair{};
  const unsigned rank = Mpi::rank();
  if (cpus != nullptr && std::sscanf(cpus, "%d,%d", &pair[0], &pair[1]) == 2) pin_to(pair[rank]);
  const Channel channel = Channel::connect_to(control);
  MpiSide side(rank);
  serve(channel, rank, side);
}

}  // namespace
}  // namespace xs::bench

int main(int argc, char** argv) {
  xs::bench::die_with_parent();
  const xs::bench::Mpi mpi(&argc, &argv);
  if (argc < 2) {
    std::fprintf(stderr, "xs-bench-mpi is started by xs-bench\n");
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
  }
  try {
    xs::bench::work(argv[1], argc > 2 ? argv[2] : nullptr);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "xs-bench-mpi: %s\n", failure.what());
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
  }
}
