/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cordon/platform.h"
#include "config/value.h"
#include "config/work.h"
#include "policy/compile.h"

static const char *const presets[] = {
    [CORDON_POLICY_STRICT] = "strict",
    [CORDON_POLICY_FILES] = "files",
    [CORDON_POLICY_NETWORK] = "network",
    [CORDON_POLICY_TRUSTED] = "trusted",
};
#define PRESETS (sizeof presets / sizeof presets[0])

/* ---- Grants ------------------------------------------------------------------------------------ */

/* One grant by itself: what is wrong with it is told at its place. */
static bool judge_grant(struct config_work *work, const char *grant, struct config_field field)
{
    struct policy policy;
    struct message why;
    const char *const alone[] = {grant, NULL};
    struct policy_wish wish = {.grants = alone};
    int r = policy_compile(&wish, &policy, &why);
    if (r != 0) {
        config_say(work, FINDING_ERROR, field, "%s", why.text);
    }
    return r == 0;
}

/* Keep @grant (not NULL) if it can be. */
static void add_grant(struct config_work *work, char *grant, struct config_field field,
                      const char **grants, size_t *count)
{
    if (grant[0] && judge_grant(work, grant, field)) {
        grants[(*count)++] = grant;
    } else {
        free(grant);
    }
}

static bool find_preset(const char *word, size_t length, enum cordon_policy *ret_preset)
{
    for (size_t i = 0; i < PRESETS; i++) {
        if (strlen(presets[i]) == length && memcmp(presets[i], word, length) == 0) {
            *ret_preset = (enum cordon_policy)i;
            return true;
        }
    }
    return false;
}

/* A single word that is neither: perhaps a preset was meant. Returns whether that was told. */
static bool guess_preset(struct config_work *work, const char *word, struct config_field field)
{
    struct value_guess guess = value_guess_start(word);
    for (size_t i = 0; i < PRESETS; i++) {
        value_guess_consider(&guess, presets[i]);
    }
    if (value_guess_found(&guess)) {
        config_say(work, FINDING_ERROR, field,
                   "'%.64s' is no preset and no grant; did you mean '%s'?", word,
                   value_guess_found(&guess));
    }
    return value_guess_found(&guess) != NULL;
}

/* "PRESET GRANT..." or "GRANT...", between spaces; a colon may stand behind the preset. */
static void take_policy(struct config_work *work, const char *text, size_t index,
                        enum cordon_policy *ret_preset, const char **grants, size_t *count)
{
    struct config_field field = config_field("cells[%zu].policy", index);
    static const char spaces[] = " \t\r\n";
    bool is_first = true;
    for (text += strspn(text, spaces); *text; text += strspn(text, spaces)) {
        size_t length = strcspn(text, spaces);
        size_t name = length - (text[length - 1] == ':');
        char *word = strndup(text, length);
        work->no_memory = work->no_memory || !word;
        if ((is_first && find_preset(text, name, ret_preset)) || !word ||
            (is_first && !strchr(word, ':') && guess_preset(work, word, field))) {
            free(word);
        } else if (*count < LIMIT_GRANTS) {
            add_grant(work, word, field, grants, count);
        } else {
            free(word);
        }
        is_first = false;
        text += length;
    }
}

/* ---- What has to be justified ------------------------------------------------------------------ */

static void judge_trust(struct config_work *work, const struct config_cells *from, size_t index,
                        const struct policy *policy)
{
    static const char *const risks[] = {
        [CORDON_LEVEL_THREAD] = "level thread runs the library in the daemon itself, which it can "
                                "corrupt and end",
        [CORDON_LEVEL_INLINE] = "level inline runs the library in the daemon itself, which it can "
                                "corrupt, block and end",
    };
    if (from->reason) {
        return;
    }
    if (from->level != CORDON_LEVEL_PROCESS) {
        config_say(work, FINDING_UNSAFE, config_field("cells[%zu].level", index),
                   "%s: use process, or say in 'reason' why it may", risks[from->level]);
    } else if (policy_has(policy, POLICY_EVERYTHING)) {
        bool by_preset = policy->preset == POLICY_TRUSTED;
        config_say(work, FINDING_UNSAFE,
                   config_field("cells[%zu].%s", index, by_preset ? "policy" : "grants"),
                   "%s refuses the library nothing: grant what it needs, or say in 'reason' why it "
                   "is trusted",
                   by_preset ? "policy trusted" : "the grant 'everything'");
    } else if (policy_reads_all(policy) && policy_writes_all(policy) &&
               policy_has_network(policy)) {
        config_say(work, FINDING_UNSAFE, config_field("cells[%zu].grants", index),
                   "all files and the network together let the library do what the daemon's user "
                   "can: grant less, or say in 'reason' why it may");
    }
}

/* ---- Requirements ------------------------------------------------------------------------------ */

typedef const char *name_of(uint32_t bit);

static uint32_t find_bit(name_of *name, const char *text, struct value_guess *guess)
{
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        const char *known = name(bit);
        if (known && strcmp(known, text) == 0) {
            return bit;
        }
        if (known) {
            value_guess_consider(guess, known);
        }
    }
    return 0;
}

static void take_requirements(struct config_work *work, const struct config_cells *from,
                              size_t index, struct cordon_cell_options *options)
{
    for (uint32_t i = 0; i < from->require_count; i++) {
        const char *text = from->require[i];
        struct value_guess guess = value_guess_start(text);
        uint32_t mechanism = find_bit(cordon_mechanism_name, text, &guess);
        uint32_t promise = find_bit(cordon_isolation_name, text, &guess);
        const char *meant = value_guess_found(&guess);
        options->require_mechanisms |= mechanism;
        options->require |= promise;
        if (text[0] && !mechanism && !promise) {
            config_say(work, FINDING_ERROR, config_field("cells[%zu].require[%u]", index, i),
                       "'%.64s' is no mechanism and no promise; %s%s%s", text,
                       meant ? "did you mean '" : "cordon-doctor(1) lists them", meant ? meant : "",
                       meant ? "'?" : "");
        }
    }
}

/* ---- All of it --------------------------------------------------------------------------------- */

/* All of them together: whether they fit into one policy. */
static void judge_policy(struct config_work *work, const struct config_cells *from, size_t index,
                         const struct cordon_cell_options *options)
{
    struct policy policy;
    struct message why;
    struct policy_wish wish = {
        .preset = (enum policy_preset)options->policy,
        .grants = options->grants,
        .on_violation = (enum policy_violation)options->on_violation,
        .memory_bytes = options->memory_bytes,
        .cpu_ms = options->cpu_ms,
        .file_bytes = options->file_bytes,
        .fds = options->fds,
        .threads = options->threads,
    };
    if (policy_compile(&wish, &policy, &why) != 0) {
        config_say(work, FINDING_ERROR, config_field("cells[%zu].grants", index), "%s", why.text);
    } else {
        judge_trust(work, from, index, &policy);
    }
}

void config_policy(struct config_work *work, const struct config_cells *from, size_t index,
                   struct cell_settings *to)
{
    struct cordon_cell_options *options = &to->options;
    size_t count = 0;
    const char **grants = calloc(from->grants_count + LIMIT_GRANTS + 1u, sizeof *grants);
    options->on_violation = (enum cordon_on_violation)from->on_violation;
    options->grants = grants;
    if (!grants) {
        work->no_memory = true;
        return;
    }
    if (from->policy) {
        take_policy(work, from->policy, index, &options->policy, grants, &count);
    }
    for (uint32_t i = 0; i < from->grants_count; i++) {
        char *grant = config_keep(work, from->grants[i]);
        if (grant) {
            add_grant(work, grant, config_field("cells[%zu].grants[%u]", index, i), grants, &count);
        }
    }
    take_requirements(work, from, index, options);
    judge_policy(work, from, index, options);
}
