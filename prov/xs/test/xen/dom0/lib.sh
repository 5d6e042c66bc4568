# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What jobs in dom0 may use: sourced before each.
. /etc/bed.env

# in_guest NAME SECONDS: runs the script on standard input there; with its exit status, 124 if it
# didn't end in time. Its last line says so, too.
in_guest() {
	local out status
	out=$(mktemp)
	{
		cat
		printf '%s\n' "$end_of_script"
	} | timeout "$2" nc "$(address_of "$1")" "$agent_port" | tee "$out"
	status=$(sed -n 's/^exit status \([0-9]*\)$/\1/p' "$out" | tail -n 1)
	rm -f "$out"
	return "${status:-124}"
}

# create NAME...: and waits for their agents.
create() {
	local name tries
	for name; do xl create -q "/bed/$name.cfg" || return 1; done
	for name; do
		tries=0
		until echo true | in_guest "$name" 3 >/dev/null 2>&1; do
			tries=$((tries + 1))
			[ $tries -lt 90 ] || { echo "$name does not answer"; return 1; }
			sleep 1
		done
	done
}
