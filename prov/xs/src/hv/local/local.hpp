// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sharing between processes of one user on one machine (docs/hv.md, hv/local).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hv/both.hpp"
#include "hv/hv.hpp"
#include "hv/local/channel.hpp"
#include "hv/local/link.hpp"
#include "hv/local/memory.hpp"
#include "hv/local/vm.hpp"
#include "hv/local/watch.hpp"
#include "util/random.hpp"

namespace xs::hv {

class Local final : public NearBackend {
 public:
  // simulated_host: NAME, or @FILE (docs/hv.md); empty for none. `random` must outlive the backend.
  static util::Result<std::unique_ptr<Local>> open(const std::string& simulated_host,
                                                   util::Random& random) noexcept;
  ~Local() override;

  const Card& card() const noexcept override { return card_; }
  util::Result<std::unique_ptr<Link>> meet(const Card& peer) noexcept override;
  bool progress(Events& events) noexcept override;
  int descriptor() const noexcept override { return watch_.fd(); }
  int life_descriptor() const noexcept override { return vm_ ? vm_->lives.fd() : -1; }
  bool restless() const noexcept override;
  const Counters& counters() const noexcept override { return counters_; }
  void relocate(Events& events) noexcept override;

  // Callers that have said nothing yet, and those that nobody has met yet.
  static constexpr std::size_t kMostSilent = 64;
  static constexpr std::size_t kMostGuests = 256;

  // For links.
  Watch& watch() noexcept { return watch_; }
  Counters& count() noexcept { return counters_; }
  Id new_nonce() noexcept { return {random_.next(), random_.next()}; }
  // Of all links: an offer that comes late, when its link is long gone, must not name another
  // share.
  std::uint64_t new_share_number() noexcept { return ++last_share_; }
  void forget(const LocalLink& link) noexcept;
  // Nothing is told of a real VM here: all processes of its kernel move together.
  bool is_real() const noexcept { return card_.host == real_host_; }
  // Another process of our simulated VM.
  bool is_mate(const Id& process) const noexcept { return vm_ && VmSign::is_up(vm_->id, process); }
  Memories& shared(bool within_vm) noexcept { return within_vm ? near_.shared : far_.shared; }
  Memories& mapped(bool within_vm) noexcept { return within_vm ? near_.mapped : far_.mapped; }
  // A link's socket tells of its peer's life, its bell does not. Forgotten before it is closed.
  void hear_of_life(int socket) noexcept {
    if (vm_) vm_->lives.add(socket, 0, EPOLLIN);
  }
  void forget_life(int socket) noexcept {
    if (vm_) vm_->lives.remove(socket);
  }
  // Descriptors have become free.
  void listen_again() noexcept;

 private:
  struct Caller {
    std::uint64_t key = 0;
    Channel channel;
    Id process;                    // none: has not greeted
    std::uint64_t generation = 0;  // of the process
    UniqueFd bell;
  };

  // A simulated VM, and what its last move left to be done.
  struct Vm {
    VmFile file;
    Id id;  // the same in all its processes
    VmSign sign;
    Timer telling, burying;
    Watch lives;  // what life_descriptor() is of
    Whereabouts where;
    bool untold = false;
    std::vector<Channel> graves;  // of links that their peers still believe in
  };
  // Of what happens on the watched descriptors; links and callers have keys from kFirstKey on, and
  // two events each.
  enum Happening : std::uint64_t { kCalled = 0, kVmWritten = 1, kToTell = 2, kToBury = 3 };
  static constexpr std::uint64_t kFirstKey = 2;

  Local(util::Random& random, Watch watch) noexcept : random_(random), watch_(std::move(watch)) {}
  util::Result<bool> begin(const std::string& simulated_host) noexcept;
  util::Result<bool> begin_vm(const std::string& file) noexcept;
  util::Result<bool> begin_listening() noexcept;
  int meet_now(LocalLink& link) noexcept;
  int call(LocalLink& link) noexcept;
  LocalLink* find(std::uint64_t key) noexcept;
  // That key's, or the next one there is.
  LocalLink* find_from(std::uint64_t key) noexcept;
  void serve(const struct epoll_event& event, Events& events) noexcept;
  void serve_socket(std::uint64_t key, std::uint32_t ready, Events& events) noexcept;
  void tell(LocalLink& link, News news, Events& events) noexcept;

  void vm_written(Events& events) noexcept;
  util::Result<Whereabouts> read_whereabouts() noexcept;
  void pause(Events& events) noexcept;
  void tell_losses(Events& events) noexcept;
  void leave_place() noexcept;
  void close_door() noexcept;
  void tell_of_move(Events& events) noexcept;
  void begin_life(Events& events) noexcept;
  void bury() noexcept;

  void accept_callers(Events& events) noexcept;
  bool refuse_one() noexcept;
  void add_caller(UniqueFd socket, Events& events) noexcept;
  void evict(bool silent, std::size_t most) noexcept;
  void hear_caller(std::size_t index, Events& events) noexcept;
  bool greets_us(const Message& message, const UniqueFd& fd) noexcept;
  void admit(std::size_t index, Events& events) noexcept;
  void drop_caller(std::size_t index) noexcept;
  void complain(std::uint64_t& counter, const char* what) noexcept;

  util::Random& random_;
  Watch watch_;
  Card card_;
  Id real_host_;
  std::unique_ptr<Vm> vm_;  // none: this process never moves
  Counters counters_;
  UniqueFd listener_;
  UniqueFd spare_;
  bool deaf_ = false;  // the listener is not watched
  std::uint64_t last_key_ = kFirstKey - 1;
  std::uint64_t last_share_ = 0;
  struct Standing {
    Memories shared, mapped;
  };
  Standing near_, far_;                           // within the VM, and what leaves it
  std::vector<LocalLink*> links_;                 // in order of their keys
  std::vector<std::unique_ptr<Caller>> callers_;  // in order of their coming, which is their keys'
};

}  // namespace xs::hv
