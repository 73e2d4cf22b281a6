/*
 * torch_files.h — pickles of state dicts, spelled out.
 */
#ifndef TORCH_FILES_H
#define TORCH_FILES_H

#include "archive.h"
#include "weight_files.h"

/* ('storage', torch.FloatStorage, KEY, 'cpu', COUNT) as a storage; texts have one byte for
 * their length. */
#define STORAGE_OF(type, key, count) "(U\7storagectorch\n" type "\nU\1" key "U\3cpu" count "tQ"
#define FLOATS(key) STORAGE_OF("FloatStorage", key, "K\x10")
#define V2 "ctorch._utils\n_rebuild_tensor_v2\n"
/* sizes and strides: "K\2K\3" */
#define TENSOR_OF(storage, offset, sizes, strides) \
    V2 "(" storage offset "(" sizes "t(" strides "t\x89}tR"
#define TENSOR(key, offset, sizes, strides) TENSOR_OF(FLOATS(key), offset, sizes, strides)
/* {'w': value} */
#define DICT_OF(value) "\x80\2}U\1w" value "s."

#endif
