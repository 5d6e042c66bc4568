# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# The hypervisor, the kernels, and what dom0 and the guests find in memory when they start: all
# from Debian's packages. Sourced by tools/check-xen, which says where: $bed, $build, $here.

# Of the hypervisor, as in the names of Debian's packages. release.sh has another one.
xen_version=4.17 system=
ranks_memory=640 # MiB: two ranks, of 160 MiB of messages each
# Programs of the build directory.
in_guests=(xs-xen-probe xs-xen-parties xs-xen-talk xs-contract xs-unit xs-hammer xs-allpairs)
# Every guest, dom0 and these scripts agree on this.
bed_env() {
	cat <<-'END'
		network=10.9.0
		agent_port=7000 receiver_port=7001
		end_of_script='### end of script ###'
		# h1 is .1, u1 is .11
		address_of() { case $1 in dom0) address_of h1 ;; h*) echo "$network.${1#h}" ;; *) echo "$network.1${1#u}" ;; esac; }
		export PATH=/usr/local/bin:/bin:/sbin:/usr/bin:/usr/sbin:/usr/lib/xen/bin HOME=/root
	END
}

# unpacked PACKAGE: where its files are; downloaded once, never installed.
unpacked() {
	local dir=$packages/$1
	[ -d "$dir" ] && { echo "$dir"; return; }
	mkdir -p "$packages/download"
	(cd "$packages/download" && timeout 300 apt-get download -q -o APT::Sandbox::User=root "$1" >&2) &&
		dpkg -x "$packages/download/$1"_*.deb "$dir.part" && mv "$dir.part" "$dir" && echo "$dir"
}

# The package that a kernel's meta package stands for.
kernel_package() { apt-cache depends "$1" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }'; }

# The shared libraries of a program, as paths in $system, the root of what dom0 is made of (empty:
# this machine's).
libraries_of() {
	if [ -z "$system" ]; then
		ldd "$1" 2>/dev/null
	else
		"$system/lib64/ld-linux-x86-64.so.2" --library-path "$system/usr/lib/x86_64-linux-gnu" --list "$1" 2>/dev/null
	fi | grep -oE '/[^ ]+' | sed "s|^$system||" | sort -u
}

# of_system FILE: where it is in $system; what $system hasn't got is this machine's.
of_system() { if [ -e "$system$1" ]; then echo "$system$1"; else echo "$1"; fi; }

# put ROOT FILE [PATH]: a file or directory, under the same path or another one, with the shared
# libraries of every program in it, without symbols for debuggers.
put() {
	local root=$1 to=$1${3:-$2} file library
	mkdir -p "$(dirname "$to")"
	cp -rL "$(of_system "$2")" "$to"
	while IFS= read -r -d '' file; do
		strip --strip-debug "$file" 2>/dev/null || continue # no object file
		while read -r library; do
			[ -e "$root$library" ] || { mkdir -p "$root$(dirname "$library")"; cp -L "$(of_system "$library")" "$root$library"; }
		done < <(libraries_of "$file")
	done < <(find "$to" -type f -print0)
}

# put_modules ROOT KERNEL MODULE...: and those that they need.
put_modules() {
	local root=$1 kernel=$2 version file
	shift 2
	[ -e "$kernel/lib" ] || ln -s usr/lib "$kernel/lib"
	version=$(ls "$kernel/lib/modules")
	[ -e "$kernel/lib/modules/$version/modules.dep.bin" ] || depmod -b "$kernel" "$version"
	for module; do modprobe -d "$kernel" -S "$version" --show-depends "$module"; done |
		sed -n 's/^insmod //p' | sort -u | while read -r file; do
		mkdir -p "$(dirname "$root${file#"$kernel"}")"
		cp "$file" "$root${file#"$kernel"}"
		[[ $file != *.xz ]] || xz -d "$root${file#"$kernel"}" # busybox has no such thing
	done
	cp "$kernel/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$version/"
	depmod -b "$root" "$version"
}

# new_root ROOT: busybox and an empty system around it.
new_root() {
	local applet
	rm -rf "$1"
	mkdir -p "$1"/{bin,sbin,dev,proc,sys,run,tmp,etc/xen,root,usr/bin,usr/sbin,var/log/xen,var/lib/xen,var/lock,bed}
	ln -s /run "$1/var/run"
	ln -s /proc/mounts "$1/etc/mtab"
	cp /bin/busybox "$1/bin/busybox"
	for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"; done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
	bed_env >"$1/etc/bed.env"
	# pthread_cancel, which Xen's libraries call, is looked for at run time.
	put "$1" /lib/x86_64-linux-gnu/libgcc_s.so.1
}

pack() { (cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$2"; } # ROOT FILE

make_dom0() { # XENSTORED
	local root=$bed/dom0.root tools=/usr/lib/xen-$xen_version/bin kernel tool
	kernel=$(unpacked "$(kernel_package linux-image-amd64)") || return 1 # the cloud kernel is no dom0
	cp "$kernel"/boot/vmlinuz-* "$bed/vmlinuz-dom0"
	new_root "$root"
	for tool in xl "$1" xenconsoled xen-init-dom0 libxl-save-helper; do put "$root" "$tools/$tool"; done
	ln -s "xen-$xen_version" "$root/usr/lib/xen"
	for tool in read write ls rm; do put "$root" /usr/bin/xenstore "/usr/bin/xenstore-$tool"; done
	for tool in xs-xen-parties xs-xen-talk; do put "$root" "$build/$tool" "/usr/bin/$tool"; done
	put "$root" "$build/.libs/libxs-fi.so" /usr/lib/xs/libxs-fi.so
	put "$root" "$build/xsctl" /usr/sbin/xsctl
	[ "$type" != hvm ] || put_device_model "$root"
	if [ "$1" = oxenstored ]; then put "$root" /etc/xen/oxenstored.conf; fi
	: >"$root/etc/xen/xl.conf" # its defaults
	echo "xenstored=$1" >>"$root/etc/bed.env"
	mkdir -p "$root/etc/xen/scripts"
	cp "$here/dom0/vif" "$root/etc/xen/scripts/vif-bed"
	[ ${#hosts[@]} -lt 2 ] || put "$root" /usr/bin/socat
	cp "$here/dom0/init" "$root/init"
	cp "$here/dom0/receive" "$here/dom0/lib.sh" "$root/etc"
	put_modules "$root" "$kernel" xen-gntdev xen-gntalloc xen-evtchn xen-privcmd xenfs xen-netback bridge \
		virtio_pci virtio_net 9p 9pnet_virtio
	pack "$root" "$bed/dom0.img"
}

make_guest() {
	local system='' root=$bed/guest.root kernel program openmpi=/usr/lib/x86_64-linux-gnu
	kernel=$(unpacked "$(kernel_package linux-image-cloud-amd64)") || return 1
	cp "$kernel"/boot/vmlinuz-* "$bed/share/vmlinuz-guest"
	new_root "$root"
	put_modules "$root" "$kernel" xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-netfront
	put "$root" "$build/.libs/libxs-fi.so" /usr/lib/xs/libxs-fi.so
	for program in "${in_guests[@]}"; do
		put "$root" "$build/$program" "/usr/bin/$program"
	done
	for program in fi_info fi_pingpong orted NPopenmpi; do put "$root" "/usr/bin/$program"; done
	put "$root" /usr/bin/orterun /usr/bin/mpirun
	# What Open MPI loads and reads at run time.
	put "$root" $openmpi/openmpi/lib/openmpi3
	put "$root" $openmpi/pmix2/lib/pmix
	for program in $openmpi/pmix2/share/pmix /usr/share/openmpi /etc/openmpi; do put "$root" "$program"; done
	(eval "$(bed_env)" && echo "127.0.0.1 localhost" && for guest in u1 u2; do echo "$(address_of $guest) $guest"; done) \
		>"$root/etc/hosts"
	mkdir -p "$root/usr/local/bin"
	cp "$here/guest/rsh" "$root/usr/local/bin/rsh"
	cp "$here/guest/agent" "$root/etc/agent"
	cp "$here/guest/init" "$root/init"
	pack "$root" "$bed/share/guest.img"
	# Unpacked into a tmpfs, which may be half of the memory; then come the ranks.
	guest_memory=$(($(du -sm "$root" | cut -f1) * 2 + $(stat -c %s "$bed/share/guest.img") / 1048576 + ranks_memory))
}

make_hypervisor() {
	local package
	package=$(unpacked "xen-hypervisor-$xen_version-amd64") || return 1
	gzip -dc "$package/boot/xen-$xen_version-amd64.gz" >"$bed/xen"
}
