/* Opens one connection on a thread of its own, because libpq blocks there: DNS, files, TLS and SCRAM computations,
 * Kerberos, and the application's password callback.
 *
 * done comes on the loop; the connector is the receiver's then (take what is wanted, then free it). Time limits are
 * the loop's: it tells a connector that takes too long to hurry, and the thread is done at once when it waits for the
 * server; one that is held by one of the above is abandoned, and ends by itself.
 */
#ifndef PQR_POSTGRES_CONNECTOR_H
#define PQR_POSTGRES_CONNECTOR_H

#include <libpq-fe.h>

#include "config/config.h"
#include "postgres/mailbox.h"

struct pqr__connector {
    struct pqr__mail mail;
    struct pqr_config *config;
    const struct pqr__server_config *server;
    int (*password)(void *data, const char *server, char *buffer, size_t size);
    void *password_data;
    void (*done)(struct pqr__connector *connector);
    void *owner;          /* of the receiver */
    const char *options;  /* of libpq, instead of the server's; NULL: as they are */
    bool refused_options; /* the server, but it let us in without them */
    int wake[2];
    atomic_int phase; /* what the thread is doing: pqr__connector_phase */
    PGconn *pg;       /* open, nonblocking and in pipeline mode; NULL: refused */
    int left; /* when refused by us: the socket, at whose other end a session may have begun; -1: none */
    bool out_of_step;   /* the server says what no server may while a session begins */
    char sqlstate[6];   /* when refused */
    char message[1000]; /* when refused */
};

/* server's password callback may be NULL. plain: without options of ours, which the server is known to refuse.
   PQR_ENOMEM, PQR_ESYSTEM. */
int pqr__connector_start(struct pqr__connector **out, struct pqr__mailbox *mailbox,
    const struct pqr_config *config, uint32_t entry, bool plain, uint32_t lane,
    const pqr_callbacks *callbacks, void (*done)(struct pqr__connector *connector), void *owner);
/* What it was busy with, for people: "looking up the host name" ... */
const char *pqr__connector_phase(const struct pqr__connector *connector);
/* It shall end without a connection, at once if nothing holds it; done comes as ever. */
void pqr__connector_hurry(struct pqr__connector *connector);
/* done does not come any more. */
void pqr__connector_abandon(struct pqr__connector *connector);
/* After done. Closes the connection, or what is left of it, when it was not taken (pg set to NULL, left to -1). */
void pqr__connector_free(struct pqr__connector *connector);

#endif
