// SPDX-License-Identifier: GPL-2.0
/*
 * module-text MODULE: what the text of a loaded module really is, after the kernel has patched it.
 *
 * Reads lines "NUMBER SECTION OFFSET LENGTH" and writes "SITE NUMBER ADDRESS HEX" for each. Where a section
 * lies sysfs says; memory is read through /proc/kcore, an ELF core file whose program headers say
 * which address is where in it.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t section_at(const char *module, const char *section)
{
	char path[256];
	unsigned long long at;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/sections/%s", module, section);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llx", &at) != 1)
		die(path);
	fclose(f);
	return at;
}

static void read_core(int core, uint64_t at, uint8_t *buf, size_t len)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;

	if (pread(core, &e, sizeof(e), 0) != sizeof(e))
		die("/proc/kcore");
	for (int i = 0; i < e.e_phnum; i++) {
		if (pread(core, &p, sizeof(p), e.e_phoff + i * sizeof(p)) != sizeof(p))
			die("/proc/kcore");
		if (p.p_type != PT_LOAD || at < p.p_vaddr || at + len > p.p_vaddr + p.p_memsz)
			continue;
		if (pread(core, buf, len, p.p_offset + (at - p.p_vaddr)) != (ssize_t)len)
			die("/proc/kcore");
		return;
	}
	fprintf(stderr, "%#llx is not in /proc/kcore\n", (unsigned long long)at);
	exit(1);
}

int main(int argc, char **argv)
{
	int core = open("/proc/kcore", O_RDONLY);
	unsigned int number, offset, len;
	char section[64];

	if (argc != 2 || core < 0)
		die("/proc/kcore");
	while (scanf("%u %63s %u %u", &number, section, &offset, &len) == 4) {
		uint64_t at = section_at(argv[1], section) + offset;
		uint8_t buf[256];

		if (len > sizeof(buf))
			return 1;
		read_core(core, at, buf, len);
		printf("SITE %u %llx ", number, (unsigned long long)at);
		for (unsigned int i = 0; i < len; i++)
			printf("%02x", buf[i]);
		printf("\n");
	}
	return 0;
}
