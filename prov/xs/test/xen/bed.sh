# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# The emulated machine: QEMU runs Xen, Xen runs dom0 and guests. Sourced by tools/check-xen.
#
# There is no way in but a directory that dom0 mounts (9p): a script in jobs/ is run there.

guests_at_once=2 # one that is moved is there twice
machine_limit=1500 # seconds: QEMU ends by then, whatever became of us

start_machine() {
	rm -rf "$bed/share/jobs" "$bed/share/consoles" "$bed/share/xl-info"
	mkdir -p "$bed/share/jobs" "$bed/share/consoles"
	# Without SMAP and XSAVE: under emulation a PV dom0 dies at its first IRET with the one, and
	# loses processor state with the other. Without AVX, which needs XSAVE: programs in PV guests
	# would find it, and die of it. A processor for dom0 and for each guest, and one for nobody,
	# so that nobody who polls keeps another one waiting.
	timeout --kill-after=5 $machine_limit qemu-system-x86_64 \
		-machine q35 -accel tcg,thread=multi -cpu max,-smap,-xsave,-avx,-avx2 -smp 4 -m $((1152 + guests_at_once * guest_memory)) \
		-display none -vga none -nodefaults -no-reboot -serial "file:$logs/xen.console" \
		-kernel "$bed/xen" -append "console=com1 com1=115200,8n1 dom0_mem=640M,max:640M dom0_max_vcpus=1 dom0_vcpus_pin loglvl=info guest_loglvl=info noreboot" \
		-initrd "$bed/vmlinuz-dom0 console=hvc0 loglevel=5,$bed/dom0.img" \
		-fsdev "local,id=bed,path=$bed/share,security_model=none" -device virtio-9p-pci,fsdev=bed,mount_tag=bed \
		>"$logs/qemu.log" 2>&1 </dev/null &
	machine=$!
	wait_for 180 test -e "$bed/share/xl-info" || { echo "dom0 did not start: see $logs/xen.console"; return 1; }
}

stop_machine() {
	[ -n "${machine-}" ] || return 0
	kill "$machine" 2>/dev/null
	wait "$machine" 2>/dev/null
	machine=
	cp "$bed"/share/consoles/* "$logs" 2>/dev/null || :
}

# wait_for SECONDS COMMAND...: until it succeeds, the machine ends or the time is over.
wait_for() {
	local late=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $late ] && kill -0 "$machine" 2>/dev/null || return 1
		sleep 0.1
	done
}

# in_dom0 SECONDS: runs the script on standard input; with its output and exit status, 124 if it
# didn't end in time.
jobs_made=0
in_dom0() {
	local job status=124
	jobs_made=$((jobs_made + 1))
	job=$bed/share/jobs/$BASHPID-$jobs_made
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

# create_guests TYPE (pvh or pv)
create_guests() {
	local guest
	for guest in u1 u2; do
		cat >"$bed/share/$guest.cfg" <<-END
			name = "$guest"
			type = "$1"
			kernel = "/bed/vmlinuz-guest"
			ramdisk = "/bed/guest.img"
			extra = "console=hvc0 loglevel=4 guest=$guest"
			memory = $guest_memory
			vcpus = 1
			cpus = "${guest#u}"
			vif = ["mac=00:16:3e:00:00:0${guest#u},bridge=bed0,script=vif-bed"]
			on_crash = "preserve"
			on_reboot = "destroy"
		END
		# QEMU reports RDTSCP as RDTSC, for which Xen kills a PVH guest.
		[ "$1" != pvh ] || echo 'tsc_mode = "native"' >>"$bed/share/$guest.cfg"
	done
	in_dom0 200 <<<"create u1 u2 && xl list" || { echo "the guests did not start: see $logs/guest-*.log"; return 1; }
}
