/*
 * Lines are events; the first is also taken for the texts that a caller sets. Whatever
 * comes in, page and card come out whole, hold no tag that is not ours, and nothing is
 * left in memory.
 */
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "report/report.h"

static void
add_lines(struct fine__report_data *data, char *text)
{
    for (char *line = text, *end; line != NULL; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        if (fine__report_add_event(data, line) < 0)
            return;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fine_context *ctx = fuzz_context();
    struct fine__report_data data;
    struct fine__buf text, out;
    int rc;

    fine__buf_init(&text, ctx);
    fine__buf_init(&out, ctx);
    fine__buf_append(&text, input, size);
    fine__buf_byte(&text, '\0');
    fine__report_data_init(&data, ctx);
    if (fine__buf_status(&text) == 0) {
        add_lines(&data, text.data);
        data.title = data.base_model = data.model_path = data.recipe = text.data;
        data.facts = data.data = data.training = data.notes = data.before = text.data;
        if (size % 2 == 0)
            data.facts = data.data = data.training = data.notes = data.before = NULL;
        REQUIRE(data.n_steps <= FINE__REPORT_STEPS);
        REQUIRE(data.n_evaluations <= FINE__REPORT_EVALUATIONS);
        rc = fine__report_html(&data, &out);
        REQUIRE(rc == 0 || rc == FINE_EFORMAT || rc == FINE_ENOMEM);
        REQUIRE(rc != 0 || strcmp(out.data + out.length - 8, "</html>\n") == 0);
        REQUIRE(rc != 0 || strstr(out.data, "<script") == NULL);
        fine__buf_clear(&out);
        rc = fine__report_card(&data, &out);
        REQUIRE(rc == 0 || rc == FINE_EFORMAT || rc == FINE_ENOMEM);
    }
    fine__report_data_free(&data);
    fine__buf_free(&text);
    fine__buf_free(&out);
    fuzz_context_free(ctx);
    return 0;
}
