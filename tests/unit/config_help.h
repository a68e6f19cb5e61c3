/* For the tests of the configuration: texts and files in, messages out. */
#ifndef CONFIG_HELP_H
#define CONFIG_HELP_H

#include "config/config.h"

/* Parses text as the file "t.cfg"; fails the test when it is not valid. Free with pqr_config_free. */
struct pqr_config *help_parse(const char *text);

/* The message for text as the file "t.cfg"; fails the test when it is valid. Static memory. */
const char *help_message(const char *text);

/* The same for connection strings. */
struct pqr_config *help_conninfo(const char *conninfo);
const char *help_conninfo_message(const char *conninfo);

/* A folder of its own under /tmp for the test, and a file in it with that mode; the path is static memory. */
void help_folder_make(void);
void help_folder_remove(void);
const char *help_file(const char *name, const char *text, unsigned mode);

/* Takes all of libpq's variables out of the environment, so that it does not matter where tests run. */
void help_clean_environment(void);

/* Fails the test unless text holds part. */
void help_assert_holds(const char *text, const char *part);
/* ... unless it does not. */
void help_assert_lacks(const char *text, const char *part);

#endif
