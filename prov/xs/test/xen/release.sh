# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # image.sh reads what is set here
# Xen, dom0 and the kernels of another release of Debian than this machine's, whose programs run in
# the guests all the same. Sourced by tools/check-xen.

declare -A xen_of=([trixie]=4.20)

# use_release NAME: from here on apt-get and apt-cache ask for that one, in directories of their own.
use_release() {
	local dir=$bed/$1
	xen_version=${xen_of[$1]} packages=$dir/packages system=$dir/system
	mkdir -p "$dir"/{lists/partial,cache/archives/partial,parts}
	: >"$dir/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $1 main" >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-END
		Dir::State::Lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "$dir/parts";
		APT::Architecture "amd64";
	END
	export APT_CONFIG=$dir/apt.conf
	timeout 300 apt-get update -qq -o APT::Sandbox::User=root && make_system
}

# Where this machine has its packages from.
mirror() {
	apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 !~ /-/ { print $2; exit }'
}

# Dom0's programs and their libraries; nothing of it runs here but the loader, to list libraries.
make_system() {
	local package
	rm -rf "$system"
	mkdir -p "$system"/usr/{lib,lib64,bin,sbin}
	ln -s usr/lib usr/lib64 usr/bin usr/sbin "$system/" # as base-files has it
	for package in $(programs_of_dom0); do
		package=$(unpacked "$package") && tar -C "$package" -c . | tar -C "$system" --keep-directory-symlink -x || return 1
	done
	[ -x "$system/usr/lib/xen-$xen_version/bin/xl" ]
}

# And what they depend on, as far as it is a library.
programs_of_dom0() {
	apt-get install -s --no-install-recommends "xen-utils-$xen_version" xenstore-utils |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p' |
		grep -E '^(xen|lib(xen|yajl|uuid|zstd|lzma|bz2|gcc|c6)|zlib)'
}
