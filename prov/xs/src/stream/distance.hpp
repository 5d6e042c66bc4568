// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <algorithm>
#include <cstdint>

namespace xs::stream {

// How far to stay behind a peer that streams. A reader at its writer's heels takes the line that is
// being written away at every frame, and both go at the pace of that; one that lets some frames
// gather leaves the writer alone, and fetches lines that are finished. docs/paths.md §7.
//
// A run is the frames taken between two frames of ours. A run is expected to be as long as the one
// before, and one that is long already, to go on. Who answers each frame is never kept waiting.
class Distance {
 public:
  static constexpr std::uint64_t kEndless = 64;  // frames of a run that may go on for ever
  static constexpr std::uint32_t kFarthest = 24;

  // `ours`: frames that we have made for the peer, by any path.
  void took(unsigned frames, std::uint64_t ours) noexcept {
    look_for_answer(ours);
    run_ += frames;
  }
  // Whether wanted() may say anything but 0: cheap.
  bool streams() const noexcept { return run_ + expected_ >= 2 * kNearest; }
  // Frames that should stand in the ring before the first of them is taken. 0: take it at once.
  std::uint32_t wanted(std::uint64_t ours) noexcept {
    look_for_answer(ours);
    const std::uint64_t left = run_ < expected_ ? expected_ - run_ : run_ < kEndless ? 0 : kEndless;
    if (left < 2 * kNearest) return 0;
    if (passed_over_ > 0) {
      --passed_over_;
      return 0;
    }
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(left / 2, kFarthest));
  }
  // What waiting for so many came to. Who has waited in vain tries it more rarely: this peer's
  // frames are far between.
  void waited(bool in_vain) noexcept {
    penalty_ = in_vain ? std::min(2 * penalty_ + 1, kLongestPenalty) : 0;
    passed_over_ = penalty_;
  }

 private:
  static constexpr std::uint32_t kNearest = 4;
  static constexpr std::uint32_t kLongestPenalty = 1023;  // occasions passed over

  void look_for_answer(std::uint64_t ours) noexcept {
    if (ours == ours_) return;
    ours_ = ours;
    expected_ = run_;
    run_ = 0;
  }

  std::uint64_t ours_ = 0;
  std::uint64_t run_ = 0;       // frames taken since
  std::uint64_t expected_ = 0;  // frames of the run before
  std::uint32_t penalty_ = 0;
  std::uint32_t passed_over_ = 0;  // occasions, before the next wait
};

}  // namespace xs::stream
