// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What hv/xen reads of other domains, and of other processes of its own: notes and paths as text;
// heads, lists of references and life pages as bytes, which change between two looks; and all of
// it as a whole backend sees it.
#include "fuzz/play.hpp"
#include "fuzz/xen/grants.hpp"
#include "fuzz/xen/notes.hpp"
#include "fuzz/xen/world.hpp"

// The first byte says which.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 4) {
    case 0:
      xs::fuzz::read_text({reinterpret_cast<const char*>(rest.data()), rest.size()});
      break;
    case 1:
      xs::fuzz::write_and_read_note(rest);
      break;
    case 2:
      xs::fuzz::map_grants(rest);
      break;
    default:
      xs::fuzz::play<xs::fuzz::XenWorld>(rest);
  }
  return 0;
}
