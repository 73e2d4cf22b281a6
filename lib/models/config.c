/*
 * config.c — what families read from config.json in the same way.
 *
 * Numbers have a least and a greatest value; what would change the mathematics is read or
 * refused, never ignored. Every finding is added before opening fails.
 */
#include <string.h>

#include "base/json.h"
#include "models/family.h"

static const struct {
    const char *name;
    enum fine__activation activation;
} activations[] = {
    { "gelu", FINE__GELU },
    { "gelu_new", FINE__GELU_TANH },
    { "gelu_pytorch_tanh", FINE__GELU_TANH },
    { "gelu_fast", FINE__GELU_TANH },
    { "relu", FINE__RELU },
    { "relu6", FINE__RELU6 },
    { "silu", FINE__SILU },
    { "swish", FINE__SILU },
    { "tanh", FINE__TANH },
    { "sigmoid", FINE__SIGMOID },
};

enum { MAX_HEAD = 256 };            /* numbers a head, as attention.c's widest */

int
fine__config_sizes(const struct fine__json *config, const struct fine__config_size *sizes,
                   int64_t n)
{
    int rc = 0;

    for (int64_t i = 0; i < n; i++)
        if (sizes[i].key != NULL &&
            fine__json_want_int(config, sizes[i].key, sizes[i].least, sizes[i].most,
                                sizes[i].fallback, sizes[i].out, "config.json") < 0)
            rc = FINE_EFORMAT;
    return rc;
}

int
fine__config_real(const struct fine__json *config, const char *key, double least, double most,
                  double fallback, double *out)
{
    return fine__json_want_double(config, key, least, most, fallback, out, "config.json") < 0
               ? FINE_EFORMAT : 0;
}

int
fine__config_list(const struct fine__json *config, const char *key, int64_t least, int64_t most,
                  int64_t most_items, int64_t *out, int64_t *n_out)
{
    const struct fine__json *list = fine__json_get(config, key);
    const int64_t n = fine__json_count(list);

    if (list == NULL)
        return 0;
    if (fine__json_type(list) != FINE__JSON_ARRAY || n < 1 || n > most_items)
        return fine__also(FINE_EFORMAT, "config.json: '%s' must be a list of 1 to %lld numbers",
                          key, (long long)most_items);
    for (int64_t i = 0; i < n; i++) {
        const struct fine__json *item = fine__json_at(list, i);
        const int64_t value = fine__json_int(item, 0);

        if (fine__json_type(item) != FINE__JSON_INTEGER || value < least || value > most)
            return fine__also(FINE_EFORMAT, "config.json: item %lld of '%s' must be a whole number "
                              "from %lld to %lld", (long long)i, key, (long long)least,
                              (long long)most);
        out[i] = value;
    }
    *n_out = n;
    return 0;
}

int
fine__config_dropout(const struct fine__json *config, const char *key, double fallback,
                     double instead, double *out)
{
    const int rc = fine__config_real(config, key, 0, 0.999, fallback, out);

    if (instead >= 0)
        *out = instead;
    return rc;
}

int
fine__config_activation(const struct fine__json *config, const char *key, const char *fallback,
                        enum fine__activation *out)
{
    const struct fine__json *value = fine__json_get(config, key);
    const char *name = value == NULL ? fallback : fine__json_string(value, NULL);

    for (int64_t i = 0; name != NULL && i < FINE__COUNT(activations); i++)
        if (strcmp(activations[i].name, name) == 0) {
            *out = activations[i].activation;
            return 0;
        }
    return fine__also(FINE_EUNSUPPORTED, "config.json: '%s' is %s%s%s; this version knows gelu, "
                      "gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish, tanh and "
                      "sigmoid", key, name != NULL ? "'" : "", name != NULL ? name : "not a text",
                      name != NULL ? "'" : "");
}

int
fine__config_refuse(const struct fine__json *config, const char *const *flags, int64_t n,
                    const char *why)
{
    int rc = 0;

    for (int64_t i = 0; i < n; i++)
        if (fine__json_bool(fine__json_get(config, flags[i]), false))
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: '%s' is true; %s", flags[i], why);
    return rc;
}

int
fine__config_heads(const fine_model *model, int64_t heads, const char *width_key,
                   const char *heads_key)
{
    if (model->width % heads != 0)
        return fine__also(FINE_EFORMAT, "config.json: '%s' %lld is no multiple of '%s' %lld",
                          width_key, (long long)model->width, heads_key, (long long)heads);
    if (model->width / heads > MAX_HEAD)
        return fine__also(FINE_EUNSUPPORTED, "config.json: heads of %lld numbers; at most %d are "
                          "supported", (long long)(model->width / heads), MAX_HEAD);
    return 0;
}

int
fine__config_padding(fine_model *model, const struct fine__json *config, int64_t fallback)
{
    const struct fine__json *value = fine__json_get(config, "pad_token_id");

    model->padding_id = value == NULL ? fallback : -1;
    if (fine__json_type(value) == FINE__JSON_NULL)
        return 0;
    return fine__json_want_int(config, "pad_token_id", -1, model->vocab_size - 1, 0,
                               &model->padding_id, "config.json") < 0 ? FINE_EFORMAT : 0;
}

void
fine__config_tying(fine_model *model, const struct fine__json *config)
{
    model->untied = !fine__json_bool(fine__json_get(config, "tie_word_embeddings"), true);
}
