#include "config_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pqr_error error;
static char folder[64];

struct pqr_config *help_parse(const char *text)
{
    struct pqr_config *config = NULL;
    if (pqr__config_parse(&config, "t.cfg", text, strlen(text), &error) != 0)
        fail_msg("not valid: %s", error.message);
    return config;
}

const char *help_message(const char *text)
{
    struct pqr_config *config = NULL;
    error.message[0] = '\0';
    assert_int_equal(pqr__config_parse(&config, "t.cfg", text, strlen(text), &error), PQR_ECONFIG);
    assert_int_equal(error.code, PQR_ECONFIG);
    assert_null(config);
    return error.message;
}

struct pqr_config *help_conninfo(const char *conninfo)
{
    struct pqr_config *config = NULL;
    if (pqr_config_conninfo(&config, conninfo, &error) != 0)
        fail_msg("not valid: %s", error.message);
    return config;
}

const char *help_conninfo_message(const char *conninfo)
{
    struct pqr_config *config = NULL;
    error.message[0] = '\0';
    assert_int_equal(pqr_config_conninfo(&config, conninfo, &error), PQR_ECONFIG);
    assert_null(config);
    return error.message;
}

void help_folder_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/pqr-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

/* One level of files and empty folders. */
void help_folder_remove(void)
{
    char path[400];
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    for (struct dirent *entry = readdir(open_folder); entry; entry = readdir(open_folder)) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(remove(path), 0);
    }
    closedir(open_folder);
    assert_int_equal(rmdir(folder), 0);
}

const char *help_file(const char *name, const char *text, unsigned mode)
{
    static char path[400];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path); /* it may be read-only */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

void help_clean_environment(void)
{
    PQconninfoOption *options = PQconndefaults();
    assert_non_null(options);
    for (PQconninfoOption *option = options; option->keyword; option++)
        if (option->envvar)
            unsetenv(option->envvar);
    PQconninfoFree(options);
    unsetenv("PGSERVICEFILE");
    unsetenv("PGSYSCONFDIR");
    unsetenv("DATABASE_URL");
    setenv("HOME", "/nonexistent", 1);
}

void help_assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

void help_assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}
