// SPDX-License-Identifier: GPL-2.0
/*
 * Print the frequency of this machine's time-stamp counter in kHz. The emulator hands the
 * counter through to its guest, and a guest that is told need not calibrate it, which
 * goes wrong when others want the processor, too.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

struct sample {
	uint64_t tsc, ns, gap;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Both clocks at the same moment: of many tries the one that was disturbed least. */
static struct sample sample(void)
{
	struct sample best = { .gap = UINT64_MAX };

	for (int i = 0; i < 1000; i++) {
		uint64_t a = __rdtsc(), ns = now_ns(), b = __rdtsc();

		if (b - a < best.gap)
			best = (struct sample){ .tsc = a + (b - a) / 2, .ns = ns, .gap = b - a };
	}
	return best;
}

int main(void)
{
	struct sample a = sample(), b;

	usleep(50000);
	b = sample();
	printf("%.0f\n", (b.tsc - a.tsc) * 1e6 / (b.ns - a.ns));
	return 0;
}
