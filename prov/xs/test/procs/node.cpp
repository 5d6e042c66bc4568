// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/node.hpp"

#include <rdma/fi_errno.h>
#include <sched.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>

#include "procs/failure.hpp"

namespace xs::test {

namespace {

void must(ssize_t result, const char* what) {
  if (result < 0) throw Failure(std::string(what) + ": " + fi_strerror(static_cast<int>(-result)));
}

struct fi_info* find(const std::string& address, std::uint16_t port, bool shared) {
  struct fi_info* hints = fi_allocinfo();
  hints->caps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC;
  if (shared) hints->caps |= FI_SHARED_AV | FI_DIRECTED_RECV;
  hints->ep_attr->type = FI_EP_RDM;
  hints->tx_attr->msg_order = hints->rx_attr->msg_order = FI_ORDER_SAS;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->fabric_attr->prov_name = strdup("xs");
  struct fi_info* info = nullptr;
  const int error = fi_getinfo(FI_VERSION(1, 9), address.c_str(), std::to_string(port).c_str(),
                               FI_SOURCE, hints, &info);
  fi_freeinfo(hints);
  must(error, "fi_getinfo");
  return info;
}

}  // namespace

Bytes pattern(std::size_t size, std::uint64_t message) {
  Bytes bytes(size);
  std::uint64_t state = message * 0x9e3779b97f4a7c15u + 1;
  for (std::size_t i = 0; i < size; i += sizeof state) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    std::memcpy(&bytes[i], &state, std::min(sizeof state, size - i));
  }
  return bytes;
}

void Node::Closer::operator()(void* fid) const {
  must(fi_close(static_cast<struct fid*>(fid)), "fi_close");
}

Node::Node(const Worker& worker, const std::string& address, std::uint16_t port,
           const Vector::Attributes& vector)
    : worker_(worker) {
  worker_.at("opening an endpoint");
  info_.reset(find(address, port, !vector.name.empty()));
  struct fid_fabric* fabric;
  must(fi_fabric(info_->fabric_attr, &fabric, nullptr), "fi_fabric");
  fabric_.reset(fabric);
  struct fid_domain* domain;
  must(fi_domain(fabric, info_.get(), &domain, nullptr), "fi_domain");
  domain_.reset(domain);
  av_ = std::make_unique<Vector>(domain, vector);
  struct fi_cq_attr cq_attr {};
  cq_attr.format = FI_CQ_FORMAT_TAGGED;
  if (const char* waiting = std::getenv(kWaiting)) {
    waiting_ = std::strcmp(waiting, "epoll") == 0 ? Waiting::kSet : Waiting::kRead;
    cq_attr.wait_obj = FI_WAIT_FD;
  }
  struct fid_cq* cq;
  must(fi_cq_open(domain, &cq_attr, &cq, nullptr), "fi_cq_open");
  cq_.reset(cq);
  if (waiting_ == Waiting::kSet) {
    set_ = UniqueFd(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    int descriptor = -1;
    must(fi_control(&cq->fid, FI_GETWAIT, &descriptor), "FI_GETWAIT");
    struct epoll_event event {};
    event.events = EPOLLIN;
    checked(epoll_ctl(set_.get(), EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
  }
  struct fid_ep* endpoint;
  must(fi_endpoint(domain, info_.get(), &endpoint, nullptr), "fi_endpoint");
  endpoint_.reset(endpoint);
  must(fi_ep_bind(endpoint, &av_->fid()->fid, 0), "fi_ep_bind");
  must(fi_ep_bind(endpoint, &cq->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind");
  must(fi_enable(endpoint), "fi_enable");
}

Node::~Node() {
  // After a failure, the memory of operations under way may be gone already: closing would use it.
  if (std::uncaught_exceptions() == 0) return;
  (void)endpoint_.release();
  for (auto& each : shown_) (void)each.release();
  (void)cq_.release();
  av_.reset();
  (void)domain_.release();
  (void)fabric_.release();
}

void Node::close() {
  worker_.at("closing the endpoint");
  endpoint_.reset();
}

fi_addr_t Node::insert(const std::string& address, std::uint16_t port) {
  const struct sockaddr_in name = socket_address(address, port);
  fi_addr_t number = FI_ADDR_NOTAVAIL;
  if (insert(reinterpret_cast<const struct sockaddr*>(&name), &number) != 1)
    throw Failure("fi_av_insert takes no " + address);
  return number;
}

int Node::insert(const struct sockaddr* address, fi_addr_t* number) {
  return fi_av_insert(av_->fid(), address, 1, number, 0, nullptr);
}

ssize_t Node::try_send(Transfer& transfer, fi_addr_t to, std::uint64_t tag, std::uint64_t flags) {
  const struct iovec iov { transfer.bytes.data(), transfer.bytes.size() };
  struct fi_msg_tagged message {};
  message.msg_iov = &iov;
  message.iov_count = 1;
  message.addr = to;
  message.tag = tag;
  message.context = &transfer.context;
  transfer.done = false;
  transfer.error = 0;
  const ssize_t result = flags == kNoFlags
                             ? fi_tsend(endpoint_.get(), transfer.bytes.data(),
                                        transfer.bytes.size(), nullptr, to, tag, &transfer.context)
                             : fi_tsendmsg(endpoint_.get(), &message, flags);
  transfer.done = result < 0;
  return result;
}

void Node::send(Transfer& transfer, fi_addr_t to, std::uint64_t tag, std::uint64_t flags) {
  ssize_t result = -FI_EAGAIN;
  until([&] { return (result = try_send(transfer, to, tag, flags)) != -FI_EAGAIN; },
        "a send to be taken");
  must(result, "fi_tsend");
}

void Node::inject(const Bytes& bytes, fi_addr_t to, std::uint64_t tag) {
  ssize_t result = -FI_EAGAIN;
  until(
      [&] {
        result = fi_tinject(endpoint_.get(), bytes.data(), bytes.size(), to, tag);
        return result != -FI_EAGAIN;
      },
      "an inject to be taken");
  must(result, "fi_tinject");
}

void Node::receive(Transfer& transfer, std::uint64_t tag, std::uint64_t ignore, fi_addr_t from) {
  transfer.done = false;
  transfer.error = 0;
  must(fi_trecv(endpoint_.get(), transfer.bytes.data(), transfer.bytes.size(), nullptr, from, tag,
                ignore, &transfer.context),
       "fi_trecv");
}

void Node::cancel(Transfer& transfer) {
  must(fi_cancel(&endpoint_->fid, &transfer.context), "fi_cancel");
}

void Node::show(Bytes& memory, std::uint64_t key) {
  struct fid_mr* mr;
  must(fi_mr_reg(domain_.get(), memory.data(), memory.size(), FI_REMOTE_READ | FI_REMOTE_WRITE, 0,
                 key, 0, &mr, nullptr),
       "fi_mr_reg");
  shown_.emplace_back(mr);
}

void Node::reach(Reach how, Transfer& transfer, fi_addr_t peer, std::uint64_t address,
                 std::uint64_t key) {
  static const std::uint64_t kOne = 1;
  struct fid_ep* const ep = endpoint_.get();
  Bytes& bytes = transfer.bytes;
  void* const context = &transfer.context;
  transfer.done = false;
  transfer.error = 0;
  ssize_t result = -FI_EAGAIN;
  until(
      [&] {
        if (how == Reach::kWrite)
          result = fi_write(ep, bytes.data(), bytes.size(), nullptr, peer, address, key, context);
        else if (how == Reach::kRead)
          result = fi_read(ep, bytes.data(), bytes.size(), nullptr, peer, address, key, context);
        else
          result = fi_fetch_atomic(ep, &kOne, 1, nullptr, bytes.data(), nullptr, peer, address, key,
                                   FI_UINT64, FI_SUM, context);
        return result != -FI_EAGAIN;
      },
      "an operation on the peer's memory to be taken");
  must(result, "fi_rma or fi_atomic");
}

bool Node::peek(std::uint64_t tag, std::uint64_t ignore) {
  Transfer look;
  look.done = false;
  struct fi_msg_tagged message {};
  message.addr = FI_ADDR_UNSPEC;
  message.tag = tag;
  message.ignore = ignore;
  message.context = &look.context;
  must(fi_trecvmsg(endpoint_.get(), &message, FI_PEEK), "fi_trecvmsg(FI_PEEK)");
  until([&] { return look.done; }, "the answer to a peek");
  if (look.error != 0 && look.error != FI_ENOMSG)
    throw Failure(std::string("a peek ended with ") + fi_strerror(look.error));
  return look.error == 0;
}

void Node::shake_hands(fi_addr_t peer) {
  constexpr std::uint64_t kTag = 0x4a4d;
  Transfer out, in;
  receive(in, kTag);
  send(out, peer, kTag, FI_DELIVERY_COMPLETE);
  finish(out, "the first message to the peer");
  finish(in, "the first message of the peer");
}

bool Node::poll() { return rest(milliseconds(200)); }

bool Node::rest(milliseconds longest) {
  std::array<struct fi_cq_tagged_entry, 16> entries;
  const int timeout = static_cast<int>(longest.count());
  if (waiting_ == Waiting::kRead)
    return take(fi_cq_sread(cq_.get(), entries.data(), entries.size(), nullptr, timeout),
                entries.data());
  if (waiting_ == Waiting::kSet) {
    struct fid* queue = &cq_->fid;
    struct epoll_event event;
    const int may_sleep = fi_trywait(fabric_.get(), &queue, 1);
    if (may_sleep != -FI_EAGAIN) must(may_sleep, "fi_trywait");
    if (may_sleep == 0) checked(epoll_wait(set_.get(), &event, 1, timeout), "epoll_wait");
  }
  return take(fi_cq_read(cq_.get(), entries.data(), entries.size()), entries.data());
}

bool Node::take(ssize_t got, const struct fi_cq_tagged_entry* entries) {
  if (got == -FI_EAGAIN) return false;
  if (got == -FI_EAVAIL) {
    read_error();
    return true;
  }
  must(got, "fi_cq_read");
  for (ssize_t i = 0; i < got; ++i) end(entries[static_cast<std::size_t>(i)], 0);
  return got > 0;
}

void Node::read_error() {
  struct fi_cq_err_entry error {};
  if (fi_cq_readerr(cq_.get(), &error, 0) != 1) throw Failure("fi_cq_readerr has no error");
  struct fi_cq_tagged_entry entry {};
  entry.op_context = error.op_context;
  entry.flags = error.flags;
  entry.len = error.len;
  entry.tag = error.tag;
  if (error.err == 0) throw Failure("an error entry without an error");
  end(entry, error.err);
}

void Node::end(const struct fi_cq_tagged_entry& entry, int error) {
  if (!entry.op_context) throw Failure("a completion without a context");
  // The context is the first member.
  auto& transfer = *static_cast<Transfer*>(entry.op_context);
  if (transfer.done) throw Failure("an operation completed twice");
  transfer.done = true;
  transfer.error = error;
  transfer.length = entry.len;
  transfer.tag = entry.tag;
  if (error == 0) ++(entry.flags & FI_RECV ? worker_.board().received : worker_.board().sent);
}

void Node::until(const std::function<bool()>& holds, const char* what, milliseconds within) {
  if (holds()) return;
  worker_.at(what);
  const auto deadline = Clock::now() + within;
  unsigned idle = 0;
  do {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (rest(std::clamp(left, milliseconds(0), longest_rest_)))
      idle = 0;
    else if (++idle > 100)
      sched_yield();
    if ((asleep() || idle % 64 == 63) && Clock::now() >= deadline)
      throw Failure(std::string("waited in vain for ") + what);
  } while (!holds());
}

void Node::pass(milliseconds time) {
  worker_.at("letting time pass");
  for (const auto end = Clock::now() + time; Clock::now() < end;)
    if (!rest(milliseconds(10)) && !asleep())
      std::this_thread::sleep_for(std::chrono::microseconds(200));
}

std::string Node::hear() {
  std::optional<std::string> line;
  longest_rest_ = milliseconds(20);  // the driver wakes nobody
  until([&] { return (line = worker_.heard()).has_value(); }, "the driver, with progress",
        seconds(120));
  longest_rest_ = seconds(1000);
  return *line;
}

void Node::finish(const Transfer& transfer, const char* what, milliseconds within) {
  until([&] { return transfer.done; }, what, within);
  if (transfer.error != 0) throw Failure(std::string(what) + ": " + fi_strerror(transfer.error));
}

}  // namespace xs::test
