/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fork_mark.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

volatile const unsigned *fork_mark_page;

static int make_error;

static void make(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned *page =
        mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        make_error = -errno;
        return;
    }
    if (madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
        make_error = -errno;
        (void)munmap(page, page_bytes);
        return;
    }
    *page = 1;
    fork_mark_page = page;
}

int fork_mark_make(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make);
    return make_error;
}
