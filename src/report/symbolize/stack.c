/* SPDX-License-Identifier: Apache-2.0 */
#include "report/symbolize/stack.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/symbolize/story.h"

/*
 * How it works. libdwfl unwinds: registers and memory come from the evidence, call frame information
 * from the modules. Where a module has none libdwfl follows frame pointers; that is marked. It is
 * stopped where the stack leaves the modules, since what follows is chance. If next to nothing came
 * of it, the stack is scanned for addresses of code: marked as well.
 */

enum found_by {
    BY_REGISTERS,
    BY_CFI,
    BY_FRAME_POINTER,
    BY_RETURN_ADDRESS, /* of a call to nowhere */
    BY_SCAN,
};

static const char *const found_by_names[] = {
    [BY_REGISTERS] = "registers",
    [BY_CFI] = "cfi",
    [BY_FRAME_POINTER] = "frame-pointer",
    [BY_RETURN_ADDRESS] = "return-address",
    [BY_SCAN] = "scan",
};

struct found {
    uint64_t pc;
    bool exact;
    enum found_by by;
};

struct unwinding {
    struct evidence *evidence;
    struct modules *modules;
    struct found frames[STACK_FRAMES_MAX];
    uint32_t count;
    enum found_by next;
    bool cut;
};

static struct witness *being_unwound;

/* ---- What libdwfl asks for --------------------------------------------------------------------- */

static pid_t next_thread(Dwfl *dwfl, void *context, void **thread_context)
{
    (void)dwfl;
    (void)context;
    bool first = *thread_context == NULL;
    *thread_context = being_unwound;
    return first && being_unwound ? 1 : 0;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *context)
{
    (void)dwfl;
    return evidence_read(context, address, result, sizeof *result);
}

static bool set_registers(Dwfl_Thread *thread, void *context)
{
    const struct witness *witness = context;
    const uint64_t *registers = witness->thread.registers;
    dwfl_thread_state_register_pc(thread, registers[CAPTURE_REGISTER_PC]);
#if defined(__x86_64__)
    return dwfl_thread_state_registers(thread, 0, 17, registers);
#else
    return dwfl_thread_state_registers(thread, 0, 32, registers);
#endif
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

void stack_prepare(struct evidence *evidence, struct modules *modules)
{
    if (modules->dwfl && !dwfl_attach_state(modules->dwfl, NULL, 1, &thread_callbacks, evidence)) {
        modules->list[0].symbols = "no module can be read";
        dwfl_end(modules->dwfl);
        modules->dwfl = NULL;
    }
}

/* ---- Unwinding --------------------------------------------------------------------------------- */

static bool has_cfi(Dwfl *dwfl, uint64_t pc)
{
    Dwarf_Addr bias;
    Dwarf_Frame *frame = NULL;
    Dwfl_Module *module = dwfl_addrmodule(dwfl, pc);
    Dwarf_CFI *cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
    bool found = cfi && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0;
    free(frame);
    if (!found && module) {
        frame = NULL;
        cfi = dwfl_module_dwarf_cfi(module, &bias);
        found = cfi && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0;
        free(frame);
    }
    return found;
}

static int on_frame(Dwfl_Frame *state, void *context)
{
    struct unwinding *unwinding = context;
    Dwarf_Addr pc;
    bool exact;
    if (!dwfl_frame_pc(state, &pc, &exact) || pc == 0) {
        return DWARF_CB_ABORT;
    }
    if (unwinding->count == STACK_FRAMES_MAX) {
        unwinding->cut = true;
        return DWARF_CB_ABORT;
    }
    uint32_t index = unwinding->count++;
    unwinding->frames[index] = (struct found){pc, exact, unwinding->next};
    uint64_t inside = exact ? pc : pc - 1;
    unwinding->next = has_cfi(unwinding->modules->dwfl, inside) ? BY_CFI : BY_FRAME_POINTER;
    const struct module *module = modules_find(unwinding->modules, inside);
    return module && module->is_file ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static void unwind(struct unwinding *unwinding, struct witness *witness)
{
    being_unwound = witness;
    (void)dwfl_getthread_frames(unwinding->modules->dwfl, 1, on_frame, unwinding);
    being_unwound = NULL;
}

static bool is_code(const struct evidence *evidence, uint64_t address)
{
    const struct mapping *mapping = evidence_mapping(evidence, address);
    return mapping && mapping->execute;
}

/* A call to nowhere: the caller's address has been pushed, or stands in the link register. */
static bool step_back(struct unwinding *unwinding, struct witness *witness)
{
    uint64_t *registers = witness->thread.registers;
    uint64_t pc;
#if defined(__x86_64__)
    if (!evidence_read(unwinding->evidence, registers[CAPTURE_REGISTER_SP], &pc, sizeof pc) ||
        !is_code(unwinding->evidence, pc)) {
        return false;
    }
    registers[CAPTURE_REGISTER_SP] += sizeof pc;
#else
    pc = registers[30];
    if (!is_code(unwinding->evidence, pc)) {
        return false;
    }
#endif
    /* As a return address: one byte into the call, which has the same frame. */
    registers[CAPTURE_REGISTER_PC] = pc - 1;
    unwinding->next = BY_RETURN_ADDRESS;
    return true;
}

static void scan(struct unwinding *unwinding, const struct witness *witness)
{
    uint64_t sp = witness->thread.registers[CAPTURE_REGISTER_SP] & ~(uint64_t)7;
    uint32_t scanned = 0;
    uint64_t word;
    for (uint64_t i = 0; i < CAPTURE_STACK_BYTES / 8 && scanned < STACK_SCANNED_MAX; i++) {
        if (!evidence_read(unwinding->evidence, sp + i * 8, &word, sizeof word)) {
            break;
        }
        if (unwinding->count < STACK_FRAMES_MAX && is_code(unwinding->evidence, word)) {
            unwinding->frames[unwinding->count++] = (struct found){word, false, BY_SCAN};
            scanned++;
        }
    }
}

/* ---- Names ------------------------------------------------------------------------------------- */

static void put_line(json_t *json, const char *file, int line, int column)
{
    if (file && line > 0) {
        (void)json_object_set_new(json, "file", story_text(file, strlen(file)));
        (void)json_object_set_new(json, "line", json_integer(line));
        if (column > 0) {
            (void)json_object_set_new(json, "column", json_integer(column));
        }
    }
}

static const char *call_file(Dwarf_Die *unit, Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Word index;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &index) != 0 ||
        dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count) {
        return NULL;
    }
    return dwarf_filesrc(files, index, NULL, NULL);
}

static int call_number(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    return dwarf_formudata(dwarf_attr(die, name, &attribute), &number) == 0 && number < INT32_MAX
               ? (int)number
               : 0;
}

static const char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    return dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &attribute));
}

/*
 * Functions that were inlined at @address, innermost first: entries without their place, each with the
 * file and line where it goes on. What is left in file, line and column is the place in the real one.
 */
static json_t *inlined(Dwfl_Module *module, uint64_t address, const char **file, int *line,
                       int *column)
{
    Dwarf_Addr bias;
    Dwarf_Die *scopes = NULL;
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias);
    int count = unit ? dwarf_getscopes(unit, address - bias, &scopes) : 0;
    json_t *list = json_array();
    for (int i = 0; i < count && json_array_size(list) < STACK_INLINES_MAX; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag == DW_TAG_subprogram) {
            break;
        }
        if (tag != DW_TAG_inlined_subroutine) {
            continue;
        }
        const char *name = name_of(&scopes[i]);
        json_t *entry = json_pack("{s:o, s:b}", "function", story_text(name ? name : "?", SIZE_MAX),
                                  "inlined", 1);
        put_line(entry, *file, *line, *column);
        (void)json_array_append_new(list, entry);
        *file = call_file(unit, &scopes[i]);
        *line = call_number(&scopes[i], DW_AT_call_line);
        *column = call_number(&scopes[i], DW_AT_call_column);
    }
    free(scopes);
    return list;
}

static json_t *hexadecimal(uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "0x%llx", (unsigned long long)number);
    return json_string(text);
}

static json_t *place_in_module(const struct evidence *evidence, struct modules *modules,
                               uint64_t address)
{
    json_t *json = json_object();
    const struct module *module = modules_find(modules, address);
    const struct mapping *mapping = module ? NULL : evidence_mapping(evidence, address);
    (void)json_object_set_new(json, "address", hexadecimal(address));
    if (module) {
        bool worker = strncmp(module->path, "/memfd:cordon-worker", 20) == 0;
        (void)json_object_set_new(json, "module",
                                  worker ? json_string("cordon-worker")
                                         : story_text(module->path, SIZE_MAX));
        (void)json_object_set_new(json, "offset", hexadecimal(address - module->start));
    } else if (mapping && mapping->path[0]) {
        (void)json_object_set_new(json, "module", story_text(mapping->path, SIZE_MAX));
        (void)json_object_set_new(json, "offset", hexadecimal(address - mapping->start));
    }
    return json;
}

/* Frames for one address: inlined functions, then the real one. */
static json_t *frames_at(const struct evidence *evidence, struct modules *modules, uint64_t address,
                         bool exact)
{
    uint64_t inside = exact ? address : address - 1;
    json_t *frames = json_array();
    json_t *real = place_in_module(evidence, modules, address);
    Dwfl_Module *module = modules->dwfl ? dwfl_addrmodule(modules->dwfl, inside) : NULL;
    if (module) {
        GElf_Off offset = 0;
        GElf_Sym symbol;
        const char *name = dwfl_module_addrinfo(module, inside, &offset, &symbol, NULL, NULL, NULL);
        Dwfl_Line *source = dwfl_module_getsrc(module, inside);
        int line = 0;
        int column = 0;
        const char *file = source ? dwfl_lineinfo(source, NULL, &line, &column, NULL, NULL) : NULL;
        json_t *inner = inlined(module, inside, &file, &line, &column);
        (void)json_array_extend(frames, inner);
        json_decref(inner);
        if (name) {
            (void)json_object_set_new(real, "function", story_text(name, strlen(name)));
            (void)json_object_set_new(real, "function_offset",
                                      hexadecimal(offset + (exact ? 0 : 1)));
        }
        put_line(real, file, line, column);
    }
    (void)json_array_append_new(frames, real);
    return frames;
}

json_t *stack_place(const struct evidence *evidence, struct modules *modules, uint64_t address,
                    bool exact)
{
    json_t *frames = frames_at(evidence, modules, address, exact);
    json_t *real = json_incref(json_array_get(frames, json_array_size(frames) - 1));
    json_decref(frames);
    return real;
}

json_t *stack_of(struct evidence *evidence, struct modules *modules, struct witness *witness)
{
    struct unwinding unwinding = {.evidence = evidence, .modules = modules, .next = BY_REGISTERS};
    uint64_t pc = witness->thread.registers[CAPTURE_REGISTER_PC];
    if (!is_code(evidence, pc)) {
        unwinding.frames[unwinding.count++] = (struct found){pc, true, BY_REGISTERS};
        if (!step_back(&unwinding, witness)) {
            unwinding.next = BY_SCAN;
        }
    }
    if (modules->dwfl && unwinding.next != BY_SCAN) {
        unwind(&unwinding, witness);
    } else if (unwinding.count == 0) {
        unwinding.frames[unwinding.count++] = (struct found){pc, true, BY_REGISTERS};
    }
    if (unwinding.count < 2) {
        scan(&unwinding, witness);
    }
    json_t *stack = json_array();
    for (uint32_t i = 0; i < unwinding.count; i++) {
        const struct found *found = &unwinding.frames[i];
        json_t *frames = frames_at(evidence, modules, found->pc, found->exact);
        size_t index;
        json_t *frame;
        json_array_foreach(frames, index, frame)
        {
            (void)json_object_set_new(frame, "by", json_string(found_by_names[found->by]));
        }
        (void)json_array_extend(stack, frames);
        json_decref(frames);
    }
    return stack;
}
