// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "xen/probe/store.hpp"

#include <poll.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

namespace xs::probe {

namespace {

using Clock = std::chrono::steady_clock;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

int error_unless(bool good) { return good ? 0 : errno; }

}  // namespace

Store::Store() : handle_(xs_open(0)) {
  if (!handle_) {
    std::perror("xs_open");
    std::exit(2);
  }
  if (const auto domain = read("domid")) own_domain_ = static_cast<unsigned>(std::stoul(*domain));
}

Store::~Store() { xs_close(handle_); }

std::optional<std::string> Store::read(const std::string& path, int* error) {
  unsigned size = 0;
  const std::unique_ptr<void, Free> value(xs_read(handle_, XBT_NULL, path.c_str(), &size));
  if (error) *error = error_unless(value != nullptr);
  if (!value) return std::nullopt;
  return std::string(static_cast<const char*>(value.get()), size);
}

int Store::write(const std::string& path, const std::string& value) {
  return error_unless(
      xs_write(handle_, XBT_NULL, path.c_str(), value.data(), static_cast<unsigned>(value.size())));
}

int Store::remove(const std::string& path) {
  return error_unless(xs_rm(handle_, XBT_NULL, path.c_str()));
}

int Store::list(const std::string& path) {
  unsigned count = 0;
  const std::unique_ptr<void, Free> names(xs_directory(handle_, XBT_NULL, path.c_str(), &count));
  return error_unless(names != nullptr);
}

int Store::watch(const std::string& path, const std::string& token) {
  return error_unless(xs_watch(handle_, path.c_str(), token.c_str()));
}

int Store::unwatch(const std::string& path, const std::string& token) {
  return error_unless(xs_unwatch(handle_, path.c_str(), token.c_str()));
}

int Store::permit(const std::string& path, const std::vector<struct xs_permissions>& permissions) {
  auto copy = permissions;
  return error_unless(xs_set_permissions(handle_, XBT_NULL, path.c_str(), copy.data(),
                                         static_cast<unsigned>(copy.size())));
}

int Store::permit_one(const std::string& path, unsigned domain) {
  return permit(
      path, {{.id = own_domain_, .perms = XS_PERM_NONE}, {.id = domain, .perms = XS_PERM_READ}});
}

int Store::permit_all(const std::string& path) {
  return permit(path, {{.id = own_domain_, .perms = XS_PERM_READ}});
}

std::optional<std::string> Store::next_event(std::chrono::milliseconds patience) {
  struct pollfd ready = {.fd = xs_fileno(handle_), .events = POLLIN, .revents = 0};
  const auto late = Clock::now() + patience;
  for (;;) {
    const std::unique_ptr<char*, Free> event(xs_check_watch(handle_));
    if (event) return std::string(event.get()[XS_WATCH_PATH]);
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(late - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    ::poll(&ready, 1, static_cast<int>(left));
  }
}

std::string Partner::path_of(const std::string& node) const {
  return "/local/domain/" + std::to_string(domain_) + "/data/xs-probe/" + node;
}

void Partner::begin() {
  store_.remove("data/xs-probe");
  store_.remove("data/xs-probe-step");
}

// The last step stays: the other one may have yet to see it.
void Partner::end() {
  meet();
  store_.remove("data/xs-probe");
  for (unsigned step = 1; step < step_; ++step) store_.remove("data/" + step_node(step));
}

std::string Partner::step_node(unsigned step) { return "xs-probe-step/" + std::to_string(step); }

std::string Partner::exchange(const std::string& mine) {
  const std::string node = step_node(++step_);
  store_.write("data/" + node, mine);
  store_.permit_one("data/" + node, domain_);
  const std::string theirs_at = "/local/domain/" + std::to_string(domain_) + "/data/";
  const auto late = Clock::now() + std::chrono::minutes(1);
  while (Clock::now() < late) {
    // A node is there for a moment before it may be read, so what may be read is whole.
    if (const auto theirs = store_.read(theirs_at + node)) return *theirs;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::printf("FAIL the other probe did not come to step %u\n", step_);
  std::exit(1);
}

}  // namespace xs::probe
