/* SPDX-License-Identifier: Apache-2.0 */

/*
 * attached SOCKET CELL: calls labs() and getpid() of a daemon's cell by lanes of its own until standard input ends; then says how
 * many calls there were, how many were not answered as they should be, and how often the worker was another one.
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "cordon/cordon.h"

static int input_has_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Of its worker, there; 0: it was not answered. */
static int ask_pid(struct cordon_function *function)
{
    struct cordon_result result;
    int r = cordon_call(function, NULL, 0, CORDON_DEFAULT, &result);
    return r == CORDON_DONE ? (int)result.value.i : 0;
}

static int call(struct cordon_function *function, int number)
{
    struct cordon_value args[] = {cordon_int(-number)};
    struct cordon_result result;
    int r = cordon_call(function, args, 1, CORDON_DEFAULT, &result);
    if (r == CORDON_DONE && result.value.i == number) {
        return 0;
    }
    fprintf(stderr, "call %d: %d, %s\n", number, r, result.error.text);
    return 1;
}

int main(int argc, char **argv)
{
    struct cordon_attach_options options = CORDON_ATTACH_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_function *function = NULL;
    struct cordon_function *getpid_ = NULL;
    struct cordon_error error;
    int calls = 0;
    int failed = 0;
    int workers = 0;
    int last_pid = 0;
    if (argc != 3) {
        return 2;
    }
    options.gateway = argv[1];
    options.cell = argv[2];
    if (cordon_attach(&options, &cell, &error) != 0 ||
        cordon_bind(cell, "labs", 0, &function, &error) != 0 ||
        cordon_bind(cell, "getpid", 0, &getpid_, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    while (!input_has_ended()) {
        failed += call(function, ++calls);
        int pid = ask_pid(getpid_);
        failed += pid == 0;
        workers += pid != last_pid;
        last_pid = pid;
        if (calls == 1) {
            puts("attached");
            fflush(stdout);
        }
    }
    printf("%d %d %d\n", calls, failed, workers);
    (void)cordon_cell_close(cell);
    return 0;
}
