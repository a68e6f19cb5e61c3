/* libpq's own messages are never passed on, because they quote what they complain of; they are only looked
   at. */
#include "config/conninfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/keys.h"
#include "pqrouter.h"

/* No value of target_session_attrs: libpq refuses it after it has resolved and checked everything else,
   and before it opens a socket. It stands in for the password too, which is not needed for this, and keeps
   libpq from looking for one in ~/.pgpass. */
static const char marker[] = "pqrouter-resolves";

static PQconninfoOption *find(const struct pqr__conninfo *conninfo, const char *keyword)
{
    for (PQconninfoOption *option = conninfo->options; option && option->keyword; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option;
    return NULL;
}

const char *pqr__conninfo_get(const struct pqr__conninfo *conninfo, const char *keyword)
{
    const PQconninfoOption *option = find(conninfo, keyword);
    return option && option->val && *option->val ? option->val : NULL;
}

const char *pqr__conninfo_built_in(const struct pqr__conninfo *conninfo, const char *keyword)
{
    const PQconninfoOption *option = find(conninfo, keyword);
    return option ? option->compiled : NULL;
}

bool pqr__conninfo_knows(const struct pqr__conninfo *conninfo, const char *keyword)
{
    return find(conninfo, keyword) != NULL;
}

bool pqr__conninfo_has_secret(const struct pqr__conninfo *conninfo)
{
    return pqr__conninfo_get(conninfo, "password") || pqr__conninfo_get(conninfo, "sslpassword") ||
           pqr__conninfo_get(conninfo, "oauth_client_secret");
}

static void forget(char *secret)
{
    if (secret)
        pqr__wipe(secret, strlen(secret));
}

void pqr__conninfo_finish(struct pqr__conninfo *conninfo)
{
    for (PQconninfoOption *option = conninfo->options; option && option->keyword; option++)
        forget(option->val);
    PQconninfoFree(conninfo->options);
    conninfo->options = NULL;
}

/* For the unknown option that libpq's message quotes (it may be a piece of a password, so it is not shown itself):
   the known one that is nearest, when it is near. */
static void suggest(char *out, size_t size, const char *message)
{
    char written[24] = "";
    size_t best = 3;
    snprintf(out, size, "; correct its name");
    const char *quote = strchr(message, '"');
    PQconninfoOption *options = PQconninfoParse("", NULL);
    if (quote)
        snprintf(written, sizeof(written), "%.*s", (int)strcspn(quote + 1, "\""), quote + 1);
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        size_t far = pqr__word_distance(written, option->keyword);
        if (far >= best || far >= strlen(option->keyword))
            continue;
        best = far;
        snprintf(out, size, "; did you mean %s?", option->keyword);
    }
    forget(written);
    PQconninfoFree(options);
}

/* Another database's URI, or a misspelt beginning. */
static bool has_other_scheme(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-";
    return strncmp(text + strspn(text, letters), "://", 3) == 0;
}

/* What libpq complains of, without the words that it complains about. */
static void explain(char *why, size_t size, const char *message, bool uri)
{
    char mend[60] = "";
    static const struct {
        const char *sign, *text;
        bool unknown;
    } known[] = {
        {"missing \"=\"", "a word without '=' stands in place of keyword=value; put values with blanks into "
                          "'single quotes'"},
        {"unterminated quoted", "a single quote is not closed; double the backslash or quote before it"},
        {"invalid connection option", "it has an option that libpq does not know", true},
        {"invalid URI query parameter", "it has a parameter that libpq does not know", true},
        {"percent-encoded", "a % is not followed by two hexadecimal digits; write a plain % as %25"},
        {"IPv6", "its IPv6 address is not closed; write it in [brackets]"},
    };
    const char *text =
        uri ? "it is no valid URI; write postgresql://user:password@host:port/dbname, with special "
              "characters of the password as %XX"
            : "it is no valid connection string; write keyword=value pairs";
    for (size_t i = 0; message && i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strstr(message, known[i].sign))
            continue;
        text = known[i].text;
        if (known[i].unknown)
            suggest(mend, sizeof(mend), message);
        break;
    }
    snprintf(why, size, "%s%s", text, mend);
}

int pqr__conninfo_parse(struct pqr__conninfo *out, const char *text, char *why, size_t size)
{
    char *message = NULL;
    const char *string = text ? text : "";
    bool uri = strncmp(string, "postgresql://", 13) == 0 || strncmp(string, "postgres://", 11) == 0;
    PQconninfoOption *options = PQconninfoParse(string, &message);
    if (options) {
        out->options = options;
        return 0;
    }
    bool no_memory = message == NULL;
    if (!uri && has_other_scheme(string))
        snprintf(why, size, "it is a URI, and not one of PostgreSQL; begin it with postgresql://");
    else
        explain(why, size, message, uri);
    forget(message);
    PQfreemem(message);
    return no_memory ? PQR_ENOMEM : PQR_ECONFIG;
}

/* libpq's heap: PQconninfoFree gives it back with free(). */
static int put(PQconninfoOption *option, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return PQR_ENOMEM;
    forget(option->val);
    free(option->val);
    option->val = copy;
    return 0;
}

static int add_up(PQconninfoOption *own, const char *common)
{
    size_t size = strlen(common) + strlen(own->val) + 2;
    char *both = pqr__malloc(size);
    if (!both)
        return PQR_ENOMEM;
    snprintf(both, size, "%s %s", common, own->val);
    int status = put(own, both);
    pqr__free_wiped(both, size);
    return status;
}

int pqr__conninfo_merge(struct pqr__conninfo *own, const struct pqr__conninfo *common)
{
    bool own_host = pqr__conninfo_get(own, "host") || pqr__conninfo_get(own, "hostaddr");
    for (PQconninfoOption *option = own->options; option->keyword; option++) {
        const char *value = pqr__conninfo_get(common, option->keyword);
        bool set = pqr__conninfo_get(own, option->keyword) != NULL;
        int status = 0;
        if (!value || (own_host && strncmp(option->keyword, "host", 4) == 0))
            continue;
        if (!set)
            status = put(option, value);
        else if (strcmp(option->keyword, "options") == 0)
            status = add_up(option, value);
        if (status)
            return status;
    }
    return 0;
}

/* Which parameter libpq refused, by its name in the message; the names of all of ours are plain words. */
static void explain_refusal(char *why, size_t size, const struct pqr__conninfo *resolved, const char *message)
{
    const char *found = NULL;
    if (!pqr__conninfo_get(resolved, "target_session_attrs")) {
        snprintf(why, size,
            "libpq cannot resolve it; check that its service is in the service file, and the PG... "
            "variables of the environment");
        return;
    }
    if (strstr(message, "could not match")) {
        snprintf(why, size,
            "its lists of hosts, addresses and ports differ in length; give one port, or one a host");
        return;
    }
    for (const PQconninfoOption *option = resolved->options; option && option->keyword; option++)
        if (strlen(option->keyword) > 4 && strstr(message, option->keyword))
            found = option->keyword;
    if (found && strcmp(found, "sslmode") == 0)
        snprintf(why, size,
            "libpq refuses the value of sslmode; write disable, allow, prefer, require, verify-ca or "
            "verify-full");
    else if (found)
        snprintf(why, size,
            "libpq refuses the value of %s; the PostgreSQL manual, section 34.1.2, has those allowed", found);
    else
        snprintf(why, size,
            "libpq refuses a value in it; the PostgreSQL manual, section 34.1.2, has those allowed");
}

static const char *const marked[] = {"target_session_attrs", "password"};
enum { N_MARKED = sizeof(marked) / sizeof(marked[0]) };

static bool is_marked(const char *keyword)
{
    for (size_t i = 0; i < N_MARKED; i++)
        if (strcmp(marked[i], keyword) == 0)
            return true;
    return false;
}

static PGconn *resolve(const struct pqr__conninfo *conninfo)
{
    size_t n = 0;
    while (conninfo->options[n].keyword)
        n++;
    const char **keywords = pqr__calloc(n + N_MARKED + 1, sizeof(*keywords));
    const char **values = pqr__calloc(n + N_MARKED + 1, sizeof(*values));
    PGconn *conn = NULL;
    size_t used = 0;
    for (size_t i = 0; keywords && values && i < n; i++) {
        const PQconninfoOption *option = &conninfo->options[i];
        if (!option->val || is_marked(option->keyword))
            continue;
        keywords[used] = option->keyword;
        values[used++] = option->val;
    }
    if (keywords && values) {
        for (size_t i = 0; i < N_MARKED; i++) {
            keywords[used] = marked[i];
            values[used++] = marker;
        }
        conn = PQconnectStartParams(keywords, values, 0);
    }
    pqr__free(keywords);
    pqr__free(values);
    return conn;
}

int pqr__conninfo_resolve(
    struct pqr__conninfo *out, const struct pqr__conninfo *conninfo, char *why, size_t size)
{
    PGconn *conn = resolve(conninfo);
    if (!conn)
        return PQR_ENOMEM;
    struct pqr__conninfo resolved = {PQconninfo(conn)};
    bool fine = strstr(PQerrorMessage(conn), marker) != NULL;
    int status = !resolved.options ? PQR_ENOMEM : fine ? 0 : PQR_ECONFIG;
    if (status == 0 && !pqr__conninfo_get(&resolved, "host") && !pqr__conninfo_get(&resolved, "hostaddr"))
        status = put(find(&resolved, "host"), PQhost(conn)); /* libpq's own folder of sockets */
    if (status == PQR_ECONFIG)
        explain_refusal(why, size, &resolved, PQerrorMessage(conn));
    PQfinish(conn);
    if (status)
        pqr__conninfo_finish(&resolved);
    else
        *out = resolved;
    return status;
}
