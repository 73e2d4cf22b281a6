/* What a state dict's pickle may ask for: tensors are checked against their storages, and all
 * else is refused by its name. */
#include "torch_files.h"

/* Storages hold the bytes 0 … 63, that is 16 floats. */
static int
try_pickle(fine_context *ctx, const char *pickle, size_t n, struct fine__weight *out)
{
    struct fine__buf archive;
    struct fine__weights *weights;
    struct fine__source *source;
    int rc;

    archive_of_pickle(&archive, ctx, pickle, n);
    rc = open_bytes(&weights, &source, ctx, "m.bin", archive.data, archive.length);
    if (rc == 0) {
        *out = *fine__weights_at(weights, 0);
        out->name = NULL;
        out->shape = NULL;
        fine__weights_free(weights);
        fine__source_free(source);
    }
    fine__buf_free(&archive);
    return rc;
}

#define P(text) text, sizeof text - 1

static const struct {
    const char *pickle;
    size_t length;
    int64_t n_dims, count;
    int32_t type;
} good[] = {
    { P(DICT_OF(TENSOR("0", "K\0", "K\2K\3", "K\3K\1"))), 2, 6, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\0", "", ""))), 0, 1, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\x0f", "", ""))), 0, 1, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\x10", "K\0K\3", "K\3K\1"))), 2, 0, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\x0a", "K\2K\3", "K\3K\1"))), 2, 6, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\0", "K\4K\4", "K\1K\4"))), 2, 16, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\x0f", "M\0\1", "K\0"))), 1, 256, FINE_F32 },
    { P(DICT_OF(TENSOR("0", "K\0", "K\1K\2", "J\xff\xff\xff\x7fK\1"))), 2, 2, FINE_F32 },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("HalfStorage", "0", "K\x20"), "K\0", "K\2", "K\1"))), 1, 2,
      FINE_F16 },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("BFloat16Storage", "0", "K\x20"), "K\0", "K\2", "K\1"))), 1, 2,
      FINE_BF16 },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("DoubleStorage", "0", "K\x08"), "K\0", "K\2", "K\1"))), 1, 2,
      FINE_F64 },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("LongStorage", "0", "K\x08"), "K\0", "K\2", "K\1"))), 1, 2,
      FINE_I64 },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("BoolStorage", "0", "K\x40"), "K\0", "K\2", "K\1"))), 1, 2,
      FINE_BOOL },
    /* the old function, a parameter, one with attributes, a type of its own */
    { P(DICT_OF("ctorch._utils\n_rebuild_tensor\n(" FLOATS("0") "K\0(K\2t(K\1ttR")), 1, 2,
      FINE_F32 },
    { P(DICT_OF("ctorch._utils\n_rebuild_parameter\n(" TENSOR("0", "K\0", "K\2", "K\1") "\x88}tR")),
      1, 2, FINE_F32 },
    { P(DICT_OF("ctorch._utils\n_rebuild_parameter_with_state\n(" TENSOR("0", "K\0", "K\2",
                                                                         "K\1") "\x88}}tR")),
      1, 2, FINE_F32 },
    { P(DICT_OF("ctorch._tensor\n_rebuild_from_type_v2\n(" V2
                "ctorch\nTensor\n(" FLOATS("0") "K\0(K\2t(K\1t\x89}t}tR")),
      1, 2, FINE_F32 },
    { P(DICT_OF("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE_OF(
          "UntypedStorage", "0", "K\x40") "K\0(K\2t(K\1t\x89}ctorch\nuint16\n}tR")),
      1, 2, FINE_U16 },
    /* other leaves are passed over */
    { P("\x80\2}(U\1nNU\1iK\1U\1rG\0\0\0\0\0\0\0\0U\1dctorch\ndevice\nU\3cpu\x85RU\1tctorch\n"
        "float32\nU\1sctorch\nSize\n(K\1t\x85RU\1ocnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n"
        "(U\2f8K\0K\1tR(K\3U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbU\1xtRU\1w" TENSOR(
            "0", "K\0", "K\2", "K\1") "u."),
      1, 2, FINE_F32 },
    /* dictionaries as Python 2 and 3 write them */
    { P("\x80\2"
        "ccollections\nOrderedDict\n)RU\1w" TENSOR("0", "K\0", "K\2", "K\1") "s."),
      1, 2, FINE_F32 },
    { P("\x80\2"
        "ccollections\nOrderedDict\n](]U\1wa" TENSOR("0", "K\0", "K\2", "K\1") "ae\x85R."),
      1, 2, FINE_F32 },
    /* a part of a storage, as very old files have them: floats 4 to 9 */
    { P(DICT_OF(V2 "((U\7storagectorch\nFloatStorage\nU\1"
                   "0U\3cpuK\x10(U\1vK\4K\6ttQK\0(K\6t(K\1t\x89}tR")),
      1, 6, FINE_F32 },
};

START_TEST(accepts)
{
    fine_context *ctx = new_context(1);
    struct fine__weight weight;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(try_pickle(ctx, good[i].pickle, good[i].length, &weight) == 0, "%zu: %s", i,
                      fine_error_message());
        ck_assert_int_eq(weight.n_dims, good[i].n_dims);
        ck_assert_int_eq(weight.count, good[i].count);
        ck_assert_int_eq(weight.type, good[i].type);
    }
    free_context(ctx);
}
END_TEST

static const struct {
    const char *pickle;
    size_t length;
    const char *finding;
} bad[] = {
    /* beyond the storage */
    { P(DICT_OF(TENSOR("0", "K\x11", "K\0", "K\1"))), "begins beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\x10", "", ""))), "reaches beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\0", "K\x11", "K\1"))), "reaches beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\x0b", "K\2K\3", "K\3K\1"))), "reaches beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\0", "K\2K\2", "K\x0fK\1"))), "reaches beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\0", "K\2", "J\xff\xff\xff\x7f"))), "reaches beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\0", "K\3", "\x8a\x08\0\0\0\0\0\0\0\x60"))),
      "reaches beyond its storage" },
    { P(DICT_OF(TENSOR("0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\1", "K\1"))),
      "begins beyond its storage" },
    { P(DICT_OF(TENSOR("0", "K\0", "\x8a\x05\0\0\0\0\1\x8a\x05\0\0\0\0\1", "K\0K\0"))),
      "product of a tensor's sizes overflows" },
    /* repeated without end */
    { P(DICT_OF(TENSOR("0", "K\0", "J\0\0\0\x10", "K\0"))), "more than 64 times the file" },
    /* no counts */
    { P(DICT_OF(TENSOR("0", "J\xff\xff\xff\xff", "K\1", "K\1"))), "not described" },
    { P(DICT_OF(TENSOR("0", "K\0", "J\xff\xff\xff\xff", "K\1"))), "is not a count" },
    { P(DICT_OF(TENSOR("0", "K\4", "K\2", "J\xff\xff\xff\xff"))), "is not a count" },
    { P(DICT_OF(TENSOR("0", "K\0", "N", "K\1"))), "is not a count" },
    { P(DICT_OF(TENSOR("0", "K\0", "K\2K\2", "K\1"))), "not as many strides as sizes" },
    /* storages */
    { P(DICT_OF(TENSOR("7", "K\0", "K\2", "K\1"))), "has no 'data/7'" },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("FloatStorage", "0", "K\x0f"), "K\0", "K\2", "K\1"))),
      "has 64 bytes, and should have 60" },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("DoubleStorage", "0", "\x8a\x08\0\0\0\0\0\0\0\x40"), "K\0",
                          "K\2", "K\1"))),
      "length overflows" },
    { P("\x80\2}(U\1a" TENSOR("0", "K\0", "K\2", "K\1") "U\1b" TENSOR_OF(
          STORAGE_OF("FloatStorage", "0", "K\x0f"), "K\0", "K\2", "K\1") "u."),
      "two lengths are given for one storage" },
    { P(DICT_OF(V2 "((U\7storagectorch\nFloatStorage\nU\1"
                   "0U\3cpuK\x10(U\1vK\x0bK\6ttQK\0(K\6t(K\1t\x89}tR")),
      "a part of a storage reaches beyond it" },
    { P(DICT_OF(V2 "((U\7storagectorch\nFloatStorage\nU\1"
                   "0U\3cpuK\x10(U\1vK\4K\6ttQK\0(K\7t(K\1t\x89}tR")),
      "a tensor reaches beyond its storage" },
    { P(DICT_OF("(U\7storageK\1U\1"
                "0U\3cpuK\x10tQ")),
      "a storage is not described" },
    { P(DICT_OF("(U\6moduletQ")), "a storage is not described" },
    { P(DICT_OF("NQ")), "a storage is not described" },
    /* functions */
    { P(DICT_OF(V2 ")R")), "a tensor is not described" },
    { P(DICT_OF(V2 "(K\1K\1K\1K\1tR")), "a tensor is not described" },
    { P(DICT_OF("ctorch._utils\n_rebuild_parameter\n(K\1tR")), "something else than a tensor" },
    { P(DICT_OF("ctorch\nFloatStorage\n)R")), "nothing to call" },
    { P(DICT_OF(FLOATS("0") ")R")), "nothing to call" },
    { P(DICT_OF("ccollections\nOrderedDict\nK\1\x85R")), "something else than pairs" },
    { P(DICT_OF("ccollections\nOrderedDict\n]K\1a\x85R")), "something else than pairs" },
    { P(DICT_OF("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\n"
                "ctorch\nTensor\n)NtR")),
      "a tensor is not described" },
    { P(DICT_OF("ctorch._utils\n_rebuild_tensor_v3\n(" FLOATS(
          "0") "K\0(K\2t(K\1t\x89}ctorch\ndevice\ntR")),
      "no type that is known" },
    { P(DICT_OF(TENSOR_OF(STORAGE_OF("UntypedStorage", "0", "K\x40"), "K\0", "K\2", "K\1"))),
      "a tensor has no type" },
    { P(DICT_OF(V2 "(" FLOATS("0") "K\0(K\2t(K\1t\x89}}U\3neg\x88stR")),
      "the negative or conjugate" },
};

START_TEST(refuses)
{
    fine_context *ctx = new_context(1);
    struct fine__weight weight;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const int rc = try_pickle(ctx, bad[i].pickle, bad[i].length, &weight);

        ck_assert_msg(rc < 0 && was_found(bad[i].finding), "%zu: %d %s", i, rc,
                      fine_error_message());
        ck_assert(was_found("memory/m.bin: "));
    }
    free_context(ctx);
}
END_TEST

/* Names that would run something, or build what no model is made of. */
START_TEST(refuses_foreign_names)
{
    static const char *const names[][2] = {
        { "os", "system" },
        { "posix", "system" },
        { "nt", "system" },
        { "subprocess", "Popen" },
        { "builtins", "eval" },
        { "builtins", "exec" },
        { "builtins", "getattr" },
        { "__builtin__", "apply" },
        { "torch", "load" },
        { "torch._utils", "_rebuild_sparse_tensor" },
        { "torch._utils", "_rebuild_qtensor" },
        { "torch", "ComplexFloatStorage" },
        { "torch.storage", "_load_from_bytes" },
        { "torch.serialization", "load" },
        { "collections", "OrderedDict.fromkeys" },
        { "numpy.core.multiarray", "_reconstruct" },
        { "pytorch_lightning.utilities.parsing", "AttributeDict" },
        { "argparse", "Namespace" },
        { "model", "MyNet" },
        { "", "" },
    };
    fine_context *ctx = new_context(1);
    struct fine__weight weight;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char pickle[200], finding[200];
        const int n = snprintf(pickle, sizeof pickle, "\x80\2}U\1wc%s\n%s\nU\1x\x85Rs.",
                               names[i][0], names[i][1]);

        ck_assert_int_eq(try_pickle(ctx, pickle, (size_t)n, &weight), FINE_EUNSUPPORTED);
        snprintf(finding, sizeof finding, "memory/m.bin: the pickle asks for %s.%s, which is not",
                 names[i][0], names[i][1]);
        ck_assert_msg(was_found(finding), "%s", fine_error_message());
        ck_assert(was_found("nothing was run") && was_found("safetensors"));
    }
    free_context(ctx);
}
END_TEST

RUNNER("torch_tensors", accepts, refuses, refuses_foreign_names)
