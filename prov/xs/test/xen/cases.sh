# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# What is run in the guests. Each case writes what it saw; its exit status is its verdict, and
# what programs count themselves (gtest, the probe) is read from there. Sourced by tools/check-xen.

cases=(probe info contract guests guests-belled dom0 ring pingpong talk sread sread-belled epoll leaks xsctl hammer-2 hammer-4 netpipe allpairs
	dom0-talk mixed crowd)
# --short: what only two guests can show. Of the contract, what rests on Xen's word most.
short_cases=(info guests pingpong sread netpipe hammer-2 hammer-4)
of_contract='Xen/*'
short_of_contract='Xen/*.TwoMeet/*:Xen/*.ADeadPeerIsNoticed/*:Xen/*.WhatOneWritesTheOtherReads/*:Xen/*.TheReaderCannotWrite/*'
short_of_contract+=':Xen/*.WhatIsRevokedIsNotMapped/*:Xen/*.PagesThatProveNothingLoseTheLink/*:Xen/*.PagesOutliveTheirWriter/*'

with_xs='export FI_PROVIDER_PATH=/usr/lib/xs FI_PROVIDER=xs FI_LOG_LEVEL=warn FI_XS_XEN=on'
for variable in "${!FI_XS_@}"; do with_xs+=" $variable='${!variable}'"; done

# Where programs run that talk with each other.
places=(u1 u2)
# in_place NAME SECONDS SCRIPT: in a guest or in dom0.
in_place() { if [ "$1" = dom0 ]; then in_dom0 "$2" <<<"$3"; else in_guest "$@"; fi; }

# Both guests at once.
case_probe() {
	local ids status
	ids=$(in_dom0 20 <<<'xl domid u1; xl domid u2') || return 1
	# shellcheck disable=SC2086 # two words
	set -- $ids
	in_guest u2 200 "xs-xen-probe $1" >"$logs/probe-u2.log" 2>&1 &
	in_guest u1 200 "xs-xen-probe $2"
	status=$?
	wait $! && [ $status -eq 0 ]
	status=$?
	cat "$logs/probe-u2.log"
	return $status
}

case_info() {
	in_guest u1 30 "$with_xs; fi_info -p xs" | tee "$logs/info.part"
	grep -q '^provider: xs' "$logs/info.part" && grep -qE 'fabric: .*10\.9\.0' "$logs/info.part"
}

# gtest PROGRAM FILTER: some must match, and all of them pass.
gtest() {
	in_guest u1 500 "$1 --gtest_filter='$2'" | tee "$logs/gtest.part"
	[ "${PIPESTATUS[0]}" -eq 0 ] && grep -qE '^\[  PASSED  \] [1-9]' "$logs/gtest.part"
}
case_contract() { gtest xs-contract 'Hv/*'; }
# Between the guests: half of the processes live in the other one.
between_guests() { # VARIABLE [event]
	local status
	in_guest u2 520 "xs-xen-parties 7100 200 ${2-}" >"$logs/guests-u2.log" 2>&1 &
	sleep 2
	gtest "$1=$(address_of u2):7100 xs-contract" "$of_contract"
	status=$?
	in_guest u2 20 'killall xs-xen-parties'
	wait $!
	cat "$logs/guests-u2.log"
	return $status
}
case_guests() { between_guests XS_XEN_PARTIES; }
case_guests-belled() { between_guests XS_XEN_BELLED_PARTIES event; }
# The same between a guest and dom0.
case_dom0() {
	local status
	in_dom0 440 >"$logs/dom0-parties.log" 2>&1 <<<'xs-xen-parties 7100 200' &
	sleep 2
	gtest "XS_XEN_PARTIES=$(address_of dom0):7100 xs-contract" 'Xen/*'
	status=$?
	in_dom0 20 <<<'killall xs-xen-parties'
	wait $!
	cat "$logs/dom0-parties.log"
	return $status
}
case_ring() { gtest xs-unit '*Ring*'; }

# pair SECONDS SECOND FIRST: a program in the second place, then one in the first, both with xs.
pair() {
	local begin="$with_xs FI_XS_STATS=/tmp/stats/p; rm -rf /tmp/stats; mkdir /tmp/stats; timeout $1" status
	in_place "${places[1]}" $(($1 + 20)) "$begin $2" >"$logs/pair-second.part" 2>&1 &
	sleep 2
	in_place "${places[0]}" $(($1 + 20)) "$begin $3"
	status=$?
	wait $! || status=1
	echo "The second one's, in ${places[1]}:"
	cat "$logs/pair-second.part"
	[ $status -eq 0 ] && judge_paths
}
case_pingpong() {
	local program="fi_pingpong -p xs -e rdm -c -I 500 -S 64"
	pair 80 "$program" "$program $(address_of u2)"
}
# talk [WAITING [BELL]]: our own ping-pong of tagged messages, without or with sleep.
talk() {
	local program="env FI_XS_QUIET=20000 ${1:+XS_TEST_WAITING=$1 }${2:+FI_XS_XEN_BELL=$2 }xs-xen-talk" first second
	first=$(address_of "${places[0]}") second=$(address_of "${places[1]}")
	pair 120 "$program 1 $second $first" "$program 0 $first $second"
}
case_talk() { talk; }
case_sread() { talk sread; }
case_sread-belled() { talk sread event; }
case_epoll() { talk epoll; }
# Between a guest and dom0, each once the first.
case_dom0-talk() {
	local places=(u1 dom0)
	talk && talk sread || return 1
	places=(dom0 u1)
	talk && talk sread
}

# What dom0 sees of a job while it runs: both ends of its pair, with rings, and that pages are
# granted and mapped, by the hypervisor's own tables. With rings forbidden: nothing.
case_xsctl() {
	local program="$with_xs; timeout 100 fi_pingpong -p xs -e rdm -I 10000000 -S 64" tries status=1 u1 u2
	in_guest u2 120 "$program" >"$logs/xsctl-u2.log" 2>&1 &
	u2=$!
	sleep 2
	in_guest u1 120 "$program $(address_of u2)" >"$logs/xsctl-u1.log" 2>&1 &
	u1=$!
	for tries in {1..20}; do
		sleep 2
		in_dom0 30 <<<'xsctl list && xsctl list --json' >"$logs/xsctl.part" 2>&1 && dom0_sees_"$between" <"$logs/xsctl.part" &&
			status=0 && break
	done
	echo "after $tries tries:"
	cat "$logs/xsctl.part"
	for guest in u1 u2; do in_guest $guest 20 'killall fi_pingpong'; done
	wait $u1 $u2
	return $status
}
dom0_sees_ring() {
	awk '
		/^DOMAIN +NAME/ { part = "domains"; next }
		/^DOMAIN +PID/ { part = "pairs"; next }
		/^OWNER/ { part = "grants"; next }
		/^[{]"version": 1, / { json++ }
		part == "domains" && /^[0-9]/ && $2 ~ /^u[12]$/ && $5 $6 $7 == "111" && $8 > 0 { guest[$1] = 1; guests++ }
		part == "pairs" && /^[0-9]/ && $7 == "rings" && $1 in guest && $4 in guest && $8 > 0 && $9 > 0 { ends++ }
		part == "grants" && /^[0-9]/ && $1 in guest && $2 in guest && $1 != $2 && $4 == $3 && $5 > 0 { sides++ }
		END { exit !(guests == 2 && ends == 2 && sides == 2 && json == 1) }'
}
dom0_sees_fabric() { grep -q '^No process runs xs'; }

# What the guests hold of each other: pages mapped of the first and of the second one, by the
# hypervisor's tables as it writes them on its console; nodes in the store; pages that each could
# still share.
holdings() {
	local ids from domain
	ids=$(in_dom0 20 <<<'xl domid u1; xl domid u2') || return 1
	from=$(($(stat -c %s "$logs/xen-h1.console") + 1))
	in_dom0 20 <<<'xl debug-keys g' || return 1
	wait_for 60 grants_are_told "$from" || return 1
	# shellcheck disable=SC2086 # two words
	set -- $ids
	tail -c "+$from" "$logs/xen-h1.console" | tr -d '\r' | awk -v one="$1" -v two="$2" '
		/grant-table for remote d/ { owner = $0; sub(/.* remote d/, "", owner); owner += 0 }
		$2 ~ /^.0x/ && (owner == one && $3 == two || owner == two && $3 == one) { ++mapped[owner] }
		END { printf "mapped %d and %d\n", mapped[one + 0], mapped[two + 0] }'
	for domain; do
		in_dom0 20 <<<"echo nodes \$(xenstore-ls /local/domain/$domain/data/xs 2>/dev/null | grep -c '^[0-9a-f]')"
	done
	in_guest u1 60 "echo free \$(xs-xen-probe --free $2 2>/dev/null)"
	in_guest u2 60 "echo free \$(xs-xen-probe --free $1 2>/dev/null)"
}
grants_are_told() { tail -c "+$1" "$logs/xen-h1.console" | grep -q 'gnttab_usage_print_all ] done'; } # FROM
# still AFTER WHAT: whether they hold as much of WHAT (a pattern) as before. Linux takes back
# seconds later what a peer had mapped.
still() {
	local tries now
	for tries in 1 2 3 4 5 6; do
		now=$(holdings)
		if [ "$(grep -E "$2" <<<"$now")" = "$(grep -E "$2" <<<"$held")" ]; then
			echo "after $1, at look $tries, as before: $2"
			return 0
		fi
		sleep 5
	done
	echo "FAIL after $1 they hold:"
	echo "$now"
	return 1
}
# A process that is killed while it talks over a ring: until then they hold something. The other one's
# send must end in error; a receive that nothing has matched may wait for ever.
killed() {
	local program="timeout 90 xs-xen-talk" u1 u2
	u1=$(address_of u1) u2=$(address_of u2)
	in_guest u2 110 "$with_xs; $program 1 $u2 $u1 100000" &
	sleep 2
	(
		sleep 10
		holdings >"$logs/during.part"
		in_guest u2 20 'killall -9 xs-xen-talk'
	) &
	in_guest u1 110 "$with_xs; $program 0 $u1 $u2 100000" | tee "$logs/killed.part"
	wait
	echo "while they talk:"
	cat "$logs/during.part"
	grep -q '^mapped [1-9].* and [1-9]' "$logs/during.part" && [ "$(grep -c '^nodes [1-9]' "$logs/during.part")" -eq 2 ] || return 1
	[ "$(grep -c '^free [1-9][0-9][0-9]$' "$logs/during.part")" -eq 2 ] || return 1
	grep '^FAIL' "$logs/killed.part" && ! grep 'in vain for the end of a send' "$logs/killed.part"
}
case_leaks() {
	local held status=0 bad_input='Xen/*.PagesThatProveNothingLoseTheLink/*:Xen/*.AnOfferOfAFormerLinkIsNotMapped/*'
	held=$(holdings)
	echo "before:"
	echo "$held"
	grep -q '^free 10[0-9][0-9]$' <<<"$held" && grep -q '^mapped 0 and 0$' <<<"$held" || status=1
	talk || status=1
	still "a talk" . || status=1
	killed || status=1
	still "a death" '^(free|mapped)' || status=1
	of_contract=$bad_input case_guests || status=1
	still "bad offers" '^(free|mapped)' || status=1
	talk || status=1 # who comes next takes away the nodes of the dead
	still "another talk" . || status=1
	return $status
}

# mpi RANKS SECONDS PROGRAM...: half of them in each guest.
mpi() {
	local half=$(($1 / 2)) limit=$2
	shift 2
	mpi_job "$limit" "-n $((2 * half)) --host u1:$half,u2:$half $*" && judge_paths
}
# mpi_job SECONDS PART...: where and what each part is; started on the first guest.
mpi_job() {
	local limit=$1 guest parts
	shift
	# shellcheck disable=SC2016 # each wants to be told; set in the guest
	printf -v parts ' : $exported %s' "$@"
	for guest in u1 u2; do in_guest $guest 20 'rm -rf /tmp/stats; mkdir /tmp/stats' || return 1; done
	in_guest u1 $((limit + 10)) "$with_xs FI_XS_STATS=/tmp/stats/p
		exported=\$(env | sed -n 's/^\(FI_[A-Z_]*\)=.*/-x \1/p')
		timeout $limit mpirun --allow-run-as-root --oversubscribe --mca plm_rsh_agent rsh --mca oob_tcp_if_include eth0 \
			--mca pml cm --mca mtl ofi --mca mpi_yield_when_idle 1 ${parts#' : '}"
}

case_hammer-2() { mpi 2 100 xs-hammer --limit 60 --rounds 1; }
case_hammer-4() { mpi 4 150 xs-hammer --limit 90 --rounds 1; }
# Four pairs between the guests that all stream are more than 1024 pages of each. Three rounds, since
# much of the first one goes before there are rings.
case_allpairs() {
	local status
	pages_limit 8192 && mpi 4 150 xs-allpairs 3
	status=$?
	pages_limit 1024 && return $status
}
pages_limit() { # PAGES
	local guest
	for guest in u1 u2; do
		in_guest $guest 20 "echo $1 >/sys/module/xen_gntalloc/parameters/limit" || return 1
	done
}
# One job with all kinds of paths: two ranks in each guest, and one in the second that knows nothing
# of Xen, as it would be elsewhere: to the first guest it has TCP alone.
case_mixed() {
	local program="xs-allpairs 10 16384"
	mpi_job 150 "-n 2 --host u1:2 $program" "-n 2 --host u2:2 $program" "-n 1 --host u2:1 env FI_XS_XEN=off $program" |
		tee "$logs/mixed.part"
	[ "${PIPESTATUS[0]}" -eq 0 ] && awk -v between="$between" '
		$1 == "rank" { rank = $2 + 0 }
		$2 == "self" { address[rank] = $8 }
		$2 == "ring" || $2 == "fabric" { carried[rank, $8, $2] += $3 + $5 }
		END {
			for (rank = 0; rank < 5; ++rank)
				for (peer = 0; peer < 5; ++peer) {
					if (rank == peer) continue
					apart = (rank < 2) != (peer < 2)
					wanted = !apart ? "ring" : rank == 4 || peer == 4 ? "fabric" : between
					ring = carried[rank, address[peer], "ring"] + 0
					fabric = carried[rank, address[peer], "fabric"] + 0
					fine = wanted == "ring" ? ring > fabric : ring == 0 && fabric > 0
					if (!fine) ++bad
					printf "%d and %d: %d messages by ring, %d by fabric%s\n", rank, peer, ring, fabric,
						fine ? "" : ", NOT as it should be: by " wanted
				}
			exit bad > 0
		}' "$logs/mixed.part"
}
# Eight ranks in each guest, all with all, within the pages that a guest has by default: every pair has
# a ring, nobody was refused a page, and dom0 sees how many stood.
case_crowd() {
	local status
	while in_dom0 30 <<<'xsctl list'; do sleep 1; done >"$logs/crowd-xsctl.part" 2>&1 &
	mpi 16 250 xs-allpairs 20 16384 2>&1 | tee "$logs/crowd.part"
	status=${PIPESTATUS[0]}
	kill $!
	grep -E 'no shared memory|may grant are used up' "$logs/crowd.part" && status=1
	[ "$between" = fabric ] || most_mapped "$logs/crowd-xsctl.part" || status=1
	return "$status"
}
# The most that one guest had mapped of the other one at a time, by the grant tables: no more than 7/8
# of 1024 (docs/budgets.md). What is granted tells less: what was given back while it was mapped stands
# there, too, and Linux takes back ten such pages a second, those of former jobs among them.
most_mapped() {
	awk '
		/^DOMAIN +NAME/ { part = "domains"; next }
		/^OWNER/ { part = "grants"; next }
		part == "domains" && $2 ~ /^u[12]$/ { guest[$1] = 1; next }
		part == "grants" && $1 in guest && $2 in guest && $5 > 0 {
			if (!($1 in most)) ++owners
			if ($5 > most[$1]) most[$1] = $5
		}
		END {
			for (owner in most) {
				printf "at most %d pages of domain %d were mapped\n", most[owner], owner
				if (most[owner] > 896) bad = 1
			}
			exit bad || owners != 2
		}' "$1"
}
case_netpipe() {
	mpi 2 100 NPopenmpi -i -n 20 -u 65536 -o /tmp/np.out | tee "$logs/netpipe.part"
	[ "${PIPESTATUS[0]}" -eq 0 ] && [ "$(grep -c 'Integrity check passed' "$logs/netpipe.part")" -ge 20 ] &&
		! grep -qi 'integrity check failed' "$logs/netpipe.part"
}

# xs beside the provider that it builds on, between the two guests: not a case, since no figure is
# right or wrong.
bench() {
	in_guest u1 $((bench_limit + 120)) "$with_xs
		xs-bench --far 'rsh u2' --near $(address_of u1) --operations messages --peers '' --asleep --beginnings 3 \
			--rounds 30 --budget 20 --deadline 10 --largest 1048576 --window 4194304 --limit $bench_limit --out /tmp/bench 2>&1
		status=\$?
		cat /tmp/bench/workers.log
		exit \$status"
}

# What carried the last job, by its counters.
judge_paths() {
	local place status=0
	for place in "${places[@]}"; do
		in_place "$place" 20 'cat /tmp/stats/p.*' >"$logs/stats.part" || status=1
		"$here/paths" "$(address_of "$place")" "$between" <"$logs/stats.part" || status=1
	done
	return $status
}
