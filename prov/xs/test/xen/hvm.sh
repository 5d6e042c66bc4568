# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# tools/check-xen --hvm: guests that find a PC, whose devices QEMU plays in dom0. hvmloader, SeaBIOS and
# GRUB start them; their kernel then unplugs QEMU's devices for Xen's. Sourced by tools/check-xen.

# put_device_model ROOT
put_device_model() {
	local file
	# QEMU ends without a keymap even if there is no keyboard.
	for file in /usr/libexec/xen-qemu-system-i386 /usr/share/qemu/keymaps/en-us \
		/usr/share/seabios/bios-256k.bin "/usr/lib/xen-$xen_version/boot/hvmloader"; do
		put "$1" "$file"
	done
}

# make_disks: for each HVM guest GRUB, the kernel and its initramfs, one after the other in whole sectors: no file
# system is needed. QEMU could load a kernel without a disk, but by a port, byte by byte: some 90 KB/s here.
make_disks() {
	rm -f "$bed/share"/*.disk
	[ "$type" = hvm ] || return 0
	local guest first=2048 kernel=$bed/share/vmlinuz-guest initramfs=$bed/share/guest.img disk tools images
	tools=$(unpacked grub-common) && images=$(unpacked grub-pc-bin)/usr/lib/grub/i386-pc || return 1
	for guest in u1 u2; do
		disk=$bed/share/$guest.disk
		cat >"$bed/grub.cfg" <<-END
			linux (hd0)$first+$(sectors "$kernel") $(kernel_arguments $guest)
			initrd (hd0)$((first + $(sectors "$kernel")))+$(sectors "$initramfs")
			boot
		END
		"$tools/usr/bin/grub-mkimage" -d "$images" -O i386-pc -p / -c "$bed/grub.cfg" -o "$bed/grub.core" biosdisk linux boot || return 1
		cat "$images/boot.img" "$bed/grub.core" >"$disk"
		truncate -s $((first * 512)) "$disk"
		cat "$kernel" >>"$disk"
		truncate -s %512 "$disk"
		cat "$initramfs" >>"$disk"
		truncate -s %512 "$disk"
	done
}
sectors() { echo $((($(stat -c %s "$1") + 511) / 512)); }

# Of its configuration. Dom0 has copied the disk (dom0/init).
start_of_hvm() { # GUEST
	cat <<-END
		device_model_args_hvm = ["-drive", "file=/run/$1.disk,format=raw,readonly=on,if=none,id=boot", "-device", "virtio-blk-pci,drive=boot"]
		vga = "none"
		vnc = 0
		vkb_device = 0
		$native_tsc
	END
}
