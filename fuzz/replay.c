/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files: replay TARGET FILE... - the corpus in the ordinary tests. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) < 0) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    size_t size = (size_t)ftell(file);
    rewind(file);
    /* An allocation of just this size, so that a sanitizer sees the first byte read beyond. */
    uint8_t *data = malloc(size ? size : 1);
    int failed = !data || fread(data, 1, size, file) != size;
    (void)fclose(file);
    if (!failed) {
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        failed |= replay(argv[i]);
    }
    (void)printf("%d inputs replayed\n", argc - 1);
    return failed;
}
