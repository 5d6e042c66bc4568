// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/vm.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

#include "util/log.hpp"

namespace xs::hv {

namespace {

constexpr std::size_t kLongestText = 1024;
// With a file whose writer has emptied it and is about to write.
constexpr int kPatience = 500;  // ms
constexpr int kMostLooks = 20;

template <class T>
bool take_number(std::string_view text, T& to) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size();
}

bool take_kind(std::string_view text, bool& ones) noexcept {
  ones = text == "ones";
  return ones || text == "frozen";
}

bool take_word(std::string_view word, Whereabouts& to) noexcept {
  if (word == "pause") return to.pause = true;
  const std::size_t at = word.find('=');
  if (at == std::string_view::npos) return false;
  const std::string_view name = word.substr(0, at);
  const std::string_view value = word.substr(at + 1);
  if (name == "sees") return take_kind(value, to.sees_ones);
  if (name == "seen") return take_kind(value, to.seen_ones);
  if (name == "told") return take_number(value, to.told_late);
  if (name == "lost") return take_number(value, to.lost_late);
  if (name == "domid") return take_number(value, to.domid);
  return false;
}

}  // namespace

std::optional<Whereabouts> Whereabouts::from(const std::string& text) {
  std::istringstream words(text);
  Whereabouts out;
  if (!(words >> out.host)) return std::nullopt;
  for (std::string word; words >> word;)
    if (!take_word(word, out)) return std::nullopt;
  return out;
}

util::Result<VmFile> VmFile::open(const std::string& name) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::absolute(name, ignored);
  VmFile file;
  file.name_ = path.string();
  file.leaf_ = path.filename().string();
  file.notify_ = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!file.notify_) return util::Error{errno, "no descriptor to watch a simulated VM's file"};
  // The directory, since a new file may be moved over the old one.
  const std::string directory = path.parent_path().string();
  if (inotify_add_watch(file.notify_.get(), directory.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
    return file.useless(std::strerror(errno));
  return file;
}

bool VmFile::was_written() noexcept {
  bool written = false;
  alignas(struct inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::read(notify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return written;
    for (ssize_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const struct inotify_event*>(buffer.data() + at);
      const bool ours = event->len > 0 && leaf_ == event->name;
      written |= ours || (event->mask & IN_Q_OVERFLOW) != 0;
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
}

util::Result<Whereabouts> VmFile::read() const {
  const UniqueFd file(::open(name_.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(kLongestText, '\0');
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size < 0) return useless(std::strerror(errno));
  if (size == 0) return util::Error{EAGAIN, "the file of a simulated VM is empty"};
  text.resize(static_cast<std::size_t>(size));
  auto out = Whereabouts::from(text);
  if (out) return std::move(*out);
  return useless(
      "it must say: HOST [pause] [sees=ones|frozen] [seen=ones|frozen] [told=MS] [lost=MS] "
      "[domid=N]");
}

util::Result<Whereabouts> VmFile::read_first() {
  auto out = read();
  for (int i = 0; !out && out.error().code == EAGAIN; ++i) {
    struct pollfd written = {.fd = notify_.get(), .events = POLLIN, .revents = 0};
    if (i == kMostLooks || poll(&written, 1, kPatience) != 1) return useless("it is empty");
    was_written();
    out = read();
  }
  return out;
}

util::Error VmFile::useless(const char* why) const noexcept {
  util::log(util::Level::kWarn, "simulated VM: %s: %s", name_.c_str(), why);
  return {EINVAL, "the file of a simulated VM can't be used"};
}

util::Result<Timer> Timer::make() noexcept {
  Timer made;
  made.fd_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!made.fd_) return util::Error{errno, "no descriptor for a simulated VM's time"};
  return made;
}

void Timer::start(unsigned milliseconds) noexcept {
  struct itimerspec when {};
  when.it_value.tv_sec = milliseconds / 1000;
  when.it_value.tv_nsec = milliseconds % 1000 * 1'000'000l;
  timerfd_settime(fd_.get(), 0, &when, nullptr);
}

// A timer that is set anew is not readable before its new time.
void Timer::stop() noexcept { start(0); }

namespace {

// 0, or why not: EADDRINUSE if it is up.
int bind_sign(const UniqueFd& socket, const Id& vm, const Id& process) noexcept {
  if (!socket) return errno;
  struct sockaddr_un name {};
  name.sun_family = AF_UNIX;
  const int size = std::snprintf(name.sun_path + 1, sizeof name.sun_path - 1,
                                 "xs-vm-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "%016" PRIx64,
                                 vm.high, vm.low, process.high, process.low);
  const auto length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + 1 +
                                             static_cast<std::size_t>(size));
  return bind(socket.get(), reinterpret_cast<struct sockaddr*>(&name), length) == 0 ? 0 : errno;
}

UniqueFd new_sign() noexcept { return UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

}  // namespace

util::Result<VmSign> VmSign::put_up(const Id& vm, const Id& process) noexcept {
  UniqueFd socket = new_sign();
  if (const int error = bind_sign(socket, vm, process))
    return util::Error{error, "no socket to be known by in a simulated VM"};
  return VmSign(std::move(socket));
}

// In doubt it is not: then a pause costs a link.
bool VmSign::is_up(const Id& vm, const Id& process) noexcept {
  return bind_sign(new_sign(), vm, process) == EADDRINUSE;
}

}  // namespace xs::hv
