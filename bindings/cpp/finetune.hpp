/*
 * finetune.hpp — libfinetune for C++11 and later: one header over the C interface.
 *
 * Every handle of finetune.h is a move-only class that frees it; what the handle needs is kept
 * alive by the library, so objects go in any order. Every error code is an exception, Error,
 * with all findings. What the library lends (weights, scores, embeddings) is a View: a pointer
 * and a length, nothing is copied, and it lives as finetune.h says of the getter. get() gives
 * the C handle for whatever isn't wrapped here.
 *
 * Callbacks are lambdas. An exception thrown in one is held at the border, the work is stopped
 * as if the callback had asked for it, and the exception leaves the call that was working. A
 * callback must not destroy or move the object that calls it.
 *
 * Threads: as finetune.h says: an object is used by one thread at a time.
 */
#ifndef FINETUNE_HPP
#define FINETUNE_HPP

#include <finetune.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace finetune {

/** A failure: code() is the FINE_E… of finetune/status.h, what() the findings, one a line. */
class Error : public std::runtime_error {
public:
    Error(int code, std::vector<std::string> findings)
        : std::runtime_error(joined(findings)), code_(code),
          findings_(std::make_shared<const std::vector<std::string>>(std::move(findings)))
    {
    }

    int code() const noexcept { return code_; }
    /** The first finding. */
    const std::string &message() const noexcept { return findings_->front(); }
    /** All findings, at least one. */
    const std::vector<std::string> &findings() const noexcept { return *findings_; }

private:
    static std::string joined(std::vector<std::string> &findings)
    {
        std::string all;

        if (findings.empty())
            findings.push_back("unknown error");
        for (const std::string &finding : findings)
            all += (all.empty() ? "" : "\n") + finding;
        return all;
    }

    int code_;
    std::shared_ptr<const std::vector<std::string>> findings_;
};

/** FINE_ECANCELLED: a callback asked to stop. What was done is kept; the run can go on. */
class Cancelled : public Error {
public:
    using Error::Error;
};

/** Throws what this thread's last failure was where code is negative; else returns it. */
inline int
check(int code)
{
    std::vector<std::string> findings;

    if (code >= 0)
        return code;
    for (const char *finding = fine_error_message(); finding; finding = fine_error_next())
        findings.push_back(finding);
    if (findings.empty() || findings.front().empty())
        findings.assign(1, fine_strerror(code));
    if (code == FINE_ECANCELLED)
        throw Cancelled(code, std::move(findings));
    throw Error(code, std::move(findings));
}

/** Borrowed elements, one after the other; a std::span can be made of it. */
template <class T>
class View {
public:
    typedef T value_type;
    typedef const T *iterator;
    typedef const T *const_iterator;

    View() noexcept : data_(nullptr), size_(0) {}
    View(const T *data, std::int64_t size) noexcept
        : data_(data), size_(data && size > 0 ? static_cast<std::size_t>(size) : 0)
    {
    }

    const T *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const T *begin() const noexcept { return data_; }
    const T *end() const noexcept { return data_ + size_; }
    const T &operator[](std::size_t i) const noexcept { return data_[i]; }
    const T &at(std::size_t i) const
    {
        if (i >= size_)
            throw std::out_of_range("finetune::View::at");
        return data_[i];
    }

private:
    const T *data_;
    std::size_t size_;
};

namespace detail {

/* Items that a handle gives by number: for (auto item : range). */
template <class Item, class Owner, Item (*At)(const Owner &, std::int64_t)>
class Range {
public:
    class iterator {
    public:
        typedef std::input_iterator_tag iterator_category;
        typedef Item value_type;
        typedef std::ptrdiff_t difference_type;
        typedef const Item *pointer;
        typedef Item reference;

        iterator() : owner_(), i_(0) {}
        iterator(const Owner &owner, std::int64_t i) : owner_(owner), i_(i) {}
        Item operator*() const { return At(owner_, i_); }
        iterator &operator++()
        {
            i_++;
            return *this;
        }
        iterator operator++(int)
        {
            iterator before = *this;

            i_++;
            return before;
        }
        friend bool operator==(const iterator &a, const iterator &b) { return a.i_ == b.i_; }
        friend bool operator!=(const iterator &a, const iterator &b) { return a.i_ != b.i_; }

    private:
        Owner owner_;
        std::int64_t i_;
    };

    Range(const Owner &owner, std::int64_t size) : owner_(owner), size_(size > 0 ? size : 0) {}
    iterator begin() const { return iterator(owner_, 0); }
    iterator end() const { return iterator(owner_, size_); }
    std::size_t size() const { return static_cast<std::size_t>(size_); }
    bool empty() const { return size_ == 0; }
    Item operator[](std::size_t i) const { return At(owner_, static_cast<std::int64_t>(i)); }
    Item at(std::size_t i) const
    {
        if (i >= size())
            throw std::out_of_range("finetune: no such item");
        return (*this)[i];
    }

private:
    Owner owner_;
    std::int64_t size_;
};

template <class T, void (*Free)(T *)>
class Handle {
public:
    Handle() noexcept : handle_(nullptr) {}
    explicit Handle(T *handle) noexcept : handle_(handle) {}
    Handle(Handle &&other) noexcept : handle_(other.release()) {}
    Handle &operator=(Handle &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    ~Handle() { Free(handle_); }

    /** The C handle, still owned by this; NULL after a move. */
    T *get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** Gives the C handle away. */
    T *release() noexcept
    {
        T *handle = handle_;

        handle_ = nullptr;
        return handle;
    }
    void reset(T *handle = nullptr) noexcept
    {
        T *old = handle_;

        handle_ = handle;
        Free(old);
    }

private:
    T *handle_;
};

/* What stands behind a C callback: the function, and the exception it left by. */
template <class Function>
struct Callback {
    Function function;
    std::exception_ptr thrown;

    /* After the call: the callback's own exception comes before the code it caused. */
    void rethrow()
    {
        std::exception_ptr e;

        std::swap(e, thrown);
        if (e)
            std::rethrow_exception(e);
    }
};

inline std::vector<const char *>
pointers(const std::vector<std::string> &strings)
{
    std::vector<const char *> all;

    all.reserve(strings.size());
    for (const std::string &s : strings)
        all.push_back(s.c_str());
    return all;
}

inline std::string
owned(const char *text)
{
    if (!text)
        throw Error(FINE_ENOMEM, { "out of memory, or an empty handle" });
    return text;
}

} // namespace detail

/* The C options structs, born with the library's defaults; set what you want changed. */
#define FINETUNE_HPP_OPTIONS(Name, name)                                                        \
    struct Name : ::fine_##name {                                                               \
        Name() : ::fine_##name() { ::fine_##name##_init(this, sizeof(::fine_##name)); }         \
    };
FINETUNE_HPP_OPTIONS(ContextOptions, context_options)
FINETUNE_HPP_OPTIONS(DatasetOptions, dataset_options)
FINETUNE_HPP_OPTIONS(EncodeOptions, encode_options)
FINETUNE_HPP_OPTIONS(ModelOptions, model_options)
FINETUNE_HPP_OPTIONS(AdapterOptions, adapter_options)
FINETUNE_HPP_OPTIONS(TaskOptions, task_options)
FINETUNE_HPP_OPTIONS(GenerateOptions, generate_options)
FINETUNE_HPP_OPTIONS(EmbedOptions, embed_options)
FINETUNE_HPP_OPTIONS(AdamwOptions, adamw_options)
FINETUNE_HPP_OPTIONS(SgdOptions, sgd_options)
FINETUNE_HPP_OPTIONS(ScheduleOptions, schedule_options)
FINETUNE_HPP_OPTIONS(Augmentation, augmentation)
FINETUNE_HPP_OPTIONS(TrainerOptions, trainer_options)
FINETUNE_HPP_OPTIONS(RunOptions, run_options)
#undef FINETUNE_HPP_OPTIONS

/** An optimizer's options; the defaults depend on its type. */
struct OptimizerOptions : ::fine_optimizer_options {
    explicit OptimizerOptions(const char *type) : ::fine_optimizer_options()
    {
        ::fine_optimizer_options_init(this, sizeof(::fine_optimizer_options), type);
    }
};

typedef ::fine_progress Progress;
/** Told of every event; true stops. */
typedef std::function<bool(const Progress &)> ProgressCallback;
/** Told of each new token: prompt, id, text; true ends that prompt's text. */
typedef std::function<bool(std::int64_t, std::int32_t, const char *)> TokenCallback;

namespace detail {

typedef Callback<ProgressCallback> ProgressState;
typedef Callback<TokenCallback> TokenState;

inline int
on_progress(const fine_progress *progress, void *user) noexcept
{
    ProgressState *state = static_cast<ProgressState *>(user);

    if (state->thrown)
        return 1;
    try {
        return state->function(*progress) ? 1 : 0;
    } catch (...) {
        state->thrown = std::current_exception();
        return 1;
    }
}

inline int
on_token(std::int64_t prompt, std::int32_t id, const char *text, void *user) noexcept
{
    TokenState *state = static_cast<TokenState *>(user);

    if (state->thrown)
        return 1;
    try {
        return state->function(prompt, id, text) ? 1 : 0;
    } catch (...) {
        state->thrown = std::current_exception();
        return 1;
    }
}

} // namespace detail

/** The ground of everything else: threads, memory, log. */
class Context : public detail::Handle<fine_context, fine_context_free> {
public:
    explicit Context(const fine_context_options &options = ContextOptions())
    {
        fine_context *out = nullptr;

        check(fine_context_new(&out, &options));
        reset(out);
    }

    std::int32_t n_threads() const { return fine_context_n_threads(get()); }
    std::int64_t used_bytes() const { return fine_context_used_bytes(get()); }
    std::int64_t peak_bytes() const { return fine_context_peak_bytes(get()); }
};

/** What was measured. */
class Report : public detail::Handle<fine_report, fine_report_free> {
public:
    Report() {}
    explicit Report(fine_report *owned) : Handle(owned) {}

    std::string json() const { return detail::owned(fine_report_json(get())); }
    /** A number by its path, "metrics.accuracy". */
    double number(const std::string &path) const
    {
        double out = 0;

        check(fine_report_number(get(), path.c_str(), &out));
        return out;
    }
};

namespace detail {
template <class T> struct Type;
template <> struct Type<std::uint8_t> { enum { value = FINE_U8 }; };
template <> struct Type<std::int8_t> { enum { value = FINE_I8 }; };
template <> struct Type<std::int16_t> { enum { value = FINE_I16 }; };
template <> struct Type<std::uint16_t> { enum { value = FINE_U16 }; };
template <> struct Type<std::int32_t> { enum { value = FINE_I32 }; };
template <> struct Type<std::uint32_t> { enum { value = FINE_U32 }; };
template <> struct Type<std::int64_t> { enum { value = FINE_I64 }; };
template <> struct Type<std::uint64_t> { enum { value = FINE_U64 }; };
template <> struct Type<float> { enum { value = FINE_F32 }; };
template <> struct Type<double> { enum { value = FINE_F64 }; };
} // namespace detail

/** One array of a set, borrowed from it. */
struct Tensor {
    const char *name;
    std::int32_t type;              /* FINE_F32 … */
    View<std::int64_t> shape;
    const void *data;

    std::int64_t count() const
    {
        std::int64_t n = 1;

        for (std::int64_t d : shape)
            n *= d;
        return n;
    }
    /** The elements, row-major; FINE_EDATA where they are not of type T. */
    template <class T>
    View<T> view() const
    {
        if (type != static_cast<std::int32_t>(detail::Type<T>::value))
            throw Error(FINE_EDATA, { std::string("tensor '") + name + "' has another type" });
        return View<T>(static_cast<const T *>(data), count());
    }
};

namespace detail {
inline Tensor
tensor_named(const fine_tensors *tensors, const char *name)
{
    Tensor t = { name, 0, View<std::int64_t>(), nullptr };
    const std::int64_t *shape = nullptr;
    std::int64_t n_dims = 0;

    check(fine_tensors_get(tensors, name, &t.type, &n_dims, &shape, &t.data));
    t.shape = View<std::int64_t>(shape, n_dims);
    return t;
}

inline Tensor
tensor_at(const fine_tensors *const &tensors, std::int64_t i)
{
    return tensor_named(tensors, fine_tensors_name(tensors, i));
}
} // namespace detail

/** Named arrays. */
class Tensors : public detail::Handle<fine_tensors, fine_tensors_free> {
public:
    typedef detail::Range<Tensor, const fine_tensors *, detail::tensor_at> Items;

    explicit Tensors(const Context &context)
    {
        fine_tensors *out = nullptr;

        check(fine_tensors_new(&out, context.get()));
        reset(out);
    }
    explicit Tensors(fine_tensors *owned) : Handle(owned) {}
    static Tensors open(const Context &context, const std::string &path)
    {
        fine_tensors *out = nullptr;

        check(fine_tensors_open(&out, context.get(), path.c_str()));
        return Tensors(out);
    }

    std::size_t size() const { return items().size(); }
    Items items() const { return Items(get(), fine_tensors_count(get())); }
    Items::iterator begin() const { return items().begin(); }
    Items::iterator end() const { return items().end(); }
    /** By its name; name must live as long as the result's is used. */
    Tensor at(const char *name) const { return detail::tensor_named(get(), name); }
    Tensor at(const std::string &name) const { return at(name.c_str()); }
    /** Adds a copy; values must be as many as the shape says. */
    template <class T>
    void put(const std::string &name, const std::vector<std::int64_t> &shape,
             const std::vector<T> &values)
    {
        std::uint64_t count = 1;

        for (std::int64_t d : shape)
            count = d < 0 || (d && count > UINT64_MAX / static_cast<std::uint64_t>(d))
                ? UINT64_MAX : count * static_cast<std::uint64_t>(d);
        if (count != values.size())
            throw Error(FINE_EINVAL, { "tensor '" + name + "': the shape and the number of values differ" });
        check(fine_tensors_put(get(), name.c_str(), static_cast<std::int32_t>(detail::Type<T>::value),
                               static_cast<std::int64_t>(shape.size()), shape.data(),
                               values.data()));
    }
    void save(const std::string &path) const { check(fine_tensors_save(get(), path.c_str())); }
};

/** A text as ids. */
class Encoding : public detail::Handle<fine_encoding, fine_encoding_free> {
public:
    explicit Encoding(fine_encoding *owned) : Handle(owned) {}

    std::int64_t count() const { return fine_encoding_count(get()); }
    View<std::int32_t> ids() const { return View<std::int32_t>(fine_encoding_ids(get()), count()); }
    View<std::int32_t> type_ids() const
    {
        return View<std::int32_t>(fine_encoding_type_ids(get()), count());
    }
    View<std::int32_t> text_ids() const
    {
        return View<std::int32_t>(fine_encoding_text_ids(get()), count());
    }
    /** Two numbers an id: start and end. */
    View<std::int64_t> offsets() const
    {
        return View<std::int64_t>(fine_encoding_offsets(get()), 2 * count());
    }
    std::int64_t truncated() const { return fine_encoding_truncated(get()); }
};

class Tokenizer : public detail::Handle<fine_tokenizer, fine_tokenizer_free> {
public:
    Tokenizer(const Context &context, const std::string &path)
    {
        fine_tokenizer *out = nullptr;

        check(fine_tokenizer_open(&out, context.get(), path.c_str()));
        reset(out);
    }

    std::int64_t vocab_size() const { return fine_tokenizer_vocab_size(get()); }
    /** NULL out of range. */
    const char *piece(std::int64_t id) const { return fine_tokenizer_piece(get(), id); }
    Encoding encode(const std::string &text, const fine_encode_options &options = EncodeOptions()) const
    {
        fine_encoding *out = nullptr;

        check(fine_tokenizer_encode(&out, get(), text.data(), static_cast<std::int64_t>(text.size()),
                                    nullptr, 0, &options));
        return Encoding(out);
    }
    Encoding encode(const std::string &text, const std::string &pair,
                    const fine_encode_options &options = EncodeOptions()) const
    {
        fine_encoding *out = nullptr;

        check(fine_tokenizer_encode(&out, get(), text.data(), static_cast<std::int64_t>(text.size()),
                                    pair.data(), static_cast<std::int64_t>(pair.size()), &options));
        return Encoding(out);
    }
    std::string decode(const std::vector<std::int32_t> &ids, bool skip_special = true) const
    {
        const std::int64_t n = static_cast<std::int64_t>(ids.size());
        std::int64_t length = 0;

        check(fine_tokenizer_decode(get(), ids.data(), n, skip_special, nullptr, 0, &length));
        std::vector<char> text(static_cast<std::size_t>(length) + 1);
        check(fine_tokenizer_decode(get(), ids.data(), n, skip_special, text.data(), length + 1,
                                    nullptr));
        return std::string(text.data(), static_cast<std::size_t>(length));
    }
};

/** A row, borrowed from its dataset; NULL where there is no such text. */
struct Row {
    const char *text;
    const char *pair;
    const char *group;
    const char *label_name;
    std::int64_t label;             /* -1: none */
    double value;                   /* regression; NaN: none */
};

namespace detail {
inline Row
row_at(const fine_dataset *const &data, std::int64_t i)
{
    const std::int64_t label = fine_dataset_label(data, i);
    const Row row = { fine_dataset_text(data, i), fine_dataset_text_pair(data, i),
                      fine_dataset_group(data, i), fine_dataset_label_name(data, label), label,
                      fine_dataset_value(data, i) };

    return row;
}
} // namespace detail

/** Rows of text with labels: for (finetune::Row row : dataset). */
class Dataset : public detail::Handle<fine_dataset, fine_dataset_free> {
public:
    typedef detail::Range<Row, const fine_dataset *, detail::row_at> Rows;

    /** An empty one, for add(). */
    explicit Dataset(const Context &context, const fine_dataset_options &options = DatasetOptions())
    {
        fine_dataset *out = nullptr;

        check(fine_dataset_new(&out, context.get(), &options));
        reset(out);
    }
    Dataset(const Context &context, const Tensors &encoded)
    {
        fine_dataset *out = nullptr;

        check(fine_dataset_new_encoded(&out, context.get(), encoded.get()));
        reset(out);
    }
    explicit Dataset(fine_dataset *owned) : Handle(owned) {}
    static Dataset open(const Context &context, const std::string &path,
                        const fine_dataset_options &options = DatasetOptions())
    {
        fine_dataset *out = nullptr;

        check(fine_dataset_open(&out, context.get(), path.c_str(), &options));
        return Dataset(out);
    }

    void add(const std::string &text, const std::string &label)
    {
        check(fine_dataset_add(get(), text.c_str(), nullptr, label.c_str(), nullptr));
    }
    /** As fine_dataset_add(): NULL where there is none. */
    void add(const char *text, const char *pair, const char *label, const char *group)
    {
        check(fine_dataset_add(get(), text, pair, label, group));
    }
    /** The larger part and the share that was held out. */
    std::pair<Dataset, Dataset> split(double share, std::int64_t seed = 0) const
    {
        fine_dataset *rest = nullptr, *held_out = nullptr;

        check(fine_dataset_split(&rest, &held_out, get(), share, seed));
        return std::pair<Dataset, Dataset>(Dataset(rest), Dataset(held_out));
    }
    Rows rows() const { return Rows(get(), fine_dataset_count(get())); }
    Rows::iterator begin() const { return rows().begin(); }
    Rows::iterator end() const { return rows().end(); }
    std::size_t size() const { return rows().size(); }
    Row operator[](std::size_t i) const { return rows()[i]; }
    std::int64_t skipped() const { return fine_dataset_skipped(get()); }
    std::int64_t n_labels() const { return fine_dataset_n_labels(get()); }
    /** NULL out of range. */
    const char *label_name(std::int64_t i) const { return fine_dataset_label_name(get(), i); }
    /** JSON. */
    std::string describe() { return detail::owned(fine_dataset_describe(get())); }
};

/** A parameter, borrowed from its model. */
struct Param {
    const char *name;
    View<std::int64_t> shape;
    std::int64_t count;
    std::int32_t stage;
    bool frozen;
    View<float> values;
};

namespace detail {
inline Param
param_at(const fine_model *const &model, std::int64_t i)
{
    fine_param_info info = fine_param_info();
    const float *values = nullptr;
    std::int64_t count = 0;

    info.struct_size = sizeof info;
    check(fine_model_param(model, i, &info));
    check(fine_model_values(model, info.name, &values, &count));
    const Param param = { info.name, View<std::int64_t>(info.shape, info.n_dims), info.count,
                          info.stage, info.frozen != 0, View<float>(values, count) };
    return param;
}
} // namespace detail

class Model : public detail::Handle<fine_model, fine_model_free> {
public:
    typedef detail::Range<Param, const fine_model *, detail::param_at> Params;

    Model(const Context &context, const std::string &path,
          const fine_model_options &options = ModelOptions())
    {
        fine_model *out = nullptr;

        check(fine_model_open(&out, context.get(), path.c_str(), &options));
        reset(out);
    }
    /** From files in memory: name and content. */
    Model(const Context &context, const std::vector<std::pair<std::string, std::string>> &files,
          const fine_model_options &options = ModelOptions())
    {
        std::vector<fine_memory_file> list;
        fine_model *out = nullptr;

        for (const std::pair<std::string, std::string> &file : files) {
            const fine_memory_file f = { file.first.c_str(), file.second.data(),
                                         static_cast<std::int64_t>(file.second.size()) };
            list.push_back(f);
        }
        check(fine_model_open_memory(&out, context.get(), list.data(),
                                     static_cast<std::int64_t>(list.size()), &options));
        reset(out);
    }

    void set_task(const fine_task_options &options) { check(fine_model_set_task(get(), &options)); }
    void set_task(const std::string &type, const std::vector<std::string> &labels)
    {
        const std::vector<const char *> names = detail::pointers(labels);
        TaskOptions options;

        options.type = type.c_str();
        options.labels = names.empty() ? nullptr : names.data();
        options.n_labels = static_cast<std::int64_t>(names.size());
        set_task(options);
    }
    void freeze(const std::string &what) { check(fine_model_freeze(get(), what.c_str())); }
    void merge_adapter() { check(fine_model_merge_adapter(get())); }
    bool has_adapter() const { return check(fine_model_has_adapter(get())) != 0; }
    void save(const std::string &folder) { check(fine_model_save(get(), folder.c_str())); }
    void save_sharded(const std::string &folder, std::int64_t max_shard_bytes)
    {
        check(fine_model_save_sharded(get(), folder.c_str(), max_shard_bytes));
    }

    std::string family() const { return detail::owned(fine_model_family(get())); }
    std::string task() const { return detail::owned(fine_model_task(get())); }
    std::string pool() const { return detail::owned(fine_model_pool(get())); }
    std::string fingerprint() const { return detail::owned(fine_model_fingerprint(get())); }
    Params params() const { return Params(get(), fine_model_n_params(get())); }
    std::int64_t n_stages() const { return fine_model_n_stages(get()); }
    /** NULL out of range. */
    const char *stage_name(std::int64_t i) const { return fine_model_stage_name(get(), i); }
    std::int64_t n_labels() const { return fine_model_n_labels(get()); }
    /** NULL out of range. */
    const char *label(std::int64_t i) const { return fine_model_label(get(), i); }
    std::int64_t max_length() const { return fine_model_max_length(get()); }
    std::int64_t vocab_size() const { return fine_model_vocab_size(get()); }

    /** flags: FINE_HIDDEN_STATES, FINE_PARAM_GRADIENTS. */
    Tensors forward(const Tensors &inputs, std::int32_t flags = 0)
    {
        fine_tensors *out = nullptr;

        check(fine_model_forward(get(), inputs.get(), flags, &out));
        return Tensors(out);
    }
    /** The batch's mean loss; weight times its gradient is added. */
    double backward(const Tensors &inputs, double weight = 1)
    {
        double loss = 0;

        check(fine_model_backward(get(), inputs.get(), weight, &loss));
        return loss;
    }
    void set_batch_statistics(bool on) { check(fine_model_set_batch_statistics(get(), on)); }
    void zero_gradients() { check(fine_model_zero_gradients(get())); }
    /** The norm before; max_norm 0 only measures. */
    double clip_gradients(double max_norm)
    {
        double norm = 0;

        check(fine_model_clip_gradients(get(), max_norm, &norm));
        return norm;
    }
    View<float> values(const std::string &name) const
    {
        const float *values = nullptr;
        std::int64_t count = 0;

        check(fine_model_values(get(), name.c_str(), &values, &count));
        return View<float>(values, count);
    }
    View<float> gradient(const std::string &name) const
    {
        const float *values = nullptr;
        std::int64_t count = 0;

        check(fine_model_gradient(get(), name.c_str(), &values, &count));
        return View<float>(values, count);
    }
    void set_values(const std::string &name, const std::vector<float> &values)
    {
        check(fine_model_set_values(get(), name.c_str(), values.data(),
                                    static_cast<std::int64_t>(values.size())));
    }
};

namespace detail {
struct TextOf {
    const fine_session *session;
    std::int64_t text, mask;
};

inline fine_span_info
span_at(const TextOf &of, std::int64_t j)
{
    fine_span_info info = fine_span_info();

    info.struct_size = sizeof info;
    check(fine_session_span(of.session, of.text, j, &info));
    return info;
}

inline fine_fill_info
fill_at(const TextOf &of, std::int64_t j)
{
    fine_fill_info info = fine_fill_info();

    info.struct_size = sizeof info;
    check(fine_session_fill(of.session, of.text, of.mask, j, &info));
    return info;
}
} // namespace detail

/** Predictions. While one exists the model cannot be trained. */
class Session : public detail::Handle<fine_session, fine_session_free> {
public:
    typedef detail::Range<fine_span_info, detail::TextOf, detail::span_at> Spans;
    typedef detail::Range<fine_fill_info, detail::TextOf, detail::fill_at> Fills;

    explicit Session(const Model &model) : n_labels_(model.n_labels())
    {
        fine_session *out = nullptr;

        check(fine_session_new(&out, model.get()));
        reset(out);
    }

    void predict(const std::vector<std::string> &texts)
    {
        const std::vector<const char *> list = detail::pointers(texts);

        check(fine_session_predict(get(), list.data(), nullptr, static_cast<std::int64_t>(list.size())));
    }
    void predict(const std::vector<std::string> &texts, const std::vector<std::string> &pairs)
    {
        const std::vector<const char *> list = detail::pointers(texts), seconds = detail::pointers(pairs);

        if (list.size() != seconds.size())
            throw Error(FINE_EINVAL, { "predict: as many second texts as texts are needed" });
        check(fine_session_predict(get(), list.data(), seconds.data(),
                                   static_cast<std::int64_t>(list.size())));
    }
    std::int64_t label(std::int64_t i) const { return fine_session_label(get(), i); }
    View<float> scores(std::int64_t i) const
    {
        return View<float>(fine_session_scores(get(), i), n_labels_);
    }
    double value(std::int64_t i) const { return fine_session_value(get(), i); }
    std::int64_t truncated(std::int64_t i) const { return fine_session_truncated(get(), i); }
    Spans spans(std::int64_t i) const
    {
        const detail::TextOf of = { get(), i, 0 };

        return Spans(of, fine_session_n_spans(get(), i));
    }
    std::int64_t n_masks(std::int64_t i) const { return fine_session_n_masks(get(), i); }
    Fills fills(std::int64_t i, std::int64_t mask) const
    {
        const detail::TextOf of = { get(), i, mask };

        return Fills(of, fine_session_n_fills(get(), i, mask));
    }

    void embed(const std::vector<std::string> &texts, const fine_embed_options &options = EmbedOptions())
    {
        const std::vector<const char *> list = detail::pointers(texts);

        check(fine_session_embed(get(), list.data(), static_cast<std::int64_t>(list.size()), &options));
    }
    View<float> embedding(std::int64_t i) const
    {
        std::int64_t count = 0;
        const float *values = fine_session_embedding(get(), i, &count);

        return View<float>(values, count);
    }

    void generate(const std::vector<std::string> &prompts,
                  const fine_generate_options &options = GenerateOptions(),
                  TokenCallback on_token = TokenCallback())
    {
        const std::vector<const char *> list = detail::pointers(prompts);
        fine_generate_options mine = options;
        detail::TokenState state = { std::move(on_token), std::exception_ptr() };

        if (state.function) {
            mine.on_token = detail::on_token;
            mine.on_token_user = &state;
        }
        const int code = fine_session_generate(get(), list.data(),
                                               static_cast<std::int64_t>(list.size()), &mine);
        state.rethrow();
        check(code);
    }
    /** NULL out of range. */
    const char *generated(std::int64_t i) const { return fine_session_generated(get(), i); }
    View<std::int32_t> generated_ids(std::int64_t i) const
    {
        std::int64_t count = 0;
        const std::int32_t *ids = fine_session_generated_ids(get(), i, &count);

        return View<std::int32_t>(ids, count);
    }
    /** FINE_ENDED_… */
    std::int32_t generated_ending(std::int64_t i) const
    {
        return fine_session_generated_ending(get(), i);
    }

    Report evaluate(const Dataset &data)
    {
        fine_report *out = nullptr;

        check(fine_session_evaluate(get(), data.get(), &out));
        return Report(out);
    }

private:
    std::int64_t n_labels_;
};

class Optimizer : public detail::Handle<fine_optimizer, fine_optimizer_free> {
public:
    /** By its name, with its defaults. */
    Optimizer(const Context &context, const std::string &type)
    {
        fine_optimizer *out = nullptr;

        check(fine_optimizer_new(&out, context.get(), type.c_str(), nullptr));
        reset(out);
    }
    Optimizer(const Context &context, const std::string &type, const fine_optimizer_options &options)
    {
        fine_optimizer *out = nullptr;

        check(fine_optimizer_new(&out, context.get(), type.c_str(), &options));
        reset(out);
    }
    Optimizer(const Context &context, const fine_adamw_options &options)
    {
        fine_optimizer *out = nullptr;

        check(fine_optimizer_new_adamw(&out, context.get(), &options));
        reset(out);
    }
    Optimizer(const Context &context, const fine_sgd_options &options)
    {
        fine_optimizer *out = nullptr;

        check(fine_optimizer_new_sgd(&out, context.get(), &options));
        reset(out);
    }

    double learning_rate() const { return fine_optimizer_learning_rate(get()); }
    void step(Model &model, double rate) { check(fine_optimizer_step(get(), model.get(), rate)); }
};

class Schedule : public detail::Handle<fine_schedule, fine_schedule_free> {
public:
    Schedule(const Context &context, const std::string &type,
             const fine_schedule_options &options = ScheduleOptions())
    {
        fine_schedule *out = nullptr;

        check(fine_schedule_new(&out, context.get(), type.c_str(), &options));
        reset(out);
    }

    double factor(std::int64_t step, std::int64_t n_steps) const
    {
        return fine_schedule_factor(get(), step, n_steps);
    }
};

/** A run by parts. Throws Cancelled where the callback stops it. */
class Trainer {
public:
    /** A constant rate. */
    Trainer(Model &model, const Dataset &data, const Optimizer &optimizer,
            const fine_trainer_options &options = TrainerOptions(),
            ProgressCallback progress = ProgressCallback())
    {
        make(model, data, optimizer, nullptr, options, std::move(progress));
    }
    Trainer(Model &model, const Dataset &data, const Optimizer &optimizer, const Schedule &schedule,
            const fine_trainer_options &options = TrainerOptions(),
            ProgressCallback progress = ProgressCallback())
    {
        make(model, data, optimizer, schedule.get(), options, std::move(progress));
    }
    Trainer(Trainer &&) = default;
    Trainer &operator=(Trainer &&other) noexcept
    {
        if (this != &other) {
            handle_ = std::move(other.handle_);     /* the old run goes before what it calls */
            state_ = std::move(other.state_);
        }
        return *this;
    }

    fine_trainer *get() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return get() != nullptr; }

    /** False: all steps are done, or patience has run out. */
    bool step() { return done(fine_trainer_step(get())) != 0; }
    const Progress &progress() const
    {
        const Progress *p = fine_trainer_progress(get());

        if (!p)
            throw Error(FINE_EINVAL, { "an empty Trainer has no progress" });
        return *p;
    }
    /** True: better than ever. */
    bool evaluate() { return done(fine_trainer_evaluate(get(), nullptr)) != 0; }
    bool finished() const { return check(fine_trainer_finished(get())) != 0; }
    /** A mask of 1 << FINE_EVENT_EVALUATE and 1 << FINE_EVENT_CHECKPOINT. */
    int due() const { return check(fine_trainer_due(get())); }
    void checkpoint() { done(fine_trainer_checkpoint(get())); }
    void restore_best() { done(fine_trainer_restore_best(get())); }
    Report finish()
    {
        fine_report *out = nullptr;
        const int code = fine_trainer_finish(get(), &out);
        Report report(out);

        done(code);
        return report;
    }
    Report fit()
    {
        fine_report *out = nullptr;
        const int code = fine_trainer_fit(get(), &out);
        Report report(out);

        done(code);
        return report;
    }

private:
    void make(Model &model, const Dataset &data, const Optimizer &optimizer, fine_schedule *schedule,
              const fine_trainer_options &options, ProgressCallback progress)
    {
        fine_trainer_options mine = options;
        fine_trainer *out = nullptr;

        state_.reset(new detail::ProgressState());
        state_->function = std::move(progress);
        if (state_->function) {
            mine.progress = detail::on_progress;
            mine.progress_user = state_.get();
        }
        const int code = fine_trainer_new(&out, model.get(), data.get(), optimizer.get(), schedule, &mine);
        handle_.reset(out);
        done(code);
    }
    int done(int code)
    {
        if (state_)
            state_->rethrow();
        return check(code);
    }

    std::unique_ptr<detail::ProgressState> state_;      /* where the library finds it, moved or not */
    detail::Handle<fine_trainer, fine_trainer_free> handle_;
};

class Recipe : public detail::Handle<fine_recipe, fine_recipe_free> {
public:
    Recipe(const Context &context, const std::string &path)
    {
        fine_recipe *out = nullptr;

        check(fine_recipe_open(&out, context.get(), path.c_str()));
        reset(out);
    }
    explicit Recipe(fine_recipe *owned) : Handle(owned) {}
    static Recipe parse(const Context &context, const std::string &yaml, const std::string &folder = ".")
    {
        fine_recipe *out = nullptr;

        check(fine_recipe_parse(&out, context.get(), yaml.data(), static_cast<std::int64_t>(yaml.size()),
                                folder.c_str()));
        return Recipe(out);
    }

    void set(const std::string &key, const std::string &value)
    {
        check(fine_recipe_set(get(), key.c_str(), value.c_str()));
    }
    std::string get_value(const std::string &key)
    {
        const char *value = fine_recipe_get(get(), key.c_str());

        if (!value)
            throw Error(FINE_ERECIPE, { "unknown key '" + key + "'" });
        return value;
    }
    /** Throws Error with all findings. */
    void validate() { check(fine_recipe_check(get())); }
    std::string resolved() { return detail::owned(fine_recipe_resolved(get())); }
    Report run(const fine_run_options &options = RunOptions(),
               ProgressCallback progress = ProgressCallback())
    {
        detail::ProgressState state = { std::move(progress), std::exception_ptr() };
        fine_run_options mine = options;
        fine_report *out = nullptr;

        if (state.function) {
            mine.progress = detail::on_progress;
            mine.progress_user = &state;
        }
        const int code = fine_recipe_run(get(), &mine, &out);
        Report report(out);
        state.rethrow();
        check(code);
        return report;
    }
};

} // namespace finetune

#endif
