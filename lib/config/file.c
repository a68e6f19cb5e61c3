/* Regular files only. Opening a device may have effects of its own, so what it is gets looked at before
   that, and again when it is open, since it may be another file by then. Opening never waits for another
   process. */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "pqrouter.h"

static int io_error(char *why, size_t size, const char *doing)
{
    char text[100] = "";
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    const char *reason = strerror_r(errno, text, sizeof(text));
#else
    const char *reason = strerror_r(errno, text, sizeof(text)) == 0 ? text : "unknown error";
#endif
    snprintf(why, size, "cannot %s: %s", doing, reason);
    return PQR_EIO;
}

/* Makes room for one more byte and a NUL. Never by realloc: it would leave a copy lying about, unwiped. */
static bool make_room(struct pqr__file *file, size_t *capacity)
{
    if (*capacity - file->length >= 2)
        return true;
    size_t wider = *capacity ? 2 * *capacity : 4096;
    char *text = pqr__malloc(wider);
    if (!text)
        return false;
    if (file->length)
        memcpy(text, file->text, file->length);
    pqr__free_wiped(file->text, file->length);
    file->text = text;
    *capacity = wider;
    return true;
}

/* Stops soon after limit bytes, whatever the file's size was said to be. */
static int read_all(int fd, struct pqr__file *file, size_t limit, char *why, size_t size)
{
    size_t capacity = 0;
    ssize_t count;
    do {
        if (!make_room(file, &capacity))
            return PQR_ENOMEM;
        count = read(fd, file->text + file->length, capacity - file->length - 1);
        if (count < 0 && errno != EINTR)
            return io_error(why, size, "read it");
        file->length += count > 0 ? (size_t)count : 0;
        file->text[file->length] = '\0';
    } while (count != 0 && file->length <= limit);
    if (file->length <= limit)
        return 0;
    snprintf(why, size, "it is too large; a configuration is at most 1 MB, with all that it includes");
    return PQR_EIO;
}

static int not_regular(char *why, size_t size)
{
    snprintf(why, size, "it is not a regular file");
    return PQR_EIO;
}

static int read_open(int fd, struct pqr__file *file, size_t limit, char *why, size_t size)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return io_error(why, size, "look at it");
    if (!S_ISREG(facts.st_mode))
        return not_regular(why, size);
    file->on_disk = true;
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    file->owner = facts.st_uid;
    file->mode = facts.st_mode;
    return read_all(fd, file, limit, why, size);
}

static int open_and_read(const char *name, struct pqr__file *file, size_t limit, char *why, size_t size)
{
    struct stat facts;
    if (stat(name, &facts) == 0 && !S_ISREG(facts.st_mode))
        return not_regular(why, size);
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return io_error(why, size, "open it");
    int status = read_open(fd, file, limit, why, size);
    close(fd);
    return status;
}

int pqr__file_read(struct pqr__file *out, const char *name, size_t limit, char *why, size_t size)
{
    struct pqr__file file = {.name = pqr__strdup(name)};
    if (!file.name)
        return PQR_ENOMEM;
    int status = open_and_read(name, &file, limit, why, size);
    if (status)
        pqr__file_finish(&file);
    else
        *out = file;
    return status;
}

int pqr__file_of_text(struct pqr__file *out, const char *name, const char *text, size_t length)
{
    struct pqr__file file = {.name = pqr__strdup(name), .text = pqr__strndup(text, length), .length = length};
    if (!file.name || !file.text) {
        pqr__file_finish(&file);
        return PQR_ENOMEM;
    }
    *out = file;
    return 0;
}

bool pqr__file_is_private(const struct pqr__file *file)
{
    mode_t refused = file->owner == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    return !file->on_disk || (file->mode & refused) == 0;
}

bool pqr__file_same(const struct pqr__file *left, const struct pqr__file *right)
{
    return left->on_disk && right->on_disk && left->device == right->device && left->inode == right->inode;
}

void pqr__file_finish(struct pqr__file *file)
{
    pqr__free(file->name);
    pqr__free_wiped(file->text, file->length);
    *file = (struct pqr__file){0};
}
