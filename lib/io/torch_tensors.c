/*
 * torch_tensors.c — the names that a checkpoint's pickle may ask for, and what they build.
 *
 * A tensor is a view: storage, offset, sizes, strides. All four are checked against the
 * storage's length here, and the storage against the file before anything is read. What is no
 * tensor (an epoch, a device, a NumPy number) becomes a value that nobody looks into. Any other
 * name is refused with that name, and nothing is run.
 * Reference: torch/_utils.py (_rebuild_…), torch/serialization.py (persistent_load).
 */
#include <string.h>

#include "base/alloc.h"
#include "io/safetensors.h"
#include "io/torch.h"

enum role {
    DICTIONARY, /* made empty, or of pairs */
    IGNORED,    /* called or not: an opaque value */
    SIZE,       /* a tuple as it is */
    STORAGE,    /* a type of storage; of .type */
    DTYPE,      /* of .type */
    TENSOR_1,   /* (storage, offset, sizes, strides) */
    TENSOR_2,   /* … (requires_grad, hooks, metadata) */
    TENSOR_3,   /* … (requires_grad, hooks, dtype, metadata) */
    PARAMETER,  /* (tensor, …) */
    FROM_TYPE   /* (function, type, arguments, state) */
};

#define STORAGE_OF(kind, type) \
    { "torch", kind "Storage", STORAGE, type }, \
    { \
        "torch.cuda", kind "Storage", STORAGE, type \
    }

static const struct {
    const char *module, *name;
    enum role role;
    int32_t type;
} known[] = {
    { "collections", "OrderedDict", DICTIONARY, 0 },
    { "collections", "Counter", IGNORED, 0 },
    { "torch._utils", "_rebuild_tensor", TENSOR_1, 0 },
    { "torch._utils", "_rebuild_tensor_v2", TENSOR_2, 0 },
    { "torch._utils", "_rebuild_tensor_v3", TENSOR_3, 0 },
    { "torch._utils", "_rebuild_parameter", PARAMETER, 0 },
    { "torch._utils", "_rebuild_parameter_with_state", PARAMETER, 0 },
    { "torch._tensor", "_rebuild_from_type_v2", FROM_TYPE, 0 },
    { "torch", "Tensor", IGNORED, 0 },
    { "torch.nn.parameter", "Parameter", IGNORED, 0 },
    STORAGE_OF("Float", FINE_F32),
    STORAGE_OF("Half", FINE_F16),
    STORAGE_OF("BFloat16", FINE_BF16),
    STORAGE_OF("Double", FINE_F64),
    STORAGE_OF("Long", FINE_I64),
    STORAGE_OF("Int", FINE_I32),
    STORAGE_OF("Short", FINE_I16),
    STORAGE_OF("Char", FINE_I8),
    STORAGE_OF("Byte", FINE_U8),
    STORAGE_OF("Bool", FINE_BOOL),
    { "torch", "UntypedStorage", STORAGE, 0 },
    { "torch.storage", "UntypedStorage", STORAGE, 0 },
    { "torch", "float32", DTYPE, FINE_F32 },
    { "torch", "float16", DTYPE, FINE_F16 },
    { "torch", "bfloat16", DTYPE, FINE_BF16 },
    { "torch", "float64", DTYPE, FINE_F64 },
    { "torch", "int64", DTYPE, FINE_I64 },
    { "torch", "int32", DTYPE, FINE_I32 },
    { "torch", "int16", DTYPE, FINE_I16 },
    { "torch", "int8", DTYPE, FINE_I8 },
    { "torch", "uint8", DTYPE, FINE_U8 },
    { "torch", "uint16", DTYPE, FINE_U16 },
    { "torch", "uint32", DTYPE, FINE_U32 },
    { "torch", "uint64", DTYPE, FINE_U64 },
    { "torch", "bool", DTYPE, FINE_BOOL },
    { "torch", "Size", SIZE, 0 },
    { "torch", "device", IGNORED, 0 },
    { "torch.serialization", "_get_layout", IGNORED, 0 },
    { "numpy.core.multiarray", "scalar", IGNORED, 0 },
    { "numpy._core.multiarray", "scalar", IGNORED, 0 },
    { "numpy", "dtype", IGNORED, 0 },
    { "_codecs", "encode", IGNORED, 0 },
};

static int
find_global(void *user, const char *module, const char *name, struct fine__pickle_value *out)
{
    const struct fine__torch *torch = user;

    for (int64_t i = 0; i < FINE__COUNT(known); i++)
        if (strcmp(known[i].module, module) == 0 && strcmp(known[i].name, name) == 0) {
            *out = (struct fine__pickle_value){ .kind = FINE__TORCH_NAME, .at = i };
            return 0;
        }
    return fine__fail(FINE_EUNSUPPORTED,
                      "%s: the pickle asks for %s.%s, which is not %s; nothing was run. "
                      "Save the model's state_dict() alone, or again with safetensors",
                      torch->what, module, name,
                      strncmp(module, "torch", 5) == 0 ? "a kind of tensor that is read"
                                                       : "a tensor");
}

static int
malformed(const struct fine__torch *torch, const char *fault)
{
    return fine__fail(FINE_EFORMAT, "%s: damaged: %s: download or save it again", torch->what,
                      fault);
}

/* ---- storages ---- */

static bool
is_count(struct fine__pickle_value value)
{
    return value.kind == FINE__PICKLE_INT && value.at >= 0;
}

/* The one of that key, new where there was none; every mention must give the same length. */
static int
find_storage(struct fine__torch *torch, struct fine__pickle_value key, int64_t bytes, int32_t type,
             int64_t *out)
{
    const char *text = fine__pickle_text(&torch->pickle, key);

    *out = fine__map_get(&torch->keys, text, key.length);
    if (*out >= 0)
        return torch->storages[*out].bytes == bytes
                   ? 0
                   : malformed(torch, "two lengths are given for one storage");
    FINE__TRY(fine__pickle_grow(&torch->pickle, &torch->storages, &torch->storages_capacity,
                                torch->n_storages, sizeof *torch->storages));
    *out = torch->n_storages;
    torch->storages[torch->n_storages++] =
        (struct fine__torch_storage){ .key = key, .bytes = bytes, .type = type, .from = -1 };
    return fine__map_put(&torch->keys, text, key.length, *out);
}

/* ('storage', type, key, place, count), and in very old files what part of it. */
static int
load_persistent(void *user, struct fine__pickle_value id, struct fine__pickle_value *out)
{
    struct fine__torch *torch = user;
    struct fine__pickle_value part[6], slice[3];
    struct fine__torch_view view = { 0 };
    int64_t n = fine__pickle_count(&torch->pickle, id), size, bytes;

    if (n != 5 && n != 6)
        return malformed(torch, "a storage is not described as it should be");
    if (!fine__pickle_elements(&torch->pickle, id, n, part) ||
        !fine__pickle_is_text(&torch->pickle, part[0], "storage") ||
        part[1].kind != FINE__TORCH_NAME || known[part[1].at].role != STORAGE ||
        part[2].kind != FINE__PICKLE_TEXT || !is_count(part[4]))
        return malformed(torch, "a storage is not described as it should be");
    view.type = known[part[1].at].type;
    size = view.type == 0 ? 1 : (int64_t)fine__type_size(view.type);
    if (part[4].at > INT64_MAX / size)
        return malformed(torch, "a storage's length overflows");
    bytes = view.bytes = part[4].at * size;
    FINE__TRY(find_storage(torch, part[2], bytes, view.type, &view.storage));
    if (n == 6 && part[5].kind != FINE__PICKLE_NONE) {
        if (!fine__pickle_elements(&torch->pickle, part[5], 3, slice) || !is_count(slice[1]) ||
            !is_count(slice[2]) || slice[1].at > bytes / size ||
            slice[2].at > bytes / size - slice[1].at)
            return malformed(torch, "a part of a storage reaches beyond it");
        view.from = slice[1].at * size;
        view.bytes = slice[2].at * size;
    }
    FINE__TRY(fine__pickle_grow(&torch->pickle, &torch->views, &torch->views_capacity,
                                torch->n_views, sizeof *torch->views));
    torch->views[torch->n_views] = view;
    *out = (struct fine__pickle_value){ .kind = FINE__TORCH_STORAGE, .at = torch->n_views++ };
    return 0;
}

/* ---- tensors ---- */

static int
read_dims(struct fine__torch *torch, struct fine__pickle_value sizes,
          struct fine__pickle_value strides, struct fine__torch_tensor *tensor)
{
    struct fine__pickle_value dims[2 * FINE__TORCH_DIMS];
    const int64_t n = fine__pickle_count(&torch->pickle, sizes);

    if (n > FINE__TORCH_DIMS)
        return malformed(torch, "a tensor has more than 64 dimensions");
    if (fine__pickle_count(&torch->pickle, strides) != n ||
        !fine__pickle_elements(&torch->pickle, sizes, n, dims) ||
        !fine__pickle_elements(&torch->pickle, strides, n, dims + n))
        return malformed(torch, "a tensor has not as many strides as sizes");
    tensor->n_dims = n;
    tensor->dims_at = torch->n_dims;
    for (int64_t i = 0; i < 2 * n; i++) {
        if (!is_count(dims[i]))
            return malformed(torch, "a tensor's size or stride is not a count");
        FINE__TRY(fine__pickle_grow(&torch->pickle, &torch->dims, &torch->dims_capacity,
                                    torch->n_dims, sizeof *torch->dims));
        torch->dims[torch->n_dims++] = dims[i].at;
    }
    return 0;
}

/* Does the last element lie within the view, and do all follow each other? */
static int
measure(const struct fine__torch *torch, struct fine__torch_tensor *tensor, int64_t offset)
{
    const struct fine__torch_view *view = &torch->views[tensor->view];
    const int64_t *sizes = torch->dims + tensor->dims_at, *strides = sizes + tensor->n_dims;
    const int64_t size = (int64_t)fine__type_size(tensor->type), room = view->bytes / size;
    int64_t bytes, last = 0, dense = 1;

    if (fine__shape_size(tensor->type, tensor->n_dims, sizes, &tensor->count, &bytes) < 0)
        return malformed(torch, "the product of a tensor's sizes overflows");
    if (offset > room)
        return malformed(torch, "a tensor begins beyond its storage");
    tensor->offset = offset * size;
    tensor->contiguous = true;
    if (tensor->count == 0)
        return 0;
    for (int64_t i = tensor->n_dims - 1; i >= 0; i--) {
        if (sizes[i] == 1)
            continue;
        if (strides[i] > (room - 1 - last) / (sizes[i] - 1))
            return malformed(torch, "a tensor reaches beyond its storage");
        last += strides[i] * (sizes[i] - 1);
        tensor->contiguous = tensor->contiguous && strides[i] == dense;
        dense *= sizes[i];
    }
    if (last >= room - offset)
        return malformed(torch, "a tensor reaches beyond its storage");
    tensor->reach = (last + 1) * size;
    return 0;
}

static int
rebuild(struct fine__torch *torch, enum role role, struct fine__pickle_value arguments,
        struct fine__pickle_value *out)
{
    struct fine__pickle_value part[8], none = { .kind = FINE__PICKLE_NONE }, metadata = none;
    const int64_t n = fine__pickle_count(&torch->pickle, arguments);
    struct fine__torch_tensor tensor = { 0 };

    if (n < 4 || n > 8 || !fine__pickle_elements(&torch->pickle, arguments, n, part) ||
        part[0].kind != FINE__TORCH_STORAGE || !is_count(part[1]))
        return malformed(torch, "a tensor is not described as it should be");
    tensor.view = part[0].at;
    tensor.type = torch->views[tensor.view].type;
    if (role == TENSOR_3) {
        if (n < 7 || part[6].kind != FINE__TORCH_NAME || known[part[6].at].role != DTYPE)
            return malformed(torch, "a tensor has no type that is known");
        tensor.type = known[part[6].at].type;
        metadata = n > 7 ? part[7] : none;
    } else if (role == TENSOR_2 && n > 6) {
        metadata = part[6];
    }
    if (tensor.type == 0)
        return malformed(torch, "a tensor has no type");
    if (fine__pickle_count(&torch->pickle, metadata) > 0)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: a tensor was saved as the negative or conjugate of its bytes, "
                          "which is not read: save it again after resolve_neg()",
                          torch->what);
    FINE__TRY(read_dims(torch, part[2], part[3], &tensor));
    FINE__TRY(measure(torch, &tensor, part[1].at));
    FINE__TRY(fine__pickle_grow(&torch->pickle, &torch->tensors, &torch->tensors_capacity,
                                torch->n_tensors, sizeof *torch->tensors));
    torch->tensors[torch->n_tensors] = tensor;
    *out = (struct fine__pickle_value){ .kind = FINE__TORCH_TENSOR, .at = torch->n_tensors++ };
    return 0;
}

/* Python 2 gives an OrderedDict its pairs as an argument: [[key, value], …]. */
static int
make_dictionary(struct fine__torch *torch, struct fine__pickle_value arguments,
                struct fine__pickle_value *out)
{
    struct fine__pickle *p = &torch->pickle;
    struct fine__pickle_value pairs, pair[2];

    FINE__TRY(fine__pickle_new_object(p, FINE__PICKLE_DICT, out));
    if (!fine__pickle_elements(p, arguments, 1, &pairs))
        return 0;
    if (pairs.kind != FINE__PICKLE_LIST)
        return malformed(torch, "a dictionary is made of something else than pairs");
    for (int64_t i = p->objects[pairs.at].first; i >= 0; i = p->cells[i].next) {
        if (fine__pickle_count(p, p->cells[i].value) != 2 ||
            !fine__pickle_elements(p, p->cells[i].value, 2, pair))
            return malformed(torch, "a dictionary is made of something else than pairs");
        FINE__TRY(fine__pickle_append(p, *out, pair[0], pair[1]));
    }
    return 0;
}

static int
call(void *user, struct fine__pickle_value callable, struct fine__pickle_value arguments,
     struct fine__pickle_value *out)
{
    struct fine__torch *torch = user;
    struct fine__pickle_value part[3];
    enum role role;

    if (callable.kind != FINE__TORCH_NAME)
        return malformed(torch, "something is called that is nothing to call");
    role = known[callable.at].role;
    if (role == FROM_TYPE) {
        if (!fine__pickle_elements(&torch->pickle, arguments, 3, part) ||
            part[0].kind != FINE__TORCH_NAME || part[2].kind != FINE__PICKLE_TUPLE ||
            known[part[0].at].role == FROM_TYPE)
            return malformed(torch, "a tensor is not described as it should be");
        role = known[part[0].at].role;
        arguments = part[2];
    }
    switch (role) {
    case DICTIONARY:
        return make_dictionary(torch, arguments, out);
    case IGNORED:
        *out = (struct fine__pickle_value){ .kind = FINE__PICKLE_OPAQUE };
        return 0;
    case SIZE:
        if (fine__pickle_elements(&torch->pickle, arguments, 1, out) &&
            (out->kind == FINE__PICKLE_TUPLE || out->kind == FINE__PICKLE_LIST))
            return 0;
        return malformed(torch, "a torch.Size is made of something else than sizes");
    case TENSOR_1:
    case TENSOR_2:
    case TENSOR_3:
        return rebuild(torch, role, arguments, out);
    case PARAMETER:
        if (fine__pickle_elements(&torch->pickle, arguments, 1, out) &&
            out->kind == FINE__TORCH_TENSOR)
            return 0;
        return malformed(torch, "a parameter is made of something else than a tensor");
    default:
        return malformed(torch, "something is called that is nothing to call");
    }
}

void
fine__torch_init(struct fine__torch *torch, fine_context *ctx, const char *what)
{
    const struct fine__pickle_owner owner = { find_global, call, load_persistent, torch };

    *torch = (struct fine__torch){ .ctx = ctx, .what = what };
    fine__pickle_init(&torch->pickle, ctx, what, &owner);
    fine__map_init(&torch->keys, ctx);
}

void
fine__torch_free(struct fine__torch *torch)
{
    fine__pickle_free(&torch->pickle);
    fine__map_free(&torch->keys);
    fine__free(torch->ctx, torch->storages);
    fine__free(torch->ctx, torch->views);
    fine__free(torch->ctx, torch->tensors);
    fine__free(torch->ctx, torch->dims);
}
