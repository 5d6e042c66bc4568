// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/request.hpp"

#include <cerrno>
#include <charconv>

#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

using util::Error;
using util::Result;

namespace {

constexpr int kTries = 100;  // of a transaction that others disturb

std::string data_of(std::uint32_t domain) {
  return "/local/domain/" + std::to_string(domain) + "/data";
}
// Processes watch this directory of theirs.
std::string mates_of(std::uint32_t domain) { return data_of(domain) + "/xs-here"; }
std::string request_of(std::uint32_t domain) { return mates_of(domain) + "/quiesce"; }

// Whether a node is there.
Result<bool> stands(Machine& machine, const std::string& path) {
  auto value = machine.read(path);
  if (value) return true;
  if (value.error().code == ENOENT || value.error().code == EACCES) return false;
  return value.error();
}

Result<bool> make(Machine& machine, const std::string& path, const std::string& value,
                  std::uint32_t owner) {
  auto written = machine.write(path, value);
  if (!written) return written;
  return machine.give(path, owner);
}

// What `body` does is done as a whole, or not at all if it fails or says that it isn't to be kept.
struct Done {
  bool keep;
  Asking asking;
};
template <class Body>
Result<Asking> as_a_whole(Machine& machine, const Body& body) {
  for (int i = 0; i < kTries; ++i) {
    if (auto begun = machine.begin_changes(); !begun) return begun.error();
    Result<Done> done = body();
    auto ended = machine.end_changes(done && done->keep);
    if (!done) return done.error();
    if (ended || !done->keep) return std::move(done->asking);
    if (ended.error().code != EAGAIN) return ended.error();
  }
  return Error{EAGAIN, "others change the same nodes of the store again and again"};
}

Result<Done> ask_once(Machine& machine, std::uint32_t domain, const Request& request) {
  using Answer = Asking::Answer;
  auto data = stands(machine, data_of(domain));
  if (!data) return data.error();
  if (!*data) return Done{false, {Answer::kNowhere, {}}};
  auto standing = machine.read(request_of(domain));
  if (standing) return Done{false, {Answer::kAnotherStands, std::move(*standing)}};
  auto mates = stands(machine, mates_of(domain));
  if (!mates) return mates.error();
  if (!*mates)
    if (auto made = make(machine, mates_of(domain), "", domain); !made) return made.error();
  auto made = make(machine, request_of(domain), as_text(request), domain);
  if (!made) return made.error();
  return Done{true, {}};
}

}  // namespace

std::string as_text(const Request& request) {
  return hex(request.serial) + ' ' + std::to_string(request.pid);
}

std::optional<Request> parse_request(std::string_view text) {
  Request request;
  const char* const end = text.data() + text.size();
  const auto serial = std::from_chars(text.data(), end, request.serial, 16);
  if (serial.ec != std::errc{} || request.serial == 0 || serial.ptr == end || *serial.ptr != ' ')
    return std::nullopt;
  const auto pid = std::from_chars(serial.ptr + 1, end, request.pid);
  if (pid.ec != std::errc{} || (pid.ptr != end && *pid.ptr != ' ')) return std::nullopt;
  return request;
}

std::string describe_asker(const std::string& standing, System& system) {
  const auto request = parse_request(standing);
  if (!request) return "by something that is no xsctl: xsctl abort removes that";
  const std::string who = "by an xsctl, pid " + std::to_string(request->pid);
  if (system.is_one_of_us(request->pid)) return who + ", which is at work";
  return who + ", which does not run any more: xsctl abort takes that back";
}

Result<std::string> read_request(Machine& machine, std::uint32_t domain) {
  auto text = machine.read(request_of(domain));
  if (!text && text.error().code == EACCES) return Error{ENOENT, text.error().what};
  return text;
}

Result<Asking> ask(Machine& machine, std::uint32_t domain, const Request& request) {
  return as_a_whole(machine, [&] { return ask_once(machine, domain, request); });
}

Result<bool> take_back(Machine& machine, std::uint32_t domain, const std::string& text) {
  bool was_there = false;
  auto done = as_a_whole(machine, [&]() -> Result<Done> {
    auto standing = read_request(machine, domain);
    if (!standing && standing.error().code != ENOENT) return standing.error();
    was_there = standing && *standing == text;
    if (!was_there) return Done{false, {}};
    auto removed = machine.remove(request_of(domain));
    if (!removed) return removed.error();
    return Done{true, {}};
  });
  if (!done) return done.error();
  return was_there;
}

}  // namespace xs::dom0
