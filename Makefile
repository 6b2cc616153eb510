# SPDX-License-Identifier: GPL-2.0
# What a person types.  How the modules are put together is in Kbuild.

# The running kernel's headers, or else the newest ones installed. The emulated host has
# a kernel of its own; if that is another one, the rig builds a copy for it.
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(lastword $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V)))
# ours, or intree: which modules run, check, bench and soak are about
MODULES ?= ours
# amd, or intel: the emulated host that run, check, soak and bench use
VENDOR ?= amd
export MODULES VENDOR
ifdef EMULATOR
export EMULATOR
endif

need-ours := $(if $(filter ours,$(MODULES)),modules)

modules: need-kdir
	@$(MAKE) -C $(KDIR) M=$(CURDIR) modules

need-kdir:
	@test -n "$(KDIR)" || { echo "no kernel headers found: install linux-headers-amd64 or give KDIR=" >&2; exit 1; }

run: deps $(need-ours)
	@tests/rig/lanes/boot

check: deps
	@tests/run check

check-debug: deps
	@LANES=debug tests/run check

soak: deps
	@tests/run soak

bench: deps $(need-ours)
	@tests/run bench

shell: deps $(need-ours)
	@tests/rig/l1 --modules $(MODULES) --shell

# updates/ wins over the kernel's own modules; depmod makes that known. The release is what
# the headers say, wherever they lie.
install: modules
	@$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_DIR=updates modules_install
	@depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) \
		$$(sed -n 's/^#define UTS_RELEASE "\(.*\)"$$/\1/p' $(KDIR)/include/generated/utsrelease.h)

deps:
	@tests/rig/deps

clean: need-kdir
	@$(MAKE) -C $(KDIR) M=$(CURDIR) clean
	@for d in tests/unit tests/api tests/bench tools; do \
		test ! -e $$d/Makefile || $(MAKE) -s -C $$d clean; done

help:
	@echo 'make            build kvm.ko, kvm-amd.ko and kvm-intel.ko against KDIR=$(KDIR)'
	@echo 'make run        boot an emulated host and a Linux guest in it'
	@echo 'make check      all tests that gate a change; LANES="unit boot" for some of them'
	@echo 'make check-debug  api tests and a boot with a kernel that watches itself'
	@echo 'make shell      a shell in the emulated host, modules loaded'
	@echo 'make bench      instructions per exit, ours and the kernel'"'"'s own'
	@echo 'make soak       the long tests'
	@echo 'make install    install into updates/ of that kernel and run depmod'
	@echo 'make clean      remove what was built'
	@echo 'VENDOR=intel    run, check, soak and bench on an emulated Intel host (Bochs) instead of an AMD one'
	@echo 'EMULATOR=bochs  the AMD host in Bochs instead of QEMU: NRIP save, flush by ASID, pause filter'
	@echo 'MODULES=intree  do run, check, shell with the kernel'"'"'s own modules instead'

.PHONY: modules need-kdir run check check-debug soak bench shell install deps clean help
