// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a process says of itself in its node of the store: lines of text, read by strangers.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "hv/card.hpp"

namespace xs::hv {

inline constexpr std::size_t kNoteSize = 2000;  // bytes: a node may hold 2048
inline constexpr std::size_t kPathSize = 80;    // of any node of ours, with a zero at its end

using XenPath = std::array<char, kPathSize>;

// data/xs/ and 16 hex digits of the incarnation; of another domain, or below our own.
XenPath node_of(const Id& process) noexcept;
XenPath node_of(std::uint32_t domain, const Id& process) noexcept;
XenPath directory_of(std::uint32_t domain) noexcept;
// The domain that such a path is of, and its node's name if it is one's.
struct NodeName {
  std::uint32_t domain;
  std::string_view node;
};
std::optional<NodeName> parse_path(std::string_view path) noexcept;

// One line each: `xs1 GENERATION NETWORK`, which network namespace its process lives in; `L DOMAIN
// REFERENCE`, a life page for that domain; `P PROCESS SESSION ECHO`, one for each process that we
// have a link with: our number for it, and what we have heard to be its number for us, or 0; and a
// word more where we want a bell: its port with us, or 0. For onlookers (xsctl) alone: `I PID`, its
// number in its own pid namespace; and last `R PAGES...`, how many it grants over each of these
// links, in their order, if there is room. `Q SERIAL`: as a request with that serial wants it, the
// process holds nothing of other domains (docs/migration.md); `T SERIAL`: its peers have heard of
// that request. All numbers are hexadecimal. Lines of other kinds are of later versions and are
// left out.
class Note {
 public:
  Note(std::uint64_t generation, std::uint64_t network) noexcept;
  void add_life(std::uint32_t domain, std::uint32_t reference) noexcept;
  void add_peer(const Id& process, std::uint32_t session, std::uint32_t echo,
                std::optional<std::uint32_t> bell = std::nullopt) noexcept;
  void add_pid(std::uint32_t pid) noexcept;
  void add_quiesced(std::uint64_t serial) noexcept;
  void add_told(std::uint64_t serial) noexcept;
  void add_granted(std::size_t pages) noexcept;
  // Something had no room.
  bool is_full() const noexcept { return full_; }
  std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  bool add(const char* format, ...) noexcept __attribute__((format(printf, 2, 3)));
  void need(bool added) noexcept { full_ = full_ || !added; }

  std::array<char, kNoteSize> text_{};
  std::size_t size_ = 0;
  bool full_ = false;
  bool in_granted_ = false;       // the last line is that of the pages
  bool no_more_granted_ = false;  // there was no room
};

// What a peer's note says to one process.
struct NoteToUs {
  std::uint64_t generation = 0;
  std::uint64_t network = 0;
  std::optional<std::uint32_t> life;  // for our domain
  std::uint32_t session = 0;          // 0: it has no link with us
  std::uint32_t echo = 0;
  std::optional<std::uint32_t> bell;  // nothing: it wants none with us
  bool quiesced = false;              // it wants nobody: its VM is about to be moved
};
// Nothing if it is no note.
std::optional<NoteToUs> parse_note(std::string_view text, const Id& own,
                                   std::uint32_t own_domain) noexcept;

// All that a note says, to an onlooker.
struct WholeNote {
  struct Peer {
    std::uint64_t process = 0;  // the high half of its incarnation, as in the names of nodes
    std::uint32_t session = 0;
    std::uint32_t echo = 0;
    std::optional<std::uint32_t> granted;  // pages
  };
  std::uint64_t generation = 0;
  std::uint64_t network = 0;
  std::optional<std::uint32_t> pid;
  std::optional<std::uint64_t> quiesced;  // the serial of the request that it is paused for
  std::optional<std::uint64_t> told;      // and of which its peers have heard
  std::vector<std::uint32_t> lives;       // domains that there are life pages for
  std::vector<Peer> peers;
};
// Nothing if it is no note. Throws bad_alloc.
std::optional<WholeNote> parse_whole_note(std::string_view text);

// The serial with which the node of an announced move begins: hexadecimal, never 0. Words of other
// tools may follow it.
std::optional<std::uint64_t> parse_quiesce(std::string_view text) noexcept;

}  // namespace xs::hv
