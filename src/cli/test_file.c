/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_files_are_read_whole_and_limits_named(void **state)
{
    (void)state;
    char path[] = "/tmp/cordon-file-XXXXXX";
    int fd = mkstemp(path);
    struct message why;
    void *bytes = NULL;
    size_t length = 0;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(close(fd), 0);
    assert_int_equal(file_read(path, 10, &bytes, &length, &why), 0);
    assert_int_equal(length, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    free(bytes);
    assert_int_equal(file_read(path, 9, &bytes, &length, &why), -EFBIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_read(path, 10, &bytes, &length, &why), -ENOENT);
    assert_non_null(strstr(why.text, path));
    assert_int_equal(file_read("/tmp", 10, &bytes, &length, &why), -EISDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_read_whole_and_limits_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
