// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/hv_rig.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "hv/local/socket_name.hpp"
#include "util/log.hpp"

namespace xs::test {

namespace {

std::size_t g_warnings = 0;

void count_warning(util::Level, const char*) noexcept { ++g_warnings; }
bool is_warning(util::Level level) noexcept { return level == util::Level::kWarn; }

std::size_t descriptors() {
  using Entries = std::filesystem::directory_iterator;
  return static_cast<std::size_t>(std::distance(Entries("/proc/self/fd"), Entries()));
}

}  // namespace

Holdings holdings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t memfds = 0;
  for (std::string line; std::getline(maps, line);)
    memfds += line.find("memfd:") != std::string::npos ? 1 : 0;
  maps.close();
  return {descriptors(), memfds};
}

Warnings::Warnings() {
  g_warnings = 0;
  util::set_log_sink(count_warning, is_warning);
}
Warnings::~Warnings() { util::set_log_sink(nullptr, nullptr); }
std::size_t Warnings::count() const { return g_warnings; }

LowLimit::LowLimit(int resource, std::size_t limit) : resource_(resource) {
  struct rlimit now {};
  getrlimit(static_cast<__rlimit_resource>(resource), &now);
  before_ = now.rlim_cur;
  now.rlim_cur = limit;
  EXPECT_EQ(setrlimit(static_cast<__rlimit_resource>(resource), &now), 0);
}

LowLimit::~LowLimit() {
  struct rlimit now {};
  getrlimit(static_cast<__rlimit_resource>(resource_), &now);
  now.rlim_cur = before_;
  setrlimit(static_cast<__rlimit_resource>(resource_), &now);
}

// The limit is on the numbers, and the lowest free ones are given out first.
LowLimit few_descriptors(unsigned more) {
  std::vector<hv::UniqueFd> taken;
  for (unsigned i = 0; i < more; ++i) taken.emplace_back(fcntl(0, F_DUPFD_CLOEXEC, 0));
  const hv::UniqueFd next(fcntl(0, F_DUPFD_CLOEXEC, 0));
  return LowLimit(RLIMIT_NOFILE, static_cast<std::size_t>(next.get()));
}

hv::Card RawPeer::card_below(const hv::Card& other) {
  hv::Card card = other;
  card.process = {0, other.process.low};
  return card;
}

hv::Card RawPeer::card_above(const hv::Card& other) {
  hv::Card card = other;
  card.process = {~0ull, other.process.low};
  return card;
}

RawPeer RawPeer::call(const hv::Card& callee) {
  hv::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const hv::SocketName name(callee);
  if (connect(socket.get(), name.get(), name.size) != 0) socket.reset();
  return RawPeer(std::move(socket));
}

bool RawPeer::listen_as(const hv::Card& card, const hv::UniqueFd& socket) {
  const hv::SocketName name(card);
  return bind(socket.get(), name.get(), name.size) == 0 && listen(socket.get(), 1) == 0;
}

hv::Message RawPeer::hello(const hv::Card& from, const hv::Card& to) {
  return {.kind = hv::MessageKind::kHello,
          .from = from.process,
          .to = to.process,
          .first = from.generation,
          .second = to.generation};
}

bool RawPeer::say(const hv::Message& message, const hv::UniqueFd& fd) {
  return channel_.try_send(message, fd) == hv::Gave::kSent;
}

bool RawPeer::say_bytes(const void* bytes, std::size_t size) {
  return send(channel_.fd(), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool RawPeer::say_with_descriptors(const hv::Message& message, const std::vector<int>& fds) {
  struct iovec iov = {const_cast<hv::Message*>(&message), sizeof message};
  std::vector<std::byte> control(CMSG_SPACE(fds.size() * sizeof(int)));
  struct msghdr header {};
  header.msg_iov = &iov;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  struct cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size() * sizeof(int));
  return sendmsg(channel_.fd(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool RawPeer::is_hung_up() {
  struct pollfd ready = {.fd = channel_.fd(), .events = 0, .revents = 0};
  return poll(&ready, 1, 0) == 1 && (ready.revents & (POLLHUP | POLLERR)) != 0;
}

hv::UniqueFd bell() { return hv::UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

hv::UniqueFd memfd(std::size_t size, Flaw flaw) {
  hv::UniqueFd made(memfd_create("xs-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (flaw == Flaw::kSmall) size -= 4096;
  if (flaw == Flaw::kOdd) size += 1;
  EXPECT_EQ(ftruncate(made.get(), static_cast<off_t>(size)), 0);
  if (flaw != Flaw::kSparse) posix_fallocate(made.get(), 0, static_cast<off_t>(size));
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
  if (flaw == Flaw::kUnsealed) seals = 0;
  if (flaw == Flaw::kShrinkable) seals &= ~F_SEAL_SHRINK;
  if (flaw == Flaw::kGrowable) seals &= ~F_SEAL_GROW;
  if (flaw == Flaw::kWritable) seals &= ~F_SEAL_FUTURE_WRITE;
  EXPECT_EQ(fcntl(made.get(), F_ADD_SEALS, seals), 0);
  return made;
}

namespace {

bool in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0;
}

}  // namespace

bool as_other_user(const std::function<bool()>& body) {
  constexpr uid_t kNobody = 65534;
  return in_child([&] { return setuid(kNobody) == 0 && body(); });
}

bool in_other_namespace(int kind, const std::function<bool()>& body) {
  return in_child([&] { return unshare(kind) == 0 && body(); });
}

HvRig::HvRig() {
  auto opened = hv::Local::open("", random_);
  EXPECT_TRUE(opened);
  local_ = std::move(*opened);
}

void HvRig::SetUp() {
  auto kept = std::move(local_);
  auto other = hv::Local::open("", random_);
  ASSERT_TRUE(other);
  local_ = std::move(*other);
  {
    Open link = open();
    EXPECT_TRUE(link.link->share(1));
    EXPECT_TRUE(link.peer.say_bytes("?", 1));
    progress();
    EXPECT_EQ(local().counters().nonsense, 1u);
  }
  local_ = std::move(kept);
  told_ = {};
}

void HvRig::progress() {
  for (int quiet = 0; quiet < 3;) quiet += local_->progress(told_) ? 0 : 1;
}

HvRig::Open HvRig::open() {
  const hv::Card other = RawPeer::card_below(card());
  Open out{nullptr, RawPeer::call(card())};
  EXPECT_TRUE(out.peer.say(RawPeer::hello(other, card()), bell()));
  auto met = local_->meet(other);
  EXPECT_TRUE(met);
  out.link = std::move(*met);
  progress();
  EXPECT_EQ(out.link->state(), hv::LinkState::kOpen);
  hv::Message greeting;
  hv::UniqueFd fd;
  EXPECT_EQ(out.peer.hear(greeting, fd), hv::Got::kMessage);
  return out;
}

}  // namespace xs::test
