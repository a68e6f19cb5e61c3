/* What a simulated server answers with. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "wire_parts.h"

int64_t sim_results;

struct pg_result *sim_result_new(uint64_t nonce, const char *tag)
{
    struct pg_result *result = sim_alloc(sizeof(*result));
    result->nonce = nonce;
    pqr__text_copy(result->tag, sizeof(result->tag), tag);
    sim_results++;
    return result;
}

void sim_result_add(struct pg_result *result, const char *format, ...)
{
    char *value = sim_alloc(64);
    va_list values;
    va_start(values, format);
    vsnprintf(value, 64, format, values);
    va_end(values);
    result->values[result->columns++] = value;
}

void sim_result_free(struct pg_result *result)
{
    if (!result)
        return;
    for (int i = 0; i < result->columns; i++)
        free(result->values[i]);
    free(result);
    sim_results--;
}

const char *sim_result_value(const struct pg_result *result, int row, int column)
{
    return row == 0 && column >= 0 && column < result->columns ? result->values[column] : NULL;
}

const char *sim_result_tag(const struct pg_result *result)
{
    return result->tag;
}
