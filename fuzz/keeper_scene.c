/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_scene.h"
#include "rewriter.h"

#include "keeper/finding.h"
#include "keeper/named.h"
#include "keeper/taking.h"
#include "lane/start.h"
#include "policy/compile.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE         4096u
#define PAGES        3u
#define MEMORY_BYTES (PAGES * PAGE)
#define ROUNDS       24

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* What stands for the worker's memory; behind it lies a page that cannot be read. */
static uint8_t *memory;
static int process = -1; /* this one's folder in /proc */
static struct policy policies[2];

static void set_up(void)
{
    struct message why;
    if (memory) {
        return;
    }
    memory =
        mmap(NULL, MEMORY_BYTES + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    process = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (memory == MAP_FAILED || mprotect(memory + MEMORY_BYTES, PAGE, PROT_NONE) != 0 ||
        process < 0) {
        abort();
    }
    static const char *const grants[] = {"read:/usr", "write:/tmp/cordon-fuzz", "connect:443",
                                         NULL};
    const struct policy_wish wishes[] = {{.threads = 4}, {.grants = grants}};
    for (size_t i = 0; i < 2; i++) {
        if (policy_compile(&wishes[i], &policies[i], &why) < 0) {
            abort();
        }
    }
}

static uint8_t take_byte(struct input *input)
{
    uint8_t byte;
    props_take(input, &byte, 1);
    return byte;
}

/* An address that is an edge of the memory, any in it, or any. */
static uint64_t take_address(struct input *input)
{
    uint8_t which = take_byte(input);
    uint64_t begin = (uintptr_t)memory;
    uint64_t word = 0;
    switch (which % 8) {
    case 0:
        props_take(input, &word, sizeof word);
        return word;
    case 1:
        return begin + MEMORY_BYTES - take_byte(input);
    case 2:
        return begin + PAGE - take_byte(input);
    case 3:
        return UINT64_MAX - take_byte(input);
    case 4:
        return take_byte(input);
    default:
        return begin + which / 8 * 16u;
    }
}

/* Runs of a byte, so that a short input makes a long name. */
static void fill_memory(struct input *input)
{
    static const char *const texts[] = {"/etc/shadow", "/usr/../",   "./",
                                        "/proc/self/", "/tmp/a b\n", "//"};
    memset(memory, 0, MEMORY_BYTES);
    size_t at = 0;
    for (int i = 0; i < 32 && input->size > 0 && at < MEMORY_BYTES; i++) {
        uint8_t what = take_byte(input);
        if (what < 6) {
            size_t length = strlen(texts[what]);
            length = length < MEMORY_BYTES - at ? length : MEMORY_BYTES - at;
            memcpy(memory + at, texts[what], length);
            at += length;
        } else if (what < 64) {
            size_t count = what * 72u < MEMORY_BYTES - at ? what * 72u : MEMORY_BYTES - at;
            memset(memory + at, take_byte(input), count);
            at += count;
        } else {
            memory[at++] = what;
        }
    }
}

/* Two values in turns in one word of the memory. */
static void begin_rewriting(struct input *input)
{
    uint64_t words[2];
    uint16_t at;
    props_take(input, &at, sizeof at);
    at = (uint16_t)(at * 8u % MEMORY_BYTES);
    memcpy(&words[0], memory + at, sizeof words[0]);
    props_take(input, &words[1], sizeof words[1]);
    rewriter_begin((_Atomic uint64_t *)(void *)(memory + at), words[0], words[1]);
}

static void take_notice(struct input *input, uint32_t system_call, struct notice *ret_notice)
{
    uint8_t arch = take_byte(input);
    *ret_notice =
        (struct notice){.thread = getpid(),
                        .system_call = system_call,
                        .architecture = arch == 0xff ? AUDIT_ARCH_I386 : OWN_ARCHITECTURE};
    for (uint32_t i = 0; i < LISTENER_ARGUMENTS; i++) {
        ret_notice->arguments[i] = take_address(input);
    }
}

/* ---- Notices ----------------------------------------------------------------------------------- */

static void expect_text(const char *text, size_t bytes)
{
    size_t length = strnlen(text, bytes);
    if (length == bytes) {
        abort();
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            abort();
        }
    }
}

/* "openat /x" with "read:/x", "connect port 5" with "connect:5": one reading of one memory. */
static void expect_one_reading(const struct lane_act *act)
{
    const char *named = strchr(act->act, ' ');
    const char *granted = strchr(act->grant, ':');
    if (!named || !granted || strstr(named, "...")) {
        return;
    }
    if (strncmp(named, " port ", 6) == 0) {
        named += 5;
    }
    if ((granted[1] == '/' || (granted[1] >= '0' && granted[1] <= '9')) &&
        (named[1] == '/' || (named[1] >= '0' && named[1] <= '9')) &&
        strcmp(named + 1, granted + 1) != 0) {
        abort();
    }
}

static void expect_sound(const struct finding *finding)
{
    char sentence[600];
    if (finding->kind != FINDING_FORBIDDEN) {
        return;
    }
    expect_text(finding->act.act, sizeof finding->act.act);
    expect_text(finding->act.grant, sizeof finding->act.grant);
    expect_one_reading(&finding->act);
    finding_sentence(&finding->act, sentence, sizeof sentence);
    expect_text(sentence, sizeof sentence);
}

static void expect_tidy(const struct notice *notice)
{
    static struct named named;
    named_find(process, notice, &named);
    if (named.state == NAMED_UNKNOWN) {
        return;
    }
    if (strnlen(named.path, PATH_MAX) == PATH_MAX || named.path[0] != '/' ||
        strstr(named.path, "//") || strstr(named.path, "/../") || strstr(named.path, "/./")) {
        abort();
    }
}

static void find_once(const struct finding_scene *scene, const struct notice *notice)
{
    static struct finding finding;
    finding_make(scene, notice, &finding);
    expect_sound(&finding);
    if (named_takes(notice->system_call)) {
        expect_tidy(notice);
    }
}

void scene_notice(struct input *input)
{
    static const uint32_t calls[] = {
        SYS_openat,    SYS_openat2, SYS_execve,     SYS_execveat,  SYS_connect,
        SYS_bind,      SYS_clone,   SYS_exit_group, SYS_renameat2, SYS_linkat,
        SYS_symlinkat, SYS_mkdirat, SYS_chroot,     SYS_socket,
    };
    struct notice notice;
    set_up();
    uint8_t which = take_byte(input);
    uint8_t flags = take_byte(input);
    take_notice(input, which < 0xf0 ? calls[which % (sizeof calls / sizeof calls[0])] : which,
                &notice);
    if (flags & 1) {
        notice.arguments[0] = (uint64_t)AT_FDCWD;
    }
    struct finding_scene scene = {.policy = &policies[flags >> 1 & 1],
                                  .library = "libz.so.1",
                                  .loading = (flags & 4) != 0,
                                  .pid = getpid(),
                                  .process = flags & 8 ? -1 : process,
                                  .pidfd = -1};
    bool rewrites = (flags & 16) != 0;
    fill_memory(input);
    if (rewrites) {
        begin_rewriting(input);
    }
    for (int i = 0; i < (rewrites ? ROUNDS : 1); i++) {
        find_once(&scene, &notice);
    }
    if (rewrites) {
        rewriter_end();
    }
}

/* ---- Crashes ----------------------------------------------------------------------------------- */

/* What is said of the signal is what its bytes say. */
static void expect_siginfo(const struct taking_alarm *alarm)
{
    siginfo_t info;
    if (alarm->signal < 0 || alarm->signal > 64) {
        abort();
    }
    memcpy(&info, alarm->siginfo, sizeof info);
    if (alarm->has_siginfo &&
        (alarm->code != info.si_code || alarm->address != (uint64_t)(uintptr_t)info.si_addr)) {
        abort();
    }
}

static void read_capture(int fd)
{
    struct stat info;
    struct capture_reader reader;
    struct capture_reason reason;
    struct capture_part part;
    if (fd < 0 || fstat(fd, &info) != 0) {
        abort();
    }
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED || capture_read(&reader, bytes, (uint64_t)info.st_size, &reason) < 0) {
        abort();
    }
    int r;
    while ((r = capture_next(&reader, &part)) == 1) {
        if (part.kind == CAPTURE_STACK && part.bytes > CAPTURE_STACK_BYTES) {
            abort();
        }
    }
    if (r < 0) {
        abort();
    }
    (void)munmap(bytes, (size_t)info.st_size);
}

static void take_capture(const struct notice *notice, const struct taking_alarm *alarm,
                         uint8_t flags)
{
    static _Alignas(LANE_PAGE) uint8_t h[LANE_H_BYTES_AT + PAGE];
    static struct taking taking;
    const struct lane_ward lane = {.h = (struct lane_host_page *)(void *)h, .h_bytes = sizeof h};
    const struct taking_subject subject = {
        .pid = getpid(), .process = flags & 8 ? -1 : process, .lane = &lane};
    const struct capture_reason reason = {.why = CAPTURE_WHY_CRASH, .seq = flags & 3u};
    for (size_t i = 0; i < LANE_SLOTS; i++) {
        atomic_store(&lane.h->record[i].words[0], notice->arguments[5]);
    }
    if (taking_begin(&taking, &subject, &reason) < 0) {
        abort();
    }
    if (alarm) {
        taking_add_alarm(&taking, notice->thread, alarm);
    } else {
        taking_add_standing(&taking, process, notice);
    }
    int fd = taking_end(&taking);
    read_capture(fd);
    (void)close(fd);
}

void scene_alarm(struct input *input)
{
    static struct taking_alarm alarm; /* large */
    struct notice notice;
    set_up();
    uint8_t flags = take_byte(input);
    take_notice(input, START_ALARM_CALL, &notice);
    fill_memory(input);
    bool rewrites = (flags & 16) != 0;
    if (rewrites) {
        begin_rewriting(input);
    }
    for (int i = 0; i < (rewrites ? ROUNDS : 1); i++) {
        taking_read_alarm(&notice, &alarm);
        expect_siginfo(&alarm);
    }
    take_capture(&notice, flags & 4 ? NULL : &alarm, flags);
    if (rewrites) {
        rewriter_end();
    }
}
