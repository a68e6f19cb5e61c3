/* Overload: who is refused at the door, who is turned away while waiting, what the application is told of it. */
#ifndef PQR_ROUTER_PRESSURE_H
#define PQR_ROUTER_PRESSURE_H

#include "router/router.h"

/* Of one that has to expect a wait (pqr__queue_makes_wait): it would wait past its deadline, by what is known. Why, or
   false. */
bool pqr__pressure_refuses(const struct pqr_reply *request, char *why, size_t size);
/* Answers those that have waited too long while there is overload. */
void pqr__pressure_shed(pqr_router *router);
/* Tells the application when the level is another one than before. */
void pqr__pressure_tell(pqr_router *router);
/* For people: "42 of 42 connections in use, 310 waiting, oldest 1.9 s, timeout 2 s". */
void pqr__pressure_numbers(const struct pqr_reply *request, char *out, size_t size);
/* The text for one that waited until its deadline; turn: a server was there, and it never came to its turn. */
void pqr__waiting_explain(const struct pqr_reply *request, bool turn, char *out, size_t size);

#endif
