/* libFuzzer: any bytes as a configuration file or, when the first byte is odd ('!', not ' '), as a connection
   string. Beside memory errors and calls of exit() it looks for a configuration that breaks its own rules, a
   refusal without a reason, and the word SECRET of a connection string in a message.

     CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
     ninja -C build-fuzz
     cd build-fuzz/tests/fuzz && mkdir found
     ./fuzz_config -max_total_time=300 -dict=../../../tests/fuzz/config.dict found ../../../tests/fuzz/corpus_config */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_server(const struct pqr_config *config, const struct pqr__server_config *server)
{
    size_t n = 0;
    check(server->name && *server->name && server->host && *server->host && server->port && server->dbname);
    check(server->max >= server->min && server->max >= config->pool.admin_reserved + 2);
    check(server->weight >= 1 && server->weight <= 1000);
    while (server->keywords[n])
        check(server->values[n++] != NULL);
    check(server->values[n] == NULL);
    check(strcmp(pqr__server_config_value(server, "target_session_attrs"), "any") == 0);
    const char *host = pqr__server_config_value(server, "host");
    check(!host || !strchr(host, ','));
}

static void check_config(const struct pqr_config *config)
{
    check(config->n_servers >= 1 && config->n_servers <= 64);
    for (uint32_t i = 0; i < config->n_servers; i++)
        check_server(config, &config->servers[i]);
    check(config->pool.max_total == 0 ||
          config->pool.max_total >= config->n_servers * (config->pool.admin_reserved + 2));
    check(config->pool.backoff_min_us <= config->pool.backoff_max_us);
    check(config->pool.connect_timeout_us > 0 && config->probe.interval_us > 0 &&
          config->queue.max_requests > 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    setenv("HOME", "/nonexistent", 1);
    setenv("PGSERVICEFILE", "/nonexistent", 1);
    setenv("PGSYSCONFDIR", "/nonexistent", 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pqr_error error;
    struct pqr_config *config = NULL;
    int status;
    if (size == 0)
        return 0;
    char *text = malloc(size);
    check(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    error.message[0] = '\0';
    if (data[0] & 1)
        status = pqr_config_conninfo(&config, text, &error);
    else
        status = pqr__config_parse(&config, "fuzz.cfg", text, size - 1, &error);
    check(status == 0 || status == PQR_ECONFIG);
    check((status == 0) == (config != NULL));
    if (config) {
        check_config(config);
    } else {
        check(error.code == PQR_ECONFIG && strlen(error.message) > 10);
        check(!(data[0] & 1) || !strstr(error.message, "SECRET"));
    }
    pqr_config_free(config);
    free(text);
    return 0;
}
