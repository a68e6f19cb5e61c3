/* What a TCP connection has sent, as Linux counts it. Apart because its struct and libuv's headers exclude each
   other. */
#ifndef PQR_TESTS_PACKETS_H
#define PQR_TESTS_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

/* Packets with anything in them. False: not Linux, not TCP, or too old to count. */
bool packets_sent(int fd, uint32_t *out);

#endif
