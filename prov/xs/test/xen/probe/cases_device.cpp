// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The store's device without libxenstore: what a backend gets that must not block and wants no
// thread.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "xen/probe/cases.hpp"

namespace xs::probe {

namespace {

class Device {
 public:
  Device() : fd_(::open("/dev/xen/xenbus", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {}
  ~Device() { ::close(fd_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // In one piece, as an errno value.
  int ask(std::uint32_t type, const std::string& body, std::uint32_t request) {
    struct xsd_sockmsg head = {.type = type,
                               .req_id = request,
                               .tx_id = 0,
                               .len = static_cast<std::uint32_t>(body.size())};
    std::string message(reinterpret_cast<const char*>(&head), sizeof head);
    message += body;
    const ssize_t size = ::write(fd_, message.data(), message.size());
    return size == static_cast<ssize_t>(message.size()) ? 0 : size < 0 ? errno : EMSGSIZE;
  }
  bool readable(int milliseconds) {
    struct pollfd ready = {.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, milliseconds) == 1;
  }
  // What has come, as text "type/request:body"; an error's name if there is nothing.
  std::string hear(int milliseconds) {
    struct xsd_sockmsg head = {};
    if (!readable(milliseconds)) return "silence";
    if (::read(fd_, &head, sizeof head) != sizeof head) return error_name(errno);
    std::string body(head.len, '\0');
    if (head.len > 0 && ::read(fd_, body.data(), body.size()) < 0) return error_name(errno);
    return std::to_string(head.type) + '/' + std::to_string(head.req_id) + ':' + body;
  }
  int read_nothing() {
    char byte = 0;
    return ::read(fd_, &byte, 1) < 0 ? errno : 0;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

const std::string kEnd(1, '\0');

}  // namespace

void probe_device(Probe p) {
  Device device;
  const std::size_t before = open_descriptors();
  p.report.expect_error(device.read_nothing(), EAGAIN, "reading the device when there is nothing");
  const Stopwatch writing;
  p.report.expect_error(device.ask(XS_READ, "domid" + kEnd, 7), 0, "asking without waiting");
  p.report.note("asking takes " + writing.text());
  const Stopwatch waiting;
  p.report.expect(device.hear(5000) == "2/7:" + std::to_string(p.store.own_domain()),
                  "the answer makes it readable, with the request's number");
  p.report.note("the answer takes " + waiting.text());
  const std::string path = p.partner.path_of("nowhere") + kEnd;
  p.report.expect_error(device.ask(XS_READ, path, 8), 0, "asking for what isn't there");
  const std::string refused = device.hear(5000);
  p.report.expect(refused.starts_with("16/8:EACCES") || refused.starts_with("16/8:ENOENT"),
                  "... is answered " + refused);
  // More than one question at a time.
  for (std::uint32_t i = 20; i < 23; ++i) device.ask(XS_READ, "domid" + kEnd, i);
  std::string answers;
  for (int i = 0; i < 3; ++i) answers += device.hear(5000).substr(0, 5);
  p.report.note("three questions at once are answered " + answers);

  const auto watch = [&](int i) {
    return device.ask(XS_WATCH, "data" + kEnd + "w" + std::to_string(i) + kEnd, 30);
  };
  int count = 0, error = 0;
  while (count < 1000 && (error = watch(count)) == 0) ++count;
  while (device.readable(300)) device.hear(0);
  p.report.expect(error != 0, "no more than " + std::to_string(count) +
                                  " watches over the device: " + error_name(error));
  device.ask(XS_READ, "domid" + kEnd, 9);
  p.report.expect(device.hear(5000).starts_with("2/9:"), "it is of use after that");
  p.report.expect(open_descriptors() == before, "it is one descriptor");
  p.partner.meet();
}

}  // namespace xs::probe
