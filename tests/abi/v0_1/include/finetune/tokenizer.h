/*
 * tokenizer.h — text to the ids that a model reads.
 */
#ifndef FINETUNE_TOKENIZER_H
#define FINETUNE_TOKENIZER_H

#include <finetune/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_tokenizer fine_tokenizer;
typedef struct fine_encoding fine_encoding;

enum { FINE_OFFSETS_BYTES = 0, FINE_OFFSETS_CHARS = 1 };

struct fine_encode_options {
    size_t struct_size;
    int64_t max_length;    /* ids, special ones included; 0: no limit. Pairs lose from the longer text first. */
    int32_t offsets;       /* FINE_OFFSETS_BYTES, or FINE_OFFSETS_CHARS for code points */
    int32_t add_special;   /* 1 (default): [CLS] … [SEP] as the model expects */
};

/** Fills in the defaults. @since 0.1 */
FINE_API void fine_encode_options_init(struct fine_encode_options *options, size_t size);

/**
 * Opens the tokenizer of a model folder (tokenizer.json, or vocab.txt or vocab.json and
 * merges.txt, with tokenizer_config.json; config.json is not needed), or one of these
 * files; a vocab.json brings the merges.txt beside it. Kinds: WordPiece as BERT and
 * DistilBERT have it, byte-level BPE as GPT-2 and RoBERTa have it.
 * Padding and truncation written in tokenizer.json are ignored.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EIO: no such files (the finding lists what
 *         was looked for); FINE_EFORMAT; FINE_EUNSUPPORTED: a tokenizer of a kind
 *         that this library does not know; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_tokenizer_open(fine_tokenizer **out, fine_context *context, const char *path);

/** NULL is fine. @since 0.1 */
FINE_API void fine_tokenizer_free(fine_tokenizer *tokenizer);

/** Number of ids: one more than the largest. @since 0.1 */
FINE_API int64_t fine_tokenizer_vocab_size(const fine_tokenizer *tokenizer);

/** The piece of an id, or NULL out of range. Borrowed. @since 0.1 */
FINE_API const char *fine_tokenizer_piece(const fine_tokenizer *tokenizer, int64_t id);

/**
 * Encodes one text, or a pair. Reading a tokenizer is safe from several threads.
 *
 * @param text    bytes, not necessarily NUL-terminated; broken UTF-8 reads as U+FFFD
 * @param length  bytes of text, or -1 for a NUL-terminated one
 * @param pair    the second text, or NULL
 * @param options NULL for the defaults
 * @return FINE_OK; FINE_EINVAL; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_tokenizer_encode(fine_encoding **out, const fine_tokenizer *tokenizer,
                                   const char *text, int64_t length, const char *pair,
                                   int64_t pair_length, const struct fine_encode_options *options);

/**
 * The text of n ids, as UTF-8: bytes of a byte-level tokenizer that are no character become
 * U+FFFD. Ids without a piece give no text.
 *
 * @param skip_special 1: special tokens (<s>, [SEP], …) give no text either
 * @param out     receives the text and a NUL; NULL only asks for the length
 * @param size    bytes of out
 * @param length  receives the bytes of the text, without the NUL; may be NULL
 * @return FINE_OK; FINE_EINVAL: also where out is too small: then *length is set and out
 *         untouched; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_tokenizer_decode(const fine_tokenizer *tokenizer, const int32_t *ids, int64_t n,
                                   int32_t skip_special, char *out, int64_t size, int64_t *length);

/** NULL is fine. @since 0.1 */
FINE_API void fine_encoding_free(fine_encoding *encoding);
/** Number of ids. @since 0.1 */
FINE_API int64_t fine_encoding_count(const fine_encoding *encoding);
/** The ids. Borrowed. @since 0.1 */
FINE_API const int32_t *fine_encoding_ids(const fine_encoding *encoding);
/** The model's type of each id: of a pair, some models have 1 for the second text. Borrowed.
 *  @since 0.1 */
FINE_API const int32_t *fine_encoding_type_ids(const fine_encoding *encoding);
/** Which text each id is of: 0 or 1, or -1 for added ids. Borrowed. @since 0.1 */
FINE_API const int32_t *fine_encoding_text_ids(const fine_encoding *encoding);
/** 2 numbers an id: start and end in its text, half-open; 0, 0 for added ids. Borrowed. @since 0.1 */
FINE_API const int64_t *fine_encoding_offsets(const fine_encoding *encoding);
/** How many ids were cut off by max_length. @since 0.1 */
FINE_API int64_t fine_encoding_truncated(const fine_encoding *encoding);

#ifdef __cplusplus
}
#endif
#endif
