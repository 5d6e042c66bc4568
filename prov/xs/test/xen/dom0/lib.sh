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

# way_to [HOST]: the command through which xl sends a guest, to this same host or to another one.
way_to() { if [ -z "${1-}" ]; then echo 'xl migrate-receive'; else echo "socat -b 262144 - TCP:$(address_of "$1"):$receiver_port"; fi; }

# migrate NAME [HOST]: while it runs. Each line that xl and its library say of it has the
# seconds since dom0's start.
migrate() (
	set -o pipefail
	xl -vvv migrate -s '' "$1" "$(way_to "${2-}")" 2>&1 | while read -r line; do
		read -r now rest </proc/uptime
		echo "$now $line"
	done >"/tmp/move-$1" || { tail -n 20 "/tmp/move-$1"; exit 1; }
	awk -v name="$1" '
		NR == 1 { begin = $1 }
		/issuing .* suspend request/ { stop = $1 }
		/ has suspended|was suspended/ { stopped = $1 }
		/Target reports successful startup/ { started = $1 }
		{ end = $1 }
		END {
			printf "%s was moved in %.1f s; asked to stop after %.1f s, stood still from %.1f s to %.1f s\n",
				name, end - begin, stop - begin, stopped - begin, started - begin
		}' "/tmp/move-$1"
	cp "/tmp/move-$1" "/bed/$host/consoles/move-$1-$(cut -d. -f1 /proc/uptime)"
)

# into_a_file COMMAND...: with a file to save to as its last word, whose contents then are in /bed/saved.
# Not straight into that: pages of another domain can't be given to 9p.
into_a_file() {
	rm -f /tmp/saved; mkfifo /tmp/saved
	cat /tmp/saved >/bed/saved &
	"$@" /tmp/saved && wait $! && rm /tmp/saved
}
# save_restore NAME: into a file, and from there.
save_restore() {
	local begin saved end
	read -r begin _ </proc/uptime
	into_a_file xl save "$1" >/dev/null && read -r saved _ </proc/uptime && xl restore /bed/saved >/dev/null || return 1
	read -r end _ </proc/uptime
	rm /bed/saved
	echo "$begin $saved $end" | awk -v name="$1" '{ printf "%s was saved in %.1f s and restored in %.1f s\n", name, $2 - $1, $3 - $2 }'
}

# The same, announced. xsctl tells its phases; that it had to force nobody is its exit status.
announced() { xsctl migrate "$1" "$(way_to "${2-}")" -- -s ''; }
announced_save() { into_a_file xsctl save "$1" && xsctl restore /bed/saved && rm /bed/saved; }

# create SECONDS NAME...: and waits for their agents, until then.
create() {
	local name late=$(($(date +%s) + $1))
	shift
	for name; do xl create -q "/bed/$name.cfg" || return 1; done
	for name; do
		until echo true | in_guest "$name" 3 >/dev/null 2>&1; do
			[ "$(date +%s)" -lt $late ] || { echo "$name does not answer"; return 1; }
			sleep 1
		done
	done
}
