/*
 * test_hpp.cpp — the C++ header from outside: trains a tiny model from memory, moves handles
 * about, and has errors and callbacks' exceptions come out as they went in. Compiled as
 * C++11, C++17 and C++20 with all warnings.
 */
#include <finetune.hpp>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <type_traits>

static int failures;
#define CHECK(what)                                                                             \
    do {                                                                                        \
        if (!(what)) {                                                                          \
            std::printf("%s:%d: %s\n", __FILE__, __LINE__, #what);                              \
            failures++;                                                                         \
        }                                                                                       \
    } while (0)

static const char config[] =
    "{\"model_type\": \"bert\", \"vocab_size\": 15, \"hidden_size\": 16, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 32, \"max_position_embeddings\": 32}";
static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nis\nwas\nvery\ngood\ngreat\nbad\nawful\n.\n!\n";

template <class T>
static void
only_moves()
{
    static_assert(!std::is_copy_constructible<T>::value, "a handle is not copied");
    static_assert(std::is_nothrow_move_constructible<T>::value, "a handle is moved");
    static_assert(std::is_nothrow_move_assignable<T>::value, "a handle is moved");
}

static finetune::Model
tiny_model(const finetune::Context &context)
{
    finetune::ModelOptions options;

    options.seed = 3;
    options.random_weights = 1;
    finetune::Model model(context, { { "config.json", config }, { "vocab.txt", vocabulary } }, options);
    finetune::TaskOptions task;
    const char *const labels[] = { "negative", "positive" };

    model.set_task("classify", { "no", "yes", "perhaps" });
    CHECK(model.n_labels() == 3);
    task.type = "classify";
    task.pool = "mean";
    task.labels = labels;
    task.n_labels = 2;
    model.set_task(task);
    return model;
}

static finetune::Dataset
tiny_data(const finetune::Context &context)
{
    finetune::Dataset data(context);

    for (int i = 0; i < 8; i++) {
        data.add("the bad !", "negative");
        data.add("is very good .", "positive");
    }
    return data;
}

static finetune::Trainer
tiny_trainer(const finetune::Context &context, finetune::Model &model, finetune::ProgressCallback progress)
{
    finetune::AdamwOptions adamw;
    finetune::TrainerOptions options;

    adamw.learning_rate = 1e-2;
    options.steps = 40;
    options.batch_size = 8;
    return finetune::Trainer(model, tiny_data(context), finetune::Optimizer(context, adamw),
                             finetune::Schedule(context, "linear"), options, std::move(progress));
}

static void
test_training()
{
    finetune::Context context;
    finetune::Model model = tiny_model(context);
    long steps = 0;

    {
        finetune::Trainer first = tiny_trainer(context, model, [&steps](const finetune::Progress &p) {
            steps += p.event == FINE_EVENT_STEP;
            return false;
        });
        CHECK(first.step());
        finetune::Trainer trainer = std::move(first);
        CHECK(!first && trainer);
        finetune::Report report = trainer.fit();
        CHECK(steps == 40);
        CHECK(report.number("steps") == 40);
        CHECK(report.json().find("\"steps\"") != std::string::npos);
    }
    finetune::Session session(model);
    session.predict({ "is very good .", "the bad !" });
    CHECK(std::strcmp(model.label(session.label(0)), "positive") == 0);
    CHECK(std::strcmp(model.label(session.label(1)), "negative") == 0);
    CHECK(session.scores(0).size() == 2 && session.scores(2).empty());
    CHECK(std::fabs(session.scores(0)[0] + session.scores(0)[1] - 1) < 1e-5);
    session.embed({ "very good" });
    CHECK(session.embedding(0).size() == 16);
    CHECK(session.evaluate(tiny_data(context)).number("metrics.accuracy") == 1);
    CHECK(session.spans(0).empty());
}

static void
test_callbacks()
{
    finetune::Context context;
    finetune::Model model = tiny_model(context);
    bool caught = false;

    finetune::Trainer trainer = tiny_trainer(context, model, [&caught](const finetune::Progress &p) {
        if (p.step == 3 && !caught)
            throw std::logic_error("three");
        return p.step == 5;
    });
    try {
        trainer.fit();
    } catch (const std::logic_error &e) {
        caught = std::strcmp(e.what(), "three") == 0;
    }
    CHECK(caught);
    CHECK(trainer.progress().step == 3);
    try {
        trainer.fit();
        CHECK(!"a stopped run returned");
    } catch (const finetune::Cancelled &e) {
        CHECK(e.code() == FINE_ECANCELLED);
        CHECK(trainer.progress().step == 5);
    }
    CHECK(trainer.step());              /* and it goes on */
}

static void
test_errors()
{
    finetune::Context context;

    try {
        finetune::Model model(context, "no/such/folder");
        CHECK(!"opened");
    } catch (const finetune::Error &e) {
        CHECK(e.code() == FINE_EIO);
        CHECK(e.message().find("no/such/folder") != std::string::npos);
        CHECK(std::string(e.what()).find(e.message()) == 0);
    }
    try {
        finetune::Recipe::parse(context, "train:\n  epochz: 1\n  batch_sise: 2\n");
        CHECK(!"parsed");
    } catch (const finetune::Error &e) {
        CHECK(e.code() == FINE_ERECIPE);
        CHECK(e.findings().size() >= 2);
        finetune::Error copy = e;
        CHECK(copy.findings() == e.findings());
    }
    finetune::Model model = tiny_model(context), other = std::move(model);
    CHECK(!model && other);
    try {
        model.freeze("all");
        CHECK(!"froze nothing");
    } catch (const finetune::Error &e) {
        CHECK(e.code() == FINE_EINVAL);
    }
}

static void
test_ranges()
{
    finetune::Context context;
    finetune::Dataset data = tiny_data(context);
    finetune::Model model = tiny_model(context);
    finetune::Tensors tensors(context);
    std::int64_t n = 0, labels = 0;

    for (finetune::Row row : data) {
        CHECK(row.text && !row.pair && std::isnan(row.value));
        labels += row.label;
        n++;
    }
    CHECK(n == 16 && labels == 8 && data.size() == 16);
    CHECK(std::strcmp(data[1].label_name, "positive") == 0);
    std::pair<finetune::Dataset, finetune::Dataset> parts = data.split(0.25, 1);
    CHECK(parts.first.size() + parts.second.size() == 16);
    model.freeze("embeddings");
    for (const finetune::Param &param : model.params()) {
        CHECK(param.frozen || param.stage != 0);
        CHECK(param.values.data() == model.values(param.name).data());      /* no copies */
    }
    tensors.put("input_ids", { 1, 3 }, std::vector<std::int64_t>{ 2, 9, 3 });
    tensors.put("attention_mask", { 1, 3 }, std::vector<std::int64_t>{ 1, 1, 1 });
    tensors.put("labels", { 1 }, std::vector<std::int64_t>{ 1 });
    n = 0;
    for (const finetune::Tensor &tensor : tensors)
        n += tensor.count();
    CHECK(n == 7);
    finetune::Tensors out = model.forward(tensors);
    CHECK(out.at("logits").view<float>().size() == 2);
    try {
        out.at("logits").view<double>();
        CHECK(!"floats as doubles");
    } catch (const finetune::Error &e) {
        CHECK(e.code() == FINE_EDATA);
    }
    model.zero_gradients();
    CHECK(model.backward(tensors) > 0);
    CHECK(model.clip_gradients(0) > 0);
    finetune::Optimizer by_hand(context, "sgd");
    by_hand.step(model, 0.01);
}

int
main()
{
    only_moves<finetune::Context>();
    only_moves<finetune::Model>();
    only_moves<finetune::Session>();
    only_moves<finetune::Dataset>();
    only_moves<finetune::Optimizer>();
    only_moves<finetune::Schedule>();
    only_moves<finetune::Trainer>();
    only_moves<finetune::Recipe>();
    only_moves<finetune::Report>();
    only_moves<finetune::Tensors>();
    only_moves<finetune::Tokenizer>();
    only_moves<finetune::Encoding>();
    try {
        test_training();
        test_callbacks();
        test_errors();
        test_ranges();
    } catch (const std::exception &e) {
        std::printf("unexpected: %s\n", e.what());
        failures++;
    }
    std::printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
