/*
 * replay.c — runs a fuzz target over a folder of inputs, without a fuzzer.
 *
 * Each input also runs cut short at many lengths and with single bytes changed,
 * which keeps a small corpus useful. Each copy ends at its allocation's end, so
 * that reading past it is seen by valgrind and AddressSanitizer.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { VARIANTS = 200 };

static void
run(const unsigned char *bytes, size_t size, size_t changed, unsigned char by)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        exit(2);
    memcpy(copy, bytes, size);
    if (changed < size)
        copy[changed] ^= by;
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void
run_all(const unsigned char *bytes, size_t size)
{
    static const unsigned char flips[] = { 0x01, 0x80, 0xff, 0x20 };

    run(bytes, size, SIZE_MAX, 0);
    for (size_t i = 0; i < VARIANTS && i < size; i++) {
        const size_t at = size <= VARIANTS ? i : (size_t)((double)size / VARIANTS * (double)i);

        run(bytes, at, SIZE_MAX, 0);
        run(bytes, size, at, flips[i % sizeof flips]);
    }
}

static int
run_file(const char *folder, const char *name)
{
    static unsigned char bytes[1 << 20];
    char path[4096];
    FILE *file;
    size_t size;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    run_all(bytes, size);
    return 1;
}

int
main(int argc, char **argv)
{
    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
    int n = 0;

    if (directory == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            n += run_file(argv[1], entry->d_name);
    closedir(directory);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
