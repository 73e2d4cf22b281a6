#!/usr/bin/env python3
"""What the library saves, transformers opens: AutoModelForSequenceClassification gives our logits,
AutoTokenizer our ids, AutoModel our hidden states.

    roundtrip.py LIBRARY

Runs where transformers can be imported by $FINE_ORACLE_PYTHON, or by python3; else it is skipped (exit 77).
"""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
LABELS = ["no", "yes", 'n\u00e4h "\\', "\u732b\U0001f408"]
TEXTS = ["w1 w2 w3", "", "W4, w5!", "unknown w6 w7 w8 w9 w10 w11 w12", "w1w2"]
F32 = 12


def find_oracle():
    for python in (os.environ.get("FINE_ORACLE_PYTHON"), "python3"):
        if python and shutil.which(python) and subprocess.run(
                [python, "-c", "import torch, transformers"], capture_output=True, check=False).returncode == 0:
            return python
    return None


class TaskOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("type", ctypes.c_char_p), ("pool", ctypes.c_char_p),
                ("labels", ctypes.POINTER(ctypes.c_char_p)), ("n_labels", ctypes.c_int64),
                ("max_length", ctypes.c_int64), ("seed", ctypes.c_int64), ("overlong", ctypes.c_char_p)]


class Library:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        for name, result in (("fine_error_message", ctypes.c_char_p), ("fine_tensors_name", ctypes.c_char_p),
                             ("fine_session_scores", ctypes.POINTER(ctypes.c_float)),
                             ("fine_session_value", ctypes.c_double), ("fine_model_n_labels", ctypes.c_int64)):
            getattr(self.lib, name).restype = result
        self.context = self.new("fine_context_new", None)

    def call(self, name, *arguments):
        code = getattr(self.lib, name)(*arguments)
        if code < 0:
            sys.exit(f"{name}: {self.lib.fine_error_message().decode()}")
        return code

    def new(self, name, *arguments):
        handle = ctypes.c_void_p()
        self.call(name, ctypes.byref(handle), *arguments)
        return handle

    def free(self, kind, handle):
        free = getattr(self.lib, f"fine_{kind}_free")
        free.restype = None
        free(handle)

    def set_task(self, model, kind, pool, labels):
        options = TaskOptions()
        self.lib.fine_task_options_init(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options)))
        options.type, options.n_labels, options.seed = kind.encode(), len(labels), 11
        options.pool = pool.encode() if pool else None
        if labels:
            options.labels = (ctypes.c_char_p * len(labels))(*(name.encode() for name in labels))
        self.call("fine_model_set_task", model, ctypes.byref(options))

    def tensor(self, tensors, name):
        """The shape and the numbers of an F32 tensor."""
        kind, n_dims = ctypes.c_int32(), ctypes.c_int64()
        shape, data = ctypes.POINTER(ctypes.c_int64)(), ctypes.POINTER(ctypes.c_float)()
        self.call("fine_tensors_get", tensors, name.encode(), ctypes.byref(kind), ctypes.byref(n_dims),
                  ctypes.byref(shape), ctypes.byref(data))
        assert kind.value == F32
        shape, n = [shape[i] for i in range(n_dims.value)], 1
        for size in shape:
            n *= size
        return shape, data[:n]


def write_base(folder, with_pooler):
    """The golden model with a tokenizer; or its encoder alone, without a pooler."""
    import safetensors.torch
    shutil.copytree(os.path.join(HERE, "bert"), folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(40)] + list("wab,!") + ["##w", "##1"]
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(words) + "\n")
    if not with_pooler:
        path = os.path.join(folder, "model.safetensors")
        weights = safetensors.torch.load_file(path)
        safetensors.torch.save_file({name[5:]: t for name, t in weights.items()
                                     if name.startswith("bert.") and "pooler" not in name}, path)


def check(name, good, detail=""):
    check.n_failed += not good
    print(f"{'ok' if good else 'FAILED'}  {name} {detail if not good else ''}")


check.n_failed = 0


def near(ours, theirs, limit):
    largest = max(abs(x) for x in theirs)
    off = max(abs(a - b) for a, b in zip(ours, theirs))
    return len(ours) == len(theirs) and off <= limit * largest, f"{off:.2g} off, of {largest:.2g}"


def round_trip(library, scratch, with_pooler, kind, pool):
    import torch
    import transformers
    name = f"{kind}, {pool}, {'whole' if with_pooler else 'bare'}"
    base, saved = (os.path.join(scratch, f"{part}-{kind}-{pool}-{with_pooler}") for part in ("base", "saved"))
    write_base(base, with_pooler)
    labels = LABELS if kind == "classify" else []
    model = library.new("fine_model_open", library.context, base.encode(), None)
    library.set_task(model, kind, pool, labels)
    if kind == "regress":       # in shards
        library.call("fine_model_save_sharded", model, saved.encode(), ctypes.c_int64(20000))
        check(f"{name}: in shards", os.path.exists(os.path.join(saved, "model-00002-of-00003.safetensors")))
    else:
        library.call("fine_model_save", model, saved.encode())
    inputs = library.new("fine_tensors_open", library.context, os.path.join(base, "inputs.safetensors").encode())
    unlabelled = library.new("fine_tensors_new", library.context)
    n_dims, what = ctypes.c_int64(), ctypes.c_int32()
    shape, data = ctypes.POINTER(ctypes.c_int64)(), ctypes.c_void_p()
    batch = {}
    for part in ("input_ids", "attention_mask", "token_type_ids"):
        library.call("fine_tensors_get", inputs, part.encode(), ctypes.byref(what), ctypes.byref(n_dims),
                     ctypes.byref(shape), ctypes.byref(data))
        library.call("fine_tensors_put", unlabelled, part.encode(), what, n_dims, shape, data)
        rows, columns = shape[0], shape[1]
        numbers = ctypes.cast(data, ctypes.POINTER(ctypes.c_int64))[:rows * columns]
        batch[part] = torch.tensor(numbers).reshape(rows, columns)
    out = ctypes.c_void_p()
    library.call("fine_model_forward", model, unlabelled, ctypes.c_int32(1), ctypes.byref(out))
    with torch.no_grad():
        encoder = transformers.AutoModel.from_pretrained(saved).eval()
        states = encoder(**batch, output_hidden_states=True).hidden_states
        _, ours = library.tensor(out, "hidden_states.2")
        real = batch["attention_mask"][..., None] > 0
        check(f"{name}: hidden states", *near(ours, torch.where(real, states[2], 0).flatten().tolist(), 1e-5))
        if pool == "pooler":
            theirs = transformers.AutoModelForSequenceClassification.from_pretrained(saved).eval()
            _, ours = library.tensor(out, "logits")
            check(f"{name}: logits", *near(ours, theirs(**batch).logits.flatten().tolist(), 5e-6))
            if labels:
                check(f"{name}: labels", [theirs.config.id2label[i] for i in range(len(labels))] == labels)
            texts(library, name, model, saved, theirs, labels)
        else:
            check(f"{name}: the class is the bare model", encoder.config.architectures == ["BertModel"])
    for kind_of, handle in (("tensors", out), ("tensors", inputs), ("tensors", unlabelled), ("model", model)):
        library.free(kind_of, handle)


def texts(library, name, model, saved, theirs, labels):
    """The whole way: text, their tokenizer, their model; against a session."""
    import torch
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved)
    session = library.new("fine_session_new", model)
    array = (ctypes.c_char_p * len(TEXTS))(*(text.encode() for text in TEXTS))
    library.call("fine_session_predict", session, array, None, ctypes.c_int64(len(TEXTS)))
    for i, text in enumerate(TEXTS):
        logits = theirs(**tokenizer(text, return_tensors="pt")).logits[0]
        want = torch.softmax(logits, -1).tolist() if labels else logits.tolist()
        ours = library.lib.fine_session_scores(session, ctypes.c_int64(i))[:len(want)]
        check(f"{name}: text {i}", *near(ours, want, 2e-5))
    library.free("session", session)


def main(path):
    library = Library(path)
    with tempfile.TemporaryDirectory() as scratch:
        for with_pooler in (True, False):
            round_trip(library, scratch, with_pooler, "classify", "pooler")
        round_trip(library, scratch, True, "regress", "pooler")
        for pool in ("cls", "mean"):
            round_trip(library, scratch, True, "classify", pool)
    library.free("context", library.context)
    return 1 if check.n_failed else 0


def run(script, here):
    """In this process with --here; else in one that has torch and transformers, where there is any."""
    if len(sys.argv) == 3 and sys.argv[2] == "--here":
        sys.exit(here(sys.argv[1]))
    oracle = find_oracle()
    if oracle is None:
        print("skipped: transformers cannot be imported (FINE_ORACLE_PYTHON names a Python that can)")
        sys.exit(SKIPPED)
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
    os.execvp(oracle, [oracle, "-B", os.path.abspath(script), sys.argv[1], "--here"])


if __name__ == "__main__":
    run(__file__, main)
