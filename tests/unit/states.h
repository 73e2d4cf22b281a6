/*
 * states.h — checkpoints for tests: state 'a' or 'b', told apart by every file.
 */
#ifndef STATES_H
#define STATES_H

#include <dirent.h>

#include "io/checkpoint.h"
#include "weight_files.h"

enum { STATE_NUMBERS = 300 };

/* In memory where the system has such a place: thousands of folders are made. */
static inline char *
new_quick_folder(void)
{
    char *path = strdup("/dev/shm/fine-test-XXXXXX");

    if (mkdtemp(path) != NULL)
        return path;
    free(path);
    return new_folder();
}

static inline void
fill_state(char state, float numbers[STATE_NUMBERS])
{
    for (int i = 0; i < STATE_NUMBERS; i++)
        numbers[i] = (float)(i * (state == 'a' ? 1 : -3));
}

static inline int
save_state(fine_context *ctx, const char *folder, const char *name, char state)
{
    static const int64_t shape[] = { STATE_NUMBERS };
    struct fine__checkpoint_writer *writer;
    float numbers[STATE_NUMBERS];
    const struct fine__weight_out entry = { "weight", shape, 1, FINE_F32, numbers };
    const char text[] = { '{', '"', state, '"', ':', '1', '}' };
    int rc;

    fill_state(state, numbers);
    rc = fine__checkpoint_begin(&writer, ctx, folder, name);
    if (rc < 0)
        return rc;
    if ((rc = fine__checkpoint_add(writer, "state.json", text, sizeof text)) < 0 ||
        (rc = fine__checkpoint_add_tensors(writer, "weights.safetensors", &entry, 1)) < 0) {
        fine__checkpoint_abandon(writer);
        return rc;
    }
    return fine__checkpoint_commit(writer);
}

/* 'a' or 'b', whole; or the error of opening. Anything between fails the test. */
static inline int
read_state(fine_context *ctx, const char *folder, const char *name)
{
    struct fine__source *source;
    struct fine__weights *weights;
    struct fine__buf text;
    float expected[STATE_NUMBERS], numbers[STATE_NUMBERS];
    int rc = fine__checkpoint_open(&source, ctx, folder, name);
    char state;

    if (rc < 0)
        return rc;
    fine__buf_init(&text, ctx);
    ck_assert_int_eq(fine__source_read(source, "state.json", 100, &text), 0);
    ck_assert_uint_eq(text.length, 7);
    state = text.data[2];
    ck_assert(state == 'a' || state == 'b');
    fine__buf_free(&text);
    ck_assert_int_eq(fine__weights_open_file(&weights, ctx, source, "weights.safetensors"), 0);
    ck_assert_int_eq(fine__weights_read_floats(weights, 0, numbers), 0);
    fill_state(state, expected);
    ck_assert_mem_eq(numbers, expected, sizeof expected);
    fine__weights_free(weights);
    fine__source_free(source);
    return state;
}

/* Entries of a folder; 0 where there is none. */
static inline int
count_entries(const char *folder)
{
    DIR *directory = opendir(folder);
    int n = 0;

    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return n;
}

/* Does what is left after an interruption, and checks that afterwards nothing is. */
static inline void
clean_and_check(fine_context *ctx, const char *folder, int n_expected)
{
    int64_t *numbers, count;

    ck_assert_int_eq(fine__checkpoint_list(ctx, folder, "step-", true, &numbers, &count), 0);
    ck_assert_int_eq(count, n_expected);
    fine__free(ctx, numbers);
    ck_assert_int_eq(count_entries(folder), n_expected);
}

#endif
