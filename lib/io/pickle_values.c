/*
 * pickle_values.c — what the machine has made, for itself and for its owner to look at.
 *
 * Containers are chains of cells in one array, found by index: elements can be added to one
 * while others grow, and one that holds itself is nothing special.
 */
#include <string.h>

#include "base/alloc.h"
#include "io/pickle.h"

void
fine__pickle_init(struct fine__pickle *p, fine_context *ctx, const char *what,
                  const struct fine__pickle_owner *owner)
{
    *p = (struct fine__pickle){ .ctx = ctx, .what = what, .owner = *owner };
    fine__buf_init(&p->texts, ctx);
}

void
fine__pickle_free(struct fine__pickle *p)
{
    fine__buf_free(&p->texts);
    fine__free(p->ctx, p->objects);
    fine__free(p->ctx, p->cells);
    fine__free(p->ctx, p->stack);
    fine__free(p->ctx, p->memo);
    fine__free(p->ctx, p->marks);
    fine__pickle_init(p, p->ctx, p->what, &p->owner);
}

int
fine__pickle_grow(struct fine__pickle *p, void *array, int64_t *capacity, int64_t count,
                  size_t size)
{
    if (count == FINE__PICKLE_MAX)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: the pickle has more than 16 million values; "
                          "save it again with safetensors",
                          p->what);
    return count < *capacity ? 0 : fine__grow(p->ctx, array, capacity, count + 1, size);
}

int
fine__pickle_new_object(struct fine__pickle *p, int32_t kind, struct fine__pickle_value *out)
{
    FINE__TRY(
        fine__pickle_grow(p, &p->objects, &p->objects_capacity, p->n_objects, sizeof *p->objects));
    p->objects[p->n_objects] = (struct fine__pickle_object){ .first = -1, .last = -1 };
    *out = (struct fine__pickle_value){ .kind = kind, .at = p->n_objects++ };
    return 0;
}

int
fine__pickle_append(struct fine__pickle *p, struct fine__pickle_value value,
                    struct fine__pickle_value key, struct fine__pickle_value element)
{
    struct fine__pickle_object *object = &p->objects[value.at];

    FINE__TRY(fine__pickle_grow(p, &p->cells, &p->cells_capacity, p->n_cells, sizeof *p->cells));
    p->cells[p->n_cells] = (struct fine__pickle_cell){ key, element, -1 };
    if (object->last >= 0)
        p->cells[object->last].next = p->n_cells;
    else
        object->first = p->n_cells;
    object->last = p->n_cells++;
    object->count++;
    return 0;
}

const char *
fine__pickle_text(const struct fine__pickle *p, struct fine__pickle_value text)
{
    return text.kind == FINE__PICKLE_TEXT ? p->texts.data + text.at : "";
}

bool
fine__pickle_is_text(const struct fine__pickle *p, struct fine__pickle_value value,
                     const char *text)
{
    return value.kind == FINE__PICKLE_TEXT && strlen(text) == value.length &&
           memcmp(p->texts.data + value.at, text, value.length) == 0;
}

int64_t
fine__pickle_count(const struct fine__pickle *p, struct fine__pickle_value value)
{
    return value.kind == FINE__PICKLE_TUPLE || value.kind == FINE__PICKLE_LIST ||
                   value.kind == FINE__PICKLE_DICT
               ? p->objects[value.at].count
               : 0;
}

bool
fine__pickle_elements(const struct fine__pickle *p, struct fine__pickle_value value, int64_t count,
                      struct fine__pickle_value *out)
{
    int64_t cell;

    if (fine__pickle_count(p, value) < count || value.kind == FINE__PICKLE_DICT)
        return false;
    cell = count > 0 ? p->objects[value.at].first : -1;
    for (int64_t i = 0; i < count; i++, cell = p->cells[cell].next)
        out[i] = p->cells[cell].value;
    return true;
}

bool
fine__pickle_get(const struct fine__pickle *p, struct fine__pickle_value dict, const char *key,
                 struct fine__pickle_value *out)
{
    bool found = false;

    if (dict.kind != FINE__PICKLE_DICT)
        return false;
    for (int64_t i = p->objects[dict.at].first; i >= 0; i = p->cells[i].next)
        if (fine__pickle_is_text(p, p->cells[i].key, key)) {
            *out = p->cells[i].value;
            found = true;
        }
    return found;
}
