/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it works
 *
 *   text -> tree (tree.c, libyaml)    what is no YAML; keys that come twice; places
 *        -> plain JSON (judge.c)      what is no configuration: by the table of keys
 *        -> structs (keys.c, libcyaml)
 *        -> settings (here, cell.c, policy.c, method.c): what means nothing, or is unsafe
 *
 * Each step says all that it finds, and goes on with what is right; only a text that is no YAML ends early. Why in
 * this way: docs/decisions/0014-configuration-is-judged-before-it-is-loaded.md.
 */
#include "config/config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/work.h"
#include "config/folder.h"

#define NAME_BYTES (1u << 20) /* of an entry of the user or group database: a group has members */

/* ---- Who may connect --------------------------------------------------------------------------- */

/* Returns whether @text is a number, which is then the id. */
static bool id_from_number(const char *text, uint32_t *ret_id)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno != 0 || number >= UINT32_MAX) {
        return false;
    }
    *ret_id = (uint32_t)number;
    return true;
}

static bool find_user(const char *name, char *room, uint32_t *ret_id)
{
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwnam_r(name, &entry, room, NAME_BYTES, &found) != 0 || !found) {
        return false;
    }
    *ret_id = found->pw_uid;
    return true;
}

static bool find_group(const char *name, char *room, uint32_t *ret_id)
{
    struct group entry;
    struct group *found = NULL;
    if (getgrnam_r(name, &entry, room, NAME_BYTES, &found) != 0 || !found) {
        return false;
    }
    *ret_id = found->gr_gid;
    return true;
}

/* Ids of the names in @list; a uid_t and a gid_t are 32 bits. */
static uint32_t *make_ids(struct config_work *work, const char *key, char *const *list,
                          uint32_t count,
                          bool (*find)(const char *name, char *room, uint32_t *ret_id),
                          size_t *ret_count)
{
    uint32_t *ids = calloc(count + 1u, sizeof *ids);
    char *room = count > 0 ? malloc(NAME_BYTES) : NULL;
    work->no_memory = work->no_memory || !ids || (count > 0 && !room);
    for (uint32_t i = 0; ids && room && i < count; i++) {
        if (!list[i][0]) {
            continue; /* judged already */
        }
        if (id_from_number(list[i], &ids[*ret_count]) || find(list[i], room, &ids[*ret_count])) {
            ++*ret_count;
        } else {
            config_say(work, FINDING_ERROR, config_field("%s[%u]", key, i),
                       "this machine knows no %s '%.64s'; a number is taken as it is",
                       find == find_user ? "user" : "group", list[i]);
        }
    }
    free(room);
    return ids;
}

/* ---- Where it listens -------------------------------------------------------------------------- */

static void judge_socket(struct config_work *work, const char *path)
{
    struct config_field field = config_field("socket");
    const char *slash = strrchr(path, '/');
    char folder[108];
    char open_folder[PATH_MAX];
    struct stat status;
    if (strlen(path) >= sizeof folder) {
        config_say(work, FINDING_ERROR, field, "the path of a socket has 107 bytes at most: %s",
                   path);
        return;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (stat(folder, &status) < 0) {
        config_say(work, FINDING_NOTE, field, "its folder %s cannot be looked at: %s", folder,
                   strerror(errno));
    } else if (!S_ISDIR(status.st_mode)) {
        config_say(work, FINDING_ERROR, field, "%s is no folder", folder);
    } else if (folder_find_open(path, open_folder)) {
        config_say(work, FINDING_UNSAFE, field,
                   "everybody may write %s, and so replace the socket: choose a folder of the "
                   "daemon's own, or take that away (chmod o-w)",
                   open_folder);
    } else if (status.st_mode & S_IWOTH) {
        config_say(work, FINDING_NOTE, field,
                   "everybody may make files in %s: while the daemon does not run, somebody else "
                   "may listen there in its place",
                   folder);
    }
}

static bool is_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && port > 0 && port < 65536;
}

static void judge_http(struct config_work *work, const char *address)
{
    bool fits = (strncmp(address, "unix:/", 6) == 0 && strlen(address + 5) < 108) ||
                (strncmp(address, "127.0.0.1:", 10) == 0 && is_port(address + 10)) ||
                (strncmp(address, "[::1]:", 6) == 0 && is_port(address + 6));
    if (!fits) {
        config_say(work, FINDING_ERROR, config_field("http"),
                   "'%.128s' is none of 127.0.0.1:PORT, [::1]:PORT and unix:/PATH", address);
    }
}

/* ---- All of it --------------------------------------------------------------------------------- */

static struct gateway_limits make_limits(const struct config_limits *from)
{
    return (struct gateway_limits){
        .frame_bytes = (uint32_t)from->frame_bytes,
        .nesting = (uint32_t)from->nesting,
        .clients = (uint32_t)from->clients,
        .clients_per_user = (uint32_t)from->clients_per_user,
        .client_in_flight = (uint32_t)from->client_in_flight,
        .in_flight = (uint32_t)from->in_flight,
        .batch = (uint32_t)from->batch,
        .handles = (uint32_t)from->handles,
        .read_timeout_ms = (uint32_t)from->read_timeout_ms,
        .write_timeout_ms = (uint32_t)from->write_timeout_ms,
        .output_bytes = (uint32_t)from->output_bytes,
        .deadline_max_ms = (uint32_t)from->deadline_max_ms,
    };
}

static void make_daemon(struct config_work *work, const struct config_root *from,
                        struct settings *to)
{
    to->socket = config_path(work, from->socket);
    if (to->socket) {
        judge_socket(work, to->socket);
    }
    to->users = make_ids(work, "users", from->users, from->users_count, find_user, &to->user_count);
    to->groups =
        make_ids(work, "groups", from->groups, from->groups_count, find_group, &to->group_count);
    to->http = config_keep(work, from->http);
    if (to->http) {
        judge_http(work, to->http);
    }
    to->drain_ms = from->drain_ms;
    to->log_level = (enum log_level)from->log.level;
    to->log_form = (enum log_form)from->log.format;
    to->limits = make_limits(&from->limits);
}

static void make_cells(struct config_work *work, const struct config_root *from,
                       struct settings *to)
{
    struct cordon_interface **interfaces =
        calloc(from->cells_count + 1u, sizeof(struct cordon_interface *));
    to->cells = calloc(from->cells_count + 1u, sizeof *to->cells);
    if (!interfaces || !to->cells) {
        free(interfaces);
        work->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < from->cells_count; i++) {
        bool is_cell = tree_find(work->root, config_field("cells[%u]", i).text, NULL)->kind ==
                       TREE_MAPPING; /* else it was told */
        to->cell_count++;
        if (is_cell) {
            config_cell(work, &from->cells[i], i, &to->cells[i], &interfaces[i]);
        }
    }
    config_judge_names(work, to, interfaces);
    for (uint32_t i = 0; i < from->cells_count; i++) {
        cordon_interface_free(interfaces[i]);
    }
    free(interfaces);
}

/* Settings of a tree: as far as it is right. Returns 0, -EINVAL (a mistake of ours), -ENOMEM. */
static int make(struct config_work *work, struct settings *settings)
{
    struct json_out plain = {0};
    struct config_root *from = NULL;
    config_judge(work->root, work->file, &plain, work->findings);
    const char *text = json_out_text(&plain);
    int r = text ? config_keys_load(text, plain.length, &from) : -ENOMEM;
    if (r == 0) {
        make_daemon(work, from, settings);
        make_cells(work, from, settings);
    } else if (r != -ENOMEM) {
        findings_add(work->findings, FINDING_ERROR, work->file, 0, 0, "",
                     "libcyaml refuses what it should take: this is a mistake in Cordon");
    }
    config_keys_free(from);
    json_out_deinit(&plain);
    return work->no_memory ? -ENOMEM : r;
}

static int finish(struct findings *findings, struct settings *settings, int r)
{
    findings_sort(findings);
    r = r == 0 && findings_refuse(findings) ? -EINVAL : r;
    if (r != 0) {
        settings_deinit(settings);
    }
    return r;
}

static int read_text(struct config_work *work, const char *text, size_t length,
                     struct settings *settings)
{
    struct tree_node *root = NULL;
    int r = tree_read(work->file, text, length, &root, work->findings);
    if (r == 0) {
        work->root = root;
        r = make(work, settings);
        tree_free(root);
    }
    return finish(work->findings, settings, r);
}

int config_read(const char *name, const char *directory, const char *text, size_t length,
                struct settings *settings, struct findings *findings)
{
    struct config_work work = {.file = name, .directory = directory, .findings = findings};
    return read_text(&work, text, length, settings);
}

int config_load(const char *path, struct settings *settings, struct findings *findings)
{
    static const struct tree_node nowhere = {.kind = TREE_MAPPING};
    struct config_work work = {.file = path, .root = &nowhere, .findings = findings};
    char *text = NULL;
    size_t length;
    char *directory = realpath(path, NULL);
    if (directory) {
        *(strrchr(directory, '/') == directory ? directory + 1 : strrchr(directory, '/')) = '\0';
    }
    work.directory = directory ? directory : "/";
    int r =
        config_read_file(&work, path, "the configuration", config_field("%s", ""), &text, &length);
    r = r == 0 ? read_text(&work, text, length, settings) : finish(findings, settings, r);
    free(directory);
    free(text);
    return r;
}
