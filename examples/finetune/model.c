/*
 * model.c — opening a model as the command line says.
 */
#include "cli.h"

#include <string.h>
#include <strings.h>

int
cli_open_model(fine_model **out, fine_context *context, const char *path, const char *architecture)
{
    struct fine_model_options options;

    fine_model_options_init(&options, sizeof options);
    options.architecture = architecture;
    return fine_model_open(out, context, path, &options);
}

int
cli_reads_images(const fine_model *model)
{
    return fine_model_vocab_size(model) == 0;
}

int
cli_is_weights(const char *path)
{
    static const char *const endings[] = { ".safetensors", ".bin", ".pt", ".pth", ".th" };
    size_t n = strlen(path);

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t m = strlen(endings[i]);

        if (n > m && strcasecmp(path + n - m, endings[i]) == 0)
            return 1;
    }
    return 0;
}
