/* SPDX-License-Identifier: GPL-2.0 */
/* switch.S */
#ifndef FLOOR_H
#define FLOOR_H

#include <linux/types.h>

void floor_guest(void);
void floor_nothing(u64 vmcb, u64 host, u64 *gprs);
void floor_bare(u64 vmcb, u64 host, u64 *gprs);
void floor_whole(u64 vmcb, u64 host, u64 *gprs);

#endif
