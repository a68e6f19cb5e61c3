#include "packets.h"

#ifdef __linux__
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

bool packets_sent(int fd, uint32_t *out)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
        length < offsetof(struct tcp_info, tcpi_data_segs_out) + sizeof(info.tcpi_data_segs_out))
        return false;
    *out = info.tcpi_data_segs_out;
    return true;
}
#else
bool packets_sent(int fd, uint32_t *out)
{
    (void)fd;
    (void)out;
    return false;
}
#endif
