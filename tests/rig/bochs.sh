# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Bochs, the emulator that has Intel VT: built from Debian's source, with its
# firmware, and the disk that L1 boots from.  Sourced after image.sh.
#
# Bochs knows no -kernel and decompresses slowly, so everything L1 and L2 need is
# unpacked here: bochs/mkdisk.py writes a disk that starts the kernel directly, and
# bochs/trim.py a kernel for L2 that QEMU starts as an ELF file.

# Not with handlers chaining: an interrupt then comes between two traces only, never within the straight
# line of a loop's body, and a lock that is released and taken again there is never seen free.
BOCHS_CONFIGURE="--with-nogui --enable-x86-64 --enable-cpu-level=6 --enable-vmx=2 --enable-svm --enable-smp
	--enable-avx --enable-evex --disable-handlers-chaining
	--enable-fast-function-calls --enable-repeat-speedups --disable-debugger --disable-docbook"

# The source of trixie's package, with some faults mended; about five minutes on two idle cores.
build_bochs() {
	local src=$TMP/src uri file sum
	mkdir -p "$src" || return
	read -r uri file _ sum < <(apt_in trixie apt-get -qq --print-uris source bochs | grep -F .orig.tar) &&
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=3 download-file "${uri//\'/}" "$TMP/$file" "$sum" >&2 &&
	tar -xf "$TMP/$file" -C "$src" --strip-components=1 &&
	cat "$RIG"/bochs-*.patch | patch -s -d "$src" -p1 >&2 || return
	(
		# shellcheck disable=SC2086
		cd "$src" && ./configure $BOCHS_CONFIGURE && make -j"$(nproc)" bochs
	) >"$TMP/log" 2>&1 || { tail -30 "$TMP/log" >&2; return 1; }
	strip -o "$OUT" "$src/bochs"
}

bochs_program() {	# print its path
	local bin
	bin=$CACHE/pkg/bochs-$(version_of trixie bochs)-$( (echo "$BOCHS_CONFIGURE"; cat "$RIG"/bochs-*.patch) | sha256sum | head -c 16) || exit 2
	make_once "$bin" build_bochs
	echo "$bin"
}

# The piece with L2's kernel and initramfs, unpacked: see l2_tree.
l2_plain_tree() {	# PKGDIR RELEASE BUSYBOX-DIR ROOT
	l2_tree "$@" || return
	python3 "$RIG/bochs/trim.py" "$(vmlinuz_of "$1" "$2")" "$4/l2/vmlinuz" &&
	zstd -dc "$4/l2/initrd" >"$TMP/initrd" && mv "$TMP/initrd" "$4/l2/initrd"
}

# A model's peculiarities, as words for L1's kernel.
bochs_words() {	# MODEL
	case $1 in
	corei7_skylake_x) echo tsc_early_khz=100000 ;;
	corei7_icelake_u) echo clearcpuid=fsrm ;;
	esac
}

bochsrc() {	# WORK-DIR MODEL CPUS MB CYLINDERS
	local bios
	bios=$(unpacked trixie bochsbios vgabios) || exit 2
	cat <<-EOF
	display_library: nogui
	plugin_ctrl: unmapped=1, biosdev=1, speaker=0
	romimage: file=$(readlink -f "$bios/usr/share/bochs/BIOS-bochs-latest"), options=fastboot
	vgaromimage: file=$(readlink -f "$bios/usr/share/vgabios/vgabios.bin")
	cpu: model=$2, count=$3, ips=${KVM_BOCHS_IPS:-100000000}, reset_on_triple_fault=0, ignore_bad_msrs=1
	clock: sync=none, time0=1700000000
	memory: guest=$4, host=$4
	pci: enabled=1, chipset=i440fx
	ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
	ata0-master: type=disk, path="$1/disk", mode=flat, cylinders=$5, heads=16, spt=63, translation=auto
	boot: disk
	floppy_bootsig_check: disabled=1
	com1: enabled=1, mode=file, dev=$1/serial
	mouse: enabled=0
	log: $1/bochs.log
	panic: action=fatal
	error: action=ignore
	info: action=ignore
	debug: action=ignore
	EOF
}
