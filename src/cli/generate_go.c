/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/generate.h"
#include "cli/go_types.h"

/*
 * How it works: methods are written to a memory of their own, and while that is done, the types that
 * they name are declared in another one and functions that cordon.Bind takes are noted in two more, the
 * members of Library and what New does. The file is put together of them at the end.
 */

enum { BIND_ARGUMENTS_MAX = 6 }; /* cordon.Bind6 */
enum { PARAMS_MAX = CORDON_PLAN_PARAMS_MAX };

/* A memory that is written to. */
struct sheet {
    FILE *out;
    char *text;
    size_t length;
};

struct package {
    const struct generation *from;
    struct go_types types;
    struct go_names methods;
    struct sheet declared;
    struct sheet constants;
    struct sheet methods_text;
    struct sheet members; /* of Library, in rows */
    struct sheet binds;
    bool calls; /* a method is not bound */
};

/* A parameter, as its method has it. */
struct local {
    const char *name;
    struct go_type type;
};

struct method {
    const struct plan_view *plan;
    const struct cordon_plan_function *function;
    const char *c_name;
    char go[GO_NAME_BYTES];
    struct go_names names;
    struct local takes[PARAMS_MAX];
    size_t take_count;
    struct local gives[PARAMS_MAX + 1]; /* the result first */
    size_t give_count;
    bool returns;
    bool variadic;
};

static bool sheet_open(struct sheet *sheet)
{
    sheet->out = open_memstream(&sheet->text, &sheet->length);
    return sheet->out;
}

static bool sheet_end(struct sheet *sheet)
{
    bool whole = sheet->out && fclose(sheet->out) == 0;
    sheet->out = NULL;
    return whole;
}

/* A line of C as a string of Go. */
static void put_quoted(FILE *out, const char *line, size_t length)
{
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte == '\n') {
            fputs("\\n", out);
        } else if (byte == '\t') {
            fputs("\\t", out);
        } else if (byte < ' ' || byte > '~') {
            fprintf(out, "\\x%02x", byte);
        } else {
            fputc(byte, out);
        }
    }
    fputc('"', out);
}

static void put_text(FILE *out, const char *text)
{
    fputs("\"\"", out);
    while (*text) {
        size_t length = strcspn(text, "\n");
        length += text[length] == '\n';
        fputs(" +\n\t", out);
        put_quoted(out, text, length);
        text += length;
    }
    fputc('\n', out);
}

/* A comment of C as one paragraph: gofmt would set lists and code anew. */
static void put_comment(FILE *out, const char *go, const char *c_name, const char *comment)
{
    enum { WIDTH = 100 };
    int column = fprintf(out, "// %s calls %s", go, c_name);
    fputs(*comment ? ":" : ".", out);
    for (const char *at = comment; *(at += strspn(at, " \t\r\n"));) {
        int length = (int)strcspn(at, " \t\r\n");
        if (column + length + 1 > WIDTH) {
            fputs("\n//", out);
            column = 2;
        }
        column += fprintf(out, " %.*s", length, at);
        at += length;
    }
    fputc('\n', out);
}

static const char *local_name(struct package *package, struct method *method, char kind,
                              const char *of)
{
    const char *go = "_";
    if (go_names_give(&method->names, kind, *of ? of : "p", false, &go, NULL) < 0) {
        package->types.failed = true;
    }
    char *kept = strdup(go); /* names move as more are given */
    package->types.failed |= !kept;
    return kept;
}

static void read_params(struct package *package, struct method *method)
{
    struct go_types *types = &package->types;
    const struct plan_view *plan = method->plan;
    for (uint32_t i = 0; i < method->function->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        const char *name = view_name(plan, param->name);
        if (type->kind == CORDON_PLAN_VARARGS) {
            method->variadic = true;
            continue;
        }
        if (!(param->flags & CORDON_PLAN_FILLED) && !view_only_out(type)) {
            struct local *take = &method->takes[method->take_count++];
            go_types_find(types, plan, type, GO_PASSED, method->go, name, &take->type);
            char kind[16];
            snprintf(kind, sizeof kind, "%u", i);
            take->name = local_name(package, method, 'p', *name ? name : kind);
        }
    }
    if (method->function->result.out_word != CORDON_PLAN_NO_WORD) {
        struct local *result = &method->gives[method->give_count++];
        go_types_find(types, plan, view_type(plan, method->function->result.type), GO_RETURNS,
                      method->go, "", &result->type);
        result->name = local_name(package, method, 'r', "result");
        method->returns = true;
    }
    for (uint32_t i = 0; i < method->function->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        if (type->kind != CORDON_PLAN_VARARGS && go_gives_back(plan, type)) {
            struct local *give = &method->gives[method->give_count++];
            const char *name = view_name(plan, param->name);
            go_types_find(types, plan, type, GO_COMES, method->go, name, &give->type);
            give->name = local_name(package, method, 'g', *name ? name : "out");
        }
    }
}

static bool is_bound(const struct method *method)
{
    bool plain = !method->variadic && method->take_count <= BIND_ARGUMENTS_MAX &&
                 method->give_count == (method->returns ? 1 : 0);
    for (size_t i = 0; i < method->take_count; i++) {
        plain = plain && method->takes[i].type.plain;
    }
    if (method->returns) {
        const struct go_type *type = &method->gives[0].type;
        plain = plain && type->plain && type->text[0] != '[';
    }
    return plain;
}

static void put_signature(FILE *out, const struct method *method)
{
    fprintf(out, "func (l *Library) %s(ctx context.Context", method->go);
    for (size_t i = 0; i < method->take_count; i++) {
        fprintf(out, ", %s %s", method->takes[i].name, method->takes[i].type.text);
    }
    fputs(method->variadic ? ", args ...any) " : ") ", out);
}

static void put_bound(struct package *package, const struct method *method)
{
    FILE *out = package->methods_text.out;
    const char *result = method->returns ? method->gives[0].type.text : "cordon.Void";
    char types[BIND_ARGUMENTS_MAX * GO_TYPE_BYTES + GO_TYPE_BYTES] = "";
    for (size_t i = 0; i < method->take_count; i++) {
        strcat(strcat(types, method->takes[i].type.text), ", ");
    }
    strcat(types, result);
    fprintf(package->members.out, "call%s\tcordon.Typed%zu[%s]\n", method->go, method->take_count,
            types);
    fprintf(package->binds.out,
            "\tif l.call%s, err = cordon.Bind%zu[%s](from, \"%s\"); err != nil {\n"
            "\t\treturn nil, err\n\t}\n",
            method->go, method->take_count, types, method->c_name);
    put_signature(out, method);
    if (method->returns) {
        fprintf(out, "(%s, error) {\n\treturn l.call%s.Call(ctx", result, method->go);
    } else {
        fprintf(out, "error {\n\t_, err := l.call%s.Call(ctx", method->go);
    }
    for (size_t i = 0; i < method->take_count; i++) {
        fprintf(out, ", %s", method->takes[i].name);
    }
    fprintf(out, ")\n%s}\n\n", method->returns ? "" : "\treturn err\n");
}

static void put_arguments(FILE *out, const struct method *method)
{
    if (method->variadic) {
        fputs(", append([]any{", out);
    }
    for (size_t i = 0; i < method->take_count; i++) {
        const struct local *take = &method->takes[i];
        fprintf(out, "%s%s%s", i > 0 || !method->variadic ? ", " : "", take->name,
                take->type.handle ? ".Handle" : "");
    }
    fputs(method->variadic ? "}, args...)...)\n" : ")\n", out);
}

static void put_called(struct package *package, const struct method *method)
{
    FILE *out = package->methods_text.out;
    size_t visible = 0;
    package->calls = true;
    put_signature(out, method);
    fputc('(', out);
    for (size_t i = 0; i < method->give_count; i++) {
        const struct local *give = &method->gives[i];
        if (!give->type.in_place) {
            visible++;
            fprintf(out, "%s %s, ", give->name, give->type.text);
        }
    }
    fprintf(out, "err error) {\n\t%s, err %s l.call(ctx, \"%s\"", visible ? "r" : "_",
            visible ? ":=" : "=", method->c_name);
    put_arguments(out, method);
    if (visible) {
        fputs("\tif err == nil {\n\t\terr = r.Scan(", out);
        for (size_t i = 0; i < method->give_count; i++) {
            const struct local *give = &method->gives[i];
            fputs(i ? ", " : "", out);
            if (give->type.in_place) {
                fputs("nil", out);
            } else {
                fprintf(out, "&%s%s", give->name, give->type.handle ? ".Handle" : "");
            }
        }
        fputs(")\n\t}\n", out);
    }
    fputs("\treturn ", out);
    for (size_t i = 0; i < method->give_count; i++) {
        if (!method->gives[i].type.in_place) {
            fprintf(out, "%s, ", method->gives[i].name);
        }
    }
    fputs("err\n}\n\n", out);
}

static void method_deinit(struct method *method)
{
    for (size_t i = 0; i < method->take_count; i++) {
        free((void *)(uintptr_t)method->takes[i].name);
    }
    for (size_t i = 0; i < method->give_count; i++) {
        free((void *)(uintptr_t)method->gives[i].name);
    }
    go_names_deinit(&method->names);
}

static int put_method(struct package *package, const struct plan_view *plan, struct message *why)
{
    struct method method = {.plan = plan, .function = view_function(plan)};
    const char *go = NULL;
    method.c_name = view_name(plan, method.function->name);
    if (strlen(method.c_name) >= GO_NAME_BYTES / 2) {
        return message_set(why, -ENAMETOOLONG, "'%s' is too long a name", method.c_name);
    }
    int r = go_names_give(&package->methods, 'm', method.c_name, true, &go, NULL);
    if (r < 0) {
        return message_set(why, r, "no memory");
    }
    snprintf(method.go, sizeof method.go, "%s", go);
    (void)go_names_take(&method.names, "args");
    read_params(package, &method);
    if (!package->types.failed) {
        put_comment(package->methods_text.out, method.go, method.c_name,
                    view_name(plan, method.function->comment));
        if (is_bound(&method)) {
            put_bound(package, &method);
        } else {
            put_called(package, &method);
        }
    }
    method_deinit(&method);
    return 0;
}

static const char opening[] =
    "// Open opens the library in worker processes of its own. Close ends them.\n"
    "func Open(ctx context.Context, %swith ...cordon.OpenOption) (*Library, error) {\n"
    "\twith = append([]cordon.OpenOption{cordon.WithInterface(Interface)}, with...)\n"
    "\tcell, err := cordon.Open(ctx, %s, with...)\n"
    "\tif err != nil {\n\t\treturn nil, err\n\t}\n"
    "\tl, err := New(cell)\n"
    "\tif err != nil {\n\t\tcell.Close()\n\t\treturn nil, err\n\t}\n"
    "\tl.end = cell.Close\n"
    "\treturn l, nil\n}\n\n";

static const char ending[] =
    "// Session returns the library with one worker for all calls, which keeps what the library "
    "keeps\n"
    "// between them. Close ends it.\n"
    "func (l *Library) Session() (*Library, error) {\n"
    "\tcell, is := l.from.(*cordon.Cell)\n"
    "\tif !is {\n\t\treturn nil, errors.New(\"a session has no sessions\")\n\t}\n"
    "\tsession, err := cell.Session()\n"
    "\tif err != nil {\n\t\treturn nil, err\n\t}\n"
    "\tof, err := New(session)\n"
    "\tif err != nil {\n\t\tsession.Close()\n\t\treturn nil, err\n\t}\n"
    "\tof.end = session.Close\n"
    "\treturn of, nil\n}\n\n"
    "// Close ends what Open or Session began.\n"
    "func (l *Library) Close() error {\n"
    "\tif l.end == nil {\n\t\treturn nil\n\t}\n"
    "\treturn l.end()\n}\n";

static const char calling[] = "\nfunc (l *Library) call(ctx context.Context, name string, args "
                              "...any) (*cordon.Result, error) {\n"
                              "\tf, err := l.from.Func(name)\n"
                              "\tif err != nil {\n\t\treturn nil, err\n\t}\n"
                              "\treturn f.Call(ctx, args...)\n}\n";

static void put_head(const struct package *package)
{
    FILE *out = package->from->out;
    const char *library = cordon_interface_library(package->from->interface_);
    const char *name = package->from->name;
    fprintf(
        out,
        "// Code generated by \"cordon generate go\"; DO NOT EDIT.\n\n"
        "// Package %s calls the functions of %s in isolation: package cordon says how.\n"
        "package %s\n\nimport (\n\t\"context\"\n\t\"errors\"\n\n\t\"cordon.internal/cordon\"\n)\n\n"
        "// Interface is what this package was made of.\nconst Interface = ",
        name, library ? library : "a native library", name);
    put_text(out, package->from->text);
    if (package->constants.length > 0) {
        fputs("\n// Values of the library's enums.\nconst (\n", out);
        go_aligned(out, package->constants.text);
        fputs(")\n", out);
    }
    fputc('\n', out);
}

static void put_package(const struct package *package)
{
    FILE *out = package->from->out;
    bool named = cordon_interface_library(package->from->interface_);
    put_head(package);
    fwrite(package->declared.text, 1, package->declared.length, out);
    fputs("// Library has a method for each function. It may be used by many goroutines.\n"
          "type Library struct {\n",
          out);
    go_aligned(out, package->members.text);
    fputs("}\n\n", out);
    fprintf(out, opening, named ? "" : "library string, ", named ? "\"\"" : "library");
    fputs("// New returns the library of a cell or a session that is somebody else's: Close leaves "
          "it.\n"
          "func New(from cordon.Binder) (*Library, error) {\n\tl := &Library{from: from}\n",
          out);
    if (package->binds.length > 0) {
        fprintf(out, "\tvar err error\n%s", package->binds.text);
    }
    fputs("\treturn l, nil\n}\n\n", out);
    fwrite(package->methods_text.text, 1, package->methods_text.length, out);
    fputs(ending, out);
    fputs(package->calls ? calling : "", out);
}

static int write_methods(struct package *package, struct message *why)
{
    size_t count = cordon_interface_function_count(package->from->interface_);
    int r = 0;
    fputs("from\tcordon.Binder\nend\tfunc() error\n", package->members.out);
    for (size_t i = 0; i < count && r == 0; i++) {
        size_t bytes;
        r = put_method(package, cordon_interface_plan(package->from->interface_, i, &bytes), why);
    }
    return r < 0 || !package->types.failed ? r : message_set(why, -ENOMEM, "no memory");
}

static int take_own_names(struct package *package)
{
    static const char *const ours[] = {"Interface", "Library", "New", "Open"};
    int r = go_names_take(&package->methods, "Close");
    r = r < 0 ? r : go_names_take(&package->methods, "Session");
    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && r == 0; i++) {
        r = go_names_take(&package->types.names, ours[i]);
    }
    return r;
}

static int write_go(const struct generation *generation, struct message *why)
{
    if (go_is_reserved(generation->name)) {
        return message_set(why, -EINVAL,
                           "'%s' cannot be a package's name in Go; --package gives another",
                           generation->name);
    }
    struct package package = {.from = generation};
    struct sheet *const sheets[] = {&package.declared, &package.constants, &package.methods_text,
                                    &package.members, &package.binds};
    enum { SHEETS = sizeof sheets / sizeof sheets[0] };
    int r = take_own_names(&package);
    bool whole = r == 0;
    for (size_t i = 0; i < SHEETS; i++) {
        whole = sheet_open(sheets[i]) && whole;
    }
    package.types.declared = package.declared.out;
    package.types.constants = package.constants.out;
    r = whole ? write_methods(&package, why) : message_set(why, -ENOMEM, "no memory");
    for (size_t i = 0; i < SHEETS; i++) {
        whole = sheet_end(sheets[i]) && whole;
    }
    if (r == 0 && whole) {
        put_package(&package);
    } else if (r == 0) {
        r = message_set(why, -ENOMEM, "no memory");
    }
    for (size_t i = 0; i < SHEETS; i++) {
        free(sheets[i]->text);
    }
    go_names_deinit(&package.types.names);
    go_names_deinit(&package.methods);
    return r;
}

const struct generator go_generator = {
    .language = "go",
    .write = write_go,
};
