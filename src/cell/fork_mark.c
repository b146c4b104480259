/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fork_mark.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

volatile int *fork_mark_page;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int generations; /* copied by fork: a child's own is one its parent never had before */

static int make_page(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    int *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return -errno;
    }
    if (madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
        int error = -errno;
        (void)munmap(page, page_bytes);
        return error;
    }
    fork_mark_page = page;
    return 0;
}

int fork_mark_make(void)
{
    (void)pthread_mutex_lock(&lock);
    int r = fork_mark_page ? 0 : make_page();
    /* errno is positive: 0 is a page. NOLINTNEXTLINE(clang-analyzer-*) */
    if (r == 0 && *fork_mark_page == 0) {
        *fork_mark_page = ++generations;
    }
    if (r == 0) {
        r = *fork_mark_page;
    }
    (void)pthread_mutex_unlock(&lock);
    return r;
}
