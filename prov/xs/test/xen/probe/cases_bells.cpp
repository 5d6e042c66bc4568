// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Waking the other guest, and what a process may do that isn't root.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xen/probe/cases.hpp"

namespace xs::probe {

namespace {

constexpr int kRounds = 50;

bool readable(int descriptor, int milliseconds) {
  struct pollfd ready = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, milliseconds) == 1;
}

class Bell {
 public:
  Bell() : handle_(xenevtchn_open(nullptr, 0)) {}
  ~Bell() { close(); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  struct xenevtchn_handle* get() const {
    return handle_;
  }
  void close() {
    if (handle_) xenevtchn_close(handle_);
    handle_ = nullptr;
  }
  bool hear(int milliseconds) {
    if (!readable(xenevtchn_fd(handle_), milliseconds)) return false;
    const auto port = xenevtchn_pending(handle_);
    if (port < 0) return false;
    xenevtchn_unmask(handle_, static_cast<unsigned>(port));
    return true;
  }
  int notify(unsigned port) { return xenevtchn_notify(handle_, port) == 0 ? 0 : errno; }

 private:
  struct xenevtchn_handle* handle_;
};

int error_of(int result) { return result < 0 ? errno : 0; }

// The first one makes the port, the other one binds it.
int open_port(Probe p, Bell& bell) {
  int port = -1;
  if (p.partner.first()) {
    port = xenevtchn_bind_unbound_port(bell.get(), p.partner.domain());
    p.partner.exchange(std::to_string(port));
  } else {
    const unsigned remote = static_cast<unsigned>(std::stoul(p.partner.exchange("-")));
    port = xenevtchn_bind_interdomain(bell.get(), p.partner.domain(), remote);
  }
  p.partner.meet();
  return port;
}

void ring_and_answer(Probe p, Bell& bell, unsigned port) {
  bool good = true;
  while (bell.hear(100)) {
  }
  p.partner.meet();
  const Stopwatch watch;
  for (int i = 0; good && i < kRounds; ++i) {
    if (p.partner.first()) good = bell.notify(port) == 0 && bell.hear(5000);
    if (!p.partner.first()) good = bell.hear(5000) && bell.notify(port) == 0;
  }
  p.report.expect(good, "an event channel wakes a poll, both ways, " +
                            std::to_string(watch.microseconds() / kRounds) + " us a round");
  p.partner.meet();
  if (p.partner.first())
    for (int i = 0; i < 1000; ++i) bell.notify(port);
  p.partner.meet();
  if (!p.partner.first()) {
    unsigned heard = 0;
    while (bell.hear(100)) ++heard;
    p.report.expect(heard > 0, "1000 notifications are heard as " + std::to_string(heard));
  }
}

void ring_by_store(Probe p) {
  const std::string mine = Partner::own("bell");
  const std::string theirs = p.partner.path_of("bell");
  p.store.write(mine, "0");
  p.store.permit_one(mine, p.partner.domain());
  p.partner.meet();
  p.store.watch(theirs, "bell");
  while (p.store.next_event(std::chrono::milliseconds(200))) {
  }
  p.partner.meet();
  bool good = true;
  const auto heard = [&] { return p.store.next_event(std::chrono::seconds(5)).has_value(); };
  const auto ring = [&](int i) { return p.store.write(mine, std::to_string(i)) == 0; };
  const Stopwatch watch;
  for (int i = 1; good && i <= kRounds; ++i) {
    if (p.partner.first()) good = ring(i) && heard();
    if (!p.partner.first()) good = heard() && ring(i);
  }
  p.report.expect(good, "a watched node wakes a poll, both ways, " +
                            std::to_string(watch.microseconds() / kRounds) + " us a round");
  p.store.unwatch(theirs, "bell");
  p.partner.meet();
}

// What a child that is going to be killed has made.
struct Watcher {
  std::uint32_t life = ~0U;
  std::int32_t port = -1;
  std::int32_t error = 0;  // of the alarm
};
constexpr std::uint32_t kAlive = 8;  // the byte that the kernel is to clear
constexpr auto kNoOffset = static_cast<std::uint32_t>(-1);

void* map_alarm(xengnttab_handle* map, unsigned domain, std::uint32_t page, int port) {
  return xengnttab_map_grant_ref_notify(map, domain, page, PROT_READ, kNoOffset,
                                        static_cast<evtchn_port_t>(port));
}

// Opens the devices in the order of hv/xen's: what is opened last is released first.
[[noreturn]] void watch_and_wait(unsigned domain, std::uint32_t page, int pipe) {
  xengnttab_handle* const map = xengnttab_open(nullptr, 0);
  xengntshr_handle* const share = xengntshr_open(nullptr, 0);
  Bell bell;
  Watcher self;
  self.port = xenevtchn_bind_unbound_port(bell.get(), domain);
  void* const life = xengntshr_share_page_notify(share, domain, &self.life, 0, kAlive,
                                                 static_cast<evtchn_port_t>(-1));
  if (life) static_cast<std::byte*>(life)[kAlive] = std::byte{1};
  if (!map_alarm(map, domain, page, self.port)) self.error = errno;
  if (::write(pipe, &self, sizeof self) < 0) _exit(1);
  ::pause();
  _exit(0);
}

void quieten(Bell& bell) {
  while (bell.hear(200)) {
  }
}

// A child has the partner's page mapped, with a port that rings when it is unmapped, and is killed.
void ring_by_death(Probe p, std::uint32_t page) {
  int pipe[2];
  if (::pipe(pipe) != 0) return;
  const pid_t child = ::fork();
  if (child == 0) watch_and_wait(p.partner.domain(), page, pipe[1]);
  Watcher watcher;
  if (::read(pipe[0], &watcher, sizeof watcher) < 0) return;
  p.report.expect_error(watcher.error, 0, "a read-only mapping with a port that tells of its end");
  const auto theirs = from_text(
      p.partner.exchange(to_text({watcher.life, static_cast<std::uint32_t>(watcher.port)})));
  Mapped life(p.grants, p.partner.domain(), {theirs.at(0)});
  Bell bell;
  const bool bound = xenevtchn_bind_interdomain(bell.get(), p.partner.domain(), theirs.at(1)) >= 0;
  p.report.expect(life.error() == 0 && bound, "a child's life page and port");
  quieten(bell);
  p.partner.meet();
  ::kill(child, SIGKILL);
  p.report.expect(bell.hear(5000), "a killed process rings by what it had mapped");
  if (life.error() == 0)
    p.report.note(std::string("by then its life page is ") +
                  (life.bytes()[kAlive] == std::byte{} ? "cleared" : "not cleared yet"));
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
  p.partner.meet();
  p.report.expect(life.error() == 0 && life.bytes()[kAlive] == std::byte{}, "it is cleared");
  p.partner.meet();
}

// In order, and with the port closed too early.
void ring_by_unmapping(Probe p, std::uint32_t page) {
  for (const bool early : {false, true}) {
    Bell own, bell;
    const int port = xenevtchn_bind_unbound_port(own.get(), p.partner.domain());
    const auto theirs = from_text(p.partner.exchange(to_text({static_cast<std::uint32_t>(port)})));
    xenevtchn_bind_interdomain(bell.get(), p.partner.domain(), theirs.at(0));
    void* const alarm = map_alarm(p.grants.map, p.partner.domain(), page, port);
    p.report.expect(alarm != nullptr, "an alarm");
    quieten(bell);
    p.partner.meet();
    if (early) xenevtchn_unbind(own.get(), static_cast<evtchn_port_t>(port));
    p.report.expect_error(error_of(xengnttab_unmap(p.grants.map, alarm, 1)), 0, "its unmapping");
    const bool heard = bell.hear(5000);
    if (early)
      p.report.note(std::string("an alarm whose port was closed before has ") +
                    (heard ? "rung" : "not rung"));
    else
      p.report.expect(heard, "an alarm rings when it is unmapped");
    p.partner.meet();
  }
}

void ring_by_alarm(Probe p) {
  Shared page(p.grants, p.partner.domain(), 1);
  const auto theirs = from_text(p.partner.exchange(to_text(page.references())));
  ring_by_death(p, theirs.at(0));
  ring_by_unmapping(p, theirs.at(0));
}

}  // namespace

void probe_bells(Probe p) {
  {
    Bell bell;
    const auto bind = [&](unsigned domain, unsigned port) {
      return error_of(xenevtchn_bind_interdomain(bell.get(), domain, port));
    };
    p.report.note("binding a port that isn't there: " + error_name(bind(p.partner.domain(), 900)));
    p.report.note("binding a port of nobody: " + error_name(bind(kNobody, 1)));
    p.report.note("notifying a port that isn't ours: " + error_name(bell.notify(900)));
    const int port = open_port(p, bell);
    p.report.expect(port >= 0, "an event channel between both");
    if (port >= 0) ring_and_answer(p, bell, static_cast<unsigned>(port));
    p.partner.meet();
    if (p.partner.first()) bell.close();
    p.partner.meet();
    if (!p.partner.first()) {
      p.report.note("notifying a peer that has closed: " +
                    error_name(bell.notify(static_cast<unsigned>(port))));
      p.report.note(std::string("the peer's closing is ") +
                    (bell.hear(300) ? "heard" : "not heard"));
    }
  }
  p.partner.meet();
  ring_by_alarm(p);
  ring_by_store(p);
}

// As nobody: what a job that isn't root meets where the devices were not opened to it.
void probe_rights(Probe p) {
  for (const char* device : {"gntalloc", "gntdev", "evtchn", "xenbus"}) {
    int status = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) _exit(255);
      const int opened = ::open(("/dev/xen/" + std::string(device)).c_str(), O_RDWR);
      _exit(opened >= 0 ? 0 : errno);
    }
    ::waitpid(child, &status, 0);
    p.report.expect_error(WEXITSTATUS(status), EACCES,
                          std::string("/dev/xen/") + device + " without rights");
  }
}

}  // namespace xs::probe
