/* What to write instead of a key that there is not. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/keys.h"

enum { LONGEST = 40 };

static size_t least(size_t left, size_t right)
{
    return left < right ? left : right;
}

static bool are_swapped(const char *left, const char *right)
{
    return left[0] == right[-1] && left[-1] == right[0];
}

/* Levenshtein's distance, with two neighbours swapped as one step; a word longer than any key of ours is far from all
   of them. */
size_t pqr__word_distance(const char *left, const char *right)
{
    size_t rows[LONGEST + 1][LONGEST + 1];
    size_t n_left = strlen(left);
    size_t n_right = strlen(right);
    if (n_left > LONGEST || n_right > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= n_right; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n_left; i++) {
        rows[i][0] = i;
        for (size_t j = 1; j <= n_right; j++) {
            size_t best = rows[i - 1][j - 1] + (left[i - 1] != right[j - 1]);
            if (i > 1 && j > 1 && are_swapped(&left[i - 1], &right[j - 1]))
                best = least(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = least(best, least(rows[i - 1][j], rows[i][j - 1]) + 1);
        }
    }
    return rows[n_left][n_right];
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* The group of a key, or the key itself when it has none. */
static void first_part(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%.*s", (int)strcspn(path, "."), path);
}

/* "maximum" for "max". */
static bool begins_with(const char *written, const char *key)
{
    return strlen(key) >= 3 && strncmp(written, key, strlen(key)) == 0;
}

/* The right word in the wrong group is a little further away than in the right one. */
static size_t key_distance(const char *written, const char *key)
{
    size_t far =
        least(pqr__word_distance(written, key), 1 + pqr__word_distance(last_part(written), last_part(key)));
    return begins_with(written, key) ? least(far, 2) : far;
}

bool pqr__key_nearest(
    char *out, size_t size, const struct pqr__key *keys, size_t n_keys, const char *path, bool group)
{
    char candidate[LONGEST + 1];
    size_t best = 2 + strlen(last_part(path)) / 3;
    bool found = false;
    for (size_t i = 0; i < n_keys; i++) {
        if (group)
            first_part(candidate, sizeof(candidate), keys[i].path);
        else
            pqr__text_copy(candidate, sizeof(candidate), keys[i].path);
        size_t far = group ? pqr__word_distance(path, candidate) : key_distance(path, candidate);
        if (far >= best)
            continue;
        best = far;
        found = true;
        pqr__text_copy(out, size, candidate);
    }
    return found;
}

void pqr__key_siblings(char *out, size_t size, const struct pqr__key *keys, size_t n_keys, const char *path)
{
    char candidate[LONGEST + 1];
    char before[LONGEST + 1] = "";
    size_t at = 0;
    size_t group = (size_t)(last_part(path) - path);
    out[0] = '\0';
    for (size_t i = 0; i < n_keys && at < size; i++) {
        if (strncmp(keys[i].path, path, group) != 0)
            continue;
        first_part(candidate, sizeof(candidate), keys[i].path + group);
        if (strcmp(candidate, before) == 0)
            continue;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", candidate);
        pqr__text_copy(before, sizeof(before), candidate);
    }
}
