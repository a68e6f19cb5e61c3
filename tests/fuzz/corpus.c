/* Runs a fuzz target without libFuzzer, with any compiler: every file of a corpus as it is, and in a few dozen forms
   that are near it. What libFuzzer finds by hours of search this repeats in seconds.

   corpus FOLDER [ROUNDS [SEED]] */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

enum { SIZE_MAX_FILE = 64 * 1024, EXTRA = 64 };

static uint64_t dice = 1; /* xorshift: the same on every machine */

static size_t below(size_t n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return n == 0 ? 0 : (size_t)(dice >> 11) % n;
}

/* Exactly as large as its input, so that the sanitizer sees a byte too far. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t change(uint8_t *data, size_t size)
{
    static const char *const words[] = {"'", "\"", "$$", "--", "/*", "*/", ";", "(", ")", "\\", "\0", "\xff",
        "E'", "U&'", "::", "4294967297", "@include", "%", "\n", "\200"};
    const char *word = words[below(sizeof(words) / sizeof(words[0]))];
    size_t at = below(size + 1), length = *word ? strlen(word) : 1;
    switch (below(4)) {
    case 0: /* a bit */
        if (at < size)
            data[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1: /* cut off */
        return at;
    case 2: /* cut out */
        length = below(size - at + 1);
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    default:
        memmove(data + at + length, data + at, size - at);
        memcpy(data + at, word, length);
        return size + length;
    }
}

static void run_file(const char *path, unsigned long rounds)
{
    static uint8_t original[SIZE_MAX_FILE], data[SIZE_MAX_FILE + EXTRA];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t size = fread(original, 1, sizeof(original), file);
    fclose(file);
    run(original, size);
    for (unsigned long i = 0; i < rounds; i++) {
        size_t now = size;
        memcpy(data, original, size);
        for (size_t n = 1 + below(4); n > 0; n--) /* grows by less than EXTRA */
            now = change(data, now);
        run(data, now);
    }
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 200, n = 0;
    dice = argc > 3 ? strtoul(argv[3], NULL, 10) * 2 + 1 : 1;
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER [ROUNDS [SEED]]\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry; (entry = readdir(folder)); n++) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        run_file(path, rounds);
    }
    closedir(folder);
    printf("%lu files, each in %lu forms\n", n, rounds + 1);
    return n > 0 ? 0 : 1;
}
