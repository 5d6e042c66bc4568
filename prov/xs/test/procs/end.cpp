// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/end.hpp"

#include <rdma/fi_errno.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <exception>

#include "procs/failure.hpp"

namespace xs::test {

namespace {

void must(ssize_t result, const char* what) {
  if (result < 0) throw Failure(std::string(what) + ": " + fi_strerror(static_cast<int>(-result)));
}

Transfer& transfer_of(void* context) {
  return *reinterpret_cast<Transfer*>(static_cast<char*>(context) - offsetof(Transfer, context));
}

struct fi_info* find(const std::string& address, std::uint64_t flags) {
  struct fi_info* hints = fi_allocinfo();
  hints->caps = FI_MSG | FI_TAGGED;
  hints->ep_attr->type = FI_EP_MSG;
  hints->fabric_attr->prov_name = strdup("xs");
  struct fi_info* info = nullptr;
  const int error = fi_getinfo(FI_VERSION(1, 9), address.c_str(),
                               std::to_string(End::kPort).c_str(), flags, hints, &info);
  fi_freeinfo(hints);
  must(error, "fi_getinfo");
  return info;
}

}  // namespace

void End::Closer::operator()(void* fid) const {
  must(fi_close(static_cast<struct fid*>(fid)), "fi_close");
}

End::End(const Worker& worker, const std::string& address, Role role) : worker_(worker) {
  info_.reset(find(address, role == Role::kServer ? FI_SOURCE : 0));
  struct fid_fabric* fabric;
  must(fi_fabric(info_->fabric_attr, &fabric, nullptr), "fi_fabric");
  fabric_.reset(fabric);
  struct fi_eq_attr eq_attr {};
  eq_attr.wait_obj = FI_WAIT_UNSPEC;
  struct fid_eq* eq;
  must(fi_eq_open(fabric, &eq_attr, &eq, nullptr), "fi_eq_open");
  eq_.reset(eq);
  struct fid_domain* domain;
  must(fi_domain(fabric, info_.get(), &domain, nullptr), "fi_domain");
  domain_.reset(domain);
  struct fi_cq_attr cq_attr {};
  cq_attr.format = FI_CQ_FORMAT_TAGGED;
  struct fid_cq* cq;
  must(fi_cq_open(domain, &cq_attr, &cq, nullptr), "fi_cq_open");
  cq_.reset(cq);
  if (role == Role::kClient) {
    open_endpoint(info_.get());
    return;
  }
  struct fid_pep* passive;
  must(fi_passive_ep(fabric, info_.get(), &passive, nullptr), "fi_passive_ep");
  passive_.reset(passive);
  must(fi_pep_bind(passive, &eq->fid, 0), "fi_pep_bind");
  must(fi_listen(passive), "fi_listen");
}

End::~End() {
  // As in Node: closing would use memory that may be gone.
  if (std::uncaught_exceptions() == 0) return;
  (void)endpoint_.release();
  (void)passive_.release();
  (void)cq_.release();
  (void)domain_.release();
  (void)eq_.release();
  (void)fabric_.release();
}

void End::open_endpoint(struct fi_info* info) {
  struct fid_ep* endpoint;
  must(fi_endpoint(domain_.get(), info, &endpoint, nullptr), "fi_endpoint");
  endpoint_.reset(endpoint);
  must(fi_ep_bind(endpoint, &eq_->fid, 0), "fi_ep_bind");
  must(fi_ep_bind(endpoint, &cq_->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind");
}

void End::call() { must(fi_connect(endpoint_.get(), info_->dest_addr, nullptr, 0), "fi_connect"); }

void End::accept() {
  worker_.at("waiting for a request");
  struct fi_eq_cm_entry entry {};
  std::uint32_t number = 0;
  const auto milliseconds = static_cast<int>(std::chrono::milliseconds(kSoon).count());
  must(fi_eq_sread(eq_.get(), &number, &entry, sizeof entry, milliseconds, 0), "fi_eq_sread");
  if (number != FI_CONNREQ) throw Failure("another event than a request");
  request_.reset(entry.info);
  open_endpoint(entry.info);
  must(fi_accept(endpoint_.get(), nullptr, 0), "fi_accept");
}

std::optional<End::Event> End::event(milliseconds within) {
  const auto end = Clock::now() + within;
  do {
    std::array<std::byte, 512> room;
    Event event{};
    const ssize_t rc = fi_eq_read(eq_.get(), &event.number, room.data(), room.size(), 0);
    if (rc == -FI_EAVAIL) {
      struct fi_eq_err_entry error {};
      must(fi_eq_readerr(eq_.get(), &error, 0), "fi_eq_readerr");
      return Event{0, error.err};
    }
    if (rc != -FI_EAGAIN) {
      must(rc, "fi_eq_read");
      return event;
    }
    poll();
  } while (Clock::now() < end);
  return std::nullopt;
}

void End::expect_connected() {
  worker_.at("waiting for a connection");
  const auto came = event(kSoon);
  if (!came) throw Failure("no connection");
  if (came->number != FI_CONNECTED)
    throw Failure("no connection but event " + std::to_string(came->number) + ", error " +
                  fi_strerror(came->error));
}

void End::shut_down() { must(fi_shutdown(endpoint_.get(), 0), "fi_shutdown"); }
void End::close() {
  worker_.at("closing the endpoint");
  endpoint_.reset();
}

void End::post(Transfer& transfer, std::uint64_t tag) {
  transfer.done = false;
  transfer.error = 0;
  must(fi_trecv(endpoint_.get(), transfer.bytes.data(), transfer.bytes.size(), nullptr, 0, tag, 0,
                &transfer.context),
       "fi_trecv");
}

ssize_t End::try_send(Transfer& transfer, std::uint64_t tag) {
  transfer.done = false;
  transfer.error = 0;
  const ssize_t rc = fi_tsend(endpoint_.get(), transfer.bytes.data(), transfer.bytes.size(),
                              nullptr, 0, tag, &transfer.context);
  transfer.done = rc < 0;
  return rc;
}

void End::send(Transfer& transfer, std::uint64_t tag) {
  const auto end = Clock::now() + kSoon;
  ssize_t rc;
  while ((rc = try_send(transfer, tag)) == -FI_EAGAIN && Clock::now() < end) poll();
  must(rc, "fi_tsend");
}

void End::poll() {
  struct fi_cq_tagged_entry entry;
  ssize_t rc;
  while ((rc = fi_cq_read(cq_.get(), &entry, 1)) == 1) {
    Transfer& transfer = transfer_of(entry.op_context);
    transfer.length = entry.len;
    transfer.done = true;
  }
  if (rc == -FI_EAGAIN) return;
  if (rc != -FI_EAVAIL) must(rc, "fi_cq_read");
  struct fi_cq_err_entry error {};
  must(fi_cq_readerr(cq_.get(), &error, 0), "fi_cq_readerr");
  Transfer& transfer = transfer_of(error.op_context);
  transfer.error = error.err;
  transfer.done = true;
}

void End::finish(const Transfer& transfer, const char* what) {
  worker_.at(what);
  for (const auto end = Clock::now() + kSoon; !transfer.done && Clock::now() < end;) poll();
  if (!transfer.done) throw Failure(std::string("waited in vain for ") + what);
}

void End::hear() {
  worker_.at("waiting for the driver");
  for (const auto end = Clock::now() + 4 * kSoon; !worker_.heard(); poll())
    if (Clock::now() > end) throw Failure("the driver says nothing");
}

}  // namespace xs::test
