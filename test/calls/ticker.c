/* SPDX-License-Identifier: Apache-2.0 */

/* A library with a thread of its own, which calls back. */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

typedef int tick(void *context, const char *text, int n);

__attribute__((visibility("default"))) int ticker_start(tick *callback, void *context, int times);
__attribute__((visibility("default"))) int ticker_join(void);
__attribute__((visibility("default"))) int ticker_crowd(tick *callback, void *context, int threads);
__attribute__((visibility("default"))) int ticker_wait(int answers);
__attribute__((visibility("default"))) int ticker_call(tick *callback, void *context);

struct pair {
    int left;
    double right;
};
typedef struct pair ask_pair(int n);
__attribute__((visibility("default"))) double ticker_pair(ask_pair *ask, int n);

struct named {
    const char *name;
    int value;
};
typedef void fill_named(struct named *named);
__attribute__((visibility("default"))) int ticker_named(fill_named *fill, const char *name);

static struct {
    pthread_t thread;
    tick *callback;
    void *context;
    int times;
    int sum;
    bool started; /* and not joined */
} ticker;

static void *run(void *unused)
{
    (void)unused;
    for (int i = 1; i <= ticker.times; i++) {
        ticker.sum += ticker.callback(ticker.context, "tick", i);
    }
    return NULL;
}

/* At level thread sessions end, and this process goes on: a thread of theirs that has ended is nobody's. */
static __attribute__((destructor)) void forget(void)
{
    if (ticker.started && pthread_tryjoin_np(ticker.thread, NULL) == 0) {
        ticker.started = false;
    }
}

int ticker_start(tick *callback, void *context, int times)
{
    forget();
    ticker.callback = callback;
    ticker.context = context;
    ticker.times = times;
    ticker.sum = 0;
    int r = pthread_create(&ticker.thread, NULL, run, NULL);
    ticker.started = r == 0;
    return r;
}

/* The sum of what the callbacks returned. */
int ticker_join(void)
{
    (void)pthread_join(ticker.thread, NULL);
    ticker.started = false;
    return ticker.sum;
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int failed;
    int answered;
    int threads;
    pthread_t of[256];
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *run_one(void *unused)
{
    (void)unused;
    int answer = ticker.callback(ticker.context, "tick", 1);
    (void)pthread_mutex_lock(&crowd.lock);
    *(answer < 0 ? &crowd.failed : &crowd.answered) += 1;
    (void)pthread_cond_broadcast(&crowd.changed);
    (void)pthread_mutex_unlock(&crowd.lock);
    return NULL;
}

/* That many threads, each of which calls back once. */
int ticker_crowd(tick *callback, void *context, int threads)
{
    forget();
    ticker.callback = callback;
    ticker.context = context;
    crowd.failed = crowd.answered = 0;
    crowd.threads = threads;
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&crowd.of[i], NULL, run_one, NULL) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Until one callback has failed (@answers negative), or all threads have ended, @answers with an answer. */
int ticker_wait(int answers)
{
    (void)pthread_mutex_lock(&crowd.lock);
    while (answers < 0 ? crowd.failed == 0 : crowd.failed + crowd.answered < crowd.threads) {
        (void)pthread_cond_wait(&crowd.changed, &crowd.lock);
    }
    int good = answers < 0 || crowd.answered == answers;
    (void)pthread_mutex_unlock(&crowd.lock);
    for (int i = 0; answers >= 0 && i < crowd.threads; i++) {
        (void)pthread_join(crowd.of[i], NULL);
    }
    return good;
}

int ticker_call(tick *callback, void *context)
{
    return callback(context, "call", 100);
}

/* A struct that is returned. */
double ticker_pair(ask_pair *ask, int n)
{
    struct pair pair = ask(n);
    return pair.left + pair.right;
}

/* A struct with a pointer, which the callback may change: the sum of its value and the length of its name. */
int ticker_named(fill_named *fill, const char *name)
{
    struct named named = {.name = name, .value = 1};
    fill(&named);
    return named.value + (named.name == name ? (int)strlen(named.name) : -1000);
}
