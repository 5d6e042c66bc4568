// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "face/face.hpp"

#include <array>
#include <stdexcept>

extern "C" struct fi_provider* fi_prov_ini();

namespace xs::abi::test {

struct fi_provider& provider() {
  static struct fi_provider* const made = [] {
    struct fi_param* params = nullptr;
    int count = 0;
    fi_getparams(&params, &count);
    fi_freeparams(params);
    return fi_prov_ini();
  }();
  return *made;
}

InfoPtr make_hints() {
  InfoPtr hints(fi_allocinfo());
  hints->ep_attr->type = FI_EP_RDM;
  return hints;
}

int ask(const struct fi_info* hints, InfoPtr* out, const char* node, const char* service,
        std::uint64_t flags) {
  struct fi_info* found = nullptr;
  const int rc = provider().getinfo(kVersion, node, service, flags, hints, &found);
  const InfoPtr owned(found);
  EXPECT_EQ(rc == 0, found != nullptr);
  if (found) {
    EXPECT_EQ(found->next, nullptr);
  }
  if (out) out->reset(rc ? nullptr : fi_dupinfo(found));
  return rc;
}

fi_addr_t number_of(struct fid_ep& ep, struct fid_av& av) {
  std::array<std::byte, 64> name;
  std::size_t size = name.size();
  EXPECT_EQ(fi_getname(&ep.fid, name.data(), &size), 0);
  fi_addr_t number = FI_ADDR_NOTAVAIL;
  EXPECT_EQ(fi_av_insert(&av, name.data(), 1, &number, 0, nullptr), 1);
  return number;
}

Face::Face(const struct fi_info* hints) {
  if (ask(hints, &info)) throw std::runtime_error("fi_getinfo");
  struct fid_fabric* fabric_fid = nullptr;
  if (provider().fabric(info->fabric_attr, &fabric_fid, nullptr))
    throw std::runtime_error("fi_fabric");
  fabric.reset(fabric_fid);
  struct fid_domain* domain_fid = nullptr;
  if (fi_domain(fabric.get(), info.get(), &domain_fid, nullptr))
    throw std::runtime_error("fi_domain");
  domain.reset(domain_fid);
}

FidPtr<struct fid_cq> Face::open_cq(struct fi_cq_attr attr) {
  struct fid_cq* cq = nullptr;
  EXPECT_EQ(fi_cq_open(domain.get(), &attr, &cq, nullptr), 0);
  return FidPtr<struct fid_cq>(cq);
}

FidPtr<struct fid_av> Face::open_av(struct fi_av_attr attr) {
  struct fid_av* av = nullptr;
  EXPECT_EQ(fi_av_open(domain.get(), &attr, &av, nullptr), 0);
  return FidPtr<struct fid_av>(av);
}

FidPtr<struct fid_eq> Face::open_eq(struct fi_eq_attr attr) {
  struct fid_eq* eq = nullptr;
  EXPECT_EQ(fi_eq_open(fabric.get(), &attr, &eq, nullptr), 0);
  return FidPtr<struct fid_eq>(eq);
}

FidPtr<struct fid_ep> Face::open_ep() {
  struct fid_ep* ep = nullptr;
  EXPECT_EQ(fi_endpoint(domain.get(), info.get(), &ep, nullptr), 0);
  return FidPtr<struct fid_ep>(ep);
}

Loop::Loop(const struct fi_info* hints, std::uint64_t bind_flags)
    : Face(hints), eq(open_eq()), cq(open_cq()), av(open_av()), ep(open_ep()) {
  EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV | bind_flags), 0);
  EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
  EXPECT_EQ(fi_enable(ep.get()), 0);
  self = number_of(*ep, *av);
}

ssize_t Loop::try_next(struct fi_cq_tagged_entry& entry) {
  for (int i = 0; i < 1000; ++i) {
    const ssize_t rc = fi_cq_read(cq.get(), &entry, 1);
    if (rc != -FI_EAGAIN) return rc;
  }
  return 0;
}

struct fi_cq_tagged_entry Loop::next() {
  struct fi_cq_tagged_entry entry {};
  EXPECT_EQ(try_next(entry), 1);
  return entry;
}

struct fi_cq_err_entry Loop::next_error() {
  struct fi_cq_tagged_entry entry {};
  EXPECT_EQ(try_next(entry), -FI_EAVAIL);
  struct fi_cq_err_entry error {};
  EXPECT_EQ(fi_cq_readerr(cq.get(), &error, 0), 1);
  return error;
}

}  // namespace xs::abi::test
