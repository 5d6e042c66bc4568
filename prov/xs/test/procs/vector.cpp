// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/vector.hpp"

#include <arpa/inet.h>
#include <rdma/fi_errno.h>

#include <array>
#include <exception>

#include "procs/failure.hpp"

namespace xs::test {

struct sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
  struct sockaddr_in name {};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) throw Failure("bad " + address);
  return name;
}

namespace {

int open(struct fid_domain* domain, const Vector::Attributes& attributes, struct fid_av** fid) {
  struct fi_av_attr attr {};
  attr.name = attributes.name.empty() ? nullptr : attributes.name.c_str();
  attr.flags = attributes.flags;
  return fi_av_open(domain, &attr, fid, nullptr);
}

}  // namespace

void Vector::Closer::operator()(struct fid_av* fid) const {
  if (const int rc = fi_close(&fid->fid))
    throw Failure(std::string("fi_close of an address vector: ") + fi_strerror(-rc));
}

Vector::Vector(struct fid_domain* domain, const Attributes& attributes) {
  struct fid_av* fid = nullptr;
  if (const int rc = open(domain, attributes, &fid))
    throw Failure(std::string("fi_av_open: ") + fi_strerror(-rc));
  fid_.reset(fid);
}

Vector::~Vector() {
  // As in Node: closing would use memory that may be gone.
  if (std::uncaught_exceptions() > 0) (void)fid_.release();
}

int Vector::try_to_open(struct fid_domain* domain, const Attributes& attributes) {
  struct fid_av* fid = nullptr;
  const int rc = open(domain, attributes, &fid);
  if (rc == 0) Closer{}(fid);
  return rc;
}

std::int64_t Vector::insert(const std::string& address, std::uint16_t port) {
  const struct sockaddr_in name = socket_address(address, port);
  fi_addr_t number = FI_ADDR_NOTAVAIL;
  int error = 0;
  const int count = fi_av_insert(fid_.get(), &name, 1, &number, FI_SYNC_ERR, &error);
  if (count < 0) return count;
  return count == 1 ? static_cast<std::int64_t>(number) : -error;
}

int Vector::remove(std::int64_t number) {
  auto of = static_cast<fi_addr_t>(number);
  return fi_av_remove(fid_.get(), &of, 1, 0);
}

std::string Vector::lookup(std::int64_t number) {
  struct sockaddr_in name {};
  std::size_t size = sizeof name;
  if (fi_av_lookup(fid_.get(), static_cast<fi_addr_t>(number), &name, &size) != 0) return "";
  std::array<char, INET_ADDRSTRLEN> text;
  inet_ntop(AF_INET, &name.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(name.sin_port));
}

}  // namespace xs::test
