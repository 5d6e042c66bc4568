// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// All simulated machines of a run, as far as hv is concerned: who lives where, what is shared, and
// what goes wrong with it. Backends (sim/fake/hv.hpp), shares and mappings must not outlive it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "hv/hv.hpp"
#include "sim/dice.hpp"
#include "sim/fake/hv_pages.hpp"
#include "util/clock.hpp"

namespace xs::sim {

class FakeHv;
class FakeLink;
using ProcessId = std::uint64_t;
using util::Nanoseconds;

// What hosts look like from outside.
enum class Likeness : std::uint8_t {
  kNone,     // their cards differ
  kSilent,   // all cards name one host, but nobody answers from another one
  kPretend,  // links open between hosts, too; only the pages prove that they are none
};

struct HvHabits {
  Nanoseconds delay_low = 1'000;  // until a process is told of what another one did
  Nanoseconds delay_high = 50'000;
  Nanoseconds absent_low = 1'000;  // until it is told that another one has moved
  Nanoseconds absent_high = util::kSecond;
  Likeness likeness = Likeness::kNone;
  bool bells = true;            // else the fabric rings
  unsigned deaf_percent = 0;    // rings that nobody hears
  unsigned unread_percent = 0;  // direct reads that end before all was read
};

class FakeHypervisor {
 public:
  // Who wants to hear of it.
  class Observer {
   public:
    // That process will have something to do at that time.
    virtual void stirs(ProcessId process, Nanoseconds at) noexcept = 0;
    virtual void closes(FakeMapping&) noexcept {}

   protected:
    ~Observer() = default;
  };
  // observer may be null.
  FakeHypervisor(util::Clock& clock, const HvHabits& habits, std::uint64_t seed,
                 Observer* observer) noexcept
      : clock_(clock), habits_(habits), dice_(seed), observer_(observer) {}
  FakeHypervisor(const FakeHypervisor&) = delete;
  FakeHypervisor& operator=(const FakeHypervisor&) = delete;

  // The weather changes them as it goes.
  HvHabits& habits() noexcept { return habits_; }
  Dice& dice() noexcept { return dice_; }
  Nanoseconds now() noexcept { return clock_.now(); }

  // What exists; all 0 when everybody has given up everything.
  struct Standing {
    std::size_t backends = 0;
    std::size_t links = 0;
    std::size_t shares = 0;
    std::size_t mappings = 0;
    bool operator==(const Standing&) const = default;
  };
  Standing& standing() noexcept { return standing_; }
  // What one process, as numbered here, has of that.
  struct Held {
    std::size_t shares = 0;
    std::size_t shared_bytes = 0;
    std::size_t mappings = 0;
    std::size_t far = 0;  // of both: what is another VM's, or for one
  };
  Held held_by(unsigned number) const noexcept;
  // What has happened so far.
  struct Tally {
    std::uint64_t opened = 0;  // ends of links
    std::uint64_t shared = 0;
    std::uint64_t mapped = 0;
    std::uint64_t rung = 0;
    std::uint64_t refused = 0;  // for lack of anything
    std::uint64_t lost = 0;     // ends of links, for whatever reason
    std::uint64_t turned = 0;   // mappings that froze, or turned to ones
    std::uint64_t sprung = 0;   // of these, in the middle of an instruction that reads
    // Payloads that were read out of another process' memory, whose owner had taken back by then
    // that they may be, and that could not be read to the end.
    std::uint64_t read = 0, late = 0, unread = 0;
  };
  Tally& tally() noexcept { return tally_; }

  // ---- For the weather ----
  const std::vector<FakeHv*>& backends() const noexcept { return backends_; }
  const std::vector<FakeMapping*>& mappings() const noexcept { return mappings_; }
  const std::vector<FakeShare*>& shares() const noexcept { return shares_; }
  std::vector<FakeLink*> links() const;
  // What that process has written stays as it is now.
  void keep_owned_by(unsigned owner) noexcept;
  // Turns all mappings that this process reads from, or of what it has shared, but for those within
  // its VM: what moves together stays.
  void turn_seen_by(unsigned reader, Sight sight) noexcept;
  void turn_owned_by(unsigned owner, Sight sight) noexcept;
  // Does that at the given number of strikes from now on (1: at the next).
  void at_strike(std::uint64_t strikes, std::function<void()> blow);
  // To be called from wherever something may go wrong: from the clock, say.
  void strike() noexcept {
    if (!blows_.empty()) count_strike();
  }

  // ---- For backends ----
  void add(FakeHv& backend);
  void remove(FakeHv& backend) noexcept;
  void add(FakeShare& share);
  void remove(FakeShare& share) noexcept;
  void add(FakeMapping& mapping);
  void remove(FakeMapping& mapping) noexcept;
  unsigned new_number() noexcept { return ++numbers_; }
  std::uint64_t new_share_number() noexcept { return ++last_share_; }
  FakeHv* find(const hv::Id& process) const noexcept;
  void stir(ProcessId process, Nanoseconds at) noexcept {
    if (observer_) observer_->stirs(process, at);
  }

 private:
  struct Blow {
    std::uint64_t strikes;
    std::function<void()> strike;
  };
  void count_strike() noexcept;

  util::Clock& clock_;
  HvHabits habits_;
  Dice dice_;
  Observer* observer_;
  Standing standing_;
  Tally tally_;
  unsigned numbers_ = 0;
  std::uint64_t last_share_ = 0;
  std::vector<FakeHv*> backends_;
  std::vector<FakeShare*> shares_;
  std::vector<FakeMapping*> mappings_;
  std::vector<Blow> blows_;
};

}  // namespace xs::sim
