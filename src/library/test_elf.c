/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/spelling.h"
#include "library/elf.h"
#include "library/library.h"
#include "library/near.h"

/* This test itself is an ELF file that can be loaded (a PIE); its first bytes serve as a model. */
#define MODEL_BYTES 4096

static int new_file(const void *bytes, size_t length)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    return fd;
}

static void read_model(unsigned char *bytes)
{
    OWN_FD fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, MODEL_BYTES), MODEL_BYTES);
}

static void expect_refusal(int fd, const char *sentence)
{
    struct message why;
    assert_int_equal(elf_check(fd, "libx.so", &why), -ENOEXEC);
    assert_string_equal(why.text, sentence);
}

static void test_library_of_this_machine_is_accepted(void **state)
{
    (void)state;
    struct message why;
    OWN_FD fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(elf_check(fd, "libx.so", &why), 0);
}

static void test_other_files_are_refused_with_their_first_bytes(void **state)
{
    (void)state;
    OWN_FD text = new_file("#!/bin/sh\n", 10);
    expect_refusal(text, "libx.so: not an ELF file (starts with \"#!/bin/s\")");
    OWN_FD binary = new_file("\x7f"
                             "ELG",
                             4);
    expect_refusal(binary, "libx.so: not an ELF file (starts with \"\\x7fELG\")");
    OWN_FD empty = new_file("", 0);
    expect_refusal(empty, "libx.so: not an ELF file (it is empty)");
}

static void test_truncated_file_says_what_it_needs(void **state)
{
    (void)state;
    unsigned char model[MODEL_BYTES];
    struct message why;
    read_model(model);
    OWN_FD some = new_file(model, MODEL_BYTES);
    assert_int_equal(elf_check(some, "libx.so", &why), -ENOEXEC);
    assert_non_null(strstr(why.text, "libx.so: truncated: needs "));
    assert_non_null(strstr(why.text, " bytes, has 4096"));
    OWN_FD little = new_file(model, 40);
    expect_refusal(little, "libx.so: truncated: needs 64 bytes, has 40");
}

static void test_other_machine_is_named(void **state)
{
    (void)state;
    unsigned char model[MODEL_BYTES];
    read_model(model);
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)model;
    uint16_t native = header->e_machine;
    const char *own = native == EM_X86_64 ? "x86-64" : "aarch64";
    char sentence[128];
    header->e_machine = EM_RISCV;
    OWN_FD riscv = new_file(model, sizeof model);
    (void)snprintf(sentence, sizeof sentence, "libx.so: built for riscv, this machine is %s", own);
    expect_refusal(riscv, sentence);
    header->e_machine = 0x1234;
    OWN_FD unknown = new_file(model, sizeof model);
    (void)snprintf(sentence, sizeof sentence,
                   "libx.so: built for machine number 4660, this machine is %s", own);
    expect_refusal(unknown, sentence);
    header->e_machine = EM_386;
    header->e_ident[EI_CLASS] = ELFCLASS32;
    OWN_FD narrow = new_file(model, sizeof model);
    (void)snprintf(sentence, sizeof sentence, "libx.so: built for i386, this machine is %s", own);
    expect_refusal(narrow, sentence);
    header->e_machine = native;
    OWN_FD mixed = new_file(model, sizeof model);
    (void)snprintf(sentence, sizeof sentence,
                   "libx.so: a 32-bit library for %s (x32 or the like), this machine loads 64-bit "
                   "ones",
                   own);
    expect_refusal(mixed, sentence);
    header->e_ident[EI_DATA] = ELFDATA2MSB;
    OWN_FD big = new_file(model, sizeof model);
    expect_refusal(big, "libx.so: built for a big-endian machine, this machine is little-endian");
}

static void test_object_file_is_no_library(void **state)
{
    (void)state;
    unsigned char model[MODEL_BYTES];
    read_model(model);
    ((Elf64_Ehdr *)(void *)model)->e_type = ET_REL;
    OWN_FD fd = new_file(model, sizeof model);
    expect_refusal(fd, "libx.so: not a shared library but an object file");
}

/* Every number in the header may be anything: the answer is a sentence, never a crash. */
static void test_hostile_tables_are_refused(void **state)
{
    (void)state;
    unsigned char model[MODEL_BYTES];
    struct message why;
    for (size_t at = EI_NIDENT; at < sizeof(Elf64_Ehdr); at++) {
        read_model(model);
        model[at] = 0xff;
        OWN_FD fd = new_file(model, sizeof model);
        assert_int_equal(elf_check(fd, "libx.so", &why), -ENOEXEC);
        assert_int_equal(elf_functions(fd, NULL, NULL), -ENOEXEC);
    }
}

static void test_distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(spelling_distance("crc32", "crc32", 3), 0);
    assert_int_equal(spelling_distance("crc33", "crc32", 3), 1);
    assert_int_equal(spelling_distance("cr32", "crc32", 3), 1);
    assert_int_equal(spelling_distance("ccr32", "crc32", 3), 1);
    assert_int_equal(spelling_distance("", "abc", 3), 3);
    assert_int_equal(spelling_distance("inflate", "deflate", 1), 2);
    assert_int_equal(spelling_distance("a", "a_much_longer_name", 3), 4);
}

static void test_missing_function_is_explained_with_near_names(void **state)
{
    (void)state;
    struct library library;
    struct message why;
    assert_int_equal(library_prepare(&library, "libz.so.1", &why), 0);
    assert_int_equal(library_open(&library, &why), 0);
    assert_non_null(library_find(&library, "crc32"));
    assert_null(library_find(&library, "crc33"));
    library_explain(&library, "crc33", &why);
    assert_non_null(strstr(why.text, "libz.so.1 has no function 'crc33'; did you mean 'crc32'"));
    library_explain(&library, "nothing_like_it_at_all", &why);
    assert_string_equal(why.text, "libz.so.1 has no function 'nothing_like_it_at_all'");
}

static void test_empty_name_is_the_c_library(void **state)
{
    (void)state;
    struct library library;
    struct message why;
    assert_int_equal(library_prepare(&library, "", &why), 0);
    assert_int_equal(library_open(&library, &why), 0);
    assert_non_null(library_find(&library, "strtol"));
    library_explain(&library, "strtoll_", &why);
    assert_non_null(strstr(why.text, "the C library has no function 'strtoll_'; did you mean"));
}

/* This program's own, which comes before the C library's wherever somebody refers to it. */
__attribute__((visibility("default"))) void *valloc(size_t size)
{
    (void)size;
    return NULL;
}

static void test_allocator_is_the_one_that_this_program_uses(void **state)
{
    (void)state;
    struct message why;
    struct library library;
    assert_int_equal(library_prepare(&library, "", &why), 0);
    assert_int_equal(library_open(&library, &why), 0);
    assert_ptr_not_equal(dlsym(library.handle, "valloc"), dlsym(RTLD_DEFAULT, "valloc"));
    assert_ptr_equal(library_find(&library, "valloc"), dlsym(RTLD_DEFAULT, "valloc"));
    assert_ptr_equal(library_find(&library, "strtol"), dlsym(library.handle, "strtol"));
    library_deinit(&library);
}

static void test_unreadable_path_is_loaded_from_the_open_file(void **state)
{
    (void)state;
    struct message why;
    char path[] = "/tmp/cordon-test-XXXXXX";
    OWN_FD copy = mkstemp(path);
    OWN_FD file = open(LIBRARY_SAMPLE, O_RDONLY | O_CLOEXEC);
    char bytes[65536];
    assert_true(copy >= 0 && file >= 0);
    for (ssize_t count = read(file, bytes, sizeof bytes); count > 0;
         count = read(file, bytes, sizeof bytes)) {
        assert_int_equal(write(copy, bytes, (size_t)count), count);
    }
    struct library library;
    assert_int_equal(library_prepare(&library, path, &why), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(library_open(&library, &why), 0);
    assert_non_null(library_find(&library, "library_sample"));
}

static void test_path_is_judged_before_it_is_loaded(void **state)
{
    (void)state;
    struct library library;
    struct message why;
    assert_int_equal(library_prepare(&library, "/etc/passwd", &why), -ENOEXEC);
    assert_non_null(strstr(why.text, "not an ELF file"));
    assert_int_equal(library_prepare(&library, "./none.so", &why), -ENOENT);
    assert_string_equal(why.text, "./none.so: cannot be opened: No such file or directory");
    assert_int_equal(library_prepare(&library, "/dev/null", &why), -ENOEXEC);
    assert_string_equal(why.text, "/dev/null: not a regular file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library_of_this_machine_is_accepted),
        cmocka_unit_test(test_other_files_are_refused_with_their_first_bytes),
        cmocka_unit_test(test_truncated_file_says_what_it_needs),
        cmocka_unit_test(test_other_machine_is_named),
        cmocka_unit_test(test_object_file_is_no_library),
        cmocka_unit_test(test_hostile_tables_are_refused),
        cmocka_unit_test(test_distance_counts_edits),
        cmocka_unit_test(test_missing_function_is_explained_with_near_names),
        cmocka_unit_test(test_empty_name_is_the_c_library),
        cmocka_unit_test(test_allocator_is_the_one_that_this_program_uses),
        cmocka_unit_test(test_unreadable_path_is_loaded_from_the_open_file),
        cmocka_unit_test(test_path_is_judged_before_it_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
