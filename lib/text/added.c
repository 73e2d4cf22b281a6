/*
 * added.c — finding added tokens.
 *
 * The automaton of Aho and Corasick over the reversed tokens reads the text from its
 * end to its start; its state at a byte knows the longest token that begins there.
 * Leftmost-longest is then the first of these, and the first after that one's end. So
 * no byte is read twice, however the tokens overlap.
 * (Aho, Corasick: Efficient string matching, CACM 18, 1975.)
 */
#include <string.h>

#include "base/alloc.h"
#include "text/added.h"
#include "text/scratch.h"

void
fine__added_list_init(struct fine__added_list *list, fine_context *ctx)
{
    *list = (struct fine__added_list){ .ctx = ctx };
    fine__buf_init(&list->text, ctx);
    fine__map_init(&list->by_content, ctx);
}

void
fine__added_list_free(struct fine__added_list *list)
{
    fine__free(list->ctx, list->tokens);
    fine__buf_free(&list->text);
    fine__map_free(&list->by_content);
}

int
fine__added_list_put(struct fine__added_list *list, const struct fine__added_token *token,
                     const char *content, size_t length)
{
    struct fine__added_token *own;
    const int64_t known = fine__map_get(&list->by_content, content, length);

    if (known >= 0) {
        own = &list->tokens[known];
        list->tokens[known] = (struct fine__added_token){
            token->id, own->content, own->length, token->single_word, token->lstrip,
            token->rstrip, token->normalized, token->special
        };
        return 0;
    }
    FINE__TRY(fine__grow(list->ctx, &list->tokens, &list->capacity, list->count + 1,
                         sizeof *list->tokens));
    FINE__TRY(fine__map_put(&list->by_content, content, length, list->count));
    own = &list->tokens[list->count];
    *own = *token;
    own->content = list->text.length;
    own->length = length;
    fine__buf_append(&list->text, content, length);
    FINE__TRY(fine__buf_status(&list->text));
    list->count++;
    return 0;
}

void
fine__added_init(struct fine__added *added, fine_context *ctx)
{
    *added = (struct fine__added){ .count = 0 };
    fine__trie_init(&added->trie, ctx);
}

void
fine__added_free(struct fine__added *added)
{
    fine_context *ctx = added->trie.ctx;

    fine__free(ctx, added->fail);
    fine__free(ctx, added->found);
    fine__free(ctx, added->tokens);
    fine__trie_free(&added->trie);
    fine__added_init(added, ctx);
}

int
fine__added_put(struct fine__added *added, const struct fine__added_token *token,
                const char *content, size_t length)
{
    int64_t node;

    if (length == 0)
        return 0;
    node = fine__trie_put_reversed(&added->trie, content, length);
    if (node < 0)
        return (int)node;
    if (added->trie.values[node] >= 0)
        return 0;
    FINE__TRY(fine__grow(added->trie.ctx, &added->tokens, &added->capacity, added->count + 1,
                         sizeof *added->tokens));
    added->tokens[added->count] = *token;
    added->tokens[added->count].length = length;
    added->trie.values[node] = (int32_t)added->count++;
    return 0;
}

/* The edges in order of their depth: counting sort. */
static int
sort_edges(const struct fine__added *added, uint64_t **out)
{
    const struct fine__trie *trie = &added->trie;
    uint64_t *edges = fine__alloc_array(trie->ctx, (size_t)trie->n_nodes, sizeof *edges);
    uint64_t *by_depth = fine__alloc_array(trie->ctx, (size_t)trie->n_nodes, sizeof *by_depth);
    uint32_t *depth = fine__alloc_array(trie->ctx, (size_t)trie->n_nodes, sizeof *depth);
    uint32_t *starts = fine__alloc_array(trie->ctx, (size_t)trie->n_nodes + 1, sizeof *starts);
    int rc = FINE_ENOMEM;

    if (edges == NULL || by_depth == NULL || depth == NULL || starts == NULL)
        goto out;
    for (int64_t i = 0; i < trie->n_slots; i++)
        if (trie->edges[i] != 0)
            edges[fine__trie_child_of(trie->edges[i])] = trie->edges[i];
    for (int64_t i = 1; i < trie->n_nodes; i++) {   /* parents come before children */
        depth[i] = depth[fine__trie_parent(edges[i])] + 1;
        starts[depth[i] + 1]++;
    }
    for (int64_t i = 1; i < trie->n_nodes; i++)
        starts[i + 1] += starts[i];
    for (int64_t i = 1; i < trie->n_nodes; i++)
        by_depth[starts[depth[i]]++] = edges[i];
    *out = by_depth;
    by_depth = NULL;
    rc = 0;
out:
    fine__free(trie->ctx, starts);
    fine__free(trie->ctx, depth);
    fine__free(trie->ctx, by_depth);
    fine__free(trie->ctx, edges);
    return rc;
}

int
fine__added_finish(struct fine__added *added)
{
    const struct fine__trie *trie = &added->trie;
    uint64_t *edges;

    if (added->count == 0)
        return 0;
    added->fail = fine__alloc_array(trie->ctx, (size_t)trie->n_nodes, sizeof *added->fail);
    added->found = fine__alloc_array(trie->ctx, (size_t)trie->n_nodes, sizeof *added->found);
    if (added->fail == NULL || added->found == NULL)
        return FINE_ENOMEM;
    for (int i = 0; i < 256; i++)
        added->root[i] = fine__trie_child(trie, 0, (unsigned char)i);
    FINE__TRY(sort_edges(added, &edges));
    added->found[0] = -1;
    for (int64_t i = 0; i < trie->n_nodes - 1; i++) {
        const uint32_t parent = fine__trie_parent(edges[i]), node = fine__trie_child_of(edges[i]);
        const unsigned char byte = fine__trie_byte(edges[i]);
        uint32_t state = parent, next = 0;

        while (state != 0 && next == 0) {
            state = added->fail[state];
            next = state == 0 ? added->root[byte] : fine__trie_child(trie, state, byte);
        }
        added->fail[node] = next;
        added->found[node] = trie->values[node] >= 0 ? trie->values[node] : added->found[next];
    }
    fine__free(trie->ctx, edges);
    return 0;
}

/* Every place where a token begins, from the end to the start. */
static int
find_all(const struct fine__added *added, struct fine__scratch *s, const unsigned char *text,
         size_t start, size_t end)
{
    uint32_t state = 0;

    s->n_hits = 0;
    for (size_t i = end; i-- > start;) {
        uint32_t next;
        int32_t token;

        if (state == 0) {
            state = added->root[text[i]];
            if (state == 0)
                continue;
        } else {
            while ((next = state == 0 ? added->root[text[i]]
                                      : fine__trie_child(&added->trie, state, text[i])) == 0
                   && state != 0)
                state = added->fail[state];
            state = next;
        }
        token = added->found[state];
        if (token < 0)
            continue;
        if (s->n_hits == s->hits_capacity)
            FINE__TRY(fine__grow(s->ctx, &s->hits, &s->hits_capacity, s->n_hits + 1,
                                 sizeof *s->hits));
        s->hits[s->n_hits++] = (struct fine__span){
            (uint32_t)i, (uint32_t)(i + added->tokens[token].length), token
        };
    }
    return 0;
}

/* The character that ends at `at`, with where it begins; broken bytes are U+FFFD. */
static int32_t
character_before(const char *text, size_t start, size_t at, size_t *begins)
{
    int32_t c;

    for (size_t n = 1; n <= 4 && n <= at - start; n++) {
        bool valid;

        if (fine__utf8_decode(text + at - n, n, &c, &valid) == n && valid) {
            *begins = at - n;
            return c;
        }
    }
    *begins = at - 1;
    return 0xfffd;
}

static bool
is_inside_word(const char *text, size_t start, size_t end, const struct fine__span *hit)
{
    size_t begins;
    int32_t c;

    if (hit->start > start
        && fine__utf8_is_word(character_before(text, start, hit->start, &begins)))
        return true;
    if (hit->end >= end)
        return false;
    fine__utf8_decode(text + hit->end, end - hit->end, &c, NULL);
    return fine__utf8_is_word(c);
}

int
fine__added_find(const struct fine__added *added, struct fine__scratch *s, const char *text,
                 size_t start, size_t end, struct fine__span **spans, int64_t *n_spans,
                 int64_t *capacity)
{
    size_t taken = start, searched = start;   /* ends of the last span, and of the last match */

    *n_spans = 0;
    if (added->count == 0)
        return 0;
    FINE__TRY(find_all(added, s, (const unsigned char *)text, start, end));
    for (int64_t i = s->n_hits; i-- > 0;) {
        struct fine__span span = s->hits[i];
        const struct fine__added_token *token = &added->tokens[span.token];
        size_t begins;

        if (span.start < searched)
            continue;
        searched = span.end;
        if (token->single_word && is_inside_word(text, start, end, &span))
            continue;
        /* Space that an earlier token took isn't there any more. */
        if (token->lstrip && span.start < taken)
            span.start = (uint32_t)taken;
        while (token->lstrip && span.start > taken
               && fine__utf8_is_white_space(character_before(text, start, span.start, &begins)))
            span.start = (uint32_t)begins;
        while (token->rstrip && span.end < end) {
            int32_t c;
            const size_t n = fine__utf8_decode(text + span.end, end - span.end, &c, NULL);

            if (!fine__utf8_is_white_space(c))
                break;
            span.end += (uint32_t)n;
        }
        if (span.start > span.end)   /* all of it was space that an earlier token took */
            continue;
        if (*n_spans == *capacity)
            FINE__TRY(fine__grow(s->ctx, spans, capacity, *n_spans + 1, sizeof **spans));
        (*spans)[(*n_spans)++] = span;
        taken = span.end;
    }
    return 0;
}
