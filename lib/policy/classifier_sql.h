/* Inside of the classifier: one pass over the tokens, a short history, a frame for each open parenthesis. */
#ifndef PQR_POLICY_CLASSIFIER_SQL_H
#define PQR_POLICY_CLASSIFIER_SQL_H

#include <string.h>

#include "policy/builtins.h"
#include "policy/catalog.h"
#include "policy/classifier.h"
#include "policy/lexer.h"
#include "policy/named.h"

enum pqr__reason {
    PQR__REASON_NOT_RECOGNISED = 0,
    PQR__REASON_READ,
    PQR__REASON_EMPTY,
    PQR__REASON_STATEMENT, /* the statement's own word */
    PQR__REASON_COMMAND,   /* the same, of the session */
    PQR__REASON_SESSION,   /* a function */
    PQR__REASON_WITH,      /* data-modifying WITH */
    PQR__REASON_INTO,
    PQR__REASON_LOCKING,  /* FOR UPDATE and its kin */
    PQR__REASON_FUNCTION, /* + enum pqr__function: a built-in */
    PQR__REASON_FUNCTION_LAST = PQR__REASON_FUNCTION + PQR__FUNCTION_SERVER,
    PQR__REASON_OPERATOR, /* not a built-in one */
    PQR__REASON_TYPE,
    PQR__REASON_VIEW, /* of one server's own state */
    PQR__REASON_SEQUENCE,
    PQR__REASON_TEMPORARY,
    PQR__REASON_DEEP,
    PQR__REASON_LONG,
    PQR__REASON_ENCODING,
    PQR__REASON_RELATION, /* these by the catalog */
    PQR__REASON_TYPE_VOLATILE,
    PQR__REASON_OPERATOR_VOLATILE,
    PQR__REASON_CONFIGURED, /* a function, by the configuration */
};

/* Somebody who wants to know what is looked up; NULL cb: nobody. */
struct pqr__explain {
    pqr_explain_cb cb;
    void *data;
    const char *sql;
};

/* Why a parenthesis was opened. */
enum pqr__frame_kind {
    PQR__FRAME_GROUP = 0,   /* an expression, a subquery, a list */
    PQR__FRAME_CALL,        /* a function's arguments */
    PQR__FRAME_CAST,        /* CAST( ... AS type) */
    PQR__FRAME_ALIAS,       /* the columns of an alias or WITH query, perhaps with types */
    PQR__FRAME_TYPE,        /* the modifiers of a built-in type */
    PQR__FRAME_DISTINCT_ON, /* an expression begins after it */
    PQR__FRAME_OPERATOR,    /* OPERATOR( ): here too */
    PQR__FRAME_SETS,        /* GROUPING SETS( ) */
    PQR__FRAME_SAMPLE,      /* TABLESAMPLE method( ) */
    PQR__FRAME_FILTER,      /* FILTER( ) after a call, or an alias of that name */
    PQR__FRAME_OVER,        /* OVER( ), likewise */
    PQR__FRAME_JOIN,        /* JOIN( a query ), or a call of a function join */
    PQR__FRAME_TREAT,       /* TREAT( ... AS type), a call of the function that has the type's name */
    PQR__FRAME_XML_ROOT,    /* XMLROOT( ..., VERSION ... ) */
    PQR__FRAME_XML_TABLE,   /* XMLTABLE( ... COLUMNS columns with types) */
    PQR__FRAME_JSON_TABLE,  /* JSON_TABLE( ... COLUMNS( ) ) */
    PQR__FRAME_COLUMNS,     /* COLUMNS( columns with types ) in there */
    PQR__FRAME_COUNTED,     /* the arguments of a function that is harmful with some numbers of them */
};

/* The last clause begun in a frame, as far as it matters. */
enum pqr__clause {
    PQR__CLAUSE_OTHER = 0,
    PQR__CLAUSE_WITH, /* the list of WITH queries */
    PQR__CLAUSE_FROM,
    PQR__CLAUSE_GROUP_BY,
    PQR__CLAUSE_WINDOW,
};

struct pqr__frame {
    uint8_t kind;   /* enum pqr__frame_kind */
    uint8_t clause; /* enum pqr__clause */
    uint8_t item;   /* ALIAS, XML_TABLE, COLUMNS: enum pqr__item; OPERATOR: an operand stands before it;
                       JSON_TABLE: COLUMNS was seen; FILTER, OVER, JOIN: how many of its tokens were looked at;
                       COUNTED: how many commas were seen, or UINT8_MAX */
    uint8_t more;   /* COUNTED: brackets that are open */
};

/* Of a list of columns: what comes next. */
enum pqr__item {
    PQR__ITEM_NAME = 0,
    PQR__ITEM_TYPE,
    PQR__ITEM_MORE,
    PQR__ITEM_BEFORE /* the list has not begun */
};

/* Of FILTER( ), OVER( ) and JOIN( ) the first tokens tell what they are. */
enum { PQR__WATCHED_TOKENS = 3 };

enum { PQR__DEPTH_MAX = 250, PQR__HISTORY = 5, PQR__TOKENS = 64 };

/* A token and what the table knows of it. */
struct pqr__seen {
    struct pqr__token token;
    const struct pqr__word *word; /* NULL: unknown, or no name */
    /* PQR__WORD_TRAITS bytes, in the order of struct pqr__word. */
    uint8_t keyword;  /* NONE when quoted */
    uint8_t category; /* NONE when quoted */
    uint8_t ends;     /* surely ends an operand: a name after it can only be an alias or a key word */
    uint8_t flags;
};

/* Where the type name stands that a cast, an AS in CAST or a column definition announced. */
enum pqr__type_state { PQR__TYPE_NONE = 0, PQR__TYPE_EXPECTED, PQR__TYPE_SCHEMA, PQR__TYPE_DONE };

struct pqr__finding {
    pqr_class route;
    enum pqr__effect effect;
    uint16_t reason;
    const char *at; /* the deciding word, or NULL */
    size_t length;
};

struct pqr__sql {
    struct pqr__lexer lexer;
    const struct pqr__catalog *catalog; /* NULL: none */
    const struct pqr__named *named;     /* NULL: none */
    const struct pqr__explain *explain; /* NULL: nobody asks */
    struct pqr__sieve sieve;            /* of the catalog's names; empty without one */
    bool wary;                          /* names that nobody knows may be harmful, by one of those */
    bool folds;                         /* the catalog can't be asked for names beyond ASCII */
    bool trusts_operators;              /* those with a built-in one's spelling are no users' */
    struct pqr__seen *current;          /* token, in tokens */
    struct pqr__finding finding;        /* of the current statement */
    enum pqr__keyword leading;          /* its first word; EXPLAIN is looked through */
    unsigned depth;
    enum pqr__frame_kind closed; /* of the parenthesis closed last */
    uint8_t type;                /* enum pqr__type_state */
    bool watched;                /* the frame is one whose every token pqr__sql_type looks at */
    bool sequence;               /* the token before was a name last_value */
    bool modifies;               /* INSERT, UPDATE, DELETE or MERGE was seen */
    bool begun;                  /* query rules: a SELECT, VALUES, TABLE or WITH was seen */
    struct pqr__frame frames[PQR__DEPTH_MAX + 1];
    const char *counted[PQR__DEPTH_MAX + 1]; /* of frames that are COUNTED: the function's name in the text */
    struct pqr__seen tokens[PQR__TOKENS];    /* what was read last */
};

/* Room for the next token. When it is used up, what rules may still look back at moves to the front. */
static inline struct pqr__seen *pqr__sql_advance(struct pqr__sql *scan, struct pqr__seen *current)
{
    if (current != scan->tokens + PQR__TOKENS - 1)
        return current + 1;
    memcpy(scan->tokens, current + 1 - PQR__HISTORY, PQR__HISTORY * sizeof(*current));
    return scan->tokens + PQR__HISTORY;
}

/* Every token matters just now, whatever it is. */
static inline bool pqr__sql_is_attentive(const struct pqr__sql *scan)
{
    return (scan->type | (unsigned)scan->watched | (unsigned)scan->sequence) != 0;
}

/* Nearly no name: pg_temp.t, pg_stat_activity. */
static inline bool pqr__token_may_be_pg(const struct pqr__token *token)
{
    if (token->length < 7)
        return false;
    const char *name = token->at + (token->at[0] == '"');
    return (name[0] | 0x20) == 'p' && (name[1] | 0x20) == 'g';
}

/* back: 0 is the current token, 1 the one before it; less than PQR__HISTORY. */
static inline const struct pqr__seen *pqr__sql_seen(const struct pqr__sql *scan, unsigned back)
{
    return scan->current - back;
}

static inline struct pqr__frame *pqr__sql_frame(struct pqr__sql *scan)
{
    return &scan->frames[scan->depth < PQR__DEPTH_MAX ? scan->depth : PQR__DEPTH_MAX];
}

static inline const struct pqr__frame *pqr__sql_frame_now(const struct pqr__sql *scan)
{
    return &scan->frames[scan->depth < PQR__DEPTH_MAX ? scan->depth : PQR__DEPTH_MAX];
}

/* A parenthesis that closes ends an operand, but for DISTINCT ON( ) and OPERATOR( ). The frame that it closes is still
   the current one. */
static inline bool pqr__sql_close_ends(const struct pqr__sql *scan)
{
    unsigned kind = pqr__sql_frame_now(scan)->kind;
    return kind != PQR__FRAME_DISTINCT_ON && kind != PQR__FRAME_OPERATOR;
}

/* CAST( ... AS type) and what is written like it. */
static inline bool pqr__sql_in_cast(const struct pqr__sql *scan)
{
    unsigned kind = pqr__sql_frame_now(scan)->kind;
    return kind == PQR__FRAME_CAST || kind == PQR__FRAME_TREAT;
}

/* What stands after AS is a label or an alias: not the query or the type that it is in WITH and CAST. */
static inline bool pqr__sql_names_after_as(const struct pqr__sql *scan)
{
    return pqr__sql_frame_now(scan)->clause != PQR__CLAUSE_WITH && !pqr__sql_in_cast(scan);
}

static inline enum pqr__token_kind pqr__sql_kind(const struct pqr__sql *scan)
{
    return pqr__sql_seen(scan, 0)->token.kind;
}

/* The current token ends the statement. */
static inline bool pqr__sql_is_over(const struct pqr__sql *scan)
{
    enum pqr__token_kind kind = pqr__sql_kind(scan);
    return kind == PQR__TOKEN_END || (kind == PQR__TOKEN_SEMICOLON && scan->depth == 0);
}

static inline bool pqr__seen_is_name(const struct pqr__seen *seen)
{
    return seen->token.kind == PQR__TOKEN_WORD || seen->token.kind == PQR__TOKEN_QUOTED ||
           seen->token.kind == PQR__TOKEN_UNICODE;
}

/* The catalog tells which of the names that only some versions have are a user's; without one nobody does. */
static inline bool pqr__sql_knows_names(const struct pqr__sql *scan)
{
    return scan->catalog != NULL && !scan->catalog->stale;
}

/* A built-in type, as far as the name says. */
static inline bool pqr__seen_is_type(const struct pqr__seen *seen)
{
    return (seen->flags & PQR__WORD_TYPE) != 0;
}

static inline bool pqr__seen_is_users_schema(const struct pqr__seen *schema)
{
    return schema->word == NULL || schema->word->keyword != PQR__KW_PG_CATALOG;
}

/* Reads the next token. */
void pqr__sql_next(struct pqr__sql *scan);
/* The same, and past those that pqr__sql_query has no rule for, or one that it follows. */
void pqr__sql_next_of_query(struct pqr__sql *scan);

/* What the table of words says of a token that is one. */
static inline void pqr__seen_know(struct pqr__seen *seen, const struct pqr__word *word)
{
    static const struct pqr__word unknown = {.ends = true};
    const struct pqr__word *known = word == NULL ? &unknown : word;
    seen->word = word;
    /* keyword, category, ends and flags, at once */
    memcpy((char *)seen + offsetof(struct pqr__seen, keyword),
        (const char *)known + offsetof(struct pqr__word, keyword), PQR__WORD_TRAITS);
}

/* The same of one in quotes, where capitals count: word is NULL or one that differs in nothing else. */
void pqr__seen_know_quoted(struct pqr__seen *seen, const struct pqr__word *word);

/* It is a name where it stands, whatever else it may mean. */
static inline void pqr__seen_be_name(struct pqr__seen *seen)
{
    seen->keyword = PQR__KW_NONE;
    seen->category = PQR__CATEGORY_NONE;
    seen->ends = true;
}

/* The rules for key words in queries; NULL: none. */
typedef void pqr__sql_rule(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before);
extern pqr__sql_rule *const pqr__sql_rules[PQR__KEYWORDS];

/* For whoever wants an explanation: a name is looked up; a rule has spoken. */
enum pqr__told { PQR__TOLD_FUNCTION, PQR__TOLD_OPERATOR, PQR__TOLD_TYPE, PQR__TOLD_RELATION };
void pqr__sql_explain_name(const struct pqr__sql *scan, enum pqr__told kind, const struct pqr__seen *schema,
    const struct pqr__seen *name);
void pqr__sql_explain_rule(
    const struct pqr__sql *scan, pqr_class route, unsigned reason, const struct pqr__seen *seen);
static inline void pqr__sql_tell(const struct pqr__sql *scan, enum pqr__told kind,
    const struct pqr__seen *schema, const struct pqr__seen *name)
{
    if (scan->explain != NULL)
        pqr__sql_explain_name(scan, kind, schema, name);
}

/* Something stricter than known so far was found at the token; of equals the first one counts. */
void pqr__sql_raise(struct pqr__sql *scan, pqr_class route, enum pqr__effect effect, unsigned reason,
    const struct pqr__seen *seen);
/* The same for what a query cannot be trusted with: primary, rolls back whole. */
void pqr__sql_doubt(struct pqr__sql *scan, unsigned reason, const struct pqr__seen *seen);

/* Reads one statement to its semicolon or the end; scan->finding has the answer. */
void pqr__sql_statement(struct pqr__sql *scan);

/* Of those: the rest of a CREATE, ALTER, DROP or REFRESH, of a COPY, of what is neither nor a query. */
void pqr__sql_read_definition(struct pqr__sql *scan);
void pqr__sql_read_copy(struct pqr__sql *scan);
void pqr__sql_read_utility(struct pqr__sql *scan);
/* The rules for a token outside of queries: parentheses are counted, mistakes and temporary schemas are seen. */
void pqr__sql_outside(struct pqr__sql *scan);
/* A query begins at the current token, as if nothing stood before it. */
void pqr__sql_forget(struct pqr__sql *scan);

/* The statement read last may change what the catalog is about. */
bool pqr__sql_defines(const struct pqr__sql *scan);
/* The statement is SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE, or WITH one of them, or EXPLAIN of that. */
bool pqr__sql_is_query(const struct pqr__sql *scan);

/* Query rules on the current token. */
void pqr__sql_query(struct pqr__sql *scan);
void pqr__sql_name(struct pqr__sql *scan);
void pqr__sql_string(struct pqr__sql *scan);
/* Of those: temporary schemas, functions (called, or named as an attribute), parentheses, type names. */
void pqr__sql_schema(struct pqr__sql *scan);
void pqr__sql_function(struct pqr__sql *scan, const struct pqr__seen *name, bool known_only);
void pqr__sql_open(struct pqr__sql *scan);
void pqr__sql_close(struct pqr__sql *scan);
/* True when the token was part of a type's name or of an alias's columns, and is dealt with. */
bool pqr__sql_type(struct pqr__sql *scan);
/* The current token is a type's name, or its beginning. */
void pqr__sql_type_name(struct pqr__sql *scan);
/* The current token stands in XMLTABLE( ) or in COLUMNS( ); true when it was part of a column's name or type. */
bool pqr__sql_table_column(struct pqr__sql *scan, struct pqr__frame *frame);
/* What the catalog says of the name at a token; ABSENT without one. A name that can't be told is HARMFUL. */
enum pqr__catalog_answer pqr__sql_known(
    const struct pqr__sql *scan, enum pqr__catalog_kind kind, const struct pqr__seen *seen);
/* True when the catalog calls the name harmful: the doubt was raised. */
bool pqr__sql_suspect(struct pqr__sql *scan, enum pqr__catalog_kind kind, const struct pqr__seen *seen);
/* True: the number of arguments decides what a call of the function means. What the catalog says of so many. */
bool pqr__sql_counts(const struct pqr__sql *scan, const struct pqr__seen *name);
enum pqr__catalog_answer pqr__sql_known_call(
    const struct pqr__sql *scan, const struct pqr__seen *name, unsigned n_args);
/* The current token stands in such a call's parentheses; or it closes them, and the call is judged. */
void pqr__sql_count(struct pqr__sql *scan);
void pqr__sql_judge_counted(struct pqr__sql *scan);
/* What the configuration says of a function; schema NULL: it stands without one. */
enum pqr__catalog_answer pqr__sql_configured(
    const struct pqr__sql *scan, const struct pqr__seen *schema, const struct pqr__seen *name);
bool pqr__sql_is_varying(const struct pqr__seen *before);

#endif
