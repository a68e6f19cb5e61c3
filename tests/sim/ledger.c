#include "ledger.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "texts.h"

enum { FIRST_NONCE = 1000000, NONCE_DIGITS = 7 };

static const struct {
    const char *name, *text;
    bool writes;
} kinds[SIM_KINDS] = {
    [SIM_READ] = {"read", "select v from t where k = %llu", false},
    [SIM_LOCK_READ] = {"lock read", "select v from t where k = %llu for update", false},
    [SIM_WRITE] = {"write", "insert into t (k) values (%llu)", true},
    [SIM_FUNCTION] = {"function", "select f(%llu)", true},
    [SIM_HIDDEN] = {"hidden write", "/*pqr:replica*/ select f(%llu)", true},
    [SIM_SEVERAL] = {"several", "insert into t (k) values (%llu); insert into u (k) values (1)", true},
    [SIM_CALL] = {"call", "call p(%llu)", true},
    [SIM_ODD] = {"odd", "frobnicate t with %llu", true},
    [SIM_SESSION] = {"session", "set app.user = '%llu'", false},
    [SIM_COPY] = {"copy", "copy t%llu to stdout", false},
    [SIM_RESCUE] = {"rescue", "rollback to savepoint s%llu", false},
    [SIM_CONTROL] = {"control", "begin /* %llu */", false},
};

static struct sim_entry *add(struct sim_ledger *ledger, enum sim_kind kind, enum sim_fate fate)
{
    if (ledger->count == ledger->capacity) {
        ledger->capacity = ledger->capacity ? 2 * ledger->capacity : 64;
        struct sim_entry **grown = sim_alloc(ledger->capacity * sizeof(*grown));
        if (ledger->entries)
            memcpy(grown, ledger->entries, ledger->count * sizeof(struct sim_entry *));
        free(ledger->entries);
        ledger->entries = grown;
    }
    struct sim_entry *entry = sim_alloc(sizeof(*entry));
    entry->nonce = FIRST_NONCE + ledger->count;
    entry->kind = kind;
    entry->fate = fate;
    entry->deadline_us = UINT64_MAX;
    ledger->entries[ledger->count++] = entry;
    return entry;
}

struct sim_entry *sim_ledger_add(struct sim_ledger *ledger, enum sim_kind kind, enum sim_fate fate)
{
    struct sim_entry *entry = add(ledger, kind, fate);
    char text[sizeof(entry->text)];
    const char *cut = strstr(kinds[kind].text, "%llu");
    snprintf(text, sizeof(text), "%.*s%llu%s", (int)(cut - kinds[kind].text), kinds[kind].text,
        (unsigned long long)entry->nonce, cut + strlen("%llu"));
    memcpy(entry->text, text, sizeof(text));
    return entry;
}

struct sim_entry *sim_ledger_add_text(struct sim_ledger *ledger, struct sim_text *text, enum sim_fate fate)
{
    struct sim_entry *entry = add(ledger, text->kind, fate);
    memcpy(entry->text, text->sql, sizeof(text->sql));
    entry->of = text;
    entry->n_params = text->n_params;
    return entry;
}

static struct sim_entry *find(const struct sim_ledger *ledger, const char *sql)
{
    for (const char *at = sql; *at; at++) {
        size_t digits = 0;
        while (isdigit((unsigned char)at[digits]))
            digits++;
        if (digits >= NONCE_DIGITS) {
            unsigned long long nonce = strtoull(at, NULL, 10);
            if (nonce < FIRST_NONCE || nonce - FIRST_NONCE >= ledger->count)
                return NULL;
            return ledger->entries[nonce - FIRST_NONCE];
        }
        at += digits ? digits - 1 : 0;
    }
    return NULL;
}

struct sim_entry *sim_ledger_find(const struct sim_ledger *ledger, const char *sql, const char *parameter)
{
    struct sim_entry *entry = find(ledger, sql);
    return entry || !parameter ? entry : find(ledger, parameter);
}

void sim_ledger_finish(struct sim_ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++)
        free(ledger->entries[i]);
    free(ledger->entries);
    *ledger = (struct sim_ledger){0};
}

const char *sim_entry_value(const struct sim_entry *entry, int i, char *out, size_t size)
{
    if (entry->of && i == 0) {
        snprintf(out, size, "%llu", (unsigned long long)entry->nonce);
        return out;
    }
    if ((entry->nonce + (uint64_t)i) % 4 == 0)
        return NULL;
    snprintf(out, size, "value %d of %llu", i, (unsigned long long)entry->nonce);
    return out;
}

unsigned sim_entry_type(const struct sim_entry *entry, int i)
{
    return (entry->other_types ? SIM_OTHER_TYPES : 20) + (unsigned)i;
}

bool sim_kind_writes(enum sim_kind kind)
{
    return kinds[kind].writes;
}

const char *sim_kind_name(enum sim_kind kind)
{
    return kinds[kind].name;
}
