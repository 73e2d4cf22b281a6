/*
 * tags.h — how tags of tokens are spelled, and where the entities are that they spell.
 *
 * IOB1, IOB2, BIOES and BILOU differ in what they may leave out; one reading serves all of
 * them, that of seqeval's default mode (and conlleval before it): a tag begins an entity if it
 * says so, or if what stands before it can't be its beginning.
 */
#ifndef FINE__TAGS_H
#define FINE__TAGS_H

#include "data/dataset.h"

enum fine__scheme { FINE__ANY_SCHEME, FINE__IOB1, FINE__IOB2, FINE__BIOES, FINE__BILOU };

struct fine__tag {
    char place;                 /* one of O, B, I, E, S: outside, begin, inside, end, single */
    char letter;                /* as it was written: L for E, U for S too */
    const char *type;           /* "_" where a tag has none; O: "" */
    size_t length;
};

/* False: it is spelled like no scheme's tag. */
bool fine__tag_parse(struct fine__tag *out, const char *text, size_t length);
/* FINE_EINVAL: no such scheme; NULL is any. */
int fine__scheme_parse(enum fine__scheme *out, const char *name);
bool fine__scheme_has(enum fine__scheme scheme, char letter);

/* Whether an entity ends between two tags, and whether one begins; the end of a text is O. */
bool fine__tag_ends(char before, char now, bool same_type);
bool fine__tag_begins(char before, char now, bool same_type);

/* Allowed labels: tags where O is among them, else the names of entities, each of which becomes
 * the tags B-NAME and I-NAME, beside O. */
int fine__tags_give(fine_dataset *dataset, const char *const *names, int64_t n);
/* The label that stands for entities of a type, B-TYPE; where labels are found, it is added with
 * the others that the type needs. -1: not allowed; FINE_ENOMEM; FINE_EDATA: too many. */
int64_t fine__tags_label(fine_dataset *dataset, const char *type, size_t length);
/* The type in a label's name: what follows B- or the like; the whole name where it has none. */
const char *fine__tags_type(const char *label);

#endif
