/*
 * foreign.c — kinds of files that are taken for weights by mistake, by their first bytes.
 *
 * A download that fetched a pointer or an error page is the commonest damage of all, and
 * "malformed header" would not help anyone out of it.
 */
#include <string.h>

#include "io/foreign.h"

#define TO_SAFETENSORS \
    "convert the model to safetensors (in Python: " \
    "model.save_pretrained(folder, safe_serialization=True))"

static const struct {
    size_t at, length;
    const char *bytes, *kind;
} kinds[] = {
    { 0, 7, "version", "a Git LFS pointer, not the file it points to: run 'git lfs pull'" },
    { 0, 9, "<!doctype",
      "a web page, probably an error shown in place of the download: "
      "download the file again" },
    { 0, 5, "<html",
      "a web page, probably an error shown in place of the download: "
      "download the file again" },
    { 0, 5, "<?xml",
      "an XML text, probably an error shown in place of the download: "
      "download the file again" },
    { 0, 4, "PK\003\004",
      "a zip archive, as PyTorch writes (.bin, .pt, .pth): name it so, and it is read" },
    { 0, 1, "\200",
      "a Python pickle, as old versions of PyTorch write (.bin, .pth): name it so, and it is "
      "read" },
    { 0, 4, "GGUF",
      "a GGUF file, made for inference by llama.cpp: "
      "get the model's original safetensors" },
    { 0, 4, "GGML",
      "a GGML file, made for inference by llama.cpp: "
      "get the model's original safetensors" },
    { 0, 8, "\211HDF\r\n\032\n", "an HDF5 file, as Keras and TensorFlow write: " TO_SAFETENSORS },
    { 4, 4, "TFL3", "a TensorFlow Lite file: get the model's original safetensors" },
    { 0, 6, "\223NUMPY", "a NumPy array: store it with the safetensors package" },
    { 0, 2, "\037\213", "compressed with gzip: unpack it first" },
    { 0, 4, "\050\265\057\375", "compressed with zstd: unpack it first" },
    { 0, 1, "{", "a JSON text, not weights: is it config.json or an index of shards?" },
};

/* Letters of the pattern are lower case; those of the file may be either. */
static int
matches(const unsigned char *bytes, const char *pattern, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char p = (unsigned char)pattern[i];
        const unsigned char c = bytes[i];

        if (c != p && !(c >= 'A' && c <= 'Z' && c + 32 == p))
            return 0;
    }
    return 1;
}

const char *
fine__foreign_kind(const void *bytes, size_t length)
{
    const unsigned char *start = bytes;

    /* Web servers put blank lines and a byte order mark before the page. */
    if (length >= 3 && memcmp(start, "\357\273\277", 3) == 0) {
        start += 3;
        length -= 3;
    }
    while (length > 0 && (*start == ' ' || *start == '\n' || *start == '\r' || *start == '\t')) {
        start++;
        length--;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (length >= kinds[i].at + kinds[i].length &&
            matches(start + kinds[i].at, kinds[i].bytes, kinds[i].length))
            return kinds[i].kind;
    return NULL;
}
