// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that not every processor has, by the feature that brought them.
 *
 * Their rows have EMF_FEATURE, and the door asks the embedder (ops->has) before
 * anything else: without the feature they are #UD. Two are older instructions
 * then, and ask for themselves: see em_i_tzcnt() and em_i_lzcnt().
 *
 * What is switched on by a bit of CR0, CR4 or XCR0 that such a processor does not
 * let the guest set needs no row here: the bit is looked at.
 */
#include "internal.h"

static const em_fn handlers[EM_NR_FEATURES][9] = {
	[EM_HAS_BMI1] = { em_i_andn, em_i_bextr, em_i_blsr, em_i_blsi, em_i_blsmsk },
	[EM_HAS_BMI2] = { em_i_bzhi, em_i_pdep, em_i_pext, em_i_rorx, em_i_sarx, em_i_shlx,
			  em_i_shrx, em_i_mulx },
	[EM_HAS_MOVBE] = { em_i_movbe },
	[EM_HAS_CRC32] = { em_i_crc32 },
	[EM_HAS_POPCNT] = { em_i_popcnt },
	[EM_HAS_ADX] = { em_i_adcx, em_i_adox },
	[EM_HAS_CMPCCXADD] = { em_i_cmpccxadd },
	[EM_HAS_MOVDIRI] = { em_i_movdiri },
	[EM_HAS_MOVDIR64B] = { em_i_movdir64b },
	[EM_HAS_CLFLUSHOPT] = { em_i_clflushopt },
	[EM_HAS_CLWB] = { em_i_clwb },
	[EM_HAS_CLZERO] = { em_i_clzero },
	[EM_HAS_RDRAND] = { em_i_rdrand },
	[EM_HAS_RDSEED] = { em_i_rdseed },
	[EM_HAS_RDTSCP] = { em_i_rdtscp },
	[EM_HAS_RDPID] = { em_i_rdpid },
	[EM_HAS_INVPCID] = { em_i_invpcid },
	[EM_HAS_SMAP] = { em_i_clac, em_i_stac },
	[EM_HAS_SERIALIZE] = { em_i_serialize },
	[EM_HAS_MONITOR] = { em_i_monitor, em_i_mwait },
	[EM_HAS_MONITORX] = { em_i_monitorx, em_i_mwaitx },
	[EM_HAS_RTM] = { em_i_xbegin, em_i_xend, em_i_xabort, em_i_xtest },
	[EM_HAS_TSXLDTRK] = { em_i_tsxldtrk },
	[EM_HAS_3DNOW] = { em_i_femms, em_i_amd3dnow },
	[EM_HAS_XOP] = { em_i_xop },
	[EM_HAS_XSAVEOPT] = { em_i_xsaveopt },
	[EM_HAS_XSAVEC] = { em_i_xsavec },
	[EM_HAS_XSAVES] = { em_i_xsaves },
};

enum em_feature em_feature_of(em_fn fn)
{
	unsigned int f, i;

	for (f = 0; f < EM_NR_FEATURES; f++)
		for (i = 0; i < ARRAY_SIZE(handlers[f]) && handlers[f][i]; i++)
			if (handlers[f][i] == fn)
				return f;
	return EM_HAS_NONE;
}

bool em_has(struct em_ctx *c, enum em_feature what)
{
	return c->ops->has(c, what);
}
