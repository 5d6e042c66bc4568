/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the provider xs says beyond libfabric's interface: that the paths of a
 * domain have followed a move, and which way each peer is reached. Nothing of
 * it is needed to send and receive. See fi_xs(7), PATHS.
 */
#ifndef FI_EXT_XS_H
#define FI_EXT_XS_H

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An event: this process' virtual machine, or a peer's, has moved, and paths
 * follow. It is written to the queue bound to the domain or, if there is none,
 * to those bound to its endpoints (but not to those of connections), as a
 * struct fi_eq_entry: fid and context are the domain's, data is the generation
 * of this process (fi_xs_locality). One that has not been read yet stands for
 * all later ones.
 */
#define FI_XS_PATHS_REFRESHED (1U | (1U << 31))

/* fi_open_ops(&domain->fid, FI_XS_DOMAIN_OPS, 0, (void **) &ops, NULL) gives a
 * const struct fi_xs_ops_domain *, which is there as long as the provider. */
#define FI_XS_DOMAIN_OPS "xs_domain_ops 1"

enum fi_xs_path {
	FI_XS_PATH_NONE,   /* not greeted yet, or the session has ended */
	FI_XS_PATH_FABRIC, /* the inner provider */
	FI_XS_PATH_RING,   /* shared memory */
	FI_XS_PATH_SELF,   /* the endpoint itself */
};

/* Messages, and bytes of payload, since the endpoint was enabled. */
struct fi_xs_traffic {
	uint64_t sent_messages;
	uint64_t sent_bytes;
	uint64_t received_messages;
	uint64_t received_bytes;
};

#define FI_XS_NO_DOMID UINT32_MAX

/* Where a process says that it lives. */
struct fi_xs_locality {
	uint32_t domid;      /* of its Xen domain; FI_XS_NO_DOMID: none that is used */
	uint32_t reserved;
	uint64_t generation; /* grows whenever it has moved; 0: not known, or it shares no memory */
};

struct fi_xs_peer {
	uint32_t path;        /* enum fi_xs_path: by which messages leave now */
	uint32_t reserved;
	uint64_t epoch;       /* number of the ring, or of the last one; 0: there was none */
	uint64_t since;       /* of this path: CLOCK_MONOTONIC, nanoseconds, to some milliseconds */
	struct fi_xs_traffic fabric;
	struct fi_xs_traffic ring;
	uint64_t replayed;    /* frames that were sent again by another way or after trouble */
	uint64_t joined;      /* rings */
	uint64_t left;
	uint64_t ring_pages;  /* of 4096 bytes that this endpoint shares with the peer now */
	struct fi_xs_locality locality;
};

/*
 * Later versions may append members, to this table (its size says how many
 * there are) and to the structs: `size` is that of the caller's struct, of
 * which as much is written as xs knows; the rest becomes zero. Both functions
 * keep the thread rule of the domain. They return 0; -FI_EINVAL: a null
 * pointer; -FI_EOPBADSTATE: the endpoint is not enabled; -FI_EADDRNOTAVAIL: its
 * address vector has no such address.
 */
struct fi_xs_ops_domain {
	size_t size;
	int (*locality)(struct fid_domain *domain, struct fi_xs_locality *locality, size_t size);
	int (*peer)(struct fid_ep *ep, fi_addr_t address, struct fi_xs_peer *peer, size_t size);
};

#ifdef __cplusplus
}
#endif

#endif /* FI_EXT_XS_H */
