/*
 * recipe.c — binding a tree to the table of keys: from a file, from memory, key by key.
 *
 * Binding goes on after a finding, so that all of them are told at once; values are
 * bound to a copy, which replaces the recipe's only when nothing was found.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "recipe/place.h"
#include "recipe/recipe.h"

/* ---- a recipe of defaults ---- */

static int
set_default(fine_recipe *recipe, int key)
{
    const char *fallback = fine__keys[key].fallback;
    struct fine__value value = { 0 };
    struct fine__yaml yaml;
    int rc;

    if (!fallback[0]) {
        fine__value_free(recipe->ctx, &recipe->values[key]);
        return FINE_OK;
    }
    FINE__TRY(fine__yaml_parse(&yaml, recipe->ctx, fallback, strlen(fallback), NULL));
    rc = fine__value_read(&value, recipe->ctx, &fine__keys[key], &yaml, yaml.root, NULL);
    fine__yaml_free(&yaml);
    if (rc < 0)
        return rc;
    value.line = value.column = 0;
    fine__value_free(recipe->ctx, &recipe->values[key]);
    recipe->values[key] = value;
    return FINE_OK;
}

static int
new_recipe(fine_recipe **out, fine_context *ctx, const char *folder, const char *name)
{
    fine_recipe *recipe = fine__alloc_array(ctx, 1, sizeof *recipe);
    int rc = FINE_OK;

    if (!recipe)
        return FINE_ENOMEM;
    recipe->ctx = fine__context_ref(ctx);
    fine__buf_init(&recipe->text, ctx);
    recipe->folder = fine__strdup(ctx, folder);
    recipe->name = name ? fine__strdup(ctx, name) : NULL;
    if (!recipe->folder || (name && !recipe->name))
        rc = FINE_ENOMEM;
    for (int i = 0; i < FINE__N_KEYS && rc == FINE_OK; i++)
        rc = set_default(recipe, i);
    if (rc < 0) {
        fine__recipe_free(recipe);
        return rc;
    }
    *out = recipe;
    return FINE_OK;
}

int
fine__recipe_copy(fine_recipe **out, const fine_recipe *recipe)
{
    fine_recipe *copy;

    FINE__TRY(new_recipe(&copy, recipe->ctx, recipe->folder, recipe->name));
    for (int i = 0; i < FINE__N_KEYS; i++) {
        int rc;

        fine__value_free(copy->ctx, &copy->values[i]);
        rc = fine__value_copy(&copy->values[i], copy->ctx, &recipe->values[i]);
        if (rc < 0) {
            fine__recipe_free(copy);
            return rc;
        }
    }
    *out = copy;
    return FINE_OK;
}

void
fine__recipe_free(fine_recipe *recipe)
{
    fine_context *ctx;

    if (!recipe)
        return;
    ctx = recipe->ctx;
    for (int i = 0; i < FINE__N_KEYS; i++)
        fine__value_free(ctx, &recipe->values[i]);
    fine__buf_free(&recipe->text);
    fine__free(ctx, recipe->name);
    fine__free(ctx, recipe->folder);
    fine__free(ctx, recipe);
    fine__context_unref(ctx);
}

/* ---- binding ---- */

static int
bind_key(fine_recipe *recipe, int key, const struct fine__yaml *yaml, int32_t node)
{
    struct fine__value value;

    FINE__TRY(fine__value_read(&value, recipe->ctx, &fine__keys[key], yaml, node, recipe->name));
    value.given = true;
    fine__value_free(recipe->ctx, &recipe->values[key]);
    recipe->values[key] = value;
    return FINE_OK;
}

static bool
is_off(const struct fine__later *later, const char *name, const struct fine__yaml_node *node)
{
    double value, off;

    if (node->kind != FINE__YAML_SCALAR || strcmp(name, later->name) != 0 || !later->off[0])
        return false;
    return fine__word_among(later->off, node->text) ||
           (fine__parse_double(node->text, strlen(node->text), &value) &&
            fine__parse_double(later->off, strlen(later->off), &off) && !(value < off) &&
            !(value > off));
}

static int
refuse_later(const fine_recipe *recipe, const struct fine__later *later, const char *name,
             const struct fine__yaml_node *node)
{
    if (is_off(later, name, node))
        return FINE_OK;
    return fine__complain(recipe->name, node->key ? node->key_line : node->line,
                          node->key ? node->key_column : node->column,
                          "'%.120s' is not available in this version (%s); leave it out", name,
                          later->doc);
}

static int
refuse_unknown(const fine_recipe *recipe, const char *name, const struct fine__yaml_node *node)
{
    const char *meant = fine__key_suggest(name);
    const char *dot = strrchr(name, '.');
    const char *word = dot ? dot + 1 : name;
    size_t section = dot ? (size_t)(dot - name) : 0;
    char where[80] = "";

    if (node->key && strchr(node->key, '.'))
        return fine__complain(recipe->name, node->key_line, node->key_column,
                              "unknown key '%.80s'; sections are nested, 'train:' and below it "
                              "'epochs: 3'", node->key);
    if (section > 0)
        (void)snprintf(where, sizeof where, " in '%.*s'", section > 60 ? 60 : (int)section, name);
    if (!meant)
        return fine__complain(recipe->name, node->key_line, node->key_column,
                              "unknown key '%.80s'%s", word, where);
    if (strncmp(meant, name, section + 1) == 0 && !strchr(meant + (dot ? section + 1 : 0), '.'))
        meant += dot ? section + 1 : 0;
    return fine__complain(recipe->name, node->key_line, node->key_column,
                          "unknown key '%.80s'%s; did you mean '%s'?", word, where, meant);
}

static int
bind_section(fine_recipe *recipe, const struct fine__section *section,
             const struct fine__yaml *yaml, int32_t i)
{
    const struct fine__yaml_node *node = &yaml->nodes[i];
    char key[80];

    if (node->refused)
        return FINE_ERECIPE;
    if (node->kind == FINE__YAML_SCALAR && node->plain && (!node->text[0] ||
                                                           fine__word_among("~|null", node->text)))
        return FINE_OK;         /* a section whose keys are all commented out */
    if (node->kind == FINE__YAML_SCALAR && section->shorthand[0]) {
        (void)snprintf(key, sizeof key, "%s.%s", section->name, section->shorthand);
        return bind_key(recipe, fine__key_find(key).key, yaml, i);
    }
    return fine__complain(recipe->name, node->line, node->column,
                          "'%s' must be a mapping of keys to values", section->name);
}

/* One entry of a mapping; 1: a section to go into. */
static int
bind_entry(fine_recipe *recipe, const struct fine__yaml *yaml, int32_t i, const char *name)
{
    const struct fine__yaml_node *node = &yaml->nodes[i];
    struct fine__found found = fine__key_find(name);

    switch (found.what) {
    case FINE__NAME_KEY:
        return bind_key(recipe, found.key, yaml, i);
    case FINE__NAME_SECTION:
        if (node->kind == FINE__YAML_MAP && !node->refused)
            return 1;
        return bind_section(recipe, found.section, yaml, i);
    case FINE__NAME_LATER:
        return refuse_later(recipe, found.later, name, node);
    case FINE__NAME_UNKNOWN:
        break;
    }
    return refuse_unknown(recipe, name, node);
}

/* All entries of a mapping whose keys begin with prefix ("" or "train."). */
static int
bind_map(fine_recipe *recipe, const struct fine__yaml *yaml, int32_t map, const char *prefix)
{
    struct { int32_t next; size_t length; } stack[FINE__YAML_MAX_DEPTH];
    int depth = 1, rc = FINE_OK;
    struct fine__buf name;

    fine__buf_init(&name, recipe->ctx);
    fine__buf_text(&name, prefix);
    stack[0].next = yaml->nodes[map].first;
    stack[0].length = name.length;
    while (depth > 0 && rc != FINE_ENOMEM) {
        int32_t i = stack[depth - 1].next;
        const struct fine__yaml_node *node;
        int one;

        if (i < 0) {
            depth--;
            continue;
        }
        node = &yaml->nodes[i];
        stack[depth - 1].next = node->next;
        name.length = stack[depth - 1].length;
        fine__buf_text(&name, node->key);
        if (fine__buf_status(&name) < 0) {
            rc = FINE_ENOMEM;
        } else if (node->refused || strchr(node->key, '.')) {
            rc = node->refused ? FINE_ERECIPE : refuse_unknown(recipe, name.data, node);
        } else if ((one = bind_entry(recipe, yaml, i, name.data)) == 1) {
            fine__buf_byte(&name, '.');
            stack[depth].next = node->first;
            stack[depth++].length = name.length;
        } else if (one < 0) {
            rc = one;
        }
    }
    fine__buf_free(&name);
    return rc;
}

int
fine__recipe_parse(fine_recipe **out, fine_context *ctx, const char *text, size_t length,
                   const char *folder, const char *name)
{
    fine_recipe *recipe;
    struct fine__yaml yaml;
    int rc;

    FINE__TRY(new_recipe(&recipe, ctx, folder, name));
    fine__error_clear();
    rc = fine__yaml_parse(&yaml, ctx, text, length, name);
    if (rc == FINE_OK) {
        if (yaml.root >= 0 && yaml.nodes[yaml.root].kind != FINE__YAML_MAP)
            rc = fine__complain(name, yaml.nodes[yaml.root].line, yaml.nodes[yaml.root].column,
                                "a recipe is a mapping: 'model:', 'task:', 'data:', 'train:'");
        else if (yaml.root >= 0)
            rc = bind_map(recipe, &yaml, yaml.root, "");
        if (rc == FINE_OK && yaml.has_findings)
            rc = FINE_ERECIPE;
        fine__yaml_free(&yaml);
    }
    if (rc < 0) {
        fine__recipe_free(recipe);
        return rc;
    }
    *out = recipe;
    return FINE_OK;
}

int
fine__recipe_open(fine_recipe **out, fine_context *ctx, const char *path)
{
    struct fine__buf text;
    char *folder = fine__path_folder(ctx, path);
    int rc;

    if (!folder)
        return FINE_ENOMEM;
    fine__buf_init(&text, ctx);
    rc = fine__file_read(ctx, path, FINE__YAML_MAX_BYTES, &text);
    if (rc == FINE_EFORMAT) {
        fine__error_clear();
        rc = fine__complain(path, 0, 0, "larger than 64 KB: this is not a recipe");
    }
    if (rc == FINE_OK)
        rc = fine__recipe_parse(out, ctx, fine__buf_cstr(&text), text.length, folder, path);
    fine__buf_free(&text);
    fine__free(ctx, folder);
    return rc;
}

/* ---- key by key ---- */

static int
reset(fine_recipe *recipe, const char *name)
{
    size_t n = strlen(name);

    for (int i = 0; i < FINE__N_KEYS; i++)
        if (strncmp(fine__keys[i].name, name, n) == 0 &&
            (fine__keys[i].name[n] == '.' || !fine__keys[i].name[n]))
            FINE__TRY(set_default(recipe, i));
    return FINE_OK;
}

static int
set_node(fine_recipe *recipe, const char *key, const struct fine__yaml *yaml)
{
    const struct fine__yaml_node *root = &yaml->nodes[yaml->root];
    struct fine__found found = fine__key_find(key);
    char prefix[80];

    switch (found.what) {
    case FINE__NAME_LATER:
        return refuse_later(recipe, found.later, key, root);
    case FINE__NAME_UNKNOWN:
        return refuse_unknown(recipe, key, root);
    case FINE__NAME_KEY:
        if (root->kind == FINE__YAML_SCALAR && root->plain && fine__word_among("~|null", root->text))
            return set_default(recipe, found.key);
        FINE__TRY(bind_key(recipe, found.key, yaml, yaml->root));
        /* the one that is set last holds */
        if (found.key == FINE__TRAIN_STEPS)
            return set_default(recipe, FINE__TRAIN_EPOCHS);
        return found.key == FINE__TRAIN_EPOCHS ? set_default(recipe, FINE__TRAIN_STEPS) : FINE_OK;
    case FINE__NAME_SECTION:
        break;
    }
    FINE__TRY(reset(recipe, key));
    if (root->kind != FINE__YAML_MAP || root->refused)
        return bind_section(recipe, found.section, yaml, yaml->root);
    (void)snprintf(prefix, sizeof prefix, "%s.", found.section->name);
    return bind_map(recipe, yaml, yaml->root, prefix);
}

int
fine__recipe_set(fine_recipe *recipe, const char *key, const char *value)
{
    struct fine__value swap[FINE__N_KEYS];
    fine_recipe *copy;
    struct fine__yaml yaml;
    int rc;

    FINE__TRY(fine__recipe_copy(&copy, recipe));
    /* what is set has no place in the file */
    fine__free(copy->ctx, copy->name);
    copy->name = NULL;
    fine__error_clear();
    rc = fine__yaml_parse(&yaml, recipe->ctx, value, strlen(value), NULL);
    if (rc == FINE_OK) {
        if (yaml.root < 0)
            rc = fine__complain(NULL, 0, 0, "'%.120s' has no value; write null for the default",
                                key);
        else
            rc = set_node(copy, key, &yaml);
        if (rc == FINE_OK && yaml.has_findings)
            rc = FINE_ERECIPE;
        fine__yaml_free(&yaml);
    }
    if (rc == FINE_OK) {
        for (int i = 0; i < FINE__N_KEYS; i++)
            if (copy->values[i].given && !recipe->values[i].given)
                copy->values[i].line = 0;
        memcpy(swap, recipe->values, sizeof swap);
        memcpy(recipe->values, copy->values, sizeof swap);
        memcpy(copy->values, swap, sizeof swap);
    }
    fine__recipe_free(copy);
    return rc;
}

int
fine__recipe_get(const fine_recipe *recipe, const char *key, struct fine__buf *out)
{
    struct fine__found found = fine__key_find(key);

    switch (found.what) {
    case FINE__NAME_KEY:
        if (fine__recipe_applies(recipe, found.key))
            fine__value_write(out, &fine__keys[found.key], &recipe->values[found.key], NULL);
        break;
    case FINE__NAME_SECTION:
        fine__recipe_write_section(recipe, out, key);
        break;
    default:
        return fine__fail(FINE_EINVAL, "unknown key '%.120s'", key);
    }
    return fine__buf_status(out);
}

/* Which optimizers read a key: words separated by '|'; NULL: it is no optimizer's own. */
static const char *
optimizer_key_types(int key)
{
    switch (key) {
    case FINE__OPTIMIZER_BETAS:
        return "adamw|adam|lamb|lion";
    case FINE__OPTIMIZER_EPSILON:
        return "adamw|adam|rmsprop|adagrad|lamb";
    case FINE__OPTIMIZER_MOMENTUM:
        return "sgd|rmsprop";
    case FINE__OPTIMIZER_NESTEROV:
        return "sgd";
    case FINE__OPTIMIZER_ALPHA:
    case FINE__OPTIMIZER_CENTERED:
        return "rmsprop";
    case FINE__OPTIMIZER_RELATIVE_STEP:
    case FINE__OPTIMIZER_SCALE_PARAMETER:
        return "adafactor";
    default:
        return NULL;
    }
}

/* Which schedules read a key. */
static const char *
schedule_key_types(int key)
{
    switch (key) {
    case FINE__SCHEDULE_POWER:
        return "polynomial";
    case FINE__SCHEDULE_END:
        return "polynomial|warmup-stable-decay|slanted-triangular";
    case FINE__SCHEDULE_DECAY:
        return "warmup-stable-decay";
    case FINE__SCHEDULE_RESTARTS:
        return "cosine-restarts";
    default:
        return NULL;
    }
}

/* Which tasks do. */
static const char *
task_key_types(int key)
{
    switch (key) {
    case FINE__TASK_MASK_RATE:
    case FINE__TASK_WHOLE_WORDS:
        return "fill-mask";
    case FINE__DATA_DOCUMENTS:
        return "fill-mask|language-model";
    case FINE__TASK_WORDS:
    case FINE__TASK_LABEL_PIECES:
    case FINE__DATA_SCHEME:
    case FINE__DATA_OFFSETS:
        return "tag";
    case FINE__DATA_LABEL_SEPARATOR:
        return "multilabel";
    case FINE__TASK_NO_ANSWER:
    case FINE__TASK_NULL_THRESHOLD:
    case FINE__TASK_MAX_ANSWER_LENGTH:
    case FINE__DATA_STRIDE:
        return "answer";
    default:
        return NULL;
    }
}

const char *
fine__recipe_key_types(int key, int *type_key)
{
    const char *types = schedule_key_types(key);

    *type_key = FINE__SCHEDULE_TYPE;
    if (types != NULL)
        return types;
    types = task_key_types(key);
    *type_key = FINE__TASK_TYPE;
    if (types != NULL)
        return types;
    *type_key = FINE__ADAPTER_TYPE;
    if (key > FINE__ADAPTER_TYPE && key <= FINE__ADAPTER_RANK_STABILISED)
        return "lora";
    *type_key = FINE__OPTIMIZER_TYPE;
    return optimizer_key_types(key);
}

bool
fine__recipe_applies(const fine_recipe *recipe, int key)
{
    const struct fine__value *values = recipe->values;
    const char *task = fine__recipe_text(recipe, FINE__TASK_TYPE), *type;
    int type_key;
    const char *types = fine__recipe_key_types(key, &type_key);

    switch (key) {
    case FINE__TRAIN_EPOCHS:
        return !values[FINE__TRAIN_STEPS].given;
    case FINE__TASK_POOL:
    case FINE__DATA_TEXT:
    case FINE__DATA_LABEL:
    case FINE__DATA_OVERLONG:
        /* answer has other defaults */
        return values[key].given || task == NULL || strcmp(task, "answer") != 0;
    default:
        type = fine__recipe_text(recipe, type_key);
        return types == NULL || (type != NULL && fine__word_among(types, type));
    }
}

const char *
fine__recipe_text(const fine_recipe *recipe, int key)
{
    const struct fine__value *value = &recipe->values[key];

    return value->n_items > 0 && !value->is_list ? value->items[0] : NULL;
}

int
fine__recipe_path(const fine_recipe *recipe, int key, char **out)
{
    const char *path = fine__recipe_text(recipe, key);

    *out = NULL;
    if (!path)
        return FINE_OK;
    if (strcmp(recipe->folder, ".") == 0)
        *out = fine__strdup(recipe->ctx, path);
    else
        *out = fine__path_join(recipe->ctx, recipe->folder, path);
    return *out ? FINE_OK : FINE_ENOMEM;
}
