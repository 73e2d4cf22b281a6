/*
 * What a checkpoint is after the process was killed at any system call, or the power went.
 *
 * Killing: a child is killed before its n-th call, or in the middle of a write, for every n;
 * and again while it repairs what that left. Power: a table of calls keeps a log; the disk
 * after a loss holds all that was synced before, and of the rest a random part, writes torn.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/rng.h"
#include "states.h"

static const char name[] = "step-7";

/* ---- kill -9 ---- */

static long long calls, kill_at;
static bool mid_write;

static void
count_call(void)
{
    if (++calls == kill_at)
        kill(getpid(), SIGKILL);
}

static int
deadly_open(const char *path, int flags, unsigned mode)
{
    count_call();
    return fine__io_system.open(path, flags, mode);
}

static ssize_t
deadly_write(int fd, const void *bytes, size_t count)
{
    if (mid_write && calls + 1 == kill_at && fine__io_system.write(fd, bytes, count / 2) < 0)
        return -1;
    count_call();
    return fine__io_system.write(fd, bytes, count);
}

static int
deadly_fsync(int fd)
{
    (void)fd;
    count_call();
    return 0;
}

static int
deadly_close(int fd)
{
    count_call();
    return fine__io_system.close(fd);
}

static int
deadly_rename(const char *from, const char *to)
{
    count_call();
    return fine__io_system.rename(from, to);
}

static int
deadly_mkdir(const char *path, unsigned mode)
{
    count_call();
    return fine__io_system.mkdir(path, mode);
}

static int
deadly_unlink(const char *path)
{
    count_call();
    return fine__io_system.unlink(path);
}

static int
deadly_rmdir(const char *path)
{
    count_call();
    return fine__io_system.rmdir(path);
}

enum deed { SAVE, CLEAN, REMOVE };

/* Does it in a child that is killed at call n; true: it came to its end. */
static bool
dies_doing(enum deed deed, fine_context *ctx, const char *folder, long long n)
{
    const pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct fine__io io = fine__io_system;
        int64_t *numbers, count;
        int rc;

        io.open = deadly_open;
        io.write = deadly_write;
        io.fsync = deadly_fsync;
        io.close = deadly_close;
        io.rename = deadly_rename;
        io.mkdir = deadly_mkdir;
        io.unlink = deadly_unlink;
        io.rmdir = deadly_rmdir;
        ctx->io = &io;
        calls = 0;
        kill_at = n;
        rc = deed == SAVE    ? save_state(ctx, folder, name, 'b')
             : deed == CLEAN ? fine__checkpoint_list(ctx, folder, "step-", true, &numbers, &count)
                             : fine__checkpoint_remove(ctx, folder, name);
        _exit(rc == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
        ck_assert_int_eq(WEXITSTATUS(status), 0);
        return true;
    }
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    return false;
}

/* Repairs, killed at every call in turn: the state never changes on the way. */
static int
repair_with_kills(fine_context *ctx, const char *folder, int state)
{
    int n_kills = 0;

    for (long long m = 1; !dies_doing(CLEAN, ctx, folder, m); m++) {
        ck_assert_int_eq(read_state(ctx, folder, name), state);
        n_kills++;
    }
    clean_and_check(ctx, folder, state > 0 ? 1 : 0);
    ck_assert_int_eq(read_state(ctx, folder, name), state);
    return n_kills;
}

/* Kills at every call of the deed; before it the state is `before`, afterwards `after`. */
static int
kill_everywhere(enum deed deed, int before, int after)
{
    fine_context *ctx = new_context(1);
    struct fine__io quick = fine__io_system;
    int n_kills = 0;
    bool done = false;

    quick.fsync = deadly_fsync;
    for (long long n = 1; !done; n++) {
        char *root = new_quick_folder(), *folder = fine__path_join(ctx, root, "checkpoints");
        int state;

        ctx->io = &quick;
        if (before > 0)
            ck_assert_int_eq(save_state(ctx, folder, name, (char)before), 0);
        done = dies_doing(deed, ctx, folder, n);
        state = read_state(ctx, folder, name);
        ck_assert(state == after || (!done && state == before));
        n_kills += repair_with_kills(ctx, folder, state) + 1;
        fine__free(ctx, folder);
        remove_folder(ctx, root);
        ctx->io = &fine__io_system;
    }
    free_context(ctx);
    return n_kills;
}

START_TEST(killed_while_saving)
{
    mid_write = false;
    ck_assert_int_gt(kill_everywhere(SAVE, FINE_EIO, 'b'), 30);
    mid_write = true;
    ck_assert_int_gt(kill_everywhere(SAVE, FINE_EIO, 'b'), 30);
}
END_TEST

START_TEST(killed_while_replacing)
{
    mid_write = false;
    ck_assert_int_gt(kill_everywhere(SAVE, 'a', 'b'), 50);
}
END_TEST

START_TEST(killed_while_removing)
{
    mid_write = false;
    ck_assert_int_gt(kill_everywhere(REMOVE, 'a', FINE_EIO), 10);
}
END_TEST

/* ---- power loss ---- */

enum { MAX_NODES = 200, MAX_ENTRIES = 400, MAX_OPS = 1500, MAX_FDS = 64, NAME = 64 };

struct op {
    enum { LINK, MOVE, DATA, SYNC } kind;
    int node;                    /* SYNC, DATA: of what; LINK, MOVE: in which directory */
    int target;                  /* LINK, MOVE: what the entry leads to; -1: removed */
    char name[NAME], from[NAME]; /* MOVE: from → name */
    size_t at, length;
    char *bytes;
};

/* Names in directories: of the running system, or of a disk after a loss. */
struct names {
    struct {
        int directory, node;
        char name[NAME];
    } list[MAX_ENTRIES];
    int count;
};

static struct op ops[MAX_OPS];
static int n_ops, n_nodes;
static bool is_directory[MAX_NODES];
static struct names now;
static struct {
    int node;
    size_t at;
} files[MAX_FDS];
static const char *disk; /* the root's path: node 0 */

static int
look_up(const struct names *names, int directory, const char *entry)
{
    for (int i = 0; i < names->count; i++)
        if (names->list[i].directory == directory && strcmp(names->list[i].name, entry) == 0)
            return names->list[i].node;
    return -1;
}

static void
set_entry(struct names *names, int directory, const char *entry, int node)
{
    int i = 0;

    while (i < names->count &&
           (names->list[i].directory != directory || strcmp(names->list[i].name, entry) != 0))
        i++;
    if (node < 0) {
        if (i < names->count)
            names->list[i] = names->list[--names->count];
        return;
    }
    ck_assert_int_lt(i, MAX_ENTRIES);
    names->count += i == names->count;
    names->list[i].directory = directory;
    names->list[i].node = node;
    snprintf(names->list[i].name, NAME, "%s", entry);
}

/* The node of a path, and the directory and name of its last part; -1: not on the disk. */
static int
resolve(const char *path, int *directory, char *entry)
{
    int node = 0;

    if (strncmp(path, disk, strlen(disk)) != 0)
        return -1;
    path += strlen(disk);
    *directory = -1;
    entry[0] = '\0';
    while (*path != '\0') {
        size_t length;

        path += strspn(path, "/");
        length = strcspn(path, "/");
        if (length == 0)
            break;
        ck_assert_uint_lt(length, NAME);
        *directory = node;
        memcpy(entry, path, length);
        entry[length] = '\0';
        node = node < 0 ? -1 : look_up(&now, node, entry);
        path += length;
    }
    return node;
}

static struct op *
log_op(void)
{
    ck_assert_int_lt(n_ops, MAX_OPS);
    memset(&ops[n_ops], 0, sizeof ops[n_ops]);
    return &ops[n_ops++];
}

static void
log_entry(int directory, const char *entry, int node)
{
    struct op *op = log_op();

    op->kind = LINK;
    op->node = directory;
    op->target = node;
    snprintf(op->name, NAME, "%s", entry);
    set_entry(&now, directory, entry, node);
}

static int
new_node(bool directory)
{
    ck_assert_int_lt(n_nodes, MAX_NODES);
    is_directory[n_nodes] = directory;
    return n_nodes++;
}

static int
logged_open(const char *path, int flags, unsigned mode)
{
    const int fd = fine__io_system.open(path, flags, mode);
    int directory, node;
    char entry[NAME];

    if (fd < 0)
        return fd;
    ck_assert_int_lt(fd, MAX_FDS);
    node = resolve(path, &directory, entry);
    if (node < 0 && (flags & O_CREAT) != 0) {
        node = new_node(false);
        log_entry(directory, entry, node);
    }
    files[fd].node = node;
    files[fd].at = 0;
    return fd;
}

static ssize_t
logged_write(int fd, const void *bytes, size_t count)
{
    struct op *op = log_op();

    op->kind = DATA;
    op->node = files[fd].node;
    op->at = files[fd].at;
    op->length = count;
    op->bytes = malloc(count > 0 ? count : 1);
    memcpy(op->bytes, bytes, count);
    files[fd].at += count;
    return fine__io_system.write(fd, bytes, count);
}

static int
logged_fsync(int fd)
{
    struct op *op = log_op();

    op->kind = SYNC;
    op->node = files[fd].node;
    return 0;
}

static int
logged_rename(const char *from, const char *to)
{
    const int rc = fine__io_system.rename(from, to);
    int directory, directory_to;
    char entry[NAME];
    struct op *op;

    if (rc < 0)
        return rc;
    op = log_op();
    op->kind = MOVE;
    op->target = resolve(from, &directory, op->from);
    resolve(to, &directory_to, entry);
    ck_assert_int_eq(directory, directory_to);
    op->node = directory;
    strcpy(op->name, entry);
    set_entry(&now, directory, op->from, -1);
    set_entry(&now, directory, op->name, op->target);
    return 0;
}

static int
logged_mkdir(const char *path, unsigned mode)
{
    const int rc = fine__io_system.mkdir(path, mode);
    int directory;
    char entry[NAME];

    if (rc == 0) {
        resolve(path, &directory, entry);
        log_entry(directory, entry, new_node(true));
    }
    return rc;
}

static int
log_removal(int rc, const char *path)
{
    int directory;
    char entry[NAME];

    if (rc == 0) {
        resolve(path, &directory, entry);
        log_entry(directory, entry, -1);
    }
    return rc;
}

static int
logged_unlink(const char *path)
{
    return log_removal(fine__io_system.unlink(path), path);
}

static int
logged_rmdir(const char *path)
{
    return log_removal(fine__io_system.rmdir(path), path);
}

/* What the disk holds after a loss before operation n: everything that was synced, and of
 * the rest what the random numbers say. */
static void
lose_power(int n, uint64_t key, struct names *names, struct fine__buf contents[MAX_NODES])
{
    uint64_t counter = 0;

    names->count = 0;
    for (int i = 0; i < n; i++) {
        const struct op *op = &ops[i];
        struct fine__buf *content;
        bool synced = false;
        size_t length = op->length;

        for (int k = i + 1; k < n && op->kind != SYNC && !synced; k++)
            synced = ops[k].kind == SYNC && ops[k].node == op->node;
        if (op->kind == SYNC || (!synced && fine__rng_below(key, counter++, 2) == 0))
            continue;
        if (op->kind != DATA) {
            if (op->kind == MOVE)
                set_entry(names, op->node, op->from, -1);
            set_entry(names, op->node, op->name, op->target);
            continue;
        }
        if (!synced)
            length = (size_t)fine__rng_below(key, counter++, (int64_t)length + 1);
        content = &contents[op->node];
        while (content->length < op->at + length)
            fine__buf_byte(content, '\0');
        if (length > 0)
            memcpy(content->data + op->at, op->bytes, length);
    }
}

/* Puts the directory `node` on a real disk. Directories lie at most three deep. */
static void
materialize(const struct names *names, const struct fine__buf *contents, int node, const char *path,
            int depth)
{
    ck_assert_int_lt(depth, 5);
    for (int i = 0; i < names->count; i++) {
        const int child = names->list[i].node;
        char *inner;

        if (names->list[i].directory != node)
            continue;
        inner = fine__path_join(contents[0].ctx, path, names->list[i].name);
        if (is_directory[child]) {
            ck_assert_int_eq(fine__io_system.mkdir(inner, 0700), 0);
            materialize(names, contents, child, inner, depth + 1);
        } else {
            FILE *file = fopen(inner, "wb");

            ck_assert_ptr_nonnull(file);
            ck_assert_uint_eq(
                fwrite(fine__buf_cstr(&contents[child]), 1, contents[child].length, file),
                contents[child].length);
            fclose(file);
        }
        fine__free(contents[0].ctx, inner);
    }
}

START_TEST(power_is_lost)
{
    enum { LOSSES = 2000 };
    static const int states[] = { FINE_EIO, 'a', 'b', FINE_EIO, 'a' }; /* after each deed */
    int ends[5] = { 0 };
    struct fine__io logged = fine__io_system, quick = fine__io_system;
    fine_context *ctx = new_context(1);
    char *root = new_quick_folder(), *folder = fine__path_join(ctx, root, "checkpoints");
    static struct names names;

    quick.fsync = deadly_fsync;
    logged.open = logged_open;
    logged.write = logged_write;
    logged.fsync = logged_fsync;
    logged.rename = logged_rename;
    logged.mkdir = logged_mkdir;
    logged.unlink = logged_unlink;
    logged.rmdir = logged_rmdir;
    ctx->io = &logged;
    disk = root;
    n_nodes = 0;
    new_node(true);
    for (int deed = 1; deed < 5; deed++) {
        ck_assert_int_eq(states[deed] > 0 ? save_state(ctx, folder, name, (char)states[deed])
                                          : fine__checkpoint_remove(ctx, folder, name),
                         0);
        ends[deed] = n_ops;
    }
    ctx->io = &quick;
    fine__free(ctx, folder);
    remove_folder(ctx, root);

    for (int loss = 0; loss < LOSSES; loss++) {
        const uint64_t key = fine__rng_key(1, FINE__RNG_SAMPLE, loss, 0);
        const int n = (int)fine__rng_below(key, UINT64_MAX, n_ops + 1);
        struct fine__buf contents[MAX_NODES];
        int deed = 1, state;

        while (deed < 4 && n >= ends[deed])
            deed++;
        root = new_quick_folder();
        folder = fine__path_join(ctx, root, "checkpoints");
        for (int i = 0; i < n_nodes; i++)
            fine__buf_init(&contents[i], ctx);
        lose_power(n, key, &names, contents);
        materialize(&names, contents, 0, root, 0);
        for (int i = 0; i < n_nodes; i++)
            fine__buf_free(&contents[i]);

        state = read_state(ctx, folder, name);
        ck_assert_msg(state == states[deed] || (n < ends[deed] && state == states[deed - 1]),
                      "loss %d before operation %d in deed %d: %d %s", loss, n, deed, state,
                      fine_error_message());
        clean_and_check(ctx, folder, state > 0 ? 1 : 0);
        ck_assert_int_eq(read_state(ctx, folder, name), state);
        fine__free(ctx, folder);
        remove_folder(ctx, root);
    }
    for (int i = 0; i < n_ops; i++)
        free(ops[i].bytes);
    free_context(ctx);
}
END_TEST

RUNNER("checkpoint_crash", killed_while_saving, killed_while_replacing, killed_while_removing,
       power_is_lost)
