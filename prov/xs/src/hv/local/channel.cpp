// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/channel.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace xs::hv {

namespace {

bool carries_descriptor(MessageKind kind) noexcept {
  return kind == MessageKind::kHello || kind == MessageKind::kPages;
}

bool is_ours(const Message& message, std::size_t size, bool has_descriptor) noexcept {
  return size == sizeof message && message.magic == Message::kMagic &&
         message.version == Message::kVersion && message.kind >= MessageKind::kHello &&
         message.kind <= MessageKind::kOnes && message.zero == 0 &&
         carries_descriptor(message.kind) == has_descriptor;
}

// Room for exactly one descriptor: CMSG_SPACE would round up to two.
struct Control {
  alignas(struct cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> bytes{};
  static constexpr std::size_t kSize = CMSG_LEN(sizeof(int));
};

UniqueFd descriptor_in(struct msghdr& header) noexcept {
  struct cmsghdr* const part = CMSG_FIRSTHDR(&header);
  if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS ||
      part->cmsg_len != CMSG_LEN(sizeof(int)))
    return UniqueFd();
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
  return UniqueFd(fd);
}

void put_descriptor(struct msghdr& header, int fd) noexcept {
  struct cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
}

}  // namespace

Channel& Channel::operator=(Channel&& other) noexcept {
  if (this == &other) return *this;
  close();
  socket_ = std::move(other.socket_);
  std::move(other.waiting_.begin(), other.waiting_.end(), waiting_.begin());
  count_ = std::exchange(other.count_, 0);
  return *this;
}

void Channel::close() noexcept {
  hang_up();
  socket_.reset();
}

void Channel::hang_up() noexcept {
  if (socket_) shutdown(socket_.get(), SHUT_RDWR);
  for (unsigned i = 0; i < count_; ++i) waiting_[i].fd.reset();
  count_ = 0;
}

Gave Channel::send(const Message& message, UniqueFd fd) noexcept {
  const Gave gave = count_ > 0 ? Gave::kWaits : try_send(message, fd);
  if (gave != Gave::kWaits) return gave;
  if (count_ == kMostWaiting) return Gave::kExhausted;
  waiting_[count_++] = {message, std::move(fd)};
  return Gave::kWaits;
}

Gave Channel::flush() noexcept {
  unsigned sent = 0;
  Gave gave = Gave::kSent;
  while (sent < count_ && gave == Gave::kSent) {
    gave = try_send(waiting_[sent].message, waiting_[sent].fd);
    if (gave == Gave::kSent) waiting_[sent++].fd.reset();
  }
  std::move(waiting_.begin() + sent, waiting_.begin() + count_, waiting_.begin());
  count_ -= sent;
  return gave;
}

bool Channel::take_back(std::uint64_t number) noexcept {
  const auto end = waiting_.begin() + count_;
  const auto found = std::find_if(waiting_.begin(), end, [&](const Waiting& waiting) {
    return waiting.message.kind == MessageKind::kPages && waiting.message.first == number;
  });
  if (found == end) return false;
  found->fd.reset();
  std::move(found + 1, end, found);
  --count_;
  return true;
}

Gave Channel::try_send(const Message& message, const UniqueFd& fd) noexcept {
  struct iovec iov = {const_cast<Message*>(&message), sizeof message};
  Control control;
  struct msghdr header {};
  header.msg_iov = &iov;
  header.msg_iovlen = 1;
  if (fd) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = Control::kSize;
    put_descriptor(header, fd.get());
  }
  ssize_t sent = -1;
  do {
    sent = sendmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Gave::kSent;
  if (errno == EAGAIN) return Gave::kWaits;
  const bool gone = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
  return gone ? Gave::kEnd : Gave::kExhausted;
}

Got Channel::receive(Message& message, UniqueFd& fd) noexcept {
  message = {};
  struct iovec iov = {&message, sizeof message};
  Control control;
  struct msghdr header {};
  header.msg_iov = &iov;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = Control::kSize;
  ssize_t size = -1;
  do {
    size = recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno == EAGAIN ? Got::kNothing : Got::kEnd;
  fd = descriptor_in(header);
  if (size == 0) return Got::kEnd;
  if (header.msg_flags & MSG_TRUNC) return Got::kNonsense;
  // The kernel drops a descriptor that has no place here, and one too many.
  if (header.msg_flags & MSG_CTRUNC) return fd ? Got::kNonsense : Got::kExhausted;
  const bool ours = is_ours(message, static_cast<std::size_t>(size), static_cast<bool>(fd));
  return ours ? Got::kMessage : Got::kNonsense;
}

}  // namespace xs::hv
