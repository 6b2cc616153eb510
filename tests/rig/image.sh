# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The pieces of L1's initramfs.  Linux unpacks concatenated compressed cpio
# archives one after the other, so everything that changes seldom is a cached
# piece and only our modules, the added files and the script are packed anew.

# shellcheck source=tests/rig/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

L1_MODULES="virtio_pci virtio_blk virtio_net virtio_balloon virtio_rng virtio_console
	vhost_net vhost_vsock tun bridge loop ext4 crc32c_generic overlay 9p 9pnet_virtio
	msr cpuid kvm kvm_amd kvm_intel irqbypass vfio_pci zram"
L2_MODULES="virtio_pci virtio_mmio virtio_blk virtio_net virtio_balloon virtio_rng
	ext4 crc32c_generic e1000 ahci sd_mod ata_piix"

pack() {	# DIR: a compressed cpio archive of it on stdout
	(cd "$1" && find . -print0 | sort -z | cpio -0 -o -H newc --quiet -R 0:0 | zstd -1 -q)
}

pack_piece() {
	mkdir -p "$TMP/root" && "$@" "$TMP/root" && pack "$TMP/root" >"$OUT"
}

# piece NAME FUNCTION ARGS...: print the archive of what FUNCTION ARGS puts into
# the directory it gets as last argument; cached by name, arguments and recipe.
piece() {
	local name=$1 file sum
	shift
	sum=$( (echo "$* $L1_MODULES $L2_MODULES"; declare -f "$1" copy_modules copy_libs copy_qemu pack
		case $1 in *_files) cat "$RIG"/l1fs/*/* "$RIG"/l1fs/init ;;
		l2_*) cat "$RIG"/l2fs/* "$RIG"/bochs/*.py ;; esac) | sha256sum)
	file=$CACHE/piece/$name-${sum:0:16}.cpio.zst
	make_once "$file" pack_piece "$@"
	echo "$file"
}

# copy_modules PKGDIR RELEASE ROOT MODULE...: modules with all they need,
# decompressed, and a modules.dep.
copy_modules() {
	local pkg=$1 rel=$2 root=$3 lib mod f
	shift 3
	lib=$(echo "$pkg"/{,usr/}lib/modules/"$rel")
	for f in "$pkg"/lib/modules "$pkg"/usr/lib/modules; do
		[ -d "$f/$rel/kernel" ] && lib=$f/$rel
	done
	mkdir -p "$TMP/dep/lib/modules" "$root/lib/modules/$rel"
	[ -e "$TMP/dep/lib/modules/$rel" ] || ln -s "$lib" "$TMP/dep/lib/modules/$rel"
	[ -s "$TMP/dep/list" ] || depmod -n -b "$TMP/dep" "$rel" 2>/dev/null |
		grep -E '^kernel/[^ ]*: ?|^kernel/[^ ]*:$' >"$TMP/dep/list"
	for mod; do
		awk -v m="$mod" -F: '{
			n = $1; sub(/.*\//, "", n); sub(/\.ko.*/, "", n); gsub(/-/, "_", n)
			if (n == m) { print $1; k = split($2, d, " ")
				for (i = 1; i <= k; i++) print d[i] }
		}' "$TMP/dep/list"
	done | sort -u | while read -r f; do
		mkdir -p "$root/lib/modules/$rel/$(dirname "$f")"
		case $f in
		*.xz) xz -dc "$lib/$f" >"$root/lib/modules/$rel/${f%.xz}" ;;
		*) cp "$lib/$f" "$root/lib/modules/$rel/$f" ;;
		esac
	done
	cp "$lib"/modules.{builtin,order} "$root/lib/modules/$rel/" 2>/dev/null
	depmod -b "$root" "$rel" 2>/dev/null
}

# copy_libs PKGDIR LIBDIR FILE...: the loader and all the libraries that the files need.
copy_libs() {
	local pkg=$1 to=$2 loader f lib
	loader=$pkg/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
	shift 2
	mkdir -p "$to"
	cp -L "$loader" "$to/"
	for f; do
		"$loader" --library-path "$(lib_path "$pkg")" --list "$f"
	done | awk '$3 ~ /^\// { print $3 }' | sort -u | while read -r lib; do
		cp -L "$lib" "$to/"
	done
}

# copy_qemu PKGDIR BINDIR LIBDIR SHAREDIR: a QEMU, its libraries and its firmware.
copy_qemu() {
	local pkg=$1 f
	mkdir -p "$2" "$3" "$4"
	strip -o "$2/qemu-system-x86_64" "$pkg/usr/bin/qemu-system-x86_64"
	copy_libs "$pkg" "$3" "$pkg/usr/bin/qemu-system-x86_64"
	for f in "$pkg"/usr/share/qemu/{kvmvapic,linuxboot,linuxboot_dma,multiboot,multiboot_dma,pvh,bios-microvm}.bin \
		 "$pkg"/usr/share/qemu/qboot.rom \
		 "$pkg"/usr/share/seabios/{bios,bios-256k,bios-microvm,vgabios,vgabios-stdvga,vgabios-virtio}.bin \
		 "$pkg"/usr/lib/ipxe/qemu/{efi-virtio,efi-e1000,pxe-virtio,pxe-e1000}.rom; do
		[ ! -e "$f" ] || [ -e "$4/${f##*/}" ] || cp -L "$f" "$4/"
	done
}

base_tree() {	# BUSYBOX-DIR QEMU-DIR ROOT
	local a
	mkdir -p "$3"/{bin,dev,proc,sys,tmp,run,root,etc,rig,ours,intree,lib64,mnt}
	ln -s bin "$3/sbin"	# the kernel calls /sbin/modprobe
	cp "$1"/bin/busybox "$3/bin/busybox"
	for a in $("$3/bin/busybox" --list); do
		[ "$a" = busybox ] || ln -s busybox "$3/bin/$a"
	done
	# this QEMU lies where it and other programs look for everything by default
	copy_qemu "$2" "$3/usr/bin" "$3/lib/x86_64-linux-gnu" "$3/usr/share/qemu"
	ln -s /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$3/lib64/"
	for a in libdl.so.2 librt.so.1 libpthread.so.0; do
		cp -L "$2/lib/x86_64-linux-gnu/$a" "$3/lib/x86_64-linux-gnu/"
	done
	echo 'root:x:0:0::/root:/bin/sh' >"$3/etc/passwd"
	echo 'root:x:0:' >"$3/etc/group"
	echo '127.0.0.1 localhost' >"$3/etc/hosts"
}

# The other QEMU keeps to itself, so that neither takes the other's libraries.
qemu10_tree() {	# QEMU-DIR ROOT
	local to=$2/opt/qemu10
	copy_qemu "$1" "$to/lib" "$to/lib" "$to/share"
	mkdir "$to/bin"
	printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s %s/qemu-system-x86_64 -L %s "$@"\n' \
		/opt/qemu10/lib /opt/qemu10/lib /opt/qemu10/lib /opt/qemu10/share >"$to/bin/qemu-system-x86_64"
	chmod 755 "$to/bin/qemu-system-x86_64"
}

# kvm_stat is in no package but that of the kernel's source: of that archive this one file.
kvm_stat_script() {
	local name=linux-source-6.1
	(cd "$TMP" && apt_in bookworm apt-get -qq download "$name" >&2) || return 1
	dpkg --fsys-tarfile "$TMP/$name"_*.deb | tar -xO "./usr/src/$name.tar.xz" >"$TMP/tar.xz" &&
	tar -xOf "$TMP/tar.xz" "$name/tools/kvm/kvm_stat/kvm_stat" >"$OUT"
}

# perf, kvm_stat and Python, with all they need.
tracing_tree() {	# PERF-AND-PYTHON-DIR KVM-STAT ROOT
	local to=/opt/tracing run
	run="exec $to/lib/ld-linux-x86-64.so.2 --library-path $to/lib"
	mkdir -p "$3/bin" "$3$to/lib"
	cp "$1/usr/bin/perf" "$1/usr/bin/python3.11" "$2" "$3$to/"
	cp -r "$1/usr/lib/python3.11" "$3$to/lib/"
	copy_libs "$1" "$3$to/lib" "$1/usr/bin/perf" "$1/usr/bin/python3.11" \
		"$1"/usr/lib/python3.11/lib-dynload/{_curses,_ctypes,resource}.*.so
	printf '#!/bin/sh\n%s %s/perf "$@"\n' "$run" "$to" >"$3/bin/perf"
	printf '#!/bin/sh\nPYTHONHOME=%s %s %s/python3.11 "$@"\n' "$to" "$run" "$to" >"$3/bin/python3"
	printf '#!/bin/sh\nexec python3 %s/%s "$@"\n' "$to" "${2##*/}" >"$3/bin/kvm_stat"
	chmod 755 "$3/bin/perf" "$3/bin/python3" "$3/bin/kvm_stat"
}

modules_tree() {	# PKGDIR RELEASE ROOT
	local f
	# shellcheck disable=SC2086
	copy_modules "$1" "$2" "$3" $L1_MODULES
	mkdir -p "$3/intree"
	for f in kvm kvm-amd kvm-intel; do
		mv "$(find "$3/lib/modules" -name "$f.ko")" "$3/intree/" || return 1
	done
}

l2_tree() {	# PKGDIR RELEASE BUSYBOX-DIR ROOT
	local r=$TMP/l2 a
	mkdir -p "$4/l2" "$r"/{bin,dev,proc,sys,tmp,mnt}
	ln -s bin "$r/sbin"
	cp "$3/bin/busybox" "$r/bin/"
	for a in $("$r/bin/busybox" --list); do
		[ "$a" = busybox ] || ln -s busybox "$r/bin/$a"
	done
	# shellcheck disable=SC2086
	copy_modules "$1" "$2" "$r" $L2_MODULES
	install -m 755 "$RIG/l2fs/init" "$r/init"
	for a in fill churn; do
		gcc -O2 -static -s -o "$r/bin/$a" "$RIG/l2fs/$a.c" || return 1
	done
	pack "$r" >"$4/l2/initrd"
	cp "$(vmlinuz_of "$1" "$2")" "$4/l2/vmlinuz"
}

# A 32-bit guest: a directory with vmlinuz and initrd, for guest -k.
l2_32_tree() {	# PKGDIR RELEASE BUSYBOX-DIR BUSYBOX-DIR-THAT-RUNS-HERE
	local r=$TMP/l2 a
	mkdir -p "$OUT" "$r"/{bin,dev,proc,sys,tmp,mnt}
	ln -s bin "$r/sbin"
	cp "$3/bin/busybox" "$r/bin/"
	for a in $("$4/bin/busybox" --list); do
		[ "$a" = busybox ] || ln -s busybox "$r/bin/$a"
	done
	# shellcheck disable=SC2086
	copy_modules "$1" "$2" "$r" $L2_MODULES
	install -m 755 "$RIG/l2fs/init" "$r/init"
	pack "$r" >"$OUT/initrd"
	cp "$(vmlinuz_of "$1" "$2")" "$OUT/vmlinuz"
}

# l2_32 686|686-pae: print that directory.
l2_32() {
	local dep pkg bb names sum dir
	dep=$(depends_of bookworm-i386 "linux-image-$1" '^linux-image-[0-9]') || die "no kernel $1"
	pkg=$(unpacked bookworm-i386 "$dep") && bb=$(unpacked bookworm-i386 busybox-static) || exit 2
	names=$(unpacked bookworm busybox-static) || exit 2
	sum=$(cat "$RIG/l2fs/init" "$RIG/image.sh" | sha256sum)
	dir=$CACHE/pkg/l2-$(basename "$pkg")-${sum:0:16}
	make_once "$dir" l2_32_tree "$pkg" "${dep#linux-image-}" "$bb" "$names"
	echo "$dir"
}

# The 32-bit guests, beside /l2.
guests32_tree() {	# 686 686-PAE ROOT
	cp -r "$1" "$3/l2-686" && cp -r "$2" "$3/l2-686-pae"
}

# What else lane others boots. GRUB lies as on a disk: the boot sector, then what it loads.
others_tree() {	# MEMTEST-DIR GRUB-DIR OVMF-DIR INSTALLER-DIR XEN-DIR ROOT
	local to=$6/others grub=$2/usr/lib/grub/i386-pc
	mkdir -p "$to"
	cp "$1/boot/memtest86+x64.bin" "$to/memtest" && cp "$3/usr/share/ovmf/OVMF.fd" "$to/" &&
	cp "$4"/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/{linux,initrd.gz} "$to/" &&
	zcat "$5"/boot/xen-*.gz >"$to/xen" || return 1
	printf '%s\n' 'serial --unit=0 --speed=115200' 'terminal_input serial' 'terminal_output serial' >"$TMP/grub.cfg"
	"$2/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$(lib_path "$2")" "$2/usr/bin/grub-mkimage" \
		-d "$grub" -O i386-pc -p '(hd0)/' -c "$TMP/grub.cfg" -o "$TMP/core" biosdisk serial terminal normal echo &&
	cat "$grub/boot.img" "$TMP/core" >"$to/grub" && truncate -s 1M "$to/grub"
}

own_files() {	# ROOT
	cp -r "$RIG/l1fs/." "$1/"
	chmod 755 "$1/init" "$1"/bin/*
}

vmlinuz_of() {	# PKGDIR RELEASE
	local f
	for f in "$1/boot/vmlinuz-$2" "$1/usr/lib/modules/$2/vmlinuz" "$1/lib/modules/$2/vmlinuz"; do
		[ -e "$f" ] && echo "$f" && return
	done
	return 1
}

# Where decompression takes long L2's files come unpacked.
l2_of_emulator() {
	[ "$(l1_emulator)" = bochs ] && echo l2_plain_tree || echo l2_tree
}

# l1_pieces KERNEL [WITH]: print the files to concatenate, in order. WITH "tracing" adds
# perf and kvm_stat, "32bit" the 32-bit guests, "others" all guests of that lane.
l1_pieces() {
	local pkg rel bb q72 q10 perf stat dirs
	pkg=$(kernel_dir "$1") && rel=$(kernel_release "$1") || exit 2
	bb=$(unpacked bookworm busybox-static) && q72=$(qemu_dir 7.2) && q10=$(qemu_dir 10.0) || exit 2
	piece base base_tree "$bb" "$q72" || exit 2
	piece qemu10 qemu10_tree "$q10" || exit 2
	piece modules modules_tree "$pkg" "$rel" || exit 2
	pkg=$(kernel_dir 6.1) && rel=$(kernel_release 6.1) || exit 2
	piece l2 "$(l2_of_emulator)" "$pkg" "$rel" "$bb" || exit 2
	piece files own_files || exit 2
	case ${2:-} in
	32bit|others)
		dirs=("$(l2_32 686)" "$(l2_32 686-pae)")
		piece guests32 guests32_tree "${dirs[@]}" || exit 2 ;;
	esac
	case ${2:-} in
	tracing)
		perf=$(unpacked --closure bookworm linux-perf python3) || exit 2
		stat=$CACHE/pkg/kvm_stat-$(version_of bookworm linux-source-6.1) || exit 2
		make_once "$stat" kvm_stat_script
		piece tracing tracing_tree "$perf" "$stat" || exit 2 ;;
	others)
		dirs=("$(unpacked bookworm memtest86+)" "$(unpacked --closure bookworm grub-common grub-pc-bin)"
		      "$(unpacked bookworm ovmf)" "$(unpacked bookworm debian-installer-12-netboot-amd64)"
		      "$(unpacked bookworm xen-hypervisor-4.17-amd64)")
		piece others others_tree "${dirs[@]}" || exit 2 ;;
	esac
}
