/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char folder[64];

void write_file(const char *name, const char *text, size_t length, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

void print_all(const struct findings *findings)
{
    struct message line;
    for (size_t i = 0; i < findings->count; i++) {
        finding_print(&findings->list[i], &line);
        print_message("    %s\n", line.text);
    }
}

int make_folder(void **state)
{
    static const char libz[] =
        "library \"libz.so.1\";\n"
        "const char *zlibVersion(void);\n"
        "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned int len);\n"
        "int compress(out uint8_t dest[*destLen], inout unsigned long *destLen,\n"
        "             const uint8_t source[sourceLen], unsigned long sourceLen);\n";
    static const char broken[] = "library \"libz.so.1\";\nint f(int x;\n";
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cordon-config-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    write_file("libz.cordon", libz, strlen(libz), 0644);
    write_file("broken.cordon", broken, strlen(broken), 0644);
    return 0;
}

int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}
