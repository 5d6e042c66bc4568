# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# tools/check-xen --migration: a job whose guests are moved meanwhile (`xl migrate` to this same
# host), without a word before, or announced by xsctl. Sourced by tools/check-xen.

move_cases=(moved-second moved-first moved-both moved-at-once moved-belled saved announced announced-belled announced-saved announced-saved-belled)
short_move_cases=(moves)
# Debian's Xen can't migrate PV guests while they run, and a save that nobody announced corrupts
# whoever has foreign pages mapped: announced saves are what is promised for them.
pv_move_cases=(announced-saved announced-saved-belled)
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
# Whose ports the kernel must never see closed.
case_moved-belled() { local with_xs="$with_xs FI_XS_XEN_BELL=event"; moved "migrate u2" "migrate u1"; }
case_announced-saved-belled() { local with_xs="$with_xs FI_XS_XEN_BELL=event"; case_announced-saved; }

moves_limit=500 # seconds: a job ends by then
# moved STEP...: taken one after the other. The job's contents are right and it ends well; its pairs have rings
# before, between and after, while the guests are on one host; no kernel complains, no dead domain is left, and
# no page or node.
moved() {
	local step meetings=0 status=0 job with_xs="$with_xs FI_LOG_LEVEL=info FI_LOG_PROV=xs"
	local program="xs-hammer --limit 200 --rounds 1 --while /tmp/go --phases sizes,storm,wild,probe,ssend,collectives"
	local held
	held=$(holdings) && in_guest u1 20 'touch /tmp/go' || return 1
	mpi_job $moves_limit "-n 4 --host u1:2,u2:2 $program" >"$logs/job.part" 2>&1 &
	job=$!
	for step in '' "$@"; do
		[ -z "$step" ] || "$take_step" "$step" || status=1
		if together; then
			meetings=$((meetings + 1))
			rings_stand || status=1
			sleep 5 # of load
		else
			parted || status=1
		fi
	done
	in_guest u1 20 'rm /tmp/go'
	wait $job || { status=1; echo "FAIL the job"; }
	grep -vE '^libfabric:.*<info>' "$logs/job.part"
	judge_paths || status=1
	judge_moves $meetings || status=1
	judge_kernels || status=1
	nobody_is_left || status=1
	still "the moves" . || status=1
	return $status
}

# A step is a script, run in dom0, if there is but one host.
take_step=run_step
run_step() { in_dom0 400 <<<"$1"; }

# Where the guests are.
declare -A at=([u1]=h1 [u2]=h1)
together() { [ "${at[u1]}" = "${at[u2]}" ]; }

# By what dom0 sees: both ends of a pair between the guests have granted pages over it.
rings_stand() {
	local begin=$SECONDS host=${at[u1]}
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

# judge_moves MEETINGS: each end of each pair between the guests has joined a ring at each.
judge_moves() {
	local guest status=0
	for guest in u1 u2; do
		in_guest $guest 20 'cat /tmp/stats/p.*' | awk -v guest="$guest" -v own="$(address_of $guest)" -v meetings="$1" '
			$1 == "peer" && index($3, own ":") == 0 {
				delete value
				for (i = 4; i <= NF; ++i) { split($i, word, "="); value[word[1]] = word[2] }
				replayed += value["replayed"]
				if (value["path"] == "fabric") by_fabric[$3] = value["back_ms"]
				if (value["path"] != "ring") next
				++ends
				if (value["joined"] < meetings) ++few
				printf "%s and %s: %d rings joined, %d left; %d moves known, the first frame came after at most %d ms by the fabric, %d ms by the ring\n", guest, $3, value["joined"], value["left"], value["moves"], by_fabric[$3], value["back_ms"]
			}
			END {
				printf "%s: %d frames replayed over the fabric\n", guest, replayed
				exit ends != 4 || few > 0
			}' || status=1
	done
	return $status
}

# They are asked themselves: xenconsoled's logs end where a guest is moved.
judge_kernels() {
	local guest status=0
	for guest in u1 u2; do
		in_guest $guest 60 'dmesg -s 8388608' >"$logs/kernel-$guest.part" && grep -q 'Linux version' "$logs/kernel-$guest.part" ||
			{ status=1; echo "FAIL the kernel of $guest doesn't say all since it began"; }
	done
	! grep -hE 'kernel BUG|BUG: |Oops|general protection|soft lockup|Kernel panic|evtchn_(put|get|unbind)' \
		"$logs"/kernel-u[12].part "$bed"/share/*/consoles/guest-* && return $status
}

# Of domains, but those that should be where they are.
nobody_is_left() {
	local host status=0
	for host in "${hosts[@]}"; do wait_for 10 only_ours || status=1; done
	[ $status -eq 0 ] || { echo "FAIL on $host there are:"; cat "$logs/domains.part"; }
	return $status
}
only_ours() {
	local guest ours=Domain-0
	for guest in u1 u2; do [ "${at[$guest]}" != "$host" ] || ours+=" $guest"; done
	in_dom0 20 <<<'xl list' >"$logs/domains.part" 2>&1
	[ "$(awk 'NR > 1 { print $1 }' "$logs/domains.part" | sort | xargs)" = "$ours" ]
}
