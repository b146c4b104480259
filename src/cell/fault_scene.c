/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fault_scene.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/reach.h"

#define PAGE         4096u
#define RED_ZONE     128u
#define PLAIN_COPIES __attribute__((no_sanitize("address", "thread"), noinline))

struct fault_scene *scene_new(void)
{
    void *memory = mmap(NULL, sizeof(struct fault_scene), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void scene_free(struct fault_scene *scene)
{
    if (scene != NULL) {
        (void)munmap(scene, sizeof *scene);
    }
}

/* A stack is full of what sanitizers would object to. */
PLAIN_COPIES static void copy_plainly(uint8_t *to, uint64_t from, size_t bytes)
{
    const volatile uint8_t *source = (const volatile uint8_t *)(uintptr_t)from;
    for (size_t i = 0; i < bytes; i++) {
        to[i] = source[i];
    }
}

/*
 * The kernel may forbid to read by an address (a filter around this process). Between the stack pointer and
 * where the guarded run began lies this thread's stack, whatever else is wrong.
 */
static size_t copy_known_stack(struct fault_scene *scene, uint64_t pointer, uintptr_t end)
{
    if (end == 0 || pointer >= end || end - pointer > SCENE_STACK_BYTES) {
        return 0;
    }
    copy_plainly(scene->stack, pointer, end - pointer);
    return end - pointer;
}

static void take_stack(struct fault_scene *scene, uint64_t pointer, uintptr_t end)
{
    uint64_t from = pointer - RED_ZONE;
    size_t most = SCENE_STACK_BYTES;
    if (end > pointer && end - from < most) {
        most = end - from;
    }
    size_t count = reach_bytes(getpid(), from, scene->stack, most);
    if (count <= RED_ZONE) {
        from = pointer;
        count = reach_bytes(getpid(), from, scene->stack, most);
    }
    if (count == 0 && (errno == EPERM || errno == ENOSYS)) {
        count = copy_known_stack(scene, pointer, end);
    } else if (count == 0) {
        from = reach_above(getpid(), pointer);
        count = from == 0 ? 0 : reach_bytes(getpid(), from, scene->stack, SCENE_STACK_BYTES);
    }
    scene->stack_address = from;
    scene->stack_bytes = (uint32_t)count;
}

static void take_piece(struct fault_scene *scene, uint64_t address)
{
    struct scene_piece *piece = &scene->pieces[scene->piece_count++];
    uint64_t from = address > SCENE_AROUND_BYTES / 2 ? address - SCENE_AROUND_BYTES / 2 : 0;
    piece->wanted = address;
    size_t count = reach_bytes(getpid(), from, piece->data, SCENE_AROUND_BYTES);
    if (from + count <= address) {
        /* Below it may be nothing: then from the address's own page on. */
        uint64_t page = address - address % PAGE;
        from = page > from ? page : address;
        count = reach_bytes(getpid(), from, piece->data, SCENE_AROUND_BYTES);
    }
    piece->address = from;
    piece->bytes = from + count > address ? (uint32_t)count : 0;
}

void scene_take(struct fault_scene *scene, const siginfo_t *info, const void *context,
                uintptr_t stack_end)
{
    if (scene->taken) {
        return;
    }
    scene->thread = gettid();
    capture_thread_from_context(&scene->registers, context);
    scene->registers.flags = CAPTURE_THREAD_BLAMED | CAPTURE_THREAD_SERVING;
    (void)prctl(PR_GET_NAME, scene->registers.name);
    take_stack(scene, scene->registers.registers[CAPTURE_REGISTER_SP], stack_end);
    take_piece(scene, scene->registers.registers[CAPTURE_REGISTER_PC]);
    if (info != NULL) {
        scene->has_info = true;
        scene->info = *info;
        if (info->si_code > 0 && (info->si_signo == SIGSEGV || info->si_signo == SIGBUS)) {
            take_piece(scene, (uint64_t)(uintptr_t)info->si_addr);
        }
    }
    scene->taken = true;
}
