# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# tools/check-xen --two-hosts: a job whose guests move to another host and back meanwhile. Apart they have
# the network alone, together again, on either host, rings. Sourced by tools/check-xen.

travel_cases=(travels announced-travels)
case_travels() { travel migrate; }
case_announced-travels() { travel announced; }

# travel HOW: one away, the other one after it; then back.
travel() {
	local take_step="step_by_$1" between=both
	moved u2 u1 u2 u1
}
step_by_migrate() { go_by migrate "$1"; }
step_by_announced() { go_by announced "$1"; }
go_by() { # HOW GUEST: to the host where it isn't
	local host=${at[$2]} there=h1
	[ "$host" = h2 ] || there=h2
	in_dom0 400 <<<"$1 $2 $there" || return 1
	at[$2]=$there
}

# No ring between the guests is left that dom0 could see on either host, and the job goes on: each
# guest receives packets, many a second.
parted() {
	local host guest before
	for host in "${hosts[@]}"; do
		wait_for 30 no_rings || {
			echo "FAIL rings of guests that are apart, on $host:"
			cat "$logs/rings.part"
			return 1
		}
	done
	for guest in u1 u2; do
		before=$(packets_of $guest)
		wait_for 60 more_than $((before + 500)) packets_of $guest || { echo "FAIL $guest receives nothing"; return 1; }
	done
	echo "apart, and the job goes on"
}
no_rings() { in_dom0 30 <<<'xsctl list' >"$logs/rings.part" 2>&1 && ! grep -qw rings <"$logs/rings.part"; }
packets_of() { in_guest "$1" 30 'cat /sys/class/net/eth0/statistics/rx_packets' | head -n 1; }
more_than() { [ "$("${@:2}")" -gt "$1" ]; } # NUMBER COMMAND...
