// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-paths [-t SECONDS] [SERVER-ADDRESS PORT]: two processes exchange small messages and tell which
// way these go, whenever that has changed because a virtual machine moved.
//
// An example of <rdma/fi_ext_xs.h>: an event queue bound to the domain, and the table that
// fi_open_ops gives. Without an address it is the server and prints its own; give that to the
// client. It needs FI_PROVIDER_PATH or an installed xs.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_ext_xs.h>
#include <rdma/fi_tagged.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct fid_fabric *fabric;
static struct fid_domain *domain;
static struct fid_eq *eq;
static struct fid_cq *cq;
static struct fid_av *av;
static struct fid_ep *ep;
static const struct fi_xs_ops_domain *xs;

// The name of the sender, so that the server learns whom to answer.
struct message {
	struct sockaddr_in6 from; // large enough for either family
	size_t length;
};

static void must(long rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, fi_strerror((int) -rc));
	exit(1);
}

static void open_all(void)
{
	struct fi_info *hints = fi_allocinfo(), *info;
	struct fi_cq_attr cq_attr = { .format = FI_CQ_FORMAT_TAGGED };
	struct fi_av_attr av_attr = { .type = FI_AV_TABLE };
	struct fi_eq_attr eq_attr = { .wait_obj = FI_WAIT_NONE };

	if (!hints)
		must(-FI_ENOMEM, "fi_allocinfo");
	hints->fabric_attr->prov_name = strdup("xs");
	hints->ep_attr->type = FI_EP_RDM;
	hints->caps = FI_TAGGED;
	must(fi_getinfo(FI_VERSION(1, 17), NULL, NULL, 0, hints, &info), "fi_getinfo");
	must(fi_fabric(info->fabric_attr, &fabric, NULL), "fi_fabric");
	must(fi_domain(fabric, info, &domain, NULL), "fi_domain");
	must(fi_eq_open(fabric, &eq_attr, &eq, NULL), "fi_eq_open");
	must(fi_domain_bind(domain, &eq->fid, 0), "fi_domain_bind");
	must(fi_open_ops(&domain->fid, FI_XS_DOMAIN_OPS, 0, (void **) &xs, NULL), "fi_open_ops");
	must(fi_cq_open(domain, &cq_attr, &cq, NULL), "fi_cq_open");
	must(fi_av_open(domain, &av_attr, &av, NULL), "fi_av_open");
	must(fi_endpoint(domain, info, &ep, NULL), "fi_endpoint");
	must(fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind");
	must(fi_ep_bind(ep, &av->fid, 0), "fi_ep_bind");
	must(fi_enable(ep), "fi_enable");
	fi_freeinfo(info);
	fi_freeinfo(hints);
}

// What reports to a queue closes before it.
static void close_all(void)
{
	must(fi_close(&ep->fid), "fi_close");
	must(fi_close(&av->fid), "fi_close");
	must(fi_close(&cq->fid), "fi_close");
	must(fi_close(&domain->fid), "fi_close");
	must(fi_close(&eq->fid), "fi_close");
	must(fi_close(&fabric->fid), "fi_close");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static const char *name_of(uint32_t path)
{
	switch (path) {
	case FI_XS_PATH_FABRIC:
		return "fabric";
	case FI_XS_PATH_RING:
		return "ring";
	case FI_XS_PATH_SELF:
		return "self";
	default:
		return "none";
	}
}

static void tell(double begin, fi_addr_t peer, const char *why)
{
	struct fi_xs_locality here;
	struct fi_xs_peer p;

	must(xs->locality(domain, &here, sizeof here), "locality");
	must(xs->peer(ep, peer, &p, sizeof p), "peer");
	printf("%6.2f s  %-12s generation %llu, peer's %llu: by %s, epoch %llu; "
	       "%llu messages by fabric, %llu by ring, %llu frames replayed\n",
	       seconds() - begin, why, (unsigned long long) here.generation,
	       (unsigned long long) p.locality.generation, name_of(p.path),
	       (unsigned long long) p.epoch, (unsigned long long) p.fabric.sent_messages,
	       (unsigned long long) p.ring.sent_messages, (unsigned long long) p.replayed);
	fflush(stdout);
}

// Reads the queue of events, which is empty but after a move.
static void look_for_events(double begin, fi_addr_t peer)
{
	struct fi_eq_entry entry;
	uint32_t event;

	while (fi_eq_read(eq, &event, &entry, sizeof entry, 0) > 0)
		if (event == FI_XS_PATHS_REFRESHED)
			tell(begin, peer, "refreshed");
}

// The completion of the one operation that is under way.
static struct fi_cq_tagged_entry complete(double begin, fi_addr_t peer)
{
	struct fi_cq_tagged_entry entry;
	ssize_t rc;

	while ((rc = fi_cq_read(cq, &entry, 1)) == -FI_EAGAIN)
		if (peer != FI_ADDR_UNSPEC)
			look_for_events(begin, peer);
	must(rc, "fi_cq_read");
	return entry;
}

static void send_one(const struct message *m, uint64_t tag, double begin, fi_addr_t peer)
{
	must(fi_tsend(ep, m, sizeof *m, NULL, peer, tag, NULL), "fi_tsend");
	complete(begin, peer);
}

// Returns its tag.
static uint64_t receive_one(struct message *m, double begin, fi_addr_t peer)
{
	must(fi_trecv(ep, m, sizeof *m, NULL, FI_ADDR_UNSPEC, 0, ~UINT64_C(0), NULL), "fi_trecv");
	return complete(begin, peer).tag;
}

static struct message own_name(void)
{
	struct message m = { .length = sizeof m.from };

	must(fi_getname(&ep->fid, &m.from, &m.length), "fi_getname");
	return m;
}

static void print_name(const struct message *m)
{
	const struct sockaddr_in *v4 = (const void *) &m->from;
	char text[INET6_ADDRSTRLEN];

	if (m->from.sin6_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
	else
		inet_ntop(AF_INET6, &m->from.sin6_addr, text, sizeof text);
	printf("%s %d\n", text, ntohs(m->from.sin6_port)); // the port stands at the same place in both
	fflush(stdout);
}

// A tag of 1 says that another message follows.
static void ask(double limit, fi_addr_t server)
{
	struct message out = own_name(), in;
	double begin = seconds();
	uint64_t more = 1;

	while (more) {
		more = seconds() - begin < limit;
		send_one(&out, more, begin, server);
		receive_one(&in, begin, server);
	}
	tell(begin, server, "end");
}

static void answer(void)
{
	struct message out = own_name(), in;
	fi_addr_t client = FI_ADDR_UNSPEC;
	double begin = seconds();
	uint64_t more = 1;

	print_name(&out);
	while (more) {
		more = receive_one(&in, begin, client);
		if (client == FI_ADDR_UNSPEC)
			must(fi_av_insert(av, &in.from, 1, &client, 0, NULL) - 1, "fi_av_insert");
		send_one(&out, more, begin, client);
	}
	tell(begin, client, "end");
}

int main(int argc, char **argv)
{
	double limit = 10;
	fi_addr_t server;
	int option;

	while ((option = getopt(argc, argv, "t:")) == 't')
		limit = atof(optarg);
	if (option != -1 || (argc != optind && argc != optind + 2)) {
		fprintf(stderr, "usage: %s [-t SECONDS] [SERVER-ADDRESS PORT]\n", argv[0]);
		return 2;
	}
	open_all();
	if (argc == optind) {
		answer();
	} else {
		must(fi_av_insertsvc(av, argv[optind], argv[optind + 1], &server, 0, NULL) - 1,
		     "fi_av_insertsvc");
		ask(limit, server);
	}
	close_all();
	return 0;
}
