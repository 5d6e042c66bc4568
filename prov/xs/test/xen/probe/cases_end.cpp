// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How sharing ends: by the owner, by his death, and for want of pages.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/gntalloc.h>

#include <thread>

#include "xen/probe/cases.hpp"

namespace xs::probe {

namespace {

constexpr std::byte kMark{0x2a};

// A page made by hand, to see what the driver does between the steps of the library.
struct RawPage {
  explicit RawPage(unsigned domain) : device(::open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC)) {
    request.domid = static_cast<std::uint16_t>(domain);
    request.flags = 0;
    request.count = 1;
    if (::ioctl(device, IOCTL_GNTALLOC_ALLOC_GREF, &request) != 0) error = errno;
    void* mapped = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, device,
                          static_cast<off_t>(request.index));
    if (mapped == MAP_FAILED) error = errno;
    memory = static_cast<std::byte*>(mapped);
  }
  ~RawPage() {
    if (memory) ::munmap(memory, kPage);
    if (device >= 0) ::close(device);
  }
  int forget() {
    struct ioctl_gntalloc_dealloc_gref out = {.index = request.index, .count = 1};
    return ::ioctl(device, IOCTL_GNTALLOC_DEALLOC_GREF, &out) == 0 ? 0 : errno;
  }
  int close_device() { return ::close(std::exchange(device, -1)) == 0 ? 0 : errno; }
  std::uint32_t reference() const { return request.gref_ids[0]; }

  int device;
  struct ioctl_gntalloc_alloc_gref request = {};
  std::byte* memory = nullptr;
  int error = 0;
};

int mapping(Probe p, std::uint32_t reference) {
  return Mapped(p.grants, p.partner.domain(), {reference}).error();
}

// What the owner can do while he wants to keep the memory.
void revoke_without_unmapping(Probe p) {
  RawPage page(p.partner.domain());
  p.report.expect_error(page.error, 0, "a page made by hand");
  p.report.expect_error(page.forget(), 0, "its reference taken back from the device");
  p.report.expect_error(page.close_device(), 0, "the device closed");
  page.memory[0] = kMark;
  const auto theirs = from_text(p.partner.exchange(to_text({page.reference()})));
  p.report.expect_error(mapping(p, theirs.at(0)), 0,
                        "a grant stands as long as its owner has the page mapped");
  p.partner.meet();
}

void revoke_while_mapped(Probe p) {
  Shared shared(p.grants, p.partner.domain(), 4);
  shared.bytes()[kPage] = kMark;
  const auto theirs = from_text(p.partner.exchange(to_text(shared.references())));
  Mapped mapped(p.grants, p.partner.domain(), theirs);
  p.partner.meet();
  const Stopwatch unsharing;
  shared.end();
  p.report.note("unsharing 4 pages that are mapped: " + unsharing.text());
  p.partner.meet();
  p.report.expect(mapped.bytes()[kPage] == kMark, "what is mapped stays readable, and as it was");
  p.report.note("mapping it once more after the owner let go: " +
                error_name(mapping(p, theirs.at(1))));
  Shared next(p.grants, p.partner.domain(), 4);
  next.bytes()[kPage] = std::byte{1};
  p.partner.meet();
  p.report.expect(mapped.bytes()[kPage] == kMark, "... also when the owner shares other pages");
  p.report.expect_error(mapped.end(), 0, "unmapping what the owner let go");
  const Stopwatch watch;  // Linux looks once a second whether it can take grants back
  while (mapping(p, theirs.at(1)) == 0 && watch.microseconds() < 30'000'000)
    std::this_thread::sleep_for(std::chrono::seconds(2));
  p.report.expect_error(mapping(p, theirs.at(1)), EINVAL,
                        "mapping it once more, " + watch.text() + " after that");
  p.partner.meet();
}

}  // namespace

void probe_revoking(Probe p) {
  revoke_without_unmapping(p);
  revoke_while_mapped(p);
}

std::size_t free_pages(Grants& grants, unsigned domain) {
  std::vector<Shared> all;
  for (;;) {
    Shared one(grants, domain, 1);
    if (one.error() != 0) return all.size();
    all.push_back(std::move(one));
  }
}

void probe_exhaustion(Probe p) {
  std::vector<Shared> all;
  int error = 0;
  while (all.size() < 5000 && error == 0) {
    Shared one(p.grants, p.partner.domain(), 1);
    error = one.error();
    if (error == 0) all.push_back(std::move(one));
  }
  p.report.expect(error != 0, "no more than " + std::to_string(all.size()) +
                                  " pages to share: " + error_name(error));
  all.pop_back();
  p.report.expect_error(Shared(p.grants, p.partner.domain(), 1).error(), 0,
                        "a page comes back at once when one is given back");
  p.report.expect(Shared(p.grants, p.partner.domain(), 2).error() != 0,
                  "two don't come, and none of them alone");
  p.report.expect_error(Shared(p.grants, p.partner.domain(), 1).error(), 0,
                        "... nor was one lost by that");
  all.clear();
  p.partner.meet();
}

namespace {

// What a child that is going to be killed has shared.
struct Legacy {
  std::uint32_t reference = ~0U;
  std::int32_t port = -1;
};
constexpr std::uint32_t kAlive = 8;  // the byte that the kernel is to clear

[[noreturn]] void share_and_wait(unsigned domain, int pipe) {
  Grants grants;
  struct xenevtchn_handle* bell = xenevtchn_open(nullptr, 0);
  Legacy legacy;
  legacy.port = xenevtchn_bind_unbound_port(bell, domain);
  auto* page = static_cast<std::byte*>(xengntshr_share_page_notify(
      grants.share, domain, &legacy.reference, 0, kAlive, static_cast<unsigned>(legacy.port)));
  if (page) page[0] = page[kAlive] = kMark;
  if (!page) legacy.reference = ~0U;
  if (::write(pipe, &legacy, sizeof legacy) < 0) _exit(1);
  ::pause();
  _exit(0);
}

bool is_heard(struct xenevtchn_handle* bell, int milliseconds) {
  struct pollfd ready = {.fd = xenevtchn_fd(bell), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, milliseconds) != 1) return false;
  const auto port = xenevtchn_pending(bell);
  if (port >= 0) xenevtchn_unmask(bell, static_cast<unsigned>(port));
  return port >= 0;
}

}  // namespace

// A child shares a page and is killed.
void probe_death(Probe p) {
  int pipe[2];
  if (::pipe(pipe) != 0) return;
  const pid_t child = ::fork();
  if (child == 0) share_and_wait(p.partner.domain(), pipe[1]);
  Legacy legacy;
  if (::read(pipe[0], &legacy, sizeof legacy) < 0) return;
  p.report.expect(legacy.reference != ~0U,
                  "a read-only page with a byte and a port that tell of its owner's end");
  const auto theirs = from_text(
      p.partner.exchange(to_text({legacy.reference, static_cast<std::uint32_t>(legacy.port)})));
  Mapped mapped(p.grants, p.partner.domain(), {theirs.at(0)});
  p.report.expect(mapped.error() == 0 && mapped.bytes()[kAlive] == kMark, "a child's page");
  struct xenevtchn_handle* bell = xenevtchn_open(nullptr, 0);
  p.report.expect(xenevtchn_bind_interdomain(bell, p.partner.domain(), theirs.at(1)) >= 0,
                  "a child's port");
  while (is_heard(bell, 200)) {
  }
  p.partner.meet();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
  p.partner.meet();
  p.report.expect(mapped.bytes()[0] == kMark, "a killed owner's page stays readable");
  p.report.expect(mapped.bytes()[kAlive] == std::byte{}, "the kernel has cleared the byte");
  p.report.note(std::string("its port has ") + (is_heard(bell, 500) ? "rung" : "not rung"));
  p.report.note("mapping it once more: " + error_name(mapping(p, theirs[0])));
  xenevtchn_close(bell);
  p.partner.meet();
}

}  // namespace xs::probe
