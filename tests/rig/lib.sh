# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the rig's scripts share: messages, the cache, packages from Debian suites.
#
# The cache is safe to delete at any moment and safe to find in any state: a
# thing is made under a temporary name and renamed when it is whole, so what
# carries its final name is complete.  Names carry the package version or a
# hash of what went in, so a newer input makes a new entry, never a stale hit.
#
# Packages come through apt roots of our own in the cache, one for a suite. Their
# sources are the machine's own with the suite replaced; nothing is installed
# from them, packages are only unpacked.

export PATH=$PATH:/usr/sbin:/sbin	# of depmod and mke2fs; not every user has it

RIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034
TREE=$(cd "$RIG/../.." && pwd)
CACHE=${KVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-rig}
mkdir -p "$CACHE"

say() { printf '%s rig: %s\n' "$(date +%T)" "$*" >&2; }
die() { say "$*"; exit 2; }

# as_root COMMAND...: with sudo, unless we are root already.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# make_once THING COMMAND...: unless the cache has THING, run COMMAND, which
# makes it at $OUT, then rename.  A second caller waits for the first.
make_once() {
	local thing=$1 tmp
	shift
	[ -e "$thing" ] && return 0
	mkdir -p "$(dirname "$thing")"
	(
		flock 9
		[ -e "$thing" ] && exit 0
		tmp=$(mktemp -d "$CACHE/.tmp.XXXXXX")
		trap 'rm -rf "$tmp"' EXIT
		say "making $(basename "$thing")"
		OUT=$tmp/out TMP=$tmp "$@" </dev/null && mv -T "$tmp/out" "$thing"
	) 9>"$CACHE/.lock.$(basename "$thing")" || die "cannot make $thing"
}

# sources_for SUITE: sources.list lines for a suite, derived from the machine's
# own; a backports suite gets its base suite too. SUITE-i386 is the suite for
# 32-bit machines, as of its last point release.
sources_for() {
	local base=${1%-backports} codename uri rel
	base=${base%-i386}
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u |
	awk -v c="$codename" '$3 == "main" && ($2 == c || $2 == c "-security")' |
	while read -r uri rel _; do
		case $1:$rel in *-i386:*-security) continue ;; esac
		echo "deb $uri ${rel/#$codename/$base} main"
		[ "$1" != trixie ] || echo "deb-src $uri ${rel/#$codename/$base} main"
		[ "$rel" != "$codename" ] || [ "$1" = "$base" ] || [ "$1" = "$base-i386" ] ||
			printf '%s\n' "deb $uri $1 main" "deb-src $uri $1 main"
	done
}

# apt_in SUITE TOOL ARGS...: run an apt tool on the private root of SUITE. It has locks of
# its own, beside the (empty) list of what is installed.
apt_in() {
	local root=$CACHE/apt/$1 tool=$2 opts=()
	case $1 in
	*-backports) opts=(-t "$1") ;;
	*-i386) opts=(-o APT::Architecture=i386 -o APT::Architectures=i386) ;;
	esac
	shift 2
	"$tool" -o Dir::State="$root/state" -o Dir::State::Lists="$root/lists" \
		-o Dir::Cache="$root/cache" -o Dir::Cache::archives="$root/archives" \
		-o Dir::Etc::SourceList="$root/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::status="$root/state/status" \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o APT::Sandbox::User=root -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 "${opts[@]}" "$@"
}

# apt_root SUITE: have a private root with package lists of today.
apt_root() {
	local root=$CACHE/apt/$1
	mkdir -p "$root"/{state,lists/partial,cache,archives/partial,names}
	[ -e "$root/state/status" ] || : >"$root/state/status"
	(
		flock 9
		[ -n "$(find "$root/fresh" -mmin -1440 -newer "$RIG/lib.sh" 2>/dev/null)" ] && exit 0
		sources_for "$1" >"$root/sources.list"
		[ -s "$root/sources.list" ] || die "no Debian sources found on this machine"
		say "fetching package lists of $1"
		if apt_in "$1" apt-get -qq update >&2; then
			rm -f "$root"/names/*
			touch "$root/fresh"
		elif [ -e "$root/fresh" ]; then
			say "no fresh lists of $1; going on with the old ones"
		else
			die "cannot fetch package lists of $1"
		fi
	) 9>"$root/.lock" || exit 2
}

# version_of SUITE PACKAGE: the version SUITE offers, good for a file name.
version_of() {
	local memo=$CACHE/apt/$1/names/$2 ver
	apt_root "$1"
	if [ ! -s "$memo" ]; then
		ver=$(apt_in "$1" apt-cache policy "$2" | awk '/Candidate:/ { print $2; exit }')
		case $ver in '' | '(none)') die "$1 offers no $2" ;; esac
		echo "${ver//[:~]/_}" >"$memo.$$" && mv "$memo.$$" "$memo"
	fi
	cat "$memo"
}

# depends_of SUITE PACKAGE PATTERN: its first dependency that matches PATTERN.
depends_of() {
	local memo=$CACHE/apt/$1/names/$2.dep
	apt_root "$1"
	if [ ! -s "$memo" ]; then
		apt_in "$1" apt-cache depends "$2" | sed -n 's/^ *Depends: //p' \
			>"$memo.$$" && mv "$memo.$$" "$memo"
	fi
	grep -m1 -E -- "$3" "$memo"
}

unpack_debs() {	# [--closure] SUITE PACKAGE...
	local how=(download) suite deb
	if [ "$1" = --closure ]; then
		how=(-y --no-install-recommends --download-only
		     -o Dir::Cache::archives="$TMP/debs" install)
		shift
	fi
	suite=$1
	shift
	mkdir -p "$OUT" "$TMP/debs/partial"
	(cd "$TMP/debs" && apt_in "$suite" apt-get -qq "${how[@]}" "$@" >&2) || return 1
	for deb in "$TMP"/debs/*.deb; do
		dpkg -x "$deb" "$OUT" || return 1
	done
}

# unpacked [--closure] SUITE PACKAGE...: print a directory that holds the
# packages unpacked (with --closure also all they depend on). It is named
# after the first package.
unpacked() {
	local all='' dir
	[ "$1" != --closure ] || { all=--closure; shift; }
	case $1 in *-i386) all+=-i386 ;; esac
	dir=$CACHE/pkg/$2$all-$(version_of "$1" "$2") || exit 2
	make_once "$dir" unpack_debs ${all%-i386} "$@"
	echo "$dir"
}

# What L1 runs in: qemu or bochs.
l1_emulator() {
	[ "${VENDOR:-amd}" = intel ] && echo bochs || echo "${EMULATOR:-qemu}"
}

# kernel_suite 6.1|6.12|7.2: where that stock kernel comes from.
kernel_suite() {
	case $1 in
	6.1) echo bookworm ;;
	6.12) echo bookworm-backports ;;
	7.2) echo trixie-backports ;;
	*) die "no stock kernel '$1'" ;;
	esac
}

# A kernel that watches itself (KASAN, UBSAN, lockdep, kmemleak ...), built from
# Debian's source: six minutes. What is left of it is an image package's files, and in
# build/ what external modules are built with.
build_debug_kernel() {	# SOURCE-DIR RELEASE
	local src=$OUT/build rel=$2
	mkdir -p "$src" "$OUT/boot" && tar -xf "$1"/usr/src/linux-source-*.tar.xz -C "$src" --strip-components=1 || return
	(
		cd "$src" && make -s tinyconfig && scripts/kconfig/merge_config.sh -m .config "$RIG/debug-kernel.config" &&
		make -s olddefconfig && make -s -j"$(nproc)" KERNELRELEASE="$rel" bzImage modules &&
		make -s KERNELRELEASE="$rel" INSTALL_MOD_PATH="$OUT" INSTALL_MOD_STRIP=1 modules_install &&
		cp arch/x86/boot/bzImage "$OUT/boot/vmlinuz-$rel"
	) >"$TMP/log" 2>&1 || { tail -30 "$TMP/log" >&2; return 1; }
	find "$src" -name '*.[oa]' -delete
	(cd "$src" && rm -rf vmlinux Documentation samples sound drivers fs net crypto block ipc mm virt certs arch/[!x]* arch/x86/kvm)
	rm -f "$OUT/lib/modules/$rel"/{build,source}
}

debug_release() {
	echo "$(version_of bookworm linux-source-6.1 | cut -d- -f1)-kvmdbg"
}

debug_kernel_dir() {
	local source dir
	source=$(unpacked bookworm linux-source-6.1) || exit 2
	dir=$CACHE/pkg/debug-kernel-$(version_of bookworm linux-source-6.1)-$( (cat "$RIG/debug-kernel.config"; declare -f build_debug_kernel) | sha256sum | head -c 16) || exit 2
	make_once "$dir" build_debug_kernel "$source" "$(debug_release)"
	echo "$dir"
}

# kernel_release 6.1|...|debug: its uname -r.
kernel_release() {
	local suite dep
	[ "$1" != debug ] || { debug_release; return; }
	suite=$(kernel_suite "$1") || exit 2
	dep=$(depends_of "$suite" linux-image-amd64 '^linux-(image|binary|modules)-[0-9]') ||
		dep=$(depends_of "$suite" linux-headers-amd64 '^linux-headers-[0-9]') ||
		die "cannot tell the release of kernel $1"
	echo "${dep#linux-*-}"
}

# release_of_headers KDIR: the release of the kernel that these are the headers of.
release_of_headers() {
	sed -n 's/^#define UTS_RELEASE "\(.*\)"$/\1/p' "$1/include/generated/utsrelease.h" 2>/dev/null
}

# kernel_dir 6.1|...|debug: print a directory with the image package unpacked.
kernel_dir() {
	local suite rel
	[ "$1" != debug ] || { debug_kernel_dir; return; }
	suite=$(kernel_suite "$1") && rel=$(kernel_release "$1") || exit 2
	case $1 in
	7.*) unpacked "$suite" "linux-binary-$rel" "linux-modules-$rel" ;;
	*) unpacked "$suite" "linux-image-$rel" ;;
	esac
}

own_sources() {	# what the modules are built of, one name after the other
	git -C "$TREE" ls-files -z -- . ':!tests' ':!tools' ':!Documentation' ':!*.md'
}

# What is built stays, so that the next state of the sources takes less.
build_modules() {	# KERNEL WORK-DIR
	mkdir -p "$2" "$OUT" || return
	(
		flock 8
		cd "$TREE" && own_sources | xargs -0 cp -p --parents -t "$2" || exit
		"$RIG/headers" "$1" "$2" -j"$(nproc)" modules >"$2/log" 2>&1 || { tail -20 "$2/log"; exit 1; }
		for m in "$2"/*.ko; do
			strip --strip-debug -o "$OUT/${m##*/}" "$m" || exit 1
		done
	) 8>"$2.lock" >&2
}

# our_modules 6.1|...|debug: print a directory with our modules for that kernel: the tree, if
# make has built them for it, or else one in the cache, from a copy of the sources as they are.
our_modules() {
	local rel sum
	rel=$(kernel_release "$1") || exit 2
	if [ "$(modinfo -F vermagic "$TREE/kvm.ko" 2>/dev/null | cut -d' ' -f1)" = "$rel" ]; then
		echo "$TREE"
		return
	fi
	sum=$( (kernel_dir "$1" && cd "$TREE" && own_sources | xargs -0 sha256sum) | sha256sum) || exit 2
	make_once "$CACHE/modules/$rel-${sum:0:16}" build_modules "$1" \
		"$CACHE/modules/build-$rel-$(sha256sum <<<"$TREE" | head -c 8)"
	echo "$CACHE/modules/$rel-${sum:0:16}"
}

# qemu_dir 7.2|10.0: print a directory with that QEMU and all its libraries.
qemu_dir() {
	case $1 in
	7.2) unpacked --closure bookworm qemu-system-x86 ;;
	10.0) unpacked --closure bookworm-backports qemu-system-x86 ;;
	*) die "no QEMU '$1'" ;;
	esac
}

# The tools that judge a kernel patch's style are in no package of their own, only in
# that of the whole source.
only_checkpatch() {	# SUITE PACKAGE
	mkdir -p "$OUT" "$TMP/deb" &&
	(cd "$TMP/deb" && apt_in "$1" apt-get -qq download "$2" >&2 && dpkg -x ./*.deb . ) &&
	tar -C "$OUT" --strip-components=2 -xf "$TMP/deb/usr/src/$2.tar.xz" \
		"$2"/scripts/{checkpatch.pl,spelling.txt,const_structs.checkpatch}
}

# checkpatch_dir: print a directory with checkpatch.pl and its word lists.
checkpatch_dir() {
	local dir
	dir=$CACHE/pkg/checkpatch-$(version_of bookworm linux-source-6.1) || exit 2
	make_once "$dir" only_checkpatch bookworm linux-source-6.1
	echo "$dir"
}

# lib_path DIR: the library search path of an unpacked --closure.
lib_path() {
	echo "$1/lib/x86_64-linux-gnu:$1/usr/lib/x86_64-linux-gnu"
}

# A QEMU looks for its loadable modules in one fixed place, where the machine's own
# QEMU of another version may have left its own, and then it gives up.  So that
# place becomes one (of equal length) that does not exist.
detached_qemu() {
	LC_ALL=C sed 's#/usr/lib/x86_64-linux-gnu/qemu#/nonexistent/there/is/no/qemu/#g' \
		"$1/usr/bin/qemu-system-x86_64" >"$OUT" && chmod 755 "$OUT"
}

# The same QEMU built from Debian's source, with what a rig of several CPUs or of
# counted instructions, or a 32-bit guest, can't do without (each patch tells why).  About
# three minutes.
build_fixed_qemu() {	# MESON-DIR
	local src=$TMP/src b=$TMP/build uri file sum
	mkdir -p "$src" "$b" || return
	# of the source package only what upstream wrote
	read -r uri file _ sum < <(apt_in bookworm-backports apt-get -qq --print-uris source qemu | grep -F .orig.tar) &&
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=3 download-file "${uri//\'/}" "$TMP/$file" "$sum" >&2 &&
	tar -xf "$TMP/$file" -C "$src" --strip-components=1 &&
	cat "$RIG"/qemu-*.patch | patch -s -d "$src" -p1 >&2 || return
	sed -i '/^pycotap/d' "$src/pythondeps.toml"	# for QEMU's own tests only
	echo 'roms = []' >"$src/pc-bios/meson.build"	# Debian's source has no firmware
	(
		cd "$b" || exit
		export PYTHONPATH=$1/usr/lib/python3/dist-packages PATH=$1/usr/bin:$PATH
		"$src/configure" --python=/usr/bin/python3 --target-list=x86_64-softmmu --enable-tcg \
			--without-default-features --disable-docs --disable-tools --disable-guest-agent \
			--disable-download --disable-install-blobs --disable-werror &&
		ninja qemu-system-x86_64
	) >"$TMP/log" 2>&1 || { tail -30 "$TMP/log" >&2; return 1; }
	strip -o "$OUT" "$b/qemu-system-x86_64"
}

fixed_qemu() {	# print its path
	local meson ver bin
	meson=$(unpacked bookworm-backports meson) && ver=$(version_of bookworm-backports qemu-system-x86) || exit 2
	bin=$CACHE/pkg/fixed-qemu-$ver-$( (cat "$RIG"/qemu-*.patch; declare -f build_fixed_qemu) | sha256sum | head -c 16)
	make_once "$bin" build_fixed_qemu "$meson"
	echo "$bin"
}

tsc_khz() {
	local sum
	sum=$(sha256sum <"$RIG/tsckhz.c")
	make_once "$CACHE/pkg/tsckhz-${sum:0:16}" sh -c "gcc -O2 -o \"\$OUT\" '$RIG/tsckhz.c'" || exit 2
	"$CACHE/pkg/tsckhz-${sum:0:16}"
}

# emulator [fixed]: print the command words, one a line, that start L0's QEMU: Debian's
# own, of version $KVM_EMULATOR (7.2 or 10.0), or the one built from its source.
emulator() {
	local d bin firmware
	d=$(qemu_dir "${KVM_EMULATOR:-10.0}") || exit 2
	firmware=(-L "$d/usr/share/qemu" -L "$d/usr/share/seabios" -L "$d/usr/lib/ipxe/qemu")
	if [ -z "${KVM_EMULATOR:-}" ] && [ "${1:-}" = fixed ]; then
		bin=$(fixed_qemu) || exit 2
		printf '%s\n' "$bin" "${firmware[@]}"
		return
	fi
	bin=$CACHE/pkg/emulator-${d##*closure-}
	make_once "$bin" detached_qemu "$d"
	printf '%s\n' env QEMU_MODULE_DIR="$d/usr/lib/x86_64-linux-gnu/qemu" \
		"$d/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$(lib_path "$d")" "$bin" \
		"${firmware[@]}"
}
