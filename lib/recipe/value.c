/*
 * value.c — a key's value from the tree: type, range, and what to write instead.
 *
 * Only a plain scalar can be a number, a boolean or null, as in YAML; words such as
 * yes and off are texts, and where a boolean is wanted the message says how it is
 * written. Numbers are base/number.c's: the same in every locale.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/number.h"
#include "recipe/place.h"
#include "recipe/suggest.h"
#include "recipe/value.h"

struct place {
    fine_context *ctx;
    const struct fine__key *key;
    const struct fine__yaml_node *node;
    const char *name;
};

/* A finding about the value at hand, with its place. */
#define WRONG(p, ...) \
    fine__complain((p)->name, (p)->node->line, (p)->node->column, __VA_ARGS__)

static bool
is_null(const struct fine__yaml_node *node)
{
    return node->kind == FINE__YAML_SCALAR && node->plain &&
           fine__word_among("~|null|Null|NULL", node->text[0] ? node->text : "~");
}

static const char *
kind_in_words(const struct fine__yaml_node *node)
{
    return node->kind == FINE__YAML_LIST ? "a list" : "a mapping";
}

/* Any scalar but null. */
static int
want_scalar(const struct place *p, const char *what)
{
    if (p->node->refused)
        return FINE_ERECIPE;
    if (p->node->kind != FINE__YAML_SCALAR)
        return WRONG(p, "'%s' must be %s, not %s", p->key->name, what, kind_in_words(p->node));
    if (is_null(p->node))
        return WRONG(p, "'%s' has no value; leave the key out for its default, or put quotes "
                        "around a text", p->key->name);
    return FINE_OK;
}

/* ---- numbers ---- */

static const char *
number_hint(const char *text)
{
    size_t n = strlen(text);

    if (strchr(text, ','))
        return "; write a decimal point";
    if (strchr(text, '_'))
        return "; write the digits without '_'";
    if (text[0] == '+' || text[0] == '.' || (n > 0 && text[n - 1] == '.'))
        return "; write digits before and after the point, and no '+'";
    if (n > 0 && text[n - 1] == '%')
        return "; write a share, such as 0.1";
    return "";
}

/* "a number from 0 to 1" */
static const char *
range_in_words(char *out, size_t size, const struct fine__key *key)
{
    char min[40], max[40];

    fine__format_double(min, key->min);
    if (key->max < 1e15)
        fine__format_double(max, key->max);
    else
        (void)strcpy(max, "2^53 - 1");
    (void)snprintf(out, size, "%s %s %s %s %s",
                   key->kind == FINE__KEY_NUMBER || key->kind == FINE__KEY_POSITIVE
                       ? "a number" : "a whole number",
                   key->kind == FINE__KEY_POSITIVE ? "above" : "from", min,
                   key->kind == FINE__KEY_POSITIVE ? "and at most" : "to", max);
    return out;
}

static int
read_number(const struct place *p, struct fine__value *out)
{
    char range[120];
    const char *text = p->node->text;

    range_in_words(range, sizeof range, p->key);
    FINE__TRY(want_scalar(p, range));
    if (!p->node->plain)
        return WRONG(p, "'%s' must be %s, not a text; take the quotes away", p->key->name, range);
    if (!fine__parse_double(text, strlen(text), &out->number))
        return WRONG(p, "'%s' must be %s, not '%.60s'%s", p->key->name, range, text,
                     number_hint(text));
    if (out->number < p->key->min || out->number > p->key->max ||
        (p->key->kind == FINE__KEY_POSITIVE && out->number <= p->key->min))
        return WRONG(p, "'%s' must be %s, not %.60s", p->key->name, range, text);
    return FINE_OK;
}

static int
read_integer(const struct place *p, const char *text, size_t length, struct fine__value *out)
{
    char range[120];
    double real;

    range_in_words(range, sizeof range, p->key);
    if (!fine__parse_int64(text, length, &out->integer)) {
        bool is_real = fine__parse_double(text, length, &real);

        return WRONG(p, "'%s' must be %s, not %s%.60s%s%s", p->key->name, range,
                     is_real ? "" : "'", text, is_real ? "" : "'",
                     is_real ? "" : number_hint(text));
    }
    if ((double)out->integer < p->key->min || (double)out->integer > p->key->max)
        return WRONG(p, "'%s' must be %s, not %.60s", p->key->name, range, text);
    return FINE_OK;
}

static int
read_plain_integer(const struct place *p, struct fine__value *out)
{
    FINE__TRY(want_scalar(p, "a whole number"));
    if (!p->node->plain)
        return WRONG(p, "'%s' must be a whole number, not a text; take the quotes away",
                     p->key->name);
    return read_integer(p, p->node->text, strlen(p->node->text), out);
}

/* Cuts "200 steps" into the number's length and the unit. */
static enum fine__unit
cut_unit(const char *text, size_t *number_length)
{
    size_t n = strcspn(text, " ");
    const char *unit = text + n + strspn(text + n, " ");

    *number_length = n;
    if (fine__word_among("step|steps", unit))
        return FINE__UNIT_STEPS;
    if (fine__word_among("epoch|epochs", unit))
        return FINE__UNIT_EPOCHS;
    return FINE__UNIT_NONE;
}

static int
read_period(const struct place *p, struct fine__value *out)
{
    const char *text = p->node->text;
    size_t n;

    FINE__TRY(want_scalar(p, "N steps or N epochs"));
    out->unit = cut_unit(text, &n);
    if (out->unit == FINE__UNIT_NONE)
        return WRONG(p, "'%s' must have its unit, such as '200 steps' or '1 epoch', not '%.60s'",
                     p->key->name, text);
    if (out->unit == FINE__UNIT_STEPS) {
        FINE__TRY(read_integer(p, text, n, out));
        if (out->integer < 1)
            return WRONG(p, "'%s' must be at least 1 step", p->key->name);
        return FINE_OK;
    }
    if (!fine__parse_double(text, n, &out->number) || out->number <= 0 || out->number > 1e5)
        return WRONG(p, "'%s' must be a number of epochs above 0, not '%.60s'", p->key->name, text);
    return FINE_OK;
}

static int
read_steps(const struct place *p, struct fine__value *out)
{
    const char *text = p->node->text;
    size_t n;

    FINE__TRY(want_scalar(p, "a number of steps"));
    switch (cut_unit(text, &n)) {
    case FINE__UNIT_EPOCHS:
        return WRONG(p, "'%s' counts steps, not epochs", p->key->name);
    case FINE__UNIT_STEPS:
        return read_integer(p, text, n, out);
    case FINE__UNIT_NONE:
        break;
    }
    return read_plain_integer(p, out);
}

static int
read_betas(const struct place *p, const struct fine__yaml *yaml, struct fine__value *out)
{
    bool right = p->node->kind == FINE__YAML_LIST;
    int n = 0;

    if (p->node->refused)
        return FINE_ERECIPE;
    for (int32_t i = p->node->first; i >= 0 && right; i = yaml->nodes[i].next, n++) {
        const struct fine__yaml_node *node = &yaml->nodes[i];

        right = n < 2 && node->kind == FINE__YAML_SCALAR && node->plain && !node->refused &&
                fine__parse_double(node->text, strlen(node->text), &out->pair[n]) &&
                out->pair[n] >= 0 && out->pair[n] < 1;
    }
    if (!right || n != 2)
        return WRONG(p, "'%s' must be two numbers from 0 to below 1, such as [0.9, 0.999]",
                     p->key->name);
    return FINE_OK;
}

/* ---- texts ---- */

static int
keep_text(const struct place *p, struct fine__value *out, const char *text)
{
    char *copy;
    char **items = fine__realloc(p->ctx, out->items,
                                 (size_t)(out->n_items + 1) * sizeof *out->items);

    if (!items)
        return FINE_ENOMEM;
    out->items = items;
    copy = fine__strdup(p->ctx, text);
    if (!copy)
        return FINE_ENOMEM;
    out->items[out->n_items++] = copy;
    return FINE_OK;
}

static int
read_text(const struct place *p, struct fine__value *out)
{
    FINE__TRY(want_scalar(p, p->key->kind == FINE__KEY_PATH ? "a path" : "a text"));
    if (!p->node->text[0])
        return WRONG(p, "'%s' is empty", p->key->name);
    return keep_text(p, out, p->node->text);
}

static int
read_choice(const struct place *p, struct fine__value *out)
{
    struct fine__suggestion near;
    const char *word, *at;
    size_t n;
    char list[300];
    size_t used = 0;

    FINE__TRY(want_scalar(p, "a word"));
    word = p->node->text;
    if (fine__word_among(p->key->choices, word))
        return keep_text(p, out, word);
    if (fine__word_among(p->key->later, word))
        return WRONG(p, "'%s: %s' is not available in this version", p->key->name, word);
    fine__suggest_begin(&near, word);
    list[0] = '\0';
    for (int i = 0; fine__word_at(p->key->choices, i, &at, &n); i++) {
        fine__suggest_offer(&near, at, n);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "", (int)n,
                                 at);
        if (used >= sizeof list)
            break;
    }
    if (near.best)
        return WRONG(p, "'%s' cannot be '%.60s' (known: %s); did you mean '%.*s'?", p->key->name,
                     word, list, (int)near.best_length, near.best);
    return WRONG(p, "'%s' cannot be '%.60s'; known: %s", p->key->name, word, list);
}

static int
read_flag(const struct place *p, struct fine__value *out)
{
    const char *text;

    FINE__TRY(want_scalar(p, "true or false"));
    text = p->node->text;
    if (p->node->plain && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        out->flag = text[0] == 't';
        return FINE_OK;
    }
    if (fine__word_among("yes|Yes|YES|y|on|On|ON|True|TRUE|true|1", text))
        return WRONG(p, "'%s' must be true or false, not %s; write true", p->key->name, text);
    if (fine__word_among("no|No|NO|n|off|Off|OFF|False|FALSE|false|0", text))
        return WRONG(p, "'%s' must be true or false, not %s; write false", p->key->name, text);
    return WRONG(p, "'%s' must be true or false, not '%.60s'", p->key->name, text);
}

static int
read_character(const struct place *p, struct fine__value *out)
{
    const char *text;

    FINE__TRY(want_scalar(p, "one character"));
    text = strcmp(p->node->text, "\\t") == 0 ? "\t" : p->node->text;
    if (strlen(text) != 1 || text[0] == '"' || (unsigned char)text[0] >= 0x7F ||
        ((unsigned char)text[0] < 0x20 && text[0] != '\t'))
        return WRONG(p, "'%s' must be one ASCII character in double quotes, such as \"\\t\" or "
                        "\";\"", p->key->name);
    return keep_text(p, out, text);
}

static int
read_split(const struct place *p, struct fine__value *out)
{
    const char *text;
    size_t n;

    FINE__TRY(want_scalar(p, "a path or a share"));
    text = p->node->text;
    n = strlen(text);
    if (p->node->plain && fine__parse_double(text, n, &out->number)) {
        if (out->number <= p->key->min || out->number >= p->key->max)
            return WRONG(p, "'%s' as a share must lie between 0 and 1, not %.60s; put quotes "
                            "around a file's name that is a number", p->key->name, text);
        out->is_number = true;
        return FINE_OK;
    }
    if (n > 1 && text[n - 1] == '%' && fine__parse_double(text, n - 1, &out->number))
        return WRONG(p, "'%s' cannot be '%.60s'; write a share, such as 0.1", p->key->name, text);
    return read_text(p, out);
}

/* A list of texts, none empty, none twice. */
static int
read_texts(const struct place *p, const struct fine__yaml *yaml, struct fine__value *out)
{
    struct place item = *p;
    struct fine__map seen;
    int rc = FINE_OK;

    if (p->node->refused)
        return FINE_ERECIPE;
    if (p->node->kind != FINE__YAML_LIST)
        return WRONG(p, "'%s' must be a list, such as [first, second]", p->key->name);
    out->is_list = true;
    fine__map_init(&seen, p->ctx);
    for (int32_t i = p->node->first; i >= 0 && rc != FINE_ENOMEM; i = yaml->nodes[i].next) {
        int one;

        item.node = &yaml->nodes[i];
        one = read_text(&item, out);
        if (one == FINE_OK) {
            one = fine__map_put(&seen, item.node->text, strlen(item.node->text), i);
            if (one == 1)
                one = WRONG(&item, "'%s' holds '%.60s' twice", p->key->name, item.node->text);
        }
        if (one == FINE_OK && p->key == &fine__keys[FINE__TRAIN_FREEZE] && strchr(item.node->text, ','))
            one = WRONG(&item, "'%s': a pattern in a list holds no ','", p->key->name);
        if (one < 0)
            rc = one;
    }
    fine__map_free(&seen);
    if (rc == FINE_OK && ((double)out->n_items < p->key->min || (double)out->n_items > p->key->max))
        return WRONG(p, "'%s' has %lld entries; at least %d%s needed", p->key->name,
                     (long long)out->n_items, (int)p->key->min,
                     p->key->min < 2 ? " is" : " are");
    return rc;
}

/* ---- all kinds ---- */

static int
read_kind(const struct place *p, const struct fine__yaml *yaml, struct fine__value *out)
{
    bool is_list = p->node->kind == FINE__YAML_LIST;

    switch (p->key->kind) {
    case FINE__KEY_TEXT:
    case FINE__KEY_PATH:
        return read_text(p, out);
    case FINE__KEY_CHOICE:
        return read_choice(p, out);
    case FINE__KEY_INTEGER:
        return read_plain_integer(p, out);
    case FINE__KEY_NUMBER:
    case FINE__KEY_POSITIVE:
        return read_number(p, out);
    case FINE__KEY_FLAG:
        return read_flag(p, out);
    case FINE__KEY_TEXTS:
        return read_texts(p, yaml, out);
    case FINE__KEY_BETAS:
        return read_betas(p, yaml, out);
    case FINE__KEY_PATTERNS:
        return is_list ? read_texts(p, yaml, out) : read_text(p, out);
    case FINE__KEY_PERIOD:
        return read_period(p, out);
    case FINE__KEY_STEPS:
        return read_steps(p, out);
    case FINE__KEY_SPLIT:
        return read_split(p, out);
    case FINE__KEY_HEADER:
        return is_list ? read_texts(p, yaml, out) : read_flag(p, out);
    case FINE__KEY_CHARACTER:
        return read_character(p, out);
    }
    return FINE_EINVAL;
}

int
fine__value_read(struct fine__value *out, fine_context *ctx, const struct fine__key *key,
                 const struct fine__yaml *yaml, int32_t node, const char *name)
{
    struct place p = { .ctx = ctx, .key = key, .node = &yaml->nodes[node], .name = name };
    struct fine__value value = { .line = p.node->line, .column = p.node->column };
    int rc = read_kind(&p, yaml, &value);

    if (rc < 0) {
        fine__value_free(ctx, &value);
        return rc;
    }
    *out = value;
    return FINE_OK;
}

int
fine__value_copy(struct fine__value *out, fine_context *ctx, const struct fine__value *value)
{
    struct fine__value copy = *value;

    copy.items = NULL;
    copy.n_items = 0;
    if (value->n_items > 0) {
        copy.items = fine__alloc_array(ctx, (size_t)value->n_items, sizeof *copy.items);
        if (!copy.items)
            return FINE_ENOMEM;
    }
    for (; copy.n_items < value->n_items; copy.n_items++) {
        copy.items[copy.n_items] = fine__strdup(ctx, value->items[copy.n_items]);
        if (!copy.items[copy.n_items]) {
            fine__value_free(ctx, &copy);
            return FINE_ENOMEM;
        }
    }
    *out = copy;
    return FINE_OK;
}

void
fine__value_free(fine_context *ctx, struct fine__value *value)
{
    for (int64_t i = 0; i < value->n_items; i++)
        fine__free(ctx, value->items[i]);
    fine__free(ctx, value->items);
    *value = (struct fine__value){ 0 };
}
