/* SPDX-License-Identifier: Apache-2.0 */
#include "config/keys.h"

#include <cyaml/cyaml.h>
#include <errno.h>

#include "cordon/cell.h"
#include "config/log_choice.h"
#include "json/show.h"

/* ---- Words, by their numbers ------------------------------------------------------------------- */

static const char *const words_log_levels[] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
    [LOG_DEBUG] = "debug", [LOG_DEBUG + 1] = NULL,
};
static const char *const words_log_forms[] = {
    [LOG_BY_TERMINAL] = "auto",
    [LOG_TEXT] = "text",
    [LOG_JSON] = "json",
    [LOG_JSON + 1] = NULL,
};
static const char *const words_levels[] = {
    [CORDON_LEVEL_PROCESS] = "process",
    [CORDON_LEVEL_THREAD] = "thread",
    [CORDON_LEVEL_INLINE] = "inline",
    [CORDON_LEVEL_INLINE + 1] = NULL,
};
static const char *const words_violations[] = {
    [CORDON_REFUSE] = "refuse",
    [CORDON_KILL] = "kill",
    [CORDON_KILL + 1] = NULL,
};
static const char *const words_encodings[] = {
    [JSON_BASE64] = "base64",
    [JSON_HEX] = "hex",
    [JSON_TEXT] = "text",
    [JSON_TEXT + 1] = NULL,
};
static const char *const words_truth[] = {"false", "true", NULL};
static const char *const words_offers[] = {"listed", "all", NULL};
static const char *const words_sessions[] = {"shared", "client", NULL};

/* ---- For judging ------------------------------------------------------------------------------- */

#define JUDGED_TEXT(extra)  NULL, NULL
#define JUDGED_JSON(extra)  NULL, NULL
#define JUDGED_TEXTS(extra) NULL, NULL
#define JUDGED_COUNT(extra) NULL, NULL
#define JUDGED_BYTES(extra) NULL, NULL
#define JUDGED_MS(extra)    NULL, NULL
#define JUDGED_WORD(extra)  words_##extra, NULL
#define JUDGED_PART(extra)  NULL, keys_##extra
#define JUDGED_PARTS(extra) NULL, keys_##extra
#define JUDGED(kind, member, key, flags, least, most, initial, extra)                              \
    {key, KEY_KIND_##kind, flags, least, most, initial, JUDGED_##kind(extra)},

static const struct config_key keys_log[] = {CONFIG_LOG_KEYS(JUDGED){NULL}};
static const struct config_key keys_limits[] = {CONFIG_LIMITS_KEYS(JUDGED){NULL}};
static const struct config_key keys_cell_limits[] = {CONFIG_CELL_LIMITS_KEYS(JUDGED){NULL}};
static const struct config_key keys_breaker[] = {CONFIG_BREAKER_KEYS(JUDGED){NULL}};
static const struct config_key keys_recycle[] = {CONFIG_RECYCLE_KEYS(JUDGED){NULL}};
static const struct config_key keys_reports[] = {CONFIG_REPORTS_KEYS(JUDGED){NULL}};
static const struct config_key keys_start[] = {CONFIG_START_KEYS(JUDGED){NULL}};
static const struct config_key keys_methods[] = {CONFIG_METHODS_KEYS(JUDGED){NULL}};
static const struct config_key keys_cells[] = {CONFIG_CELLS_KEYS(JUDGED){NULL}};
const struct config_key config_root_keys[] = {CONFIG_ROOT_KEYS(JUDGED){NULL}};

/* ---- For libcyaml ------------------------------------------------------------------------------ */

#define WHOLE CYAML_UNLIMITED

static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, WHOLE),
};

#define LOADED_TEXT(structure, member, key, extra)                                                 \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, 0,    \
                           WHOLE),
#define LOADED_JSON LOADED_TEXT
#define LOADED_TEXTS(structure, member, key, extra)                                                \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER, structure, member, &text_entry, 0, WHOLE),
#define LOADED_COUNT(structure, member, key, extra)                                                \
    CYAML_FIELD_UINT(key, CYAML_FLAG_DEFAULT, structure, member),
#define LOADED_BYTES LOADED_COUNT
#define LOADED_MS    LOADED_COUNT
#define LOADED_WORD  LOADED_COUNT
#define LOADED_PART(structure, member, key, extra)                                                 \
    CYAML_FIELD_MAPPING(key, CYAML_FLAG_DEFAULT, structure, member, fields_##extra),
#define LOADED_PARTS(structure, member, key, extra)                                                \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER, structure, member, &entry_##extra, 0, WHOLE),

#define LOADED_LOG(kind, member, key, flags, least, most, initial, extra)                          \
    LOADED_##kind(struct config_log, member, key, extra)
#define LOADED_LIMITS(kind, member, key, flags, least, most, initial, extra)                       \
    LOADED_##kind(struct config_limits, member, key, extra)
#define LOADED_CELL_LIMITS(kind, member, key, flags, least, most, initial, extra)                  \
    LOADED_##kind(struct config_cell_limits, member, key, extra)
#define LOADED_BREAKER(kind, member, key, flags, least, most, initial, extra)                      \
    LOADED_##kind(struct config_breaker, member, key, extra)
#define LOADED_RECYCLE(kind, member, key, flags, least, most, initial, extra)                      \
    LOADED_##kind(struct config_recycle, member, key, extra)
#define LOADED_REPORTS(kind, member, key, flags, least, most, initial, extra)                      \
    LOADED_##kind(struct config_reports, member, key, extra)
#define LOADED_START(kind, member, key, flags, least, most, initial, extra)                        \
    LOADED_##kind(struct config_start, member, key, extra)
#define LOADED_METHODS(kind, member, key, flags, least, most, initial, extra)                      \
    LOADED_##kind(struct config_methods, member, key, extra)
#define LOADED_CELLS(kind, member, key, flags, least, most, initial, extra)                        \
    LOADED_##kind(struct config_cells, member, key, extra)
#define LOADED_ROOT(kind, member, key, flags, least, most, initial, extra)                         \
    LOADED_##kind(struct config_root, member, key, extra)

static const cyaml_schema_field_t fields_log[] = {CONFIG_LOG_KEYS(LOADED_LOG) CYAML_FIELD_END};
static const cyaml_schema_field_t fields_limits[] = {CONFIG_LIMITS_KEYS(LOADED_LIMITS)
                                                         CYAML_FIELD_END};
static const cyaml_schema_field_t fields_cell_limits[] = {
    CONFIG_CELL_LIMITS_KEYS(LOADED_CELL_LIMITS) CYAML_FIELD_END};
static const cyaml_schema_field_t fields_breaker[] = {CONFIG_BREAKER_KEYS(LOADED_BREAKER)
                                                          CYAML_FIELD_END};
static const cyaml_schema_field_t fields_recycle[] = {CONFIG_RECYCLE_KEYS(LOADED_RECYCLE)
                                                          CYAML_FIELD_END};
static const cyaml_schema_field_t fields_reports[] = {CONFIG_REPORTS_KEYS(LOADED_REPORTS)
                                                          CYAML_FIELD_END};
static const cyaml_schema_field_t fields_start[] = {CONFIG_START_KEYS(LOADED_START)
                                                        CYAML_FIELD_END};
static const cyaml_schema_value_t entry_start = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_start, fields_start),
};
static const cyaml_schema_field_t fields_methods[] = {CONFIG_METHODS_KEYS(LOADED_METHODS)
                                                          CYAML_FIELD_END};
static const cyaml_schema_value_t entry_methods = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_methods, fields_methods),
};
static const cyaml_schema_field_t fields_cells[] = {CONFIG_CELLS_KEYS(LOADED_CELLS)
                                                        CYAML_FIELD_END};
static const cyaml_schema_value_t entry_cells = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_cells, fields_cells),
};
static const cyaml_schema_field_t fields_root[] = {CONFIG_ROOT_KEYS(LOADED_ROOT) CYAML_FIELD_END};
static const cyaml_schema_value_t schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_root, fields_root),
};

static const cyaml_config_t how = {
    .log_fn = NULL,
    .mem_fn = cyaml_mem,
    .log_level = CYAML_LOG_ERROR,
    .flags = CYAML_CFG_NO_ALIAS,
};

int config_keys_load(const char *text, size_t length, struct config_root **ret_root)
{
    cyaml_data_t *root = NULL;
    cyaml_err_t r = cyaml_load_data((const uint8_t *)text, length, &how, &schema, &root, NULL);
    if (r != CYAML_OK) {
        return r == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
    }
    *ret_root = root;
    return 0;
}

void config_keys_free(struct config_root *root)
{
    if (root) {
        (void)cyaml_free(&how, &schema, root, 0);
    }
}
