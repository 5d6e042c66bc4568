# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# The emulated machines: QEMU runs Xen, Xen runs dom0 and guests. Sourced by tools/check-xen.
#
# There is no way in but a directory that dom0 mounts (9p): a script in HOST/jobs/ is run there.

guests_at_once=2 # one that is moved is there twice
machine_limit=1500 # seconds: QEMU ends by then, whatever became of us
start_limit=180 # seconds: the guests answer by then
dom0_memory=640 # MiB

hosts=(h1) # with h2, their guests' networks are one
declare -A machines=()

start_machines() {
	local name
	wire=$(mktemp -d) # short, as a socket's path must be
	for name in "${hosts[@]}"; do start_machine "$name" || return 1; done
	for name in "${hosts[@]}"; do
		wait_for 180 test -e "$bed/share/$name/xl-info" || { echo "dom0 did not start: see $logs/xen-$name.console"; return 1; }
	done
}

start_machine() { # HOST
	local network=()
	rm -rf "$bed/share/$1"
	mkdir -p "$bed/share/$1"/{jobs,consoles}
	if [ ${#hosts[@]} -gt 1 ]; then
		network=(-netdev "stream,id=wire,server=$([ "$1" = h1 ] && echo on || echo off),addr.type=unix,addr.path=$wire/socket"
			-device "virtio-net-pci,netdev=wire,mac=52:54:00:00:00:0${1#h}")
		[ "$1" = h1 ] || wait_for 10 test -e "$wire/socket" || return 1
	fi
	# Without SMAP and XSAVE: under emulation a PV dom0 dies at its first IRET with the one, and
	# loses processor state with the other. Without AVX, which needs XSAVE: programs in PV guests
	# would find it, and die of it. A processor for dom0 and for each guest, and one for nobody,
	# so that nobody who polls keeps another one waiting.
	timeout --kill-after=5 $machine_limit qemu-system-x86_64 \
		-machine q35 -accel tcg,thread=multi -cpu max,-smap,-xsave,-avx,-avx2 -smp 4 -m $((dom0_memory + 512 + guests_at_once * guest_memory)) \
		-display none -vga none -nodefaults -no-reboot -serial "file:$logs/xen-$1.console" \
		-kernel "$bed/xen" -append "console=com1 com1=115200,8n1 dom0_mem=${dom0_memory}M,max:${dom0_memory}M dom0_max_vcpus=1 dom0_vcpus_pin loglvl=info guest_loglvl=info noreboot" \
		-initrd "$bed/vmlinuz-dom0 console=hvc0 loglevel=5 host=$1,$bed/dom0.img" \
		-fsdev "local,id=bed,path=$bed/share,security_model=none" -device virtio-9p-pci,fsdev=bed,mount_tag=bed \
		"${network[@]}" >"$logs/qemu-$1.log" 2>&1 </dev/null &
	machines[$1]=$!
}

stop_machines() {
	local name console
	[ ${#machines[@]} -gt 0 ] || return 0
	kill "${machines[@]}" 2>/dev/null
	wait "${machines[@]}" 2>/dev/null
	machines=()
	for name in "${hosts[@]}"; do
		for console in "$bed/share/$name/consoles"/*; do [ ! -e "$console" ] || cp "$console" "$logs/$name-${console##*/}"; done
	done
	rm -rf "$wire"
}

# wait_for SECONDS COMMAND...: until it succeeds, a machine ends or the time is over.
wait_for() {
	local late=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $late ] && machines_run || return 1
		sleep 0.1
	done
}

machines_run() {
	local pid
	for pid in "${machines[@]}"; do kill -0 "$pid" 2>/dev/null || return 1; done
}

# in_dom0 SECONDS: runs the script on standard input, on $host; with its output and exit status, 124
# if it didn't end in time.
host=h1
jobs_made=0
in_dom0() {
	local job status=124
	jobs_made=$((jobs_made + 1))
	job=$bed/share/$host/jobs/$BASHPID-$jobs_made
	{ echo '. /etc/lib.sh'; cat; } >"$job.part"
	mv "$job.part" "$job.sh"
	if wait_for "$1" test -e "$job.status"; then status=$(cat "$job.status"); fi
	cat "$job.out" 2>/dev/null
	rm -f "$job".*
	return "$status"
}

# in_guest NAME SECONDS SCRIPT: the same there.
in_guest() {
	in_dom0 $(($2 + 10)) <<-END
		in_guest $1 $2 <<'### end of guest ###'
		$3
		### end of guest ###
	END
}

# create_guests TYPE (pvh, pv or hvm). type=vif: an HVM guest gets no card that QEMU plays, beside Xen's.
create_guests() {
	local guest
	for guest in u1 u2; do
		cat >"$bed/share/$guest.cfg" <<-END
			name = "$guest"
			type = "$1"
			memory = $guest_memory
			vcpus = 1
			cpus = "${guest#u}"
			vif = ["mac=00:16:3e:00:00:0${guest#u},bridge=bed0,script=vif-bed,type=vif"]
			on_crash = "preserve"
			on_reboot = "destroy"
			$("start_of_$1" $guest)
		END
	done
	in_dom0 $((start_limit + 20)) <<<"create $start_limit u1 u2 && xl list" || {
		echo "the guests did not start: see $logs/*-guest-*.log"
		return 1
	}
}
# What a kernel has said since it began is still there at the end of a job that was moved: each dead mapping costs it a page of text.
kernel_arguments() { echo "console=hvc0 loglevel=4 log_buf_len=8M guest=$1"; }
start_of_pv() { # GUEST
	cat <<-END
		kernel = "/bed/vmlinuz-guest"
		ramdisk = "/bed/guest.img"
		extra = "$(kernel_arguments "$1")"
	END
}
start_of_pvh() { start_of_pv "$1" && echo "$native_tsc"; }
# QEMU reports RDTSCP as RDTSC, for which Xen kills a guest that isn't PV.
native_tsc='tsc_mode = "native"'
