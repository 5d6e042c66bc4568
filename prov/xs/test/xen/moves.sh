# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# tools/check-xen --migration: a job whose guests are moved meanwhile (`xl migrate` to this same
# host), without a word before, or announced by xsctl. Sourced by tools/check-xen.

move_cases=(moved-second moved-first moved-both moved-at-once saved announced announced-belled announced-saved)
short_move_cases=(moves)
case_moved-second() { moved "migrate u2" "migrate u2" "migrate u2"; }
case_moved-first() { moved "migrate u1" "migrate u1"; }
case_moved-both() { moved "migrate u1" "migrate u2" "migrate u1" "migrate u2"; }
# Both at once, and one again before the other side has got over it.
case_moved-at-once() { moved 'migrate u1 & migrate u2 && wait $!' "migrate u2 && migrate u2 && migrate u1"; }

# Which may take longer than a peer is waited for by default.
case_saved() {
	local with_xs="$with_xs FI_XS_PEER_TIMEOUT=600"
	moved "save_restore u2" "save_restore u1"
}

# Everybody has paused, in the other guest too, before xl begins: nothing is mapped then, and all goes
# by the fabric until it has ended.
announced_moves() { local between=both; moved "$@"; }
case_announced() { announced_moves "announced u2" "announced u1" "announced u2"; }
# A port that were still bound would crash the kernel when its process ends.
case_announced-belled() { local with_xs="$with_xs FI_XS_XEN_BELL=event"; announced_moves "announced u2" "announced u1"; }
# --short: one of each.
case_moves() { announced_moves "migrate u2" "announced u1"; }
case_announced-saved() { announced_moves "announced_save u2" "announced_save u1"; }

# moved SCRIPT...: run in dom0, one after the other. The job's contents are right and it ends well; its
# pairs have rings before, between and after; no kernel complains, no dead domain is left, and no page or node.
moved() {
	local step status=0 job with_xs="$with_xs FI_LOG_LEVEL=info FI_LOG_PROV=xs"
	local program="xs-hammer --limit 200 --rounds 1 --while /tmp/go --phases sizes,storm,wild,probe,ssend,collectives"
	local held
	held=$(holdings) && in_guest u1 20 'touch /tmp/go' || return 1
	mpi_job 500 "-n 4 --host u1:2,u2:2 $program" >"$logs/job.part" 2>&1 &
	job=$!
	for step in '' "$@"; do
		[ -z "$step" ] || in_dom0 400 <<<"$step" || status=1
		rings_stand || status=1
		sleep 5 # of load
	done
	in_guest u1 20 'rm /tmp/go'
	wait $job || { status=1; echo "FAIL the job"; }
	grep -vE '^libfabric:.*<info>' "$logs/job.part"
	judge_paths || status=1
	judge_moves $# || status=1
	judge_kernels || status=1
	nobody_is_left || status=1
	still "the moves" . || status=1
	return $status
}

# By what dom0 sees: both ends of a pair between the guests have granted pages over it.
rings_stand() {
	local begin=$SECONDS
	wait_for 90 all_have_rings || {
		echo "FAIL no rings after $((SECONDS - begin)) s:"
		cat "$logs/rings.part"
		return 1
	}
	echo "rings were seen after $((SECONDS - begin)) s"
}
all_have_rings() { in_dom0 30 <<<'xsctl list' >"$logs/rings.part" 2>&1 && eight_ends_with_rings <"$logs/rings.part"; }
# Of four pairs.
eight_ends_with_rings() {
	awk '
		/^DOMAIN +NAME/ { part = "domains"; next }
		/^DOMAIN +PID/ { part = "pairs"; next }
		part == "domains" && $2 ~ /^u[12]$/ { guest[$1] = 1 }
		part == "pairs" && $7 == "rings" && $1 in guest && $4 in guest && $8 > 0 && $9 > 0 { ends++ }
		END { exit ends != 8 }'
}

# judge_moves STEPS: each end of each pair between the guests has joined a ring again after each.
judge_moves() {
	local guest status=0
	for guest in u1 u2; do
		in_guest $guest 20 'cat /tmp/stats/p.*' | awk -v guest="$guest" -v own="$(address_of $guest)" -v steps="$1" '
			$1 == "peer" && index($3, own ":") == 0 {
				for (i = 4; i <= NF; ++i) { split($i, word, "="); value[word[1]] = word[2] }
				replayed += value["replayed"]
				if (value["path"] != "ring") next
				++ends
				if (value["joined"] <= steps) ++few
				printf "%s and %s: %d rings joined, %d left\n", guest, $3, value["joined"], value["left"]
			}
			END {
				printf "%s: %d frames replayed over the fabric\n", guest, replayed
				exit ends != 4 || few > 0
			}' || status=1
	done
	return $status
}

judge_kernels() { ! grep -hE 'kernel BUG|BUG: |Oops|general protection|soft lockup|Kernel panic' "$bed"/share/consoles/guest-*; }

nobody_is_left() {
	local tries
	for tries in {1..10}; do
		in_dom0 20 <<<'xl list' >"$logs/domains.part" 2>&1
		if [ "$(awk 'NR > 1 { print $1 }' "$logs/domains.part" | sort | xargs)" = "Domain-0 u1 u2" ]; then return 0; fi
		sleep 1
	done
	echo "FAIL after $tries s there are:"
	cat "$logs/domains.part"
	return 1
}
