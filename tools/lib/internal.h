/* SPDX-License-Identifier: GPL-2.0 */
/* What the library's files share and its users do not see. */
#ifndef LIBTRAPEZE_INTERNAL_H
#define LIBTRAPEZE_INTERNAL_H

/**
 * tpz_fail() - note the sentence for tpz_error()
 * @return -@error
 */
int tpz_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/**
 * tpz_call() - an ioctl; on failure tpz_error() is "@what: reason", with a remedy where one is known
 * @return the ioctl's value, or a negative errno value
 */
int tpz_call(int fd, unsigned long request, void *arg, const char *what);

#endif /* LIBTRAPEZE_INTERNAL_H */
