/* One setting, by its row of the table of keys, into the draft. */
#ifndef PQR_CONFIG_VALUE_H
#define PQR_CONFIG_VALUE_H

#include "config/keys.h"
#include "config/tree.h"

/* A group of keys being read: the top of the file, or an entry of servers. */
struct pqr__reading {
    struct pqr__draft *draft;
    const struct pqr__key *keys;
    size_t n_keys;
    uint32_t *lines;    /* of the keys */
    char *base;         /* what their offsets are relative to */
    const char *prefix; /* before their paths, in messages: "servers[1]." */
    bool no_memory;
};

/* For any type but the list of servers. What is wrong with it goes to the draft's problems; a value of a
   secret key is never quoted. */
void pqr__value_read(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);

/* By type, where that takes more than a few lines: patterns.c, numbers.c, statements.c. */
void pqr__patterns_read(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);
void pqr__value_read_number(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);
void pqr__value_read_quantity(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);
void pqr__value_read_sql(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);
void pqr__value_read_texts(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);
/* A duration or a size, from text, when it may be that. */
void pqr__value_store_quantity(
    struct pqr__reading *reading, const struct pqr__key *key, uint32_t line, const char *text);

/* A problem; its text begins with the path of the key. */
#define pqr__value_tell(reading, line, key, format, ...) \
    pqr__problem_add(                                    \
        &(reading)->draft->problems, (line), "%s%s " format, (reading)->prefix, (key)->path, __VA_ARGS__)

/* A setting's text; NULL: it has another type. */
const char *pqr__value_text(const config_setting_t *setting);
/* An integer that the expander turned into text because libconfig would have wrapped it; NULL: it is none. */
const char *pqr__value_wide(const config_setting_t *setting);
/* Only what looks like a mistyped value is worth quoting; anything else may be a secret in the wrong place. */
const char *pqr__value_quotable(char *out, size_t size, const char *text);
/* Takes text over; NULL: there was no memory for it. */
void pqr__value_store_text(struct pqr__reading *reading, const struct pqr__key *key, char *text);

/* A key's default, when it has one. */
void pqr__value_default(struct pqr__reading *reading, const struct pqr__key *key);

/* "a group { }", for people. Static text. */
const char *pqr__value_type_name(const config_setting_t *setting);
void pqr__value_wrong_type(struct pqr__reading *reading, const struct pqr__key *key,
    const config_setting_t *setting, const char *wanted);
uint32_t pqr__value_line(const config_setting_t *setting);

#endif
