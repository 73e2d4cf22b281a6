/*
 * headers_c.c — what never changes in the headers, held at compile time: the values of
 * error codes and of other numbers that programs keep, and that options structs only grow
 * at their ends. A line here may be added, never edited.
 */
#include <finetune.h>

#include <stdio.h>
#include <string.h>

_Static_assert(FINE_OK == 0, "stable");
_Static_assert(FINE_EINVAL == -1, "stable");
_Static_assert(FINE_ENOMEM == -2, "stable");
_Static_assert(FINE_EIO == -3, "stable");
_Static_assert(FINE_EFORMAT == -4, "stable");
_Static_assert(FINE_ESHAPE == -5, "stable");
_Static_assert(FINE_EUNSUPPORTED == -6, "stable");
_Static_assert(FINE_ERECIPE == -7, "stable");
_Static_assert(FINE_ENUMERIC == -8, "stable");
_Static_assert(FINE_ESTATE == -9, "stable");
_Static_assert(FINE_ECANCELLED == -10, "stable");
_Static_assert(FINE_EABI == -11, "stable");
_Static_assert(FINE_EBUSY == -12, "stable");
_Static_assert(FINE_EFORK == -13, "stable");
_Static_assert(FINE_EDATA == -14, "stable");

_Static_assert(FINE_LOG_WARNING == 1 && FINE_LOG_INFO == 2 && FINE_LOG_DEBUG == 3, "stable");
_Static_assert(FINE_BOOL == 1 && FINE_U8 == 2 && FINE_I8 == 3 && FINE_I16 == 4, "stable");
_Static_assert(FINE_U16 == 5 && FINE_I32 == 6 && FINE_U32 == 7 && FINE_I64 == 8, "stable");
_Static_assert(FINE_U64 == 9 && FINE_F16 == 10 && FINE_BF16 == 11 && FINE_F32 == 12, "stable");
_Static_assert(FINE_F64 == 13, "stable");
_Static_assert(FINE_OFFSETS_BYTES == 0 && FINE_OFFSETS_CHARS == 1, "stable");
_Static_assert(FINE_DECAY_MATRICES == 0 && FINE_DECAY_ALL == 1, "stable");
_Static_assert(FINE_HIDDEN_STATES == 1 && FINE_PARAM_GRADIENTS == 2, "stable");
_Static_assert(FINE_EVENT_STEP == 1 && FINE_EVENT_EVALUATE == 2, "stable");
_Static_assert(FINE_EVENT_CHECKPOINT == 3 && FINE_EVENT_DONE == 4, "stable");

/* The size comes first, so that a library of any age can read it. */
#define SIZE_FIRST(type) _Static_assert(offsetof(struct type, struct_size) == 0, #type)
SIZE_FIRST(fine_context_options);
SIZE_FIRST(fine_model_options);
SIZE_FIRST(fine_task_options);
SIZE_FIRST(fine_dataset_options);
SIZE_FIRST(fine_encode_options);
SIZE_FIRST(fine_embed_options);
SIZE_FIRST(fine_adamw_options);
SIZE_FIRST(fine_sgd_options);
SIZE_FIRST(fine_schedule_options);
SIZE_FIRST(fine_trainer_options);
SIZE_FIRST(fine_run_options);
SIZE_FIRST(fine_progress);
SIZE_FIRST(fine_param_info);
SIZE_FIRST(fine_recipe_key_info);

int
main(void)
{
    static const struct {
        int code;
        const char *name, *text;
    } codes[] = {
#define ROW(name, value, text) { value, #name, text },
        FINE_ERROR_MAP(ROW)
#undef ROW
    };
    int n_failed = 0, n = (int)(sizeof codes / sizeof codes[0]);

    for (int i = 0; i < n; i++)
        if (strcmp(fine_strerror(codes[i].code), codes[i].text) != 0) {
            printf("FAIL  fine_strerror(%s) is '%s'\n", codes[i].name,
                   fine_strerror(codes[i].code));
            n_failed++;
        }
    if (strcmp(fine_version(), FINE_VERSION_STRING) != 0)
        n_failed++;
    printf("%d passed, %d failed\n", n + 1 - n_failed, n_failed);
    return n_failed > 0;
}
