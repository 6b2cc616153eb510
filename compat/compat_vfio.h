/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/vfio.h: how vfio is asked whether a file is one of its own. Files of
 * single devices came later than those of groups, with a question for both.
 */
#ifndef COMPAT_VFIO_H
#define COMPAT_VFIO_H

#include <linux/module.h>
#include <linux/vfio.h>

#ifdef HAVE_VFIO_FILE_IS_VALID
#define compat_symbol_get_vfio_valid()	symbol_get(vfio_file_is_valid)
#define compat_symbol_put_vfio_valid()	symbol_put(vfio_file_is_valid)
#else
#define compat_symbol_get_vfio_valid()	symbol_get(vfio_file_is_group)
#define compat_symbol_put_vfio_valid()	symbol_put(vfio_file_is_group)
#endif

#endif
