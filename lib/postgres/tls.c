/* Decrypted bytes that libpq has not read yet.
 *
 * Over TLS, PQconsumeInput may leave a part of a record inside OpenSSL when libpq's buffer was too small for it
 * (servers of version 17 and later send records of 16 kB). The socket is empty then, poll stays silent, and a reply
 * would never be completed. Only OpenSSL itself can tell. It is not linked but found in libpq's company: without it,
 * and with a libpq that reads records to their end, the answer is always no. */
#include "postgres/conn.h"

#if defined(__linux__) && defined(__GNUC__)
extern int SSL_pending(const void *ssl) __attribute__((weak));

const void *pqr__tls_of(PGconn *pg)
{
    return SSL_pending ? PQsslStruct(pg, "OpenSSL") : NULL;
}

bool pqr__tls_has_more(const void *ssl)
{
    return ssl && SSL_pending(ssl) > 0;
}
#else
const void *pqr__tls_of(PGconn *pg)
{
    (void)pg;
    return NULL;
}

bool pqr__tls_has_more(const void *ssl)
{
    (void)ssl;
    return false;
}
#endif
