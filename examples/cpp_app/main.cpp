/*
 * main.cpp — training in the background of an application with an interface.
 *
 * The one idea: the thread that works and the thread that shows share a small struct under a
 * mutex and one flag. The progress callback copies what is to be shown and reads the flag; the
 * interface draws at its own pace and sets the flag when Stop is pressed (here: Enter, or after
 * --stop-after steps). Everything of the library's is made, used and freed in the worker, so
 * no handle is ever seen by two threads.
 */
#include <finetune.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace {

struct Arguments {
    std::string model, rows, out;
    bool random_weights = false;
    long stop_after = 0;
};

/* What the interface shows. */
struct Shown {
    long long step = 0, n_steps = 0;
    double loss = 0, seconds_left = 0;
};

class Job {
public:
    enum State { working, saved, stopped, failed };

    explicit Job(const Arguments &arguments) : arguments_(arguments), thread_(&Job::work, this) {}
    ~Job()
    {
        stop();
        thread_.join();
    }
    /* The stop button: returns at once, the run ends within one step. */
    void stop() { stop_ = true; }
    State state() const { return state_; }
    Shown shown() const
    {
        std::lock_guard<std::mutex> lock(mutex_);
        return shown_;
    }
    /* Once it has failed. */
    std::string error() const
    {
        std::lock_guard<std::mutex> lock(mutex_);
        return error_;
    }

private:
    void work()
    {
        try {
            train();
            state_ = saved;
        } catch (const finetune::Cancelled &) {
            state_ = stopped;
        } catch (const std::exception &e) {
            {
                std::lock_guard<std::mutex> lock(mutex_);
                error_ = e.what();
            }
            state_ = failed;
        }
    }

    void train()
    {
        finetune::Context context;
        finetune::ModelOptions model_options;
        model_options.random_weights = arguments_.random_weights;
        finetune::Model model(context, arguments_.model, model_options);
        finetune::Dataset rows = finetune::Dataset::open(context, arguments_.rows);

        std::vector<std::string> labels;
        for (std::int64_t i = 0; i < rows.n_labels(); i++)
            labels.push_back(rows.label_name(i));
        model.set_task("classify", labels);

        finetune::Optimizer optimizer(context, finetune::AdamwOptions());
        finetune::Schedule schedule(context, "linear");
        finetune::Trainer trainer(model, rows, optimizer, schedule, finetune::TrainerOptions(),
                                  [this](const finetune::Progress &p) {
            std::lock_guard<std::mutex> lock(mutex_);
            shown_.step = p.step;
            shown_.n_steps = p.n_steps;
            shown_.loss = p.loss;
            shown_.seconds_left = p.seconds_left;
            return stop_ || (arguments_.stop_after && p.step >= arguments_.stop_after);
        });
        trainer.fit();
        model.save(arguments_.out);
    }

    const Arguments arguments_;
    mutable std::mutex mutex_;
    Shown shown_;
    std::string error_;
    std::atomic<bool> stop_{ false };
    std::atomic<State> state_{ working };
    std::thread thread_;            /* last: it starts when all else is there */
};

void
draw(const Shown &shown)
{
    const int width = 40;
    const int full = shown.n_steps
        ? static_cast<int>(static_cast<double>(shown.step) / static_cast<double>(shown.n_steps) * width) : 0;

    std::printf("\r[%s%s] %lld/%lld  loss %.4f  %.0f s left ", std::string(full, '#').c_str(),
                std::string(width - full, '.').c_str(), shown.step, shown.n_steps, shown.loss,
                shown.seconds_left);
    std::fflush(stdout);
}

/* Enter was pressed; also waits until the next picture is due. */
bool
enter_pressed(int milliseconds)
{
    struct pollfd in = { 0, POLLIN, 0 };
    char c = 0;

    if (!isatty(0)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        return false;
    }
    return poll(&in, 1, milliseconds) == 1 && read(0, &c, 1) == 1 && c == '\n';
}

bool
parse(int argc, char **argv, Arguments &out)
{
    int i = 1;

    for (; i < argc && std::strncmp(argv[i], "--", 2) == 0; i++) {
        if (std::strcmp(argv[i], "--random-weights") == 0)
            out.random_weights = true;
        else if (std::strcmp(argv[i], "--stop-after") == 0 && i + 1 < argc)
            out.stop_after = std::atol(argv[++i]);
        else
            return false;
    }
    if (argc - i != 3)
        return false;
    out.model = argv[i];
    out.rows = argv[i + 1];
    out.out = argv[i + 2];
    return true;
}

} // namespace

int
main(int argc, char **argv)
{
    Arguments arguments;

    if (!parse(argc, argv, arguments)) {
        std::fprintf(stderr, "usage: trainer [--random-weights] [--stop-after STEPS] MODEL ROWS.csv OUT\n");
        return 2;
    }
    Job job(arguments);
    while (job.state() == Job::working) {
        draw(job.shown());
        if (enter_pressed(50))
            job.stop();
    }
    draw(job.shown());
    switch (job.state()) {
    case Job::saved:
        std::printf("\nsaved to %s\n", arguments.out.c_str());
        return 0;
    case Job::stopped:
        std::printf("\nstopped; nothing was saved\n");
        return 3;
    default:
        std::printf("\n");
        std::fprintf(stderr, "%s\n", job.error().c_str());
        return 1;
    }
}
