// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/av.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "abi/eq.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"
#include "abi/resolve.hpp"
#include "util/log.hpp"

namespace xs::abi {

namespace {

using core::Address;

constexpr std::size_t kMapped = 1024;  // numbers at map_addr, if no more are asked for
constexpr std::uint64_t kInsertFlags = FI_MORE | FI_SYNC_ERR;

// Where one insertion's results go.
class Results {
 public:
  Results(Av& av, fi_addr_t* numbers, std::uint64_t flags, void* context,
          std::size_t count) noexcept
      : av_(av), numbers_(numbers), context_(context) {
    if ((flags & FI_SYNC_ERR) && context && !av.events) errors_ = static_cast<int*>(context);
    if (errors_) std::fill_n(errors_, count, 0);
  }

  void good(std::size_t index, core::PeerAddress number) noexcept {
    if (numbers_) numbers_[index] = number;
    ++inserted_;
  }

  void bad(std::size_t index, int error) noexcept {
    if (numbers_) numbers_[index] = FI_ADDR_NOTAVAIL;
    if (errors_) errors_[index] = error;
    if (!av_.events) return;
    struct fi_eq_err_entry entry {};
    entry.fid = &av_.fid;
    entry.context = context_;
    entry.data = index;
    entry.err = error;
    av_.eq->write_error(entry);
  }

  // What the call returns.
  int end() noexcept {
    if (!av_.events) return static_cast<int>(inserted_);
    const struct fi_eq_entry entry { &av_.fid, context_, inserted_ };
    const ssize_t rc = av_.eq->write(FI_AV_COMPLETE, &entry, sizeof entry, false);
    return rc < 0 ? static_cast<int>(rc) : 0;
  }

 private:
  Av& av_;
  fi_addr_t* numbers_;
  void* context_;
  int* errors_ = nullptr;
  std::uint64_t inserted_ = 0;
};

// An address that nothing can be sent to is malformed too.
bool usable(const Address& address, std::uint16_t family) noexcept {
  return address.family == family && address.port != 0 && !address.is_wildcard();
}

// Asks while another process changes the list of a shared vector, which may last for seconds if it
// was stopped: not inside the gate, where everybody else would wait, too.
template <class F>
int ask_patiently(std::optional<Guard>& guard, Gate& gate, F&& ask) {
  for (unsigned waited = 0;; ++waited) {
    const int error = ask(waited);
    if (error != EAGAIN) return error;
    guard.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    guard.emplace(gate);
  }
}

int insert_all(Av& av, std::span<const std::optional<Address>> addresses, fi_addr_t* numbers,
               std::uint64_t flags, void* context) {
  if (flags & ~kInsertFlags) return -FI_EBADFLAGS;
  if (av.events && !av.eq) return -FI_ENOEQ;
  const std::uint16_t family = av.domain.core.inner().source().family;
  std::optional<Guard> guard(std::in_place, av.domain.gate);
  Results results(av, numbers, flags, context, addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (!addresses[i]) {
      results.bad(i, FI_EADDRNOTAVAIL);
    } else if (!usable(*addresses[i], family)) {
      results.bad(i, FI_EINVAL);
    } else {
      core::PeerAddress number = FI_ADDR_NOTAVAIL;
      const int error = ask_patiently(guard, av.domain.gate, [&](unsigned waited) {
        return -control([&] { return -av.book.enter(*addresses[i], number, waited); });
      });
      error ? results.bad(i, error) : results.good(i, number);
    }
  }
  return results.end();
}

std::size_t stride_of(Av& av) noexcept { return av.domain.core.inner().source().sockaddr_size(); }

// The application's array is packed: an entry may be unaligned.
std::optional<Address> address_at(const std::byte* from, std::size_t size) noexcept {
  struct sockaddr_storage room {};
  std::memcpy(&room, from, size);
  return Address::from_sockaddr(reinterpret_cast<const struct sockaddr*>(&room), size);
}

int insert(struct fid_av* fid, const void* from, std::size_t count, fi_addr_t* numbers,
           std::uint64_t flags, void* context) noexcept {
  auto& av = object_of<Av>(fid);
  if (!from && count > 0) return -FI_EINVAL;
  return control([&] {
    const std::size_t stride = stride_of(av);
    std::vector<std::optional<Address>> addresses(count);
    for (std::size_t i = 0; i < count; ++i)
      addresses[i] = address_at(static_cast<const std::byte*>(from) + i * stride, stride);
    return insert_all(av, addresses, numbers, flags, context);
  });
}

int insertsym(struct fid_av* fid, const char* node, std::size_t nodes, const char* service,
              std::size_t services, fi_addr_t* numbers, std::uint64_t flags,
              void* context) noexcept {
  auto& av = object_of<Av>(fid);
  if (!node || !service || nodes == 0 || services == 0) return -FI_EINVAL;
  return control([&] {
    const std::uint16_t family = av.domain.core.inner().source().family;
    const auto addresses = resolve_range(node, nodes, service, services, family);
    return insert_all(av, addresses, numbers, flags, context);
  });
}

int insertsvc(struct fid_av* fid, const char* node, const char* service, fi_addr_t* numbers,
              std::uint64_t flags, void* context) noexcept {
  return insertsym(fid, node, 1, service, 1, numbers, flags, context);
}

int remove(struct fid_av* fid, fi_addr_t* numbers, std::size_t count,
           std::uint64_t flags) noexcept {
  auto& av = object_of<Av>(fid);
  if (flags) return -FI_EBADFLAGS;
  if (!numbers && count > 0) return -FI_EINVAL;
  std::optional<Guard> guard(std::in_place, av.domain.gate);
  int first = 0;  // what failed
  for (std::size_t i = 0; i < count; ++i) {
    const int error = ask_patiently(
        guard, av.domain.gate, [&](unsigned waited) { return av.book.remove(numbers[i], waited); });
    if (first == 0) first = error;
  }
  return first == ENOENT ? -FI_EINVAL : -first;
}

int lookup(struct fid_av* fid, fi_addr_t number, void* to, std::size_t* size) noexcept {
  auto& av = object_of<Av>(fid);
  if (!size || (!to && *size > 0)) return -FI_EINVAL;
  const Guard guard(av.domain.gate);
  const Address* address = av.book.lookup(number);
  if (!address) return -FI_EINVAL;
  struct sockaddr_storage room;
  const std::size_t whole = address->to_sockaddr(room);
  if (*size > 0) std::memcpy(to, &room, std::min(*size, whole));
  *size = whole;
  return 0;
}

const char* straddr(struct fid_av* fid, const void* from, char* buffer, std::size_t* size) noexcept
    try {
  const std::optional<Address> address =
      address_at(static_cast<const std::byte*>(from), stride_of(object_of<Av>(fid)));
  std::string text = "fi_addr_unspec://";
  if (address) {
    text = address->family == 6 ? "fi_sockaddr_in6://" : "fi_sockaddr_in://";
    text += address->text();
  }
  if (buffer && *size > 0) {
    const std::size_t room = std::min(*size - 1, text.size());
    text.copy(buffer, room);
    buffer[room] = '\0';
  }
  *size = text.size() + 1;
  return buffer;
} catch (const std::bad_alloc&) {
  return nullptr;
}

int close(struct fid* fid) noexcept {
  auto& av = object_of<Av>(fid);
  {
    const Guard guard(av.domain.gate);
    if (av.users > 0) return -FI_EBUSY;
    if (av.eq) av.eq->remove_user();
    --av.domain.children;
  }
  delete &av;  // may wait for another process that changes the list
  return 0;
}

int bind(struct fid* fid, struct fid* other, std::uint64_t flags) noexcept {
  auto& av = object_of<Av>(fid);
  if (other->fclass != FI_CLASS_EQ) return -FI_EINVAL;
  if (flags) return -FI_EBADFLAGS;
  const Guard guard(av.domain.gate);
  if (av.eq) return -FI_EINVAL;
  av.eq = &object_of<Eq>(other);
  av.eq->add_user();
  return 0;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.bind = bind;
  return ops;
}();

struct fi_ops_av av_ops = [] {
  auto ops = no_ops<struct fi_ops_av>();
  ops.insert = insert;
  ops.insertsvc = insertsvc;
  ops.insertsym = insertsym;
  ops.remove = remove;
  ops.lookup = lookup;
  ops.straddr = straddr;
  return ops;
}();

// Scalable endpoints are not offered.
int check(const struct fi_av_attr& attr) noexcept {
  if (raw(attr.type) > FI_AV_TABLE) return -FI_EINVAL;
  if (attr.rx_ctx_bits > 0) return -FI_EINVAL;
  const std::uint64_t known = FI_EVENT | FI_SYMMETRIC | (attr.name ? FI_READ : 0);
  return attr.flags & ~known ? -FI_EBADFLAGS : 0;
}

int share(Av& av, struct fi_av_attr& attr) {
  using core::SharedAddresses;
  const auto access =
      attr.flags & FI_READ ? SharedAddresses::Access::kRead : SharedAddresses::Access::kWrite;
  auto list = SharedAddresses::open(attr.name, av.domain.core.inner().source().family, access);
  if (!list) {
    util::log(util::Level::kWarn, "address vector %s: %s", attr.name, list.error().what);
    return to_errno(list.error());
  }
  av.book.share(std::move(*list));
  if (attr.map_addr) return 0;
  av.numbers.resize(std::clamp<std::size_t>(attr.count, kMapped, SharedAddresses::kMost));
  std::iota(av.numbers.begin(), av.numbers.end(), fi_addr_t{0});
  attr.map_addr = av.numbers.data();
  return 0;
}

}  // namespace

int open_av(struct fid_domain* fid, struct fi_av_attr* attr, struct fid_av** out,
            void* context) noexcept {
  if (!attr || !out) return -FI_EINVAL;
  if (const int rc = check(*attr)) return rc;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    auto av = std::make_unique<Av>(domain, (attr->flags & FI_EVENT) != 0);
    av->fid = {.fclass = FI_CLASS_AV, .context = context, .ops = &fid_ops};
    av->ops = &av_ops;
    if (attr->name)
      if (const int rc = share(*av, *attr)) return rc;
    const Guard guard(domain.gate);
    ++domain.children;
    *out = av.release();
    return 0;
  });
}

}  // namespace xs::abi
