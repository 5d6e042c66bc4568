// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Poll sets: fi_poll(3), of libfabric 1.x.
#include <rdma/fi_eq.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "abi/cntr.hpp"
#include "abi/cq.hpp"
#include "abi/domain.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

struct PollSet : fid_poll {
  using Foreign = struct fid_poll;

  explicit PollSet(Domain& owner) noexcept : fid_poll{}, domain(owner) {}

  Domain& domain;
  std::vector<struct fid*> members;  // queues and counters of the domain; each once
};

// What may be a member, as one that is in use: null for anything else.
std::size_t* users_of(PollSet& set, struct fid* fid) noexcept {
  if (fid->fclass == FI_CLASS_CQ) {
    auto& cq = object_of<Cq>(fid);
    return &cq.domain == &set.domain ? &cq.users : nullptr;
  }
  if (fid->fclass != FI_CLASS_CNTR) return nullptr;
  auto& cntr = object_of<Cntr>(fid);
  return &cntr.domain == &set.domain ? &cntr.users : nullptr;
}

bool has_event(struct fid* fid) noexcept {
  if (fid->fclass == FI_CLASS_CQ) return !object_of<Cq>(fid).core.empty();
  return object_of<Cntr>(fid).counter.take_change();
}

int poll(struct fid_poll* fid, void** contexts, int count) noexcept {
  auto& set = object_of<PollSet>(fid);
  if (count < 0 || (count > 0 && !contexts)) return -FI_EINVAL;
  const Guard guard(set.domain.gate);
  set.domain.progress();
  int found = 0;
  for (struct fid* member : set.members) {
    if (found == count) break;
    if (has_event(member)) contexts[found++] = member->context;
  }
  return found;
}

int add(struct fid_poll* fid, struct fid* member, std::uint64_t flags) noexcept {
  auto& set = object_of<PollSet>(fid);
  if (flags) return -FI_EBADFLAGS;
  const Guard guard(set.domain.gate);
  std::size_t* const users = users_of(set, member);
  if (!users || std::ranges::find(set.members, member) != set.members.end()) return -FI_EINVAL;
  return control([&] {
    set.members.push_back(member);
    ++*users;
    return 0;
  });
}

int remove(struct fid_poll* fid, struct fid* member, std::uint64_t flags) noexcept {
  auto& set = object_of<PollSet>(fid);
  if (flags) return -FI_EBADFLAGS;
  const Guard guard(set.domain.gate);
  if (std::erase(set.members, member) == 0) return -FI_EINVAL;
  --*users_of(set, member);
  return 0;
}

int close(struct fid* fid) noexcept {
  auto& set = object_of<PollSet>(fid);
  const Guard guard(set.domain.gate);
  if (!set.members.empty()) return -FI_EBUSY;
  --set.domain.children;
  delete &set;
  return 0;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  return ops;
}();

struct fi_ops_poll poll_ops = [] {
  auto ops = no_ops<struct fi_ops_poll>();
  ops.poll = poll;
  ops.poll_add = add;
  ops.poll_del = remove;
  return ops;
}();

}  // namespace

int open_poll(struct fid_domain* fid, struct fi_poll_attr* attr, struct fid_poll** out) noexcept {
  if (!attr || !out) return -FI_EINVAL;
  if (attr->flags) return -FI_EBADFLAGS;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    auto set = std::make_unique<PollSet>(domain);
    set->fid = {.fclass = FI_CLASS_POLL, .context = nullptr, .ops = &fid_ops};
    set->ops = &poll_ops;
    const Guard guard(domain.gate);
    ++domain.children;
    *out = set.release();
    return 0;
  });
}

}  // namespace xs::abi
