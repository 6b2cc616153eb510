// SPDX-License-Identifier: GPL-2.0
/*
 * A tiny virtual machine monitor: runs a payload until it says stop.
 *
 *	tinyvmm [-i] [-m MiB] [-t] real | prot | long
 *	tinyvmm [-i] [-m MiB] [-t] -r | -p | -l FILE
 *
 *	real prot long	a payload of its own (payloads.S) for that mode; it prints one line
 *	-r -p -l	a flat binary, started in real, protected (32-bit, flat) or long mode
 *	-i		with the interrupt controllers and the timer in the kernel; without, HLT ends
 *			the run
 *	-m MiB		memory, 16 by default
 *	-t		print every exit
 *
 * The payload is loaded at 0x8000 and started there with its stack at 0xe000; tinyvmm.h has the
 * whole layout, and the steps before the first run. What it writes to port 0x3f8 (the first serial
 * port, which always answers "ready") is printed. A write to port 0xf4 ends the run, and the value
 * becomes the exit status. Reads of other ports and of memory that isn't there give all ones,
 * writes are dropped, as on a PC.
 *
 * Try it:	tinyvmm -t prot
 *		printf '\xb0\x48\xba\xf8\x03\xee\xb0\x0a\xee\xb0\x00\xe6\xf4' >hi && tinyvmm -r hi
 */
#include "tinyvmm.h"

#define PORT_SERIAL	0x3f8
#define PORT_EXIT	0xf4
#define SERIAL_LSR	(PORT_SERIAL + 5)
#define LSR_READY	0x60

/* payloads.S */
extern const uint8_t payload_real[], payload_real_end[];
extern const uint8_t payload_prot[], payload_prot_end[];
extern const uint8_t payload_long[], payload_long_end[];

static const struct mode {
	char letter;
	const char *name;
	void (*start)(struct tvm *t);
	const uint8_t *payload, *end;
} modes[] = {
	{ 'r', "real", tvm_real, payload_real, payload_real_end },
	{ 'p', "prot", tvm_prot, payload_prot, payload_prot_end },
	{ 'l', "long", tvm_long, payload_long, payload_long_end },
};

struct options {
	const struct mode *mode;
	bool irqchip;
	bool trace;
	size_t size;
	const char *payload;		/* a file, or else the payload of that mode */
};

static void usage(void)
{
	fprintf(stderr, "usage: tinyvmm [-i] [-m MiB] [-t] real | prot | long\n"
			"       tinyvmm [-i] [-m MiB] [-t] -r | -p | -l FILE\n");
	exit(2);
}

/* By letter, or by name where there is none. */
static const struct mode *find_mode(char letter, const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (letter ? modes[i].letter == letter : !strcmp(modes[i].name, name))
			return &modes[i];
	usage();
	return NULL;
}

/* Guest memory is this process's own: a payload gets there like any other data. */
static void load_file(struct tvm *t, const char *name)
{
	int fd = open(name, O_RDONLY);
	size_t at = TVM_CODE;
	ssize_t n;

	if (fd < 0)
		tvm_die(name);
	while (at < t->size) {
		n = read(fd, t->mem + at, t->size - at);
		if (n < 0)
			tvm_die(name);
		if (!n)
			break;
		at += n;
	}
	close(fd);
}

static void port_read(struct kvm_run *run, uint8_t *data)
{
	size_t bytes = (size_t)run->io.size * run->io.count;

	memset(data, run->io.port == SERIAL_LSR ? LSR_READY : 0xff, bytes);
}

static void port_write(struct kvm_run *run, uint8_t *data)
{
	if (run->io.port == PORT_EXIT) {
		fflush(stdout);
		exit(data[0]);
	}
	if (run->io.port == PORT_SERIAL)
		fwrite(data, run->io.size, run->io.count, stdout);
}

/* Answer one exit. False: the guest can't go on. */
static bool handle_exit(struct tvm *t)
{
	struct kvm_run *run = t->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.direction == KVM_EXIT_IO_OUT)
			port_write(run, tvm_io_data(run));
		else
			port_read(run, tvm_io_data(run));
		return true;
	case KVM_EXIT_MMIO:
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return true;
	default:
		return false;
	}
}

static int run(struct tvm *t, bool trace)
{
	for (;;) {
		if (tvm_run(t) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			tvm_die("KVM_RUN");
		}
		if (trace)
			tvm_print_exit(stderr, t->fd, t->run);
		if (handle_exit(t))
			continue;
		if (t->run->exit_reason == KVM_EXIT_HLT)
			return 0;
		tvm_print_exit(stderr, t->fd, t->run);
		return 1;
	}
}

static void parse(struct options *o, int argc, char **argv)
{
	char letter = 0;
	int c;

	while ((c = getopt(argc, argv, "rplim:t")) != -1) {
		if (c == 'r' || c == 'p' || c == 'l')
			letter = c;
		else if (c == 'i')
			o->irqchip = true;
		else if (c == 't')
			o->trace = true;
		else if (c == 'm')
			o->size = strtoul(optarg, NULL, 0) << 20;
		else
			usage();
	}
	if (optind + 1 != argc || o->size < 1 << 20)
		usage();
	o->mode = find_mode(letter, argv[optind]);
	o->payload = letter ? argv[optind] : NULL;
}

int main(int argc, char **argv)
{
	struct options o = { .size = 16 << 20 };
	struct kvm_pit_config pit = { 0 };
	struct tvm t;
	int ret;

	parse(&o, argc, argv);
	tvm_open(&t);
	tvm_mem(&t, o.size);
	if (o.irqchip) {
		TVM_IOCTL(t.vm, KVM_CREATE_IRQCHIP, 0);
		TVM_IOCTL(t.vm, KVM_CREATE_PIT2, &pit);
	}
	tvm_vcpu(&t);
	if (o.payload)
		load_file(&t, o.payload);
	else
		memcpy(t.mem + TVM_CODE, o.mode->payload, o.mode->end - o.mode->payload);
	o.mode->start(&t);
	ret = run(&t, o.trace);
	fflush(stdout);
	tvm_close(&t);
	return ret;
}
