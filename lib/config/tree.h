/* The text of a document, parsed by libconfig. */
#ifndef PQR_CONFIG_TREE_H
#define PQR_CONFIG_TREE_H

#include <libconfig.h>

#include "config/document.h"

/* False: a syntax error, told to problems; nothing is to be destroyed then. */
bool pqr__tree_parse(config_t *tree, const struct pqr__document *document, struct pqr__problems *problems);

/* Wipes its strings first. */
void pqr__tree_destroy(config_t *tree);

#endif
