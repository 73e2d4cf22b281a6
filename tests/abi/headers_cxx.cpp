// headers_cxx.cpp — the headers from C++11, linked: names are C's, options structs can be
// made and filled, callbacks can be static functions.
#include <finetune.h>

#include <cstdio>
#include <string>

static void on_log(int, const char *message, void *user)
{
    static_cast<std::string *>(user)->append(message);
}

int main()
{
    fine_context_options options = fine_context_options();
    fine_context *context = nullptr;
    std::string log;
    int failed = 0;

    fine_context_options_init(&options, sizeof options);
    options.log = on_log;
    options.log_user = &log;
    options.n_threads = 1;
    failed += fine_context_new(&context, &options) != FINE_OK;
    failed += fine_context_n_threads(context) != 1;
    failed += fine_context_new(nullptr, nullptr) != FINE_EINVAL;
    failed += std::string(fine_error_message()).empty();
    fine_context_free(context);
    std::printf("%d passed, %d failed\n", 4 - failed, failed);
    return failed != 0;
}
