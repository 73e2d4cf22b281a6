"""The library's handles, one class each. Arrays come as NumPy; everything is float32 and int64."""
from __future__ import annotations

import ctypes
import json
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_void_p, sizeof
from typing import (TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple,
                    Union)

from . import _signatures as c
from ._lib import Error, Handle, check, lib, new, options, strings, text

if TYPE_CHECKING:
    import numpy as np

Path = Union[str, "os.PathLike[str]"]


def version() -> str:
    """The library's version."""
    return text(lib.fine_version())


def _path(path: Path) -> bytes:
    return os.fsencode(path)


class Report(Dict[str, Any]):
    """A result as the library wrote it: a dict; `json` is its text."""

    json: str = ""

    @classmethod
    def _take(cls, pointer: c_void_p) -> "Report":
        words = text(lib.fine_report_json(pointer))
        lib.fine_report_free(pointer)
        report = cls(json.loads(words))
        report.json = words
        return report


class Context(Handle):
    """Memory, threads and the log; everything else is made from one.

    threads: 0 for all processors; memory_limit: bytes, 0 for none; log: called with (level, text).
    """

    _free = "fine_context_free"

    def __init__(self, threads: int = 0, memory_limit: int = 0,
                 log: Optional[Callable[[int, str], None]] = None) -> None:
        given: Dict[str, Any] = {"n_threads": threads, "memory_limit": memory_limit}
        self._log = c.fine_log_fn((lambda level, message, _: log(level, text(message))) if log else 0)
        if log:
            given["log"] = self._log
        out = new()
        check(lib.fine_context_new(byref(out), byref(options(c.fine_context_options, given))))
        super().__init__(out)

    @property
    def threads(self) -> int:
        return int(lib.fine_context_n_threads(self.pointer))

    @property
    def used_bytes(self) -> int:
        return int(lib.fine_context_used_bytes(self.pointer))

    @property
    def peak_bytes(self) -> int:
        return int(lib.fine_context_peak_bytes(self.pointer))


_default: Optional[Context] = None


def _context(given: Optional[Context]) -> Context:
    """The one that was given, or one for all that don't bring their own."""
    global _default
    if given is not None:
        return given
    if _default is None:
        _default = Context()
    return _default


# ---- tensors: a dict of NumPy arrays ----

_TYPES = {"?": c.FINE_BOOL, "B": c.FINE_U8, "b": c.FINE_I8, "h": c.FINE_I16, "H": c.FINE_U16, "i": c.FINE_I32,
          "I": c.FINE_U32, "q": c.FINE_I64, "l": c.FINE_I64, "Q": c.FINE_U64, "L": c.FINE_U64, "e": c.FINE_F16,
          "f": c.FINE_F32, "d": c.FINE_F64}
_DTYPES = {c.FINE_BOOL: "?", c.FINE_U8: "u1", c.FINE_I8: "i1", c.FINE_I16: "<i2", c.FINE_U16: "<u2",
           c.FINE_I32: "<i4", c.FINE_U32: "<u4", c.FINE_I64: "<i8", c.FINE_U64: "<u8", c.FINE_F16: "<f2",
           c.FINE_F32: "<f4", c.FINE_F64: "<f8"}


class _Tensors(Handle):
    _free = "fine_tensors_free"

    @classmethod
    def of(cls, arrays: Mapping[str, Any], context: Context) -> "_Tensors":
        import numpy as np
        out = new()
        check(lib.fine_tensors_new(byref(out), context.pointer))
        tensors = cls(out)
        for name, value in arrays.items():
            array = np.ascontiguousarray(value)
            if array.dtype.char not in _TYPES:
                raise TypeError(f"'{name}' holds {array.dtype}, which the library has no type for")
            shape = (c_int64 * max(array.ndim, 1))(*array.shape)
            check(lib.fine_tensors_put(tensors.pointer, name.encode(), _TYPES[array.dtype.char], array.ndim, shape,
                                       array.ctypes.data_as(c_void_p)))
        return tensors

    def arrays(self) -> Dict[str, "np.ndarray"]:
        import numpy as np
        out = {}
        for i in range(lib.fine_tensors_count(self.pointer)):
            name = lib.fine_tensors_name(self.pointer, i)
            kind, n_dims, shape, data = c_int32(), c_int64(), POINTER(c_int64)(), c_void_p()
            check(lib.fine_tensors_get(self.pointer, name, byref(kind), byref(n_dims), byref(shape), byref(data)))
            dtype = np.dtype(_DTYPES[kind.value])
            dims = tuple(shape[d] for d in range(n_dims.value))
            size = int(np.prod(dims, dtype=np.int64)) * dtype.itemsize
            out[text(name)] = np.frombuffer(ctypes.string_at(data, size), dtype).reshape(dims).copy()
        return out


# ---- the model ----

class Param(NamedTuple):
    """A parameter: its name in the checkpoint, its shape, its stage, and whether it is frozen."""

    name: str
    shape: Tuple[int, ...]
    stage: int
    frozen: bool


class Model(Handle):
    """A pre-trained model. Model.open(folder) reads what Hugging Face's tools write."""

    _free = "fine_model_free"

    def __init__(self, pointer: c_void_p, context: Context) -> None:
        super().__init__(pointer)
        self.context = context

    @classmethod
    def open(cls, path: Path, *, context: Optional[Context] = None, adapter: Optional[Dict[str, Any]] = None,
             **given: Any) -> "Model":
        """Opens a model folder. Options: seed, random_weights, dropout, architecture; adapter: a dict of
        rank, alpha, dropout, targets, rank_stabilised, for a new LoRA adapter."""
        context = _context(context)
        if adapter is not None:
            given["adapter"] = options(c.fine_adapter_options, adapter)
        out = new()
        check(lib.fine_model_open(byref(out), context.pointer, _path(path),
                                  byref(options(c.fine_model_options, given))))
        return cls(out, context)

    @classmethod
    def open_memory(cls, files: Mapping[str, bytes], *, context: Optional[Context] = None, **given: Any) -> "Model":
        """The same from a folder's files in memory: {"config.json": b"…", …}."""
        context = _context(context)
        list_ = (c.fine_memory_file * max(len(files), 1))()
        buffers = [ctypes.create_string_buffer(data, len(data)) for data in files.values()]
        for entry, name, buffer in zip(list_, files, buffers):
            entry.name, entry.bytes, entry.n_bytes = name.encode(), ctypes.addressof(buffer), len(buffer)
        out = new()
        check(lib.fine_model_open_memory(byref(out), context.pointer, list_, len(files),
                                         byref(options(c.fine_model_options, given))))
        return cls(out, context)

    def set_task(self, type: str, **given: Any) -> "Model":
        """Gives the model a task, and a new head where its own doesn't serve. Options: labels, pool,
        max_length, seed, overlong."""
        check(lib.fine_model_set_task(self.pointer,
                                      byref(options(c.fine_task_options, {"type": type, **given}))))
        return self

    def freeze(self, spec: Union[str, Sequence[str]]) -> "Model":
        """What is not trained: "none", "all", "embeddings..3", or patterns of names."""
        check(lib.fine_model_freeze(self.pointer, (spec if isinstance(spec, str) else ",".join(spec)).encode()))
        return self

    def save(self, folder: Path) -> None:
        """Writes a model folder that Hugging Face's tools read."""
        check(lib.fine_model_save(self.pointer, _path(folder)))

    def merge_adapter(self) -> "Model":
        check(lib.fine_model_merge_adapter(self.pointer))
        return self

    @property
    def family(self) -> str:
        return text(lib.fine_model_family(self.pointer))

    @property
    def task(self) -> str:
        return text(lib.fine_model_task(self.pointer))

    @property
    def labels(self) -> List[str]:
        return [text(lib.fine_model_label(self.pointer, i)) for i in range(lib.fine_model_n_labels(self.pointer))]

    @property
    def max_length(self) -> int:
        return int(lib.fine_model_max_length(self.pointer))

    @property
    def fingerprint(self) -> str:
        return text(lib.fine_model_fingerprint(self.pointer))

    @property
    def params(self) -> List[Param]:
        out = []
        for i in range(lib.fine_model_n_params(self.pointer)):
            info = c.fine_param_info(struct_size=sizeof(c.fine_param_info))
            check(lib.fine_model_param(self.pointer, i, byref(info)))
            out.append(Param(text(info.name), tuple(info.shape[d] for d in range(info.n_dims)), info.stage,
                             bool(info.frozen)))
        return out

    def __repr__(self) -> str:
        if not self._pointer:
            return "<finetune.Model, closed>"
        rows: Dict[int, List[int]] = {}
        for param in self.params:
            count = 1
            for side in param.shape:
                count *= side
            row = rows.setdefault(param.stage, [0, 0])
            row[0] += count
            row[1] += 0 if param.frozen else count
        lines = [f"<finetune.Model {self.family}, task {self.task or 'none'}, {len(self.labels)} labels>",
                 "  stage        parameters      trained"]
        for stage, (count, trained) in sorted(rows.items()):
            name = text(lib.fine_model_stage_name(self.pointer, stage))
            lines.append(f"  {name:<10} {count:>12,} {trained:>12,}")
        return "\n".join(lines)

    # ---- by hand ----

    def forward(self, inputs: Mapping[str, Any], *, hidden_states: bool = False,
                gradients: bool = False) -> Dict[str, "np.ndarray"]:
        """Raw arrays through the model in evaluation mode: input_ids and attention_mask (B,T) int64, or
        pixel_values (B,3,H,W) float32, and labels; logits, loss, hidden_states.N, grad.NAME come out."""
        flags = (c.FINE_HIDDEN_STATES if hidden_states else 0) | (c.FINE_PARAM_GRADIENTS if gradients else 0)
        out = new()
        with _Tensors.of(inputs, self.context) as tensors:
            check(lib.fine_model_forward(self.pointer, tensors.pointer, flags, byref(out)))
        with _Tensors(out) as results:
            return results.arrays()

    def backward(self, inputs: Mapping[str, Any], weight: float = 1.0) -> float:
        """Adds weight times the gradient of the batch's mean loss; the loss."""
        loss = c_double()
        with _Tensors.of(inputs, self.context) as tensors:
            check(lib.fine_model_backward(self.pointer, tensors.pointer, weight, byref(loss)))
        return loss.value

    def zero_gradients(self) -> None:
        check(lib.fine_model_zero_gradients(self.pointer))

    def clip_gradients(self, max_norm: float) -> float:
        """The norm before clipping; 0 only measures."""
        norm = c_double()
        check(lib.fine_model_clip_gradients(self.pointer, max_norm, byref(norm)))
        return norm.value

    def _numbers(self, function: Any, name: str) -> "np.ndarray":
        import numpy as np
        data, count = POINTER(c_float)(), c_int64()
        check(function(self.pointer, name.encode(), byref(data), byref(count)))
        shape = next(p.shape for p in self.params if p.name == name)
        return np.ctypeslib.as_array(data, (count.value,)).copy().reshape(shape)

    def values(self, name: str) -> "np.ndarray":
        return self._numbers(lib.fine_model_values, name)

    def gradient(self, name: str) -> "np.ndarray":
        return self._numbers(lib.fine_model_gradient, name)

    def set_values(self, name: str, values: Any) -> None:
        import numpy as np
        array = np.ascontiguousarray(values, np.float32)
        check(lib.fine_model_set_values(self.pointer, name.encode(), array.ctypes.data_as(POINTER(c_float)),
                                        array.size))

    # ---- predicting ----

    def session(self) -> "Session":
        """Predictions in a thread of its own on the same weights."""
        return Session(self)

    def predict(self, texts: Sequence[str], pairs: Optional[Sequence[str]] = None) -> List[Any]:
        with self.session() as session:
            return session.predict(texts, pairs)

    def embed(self, texts: Sequence[str], **given: Any) -> "np.ndarray":
        with self.session() as session:
            return session.embed(texts, **given)

    def evaluate(self, data: "Dataset") -> Report:
        with self.session() as session:
            return session.evaluate(data)


class Span(NamedTuple):
    """A place in a text, in bytes of its UTF-8; label None: the task has none."""

    start: int
    end: int
    label: Optional[str]
    score: float


class Session(Handle):
    """Predicts with a model that nobody trains meanwhile. One thread at a time."""

    _free = "fine_session_free"

    def __init__(self, model: Model) -> None:
        self.model = model
        out = new()
        check(lib.fine_session_new(byref(out), model.pointer))
        super().__init__(out)

    def _run(self, texts: Sequence[str], pairs: Optional[Sequence[str]]) -> int:
        texts = [texts] if isinstance(texts, str) else list(texts)
        if pairs is not None and len(pairs) != len(texts):
            raise ValueError(f"{len(texts)} texts and {len(pairs)} pairs")
        check(lib.fine_session_predict(self.pointer, strings(texts), strings(pairs) if pairs is not None else None,
                                       len(texts)))
        return len(texts)

    def scores(self, texts: Sequence[str], pairs: Optional[Sequence[str]] = None) -> "np.ndarray":
        """(n, labels): the probabilities."""
        import numpy as np
        n, n_labels = self._run(texts, pairs), lib.fine_model_n_labels(self.model.pointer)
        out = np.empty((n, n_labels), np.float32)
        for i in range(n):
            out[i] = np.ctypeslib.as_array(lib.fine_session_scores(self.pointer, i), (n_labels,))
        return out

    def predict(self, texts: Sequence[str], pairs: Optional[Sequence[str]] = None) -> List[Any]:
        """A label's name for each text; a number for the task regress; a list of names for multilabel; a
        list of spans for tag, of the likeliest first for answer (texts: questions, pairs: contexts). Of
        image models texts are paths."""
        n, task, labels = self._run(texts, pairs), self.model.task, self.model.labels
        if task == "regress":
            return [lib.fine_session_value(self.pointer, i) for i in range(n)]
        if task in ("tag", "answer"):
            return [self._spans(i, labels) for i in range(n)]
        if task == "multilabel":
            return [[name for k, name in enumerate(labels) if lib.fine_session_scores(self.pointer, i)[k] >= 0.5]
                    for i in range(n)]
        return [labels[lib.fine_session_label(self.pointer, i)] for i in range(n)]

    def _spans(self, i: int, labels: List[str]) -> List[Span]:
        out, info = [], c.fine_span_info(struct_size=sizeof(c.fine_span_info))
        for j in range(lib.fine_session_n_spans(self.pointer, i)):
            check(lib.fine_session_span(self.pointer, i, j, byref(info)))
            out.append(Span(info.start, info.end, labels[info.label] if info.label >= 0 else None, info.score))
        return out

    def embed(self, texts: Sequence[str], **given: Any) -> "np.ndarray":
        """(n, width): vectors of texts. Options: pool, max_length, normalize."""
        import numpy as np
        texts = [texts] if isinstance(texts, str) else list(texts)
        check(lib.fine_session_embed(self.pointer, strings(texts), len(texts),
                                     byref(options(c.fine_embed_options, given))))
        count, rows = c_int64(), []
        for i in range(len(texts)):
            vector = lib.fine_session_embedding(self.pointer, i, byref(count))
            rows.append(np.ctypeslib.as_array(vector, (count.value,)).copy())
        return np.stack(rows) if rows else np.empty((0, 0), np.float32)

    def evaluate(self, data: "Dataset") -> Report:
        out = new()
        check(lib.fine_session_evaluate(self.pointer, data.pointer, byref(out)))
        return Report._take(out)


# ---- data ----

class Dataset(Handle):
    """Rows of text with labels or numbers. Immutable once it is used."""

    _free = "fine_dataset_free"

    def __init__(self, pointer: c_void_p, context: Context) -> None:
        super().__init__(pointer)
        self.context = context

    @classmethod
    def open(cls, path: Path, *, context: Optional[Context] = None, **given: Any) -> "Dataset":
        """Reads a table, JSON lines, SQuAD's JSON, plain text or a folder of pictures. Options: those of
        fine_dataset_options, such as task, text, text_pair, label, group, separator, header, labels."""
        context = _context(context)
        header = given.pop("header", None)
        if isinstance(header, (list, tuple)):
            given["columns"] = header
        elif header is not None:
            given["header"] = header
        if given.get("task") == "regress":
            given.setdefault("label_is_number", 1)
        out = new()
        check(lib.fine_dataset_open(byref(out), context.pointer, _path(path),
                                    byref(options(c.fine_dataset_options, given))))
        return cls(out, context)

    @classmethod
    def from_rows(cls, texts: Any, labels: Any = None, *, pairs: Any = None, groups: Any = None,
                  label_names: Optional[Sequence[str]] = None, context: Optional[Context] = None, **given: Any) -> "Dataset":
        """Rows from lists, NumPy arrays or columns of pandas and datasets; numbers as labels with
        task="regress". label_names: all labels in the order of their indices; default: those found."""
        context = _context(context)
        given["labels"] = label_names
        if given.get("task") == "regress":
            given.setdefault("label_is_number", 1)
        if labels is None:
            given.setdefault("require_label", 0)
        out = new()
        check(lib.fine_dataset_new(byref(out), context.pointer, byref(options(c.fine_dataset_options, given))))
        data = cls(out, context)
        columns = [list(x) if x is not None else None for x in (texts, pairs, labels, groups)]
        n = len(columns[0] or [])
        if any(column is not None and len(column) != n for column in columns):
            raise ValueError("texts, pairs, labels and groups must have as many rows each")
        for i in range(n):
            row = [None if column is None or column[i] is None
                   else (repr(float(column[i])) if k == 2 and given.get("task") == "regress"
                         else str(column[i])).encode() for k, column in enumerate(columns)]
            check(lib.fine_dataset_add(data.pointer, *row))
        return data

    def __len__(self) -> int:
        return int(lib.fine_dataset_count(self.pointer))

    def text(self, row: int) -> str:
        return text(lib.fine_dataset_text(self.pointer, row))

    def label(self, row: int) -> Any:
        """A row's label, or its number for the task regress; None: it has none."""
        i = lib.fine_dataset_label(self.pointer, row)
        if i >= 0:
            return text(lib.fine_dataset_label_name(self.pointer, i))
        value = lib.fine_dataset_value(self.pointer, row)
        return None if value != value else value

    def __iter__(self) -> Iterator[Tuple[str, Any]]:
        return ((self.text(i), self.label(i)) for i in range(len(self)))

    @property
    def labels(self) -> List[str]:
        return [text(lib.fine_dataset_label_name(self.pointer, i))
                for i in range(lib.fine_dataset_n_labels(self.pointer))]

    def split(self, share: float, seed: int = 0) -> Tuple["Dataset", "Dataset"]:
        """The rest and a share that is held out, stratified by label."""
        rest, held = new(), new()
        check(lib.fine_dataset_split(byref(rest), byref(held), self.pointer, share, seed))
        return Dataset(rest, self.context), Dataset(held, self.context)

    def describe(self) -> Dict[str, Any]:
        words = lib.fine_dataset_describe(self.pointer)
        if not words:
            raise MemoryError
        return dict(json.loads(words))

    def __repr__(self) -> str:
        if not self._pointer:
            return "<finetune.Dataset, closed>"
        return f"<finetune.Dataset of {len(self)} rows, {len(self.labels)} labels>"


class Tokenizer(Handle):
    """The tokenizer of a model folder."""

    _free = "fine_tokenizer_free"

    def __init__(self, path: Path, *, context: Optional[Context] = None) -> None:
        self.context, out = _context(context), new()
        check(lib.fine_tokenizer_open(byref(out), self.context.pointer, _path(path)))
        super().__init__(out)

    def __len__(self) -> int:
        return int(lib.fine_tokenizer_vocab_size(self.pointer))

    def encode(self, words: str, pair: Optional[str] = None, **given: Any) -> List[int]:
        """Ids. Options: max_length, add_special."""
        out, first = new(), words.encode()
        second = pair.encode() if pair is not None else None
        check(lib.fine_tokenizer_encode(byref(out), self.pointer, first, len(first), second,
                                        len(second) if second else 0,
                                        byref(options(c.fine_encode_options, given))))
        ids = lib.fine_encoding_ids(out)[:lib.fine_encoding_count(out)]
        lib.fine_encoding_free(out)
        return list(ids)

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        array, length = (c_int32 * max(len(ids), 1))(*ids), c_int64()
        check(lib.fine_tokenizer_decode(self.pointer, array, len(ids), skip_special, None, 0, byref(length)))
        buffer = ctypes.create_string_buffer(length.value + 1)
        check(lib.fine_tokenizer_decode(self.pointer, array, len(ids), skip_special, buffer, len(buffer),
                                        byref(length)))
        return text(buffer.value)


# ---- training ----

class Optimizer(Handle):
    """By its name: adamw, sgd, adam, rmsprop, adagrad, adafactor, lion, lamb; options are those of
    fine_optimizer_options."""

    _free = "fine_optimizer_free"

    def __init__(self, type: str = "adamw", *, context: Optional[Context] = None, **given: Any) -> None:
        self.context, out = _context(context), new()
        check(lib.fine_optimizer_new(byref(out), self.context.pointer, type.encode(),
                                     byref(options(c.fine_optimizer_options, given, type.encode()))))
        super().__init__(out)

    @property
    def learning_rate(self) -> float:
        return float(lib.fine_optimizer_learning_rate(self.pointer))

    def step(self, model: Model, rate: Optional[float] = None) -> None:
        """One step by hand on the model's gradients."""
        check(lib.fine_optimizer_step(self.pointer, model.pointer, self.learning_rate if rate is None else rate))


class Schedule(Handle):
    """By its name: constant, linear, cosine, …; options: warmup, cycles, power, end, decay, restarts."""

    _free = "fine_schedule_free"

    def __init__(self, type: str = "linear", *, context: Optional[Context] = None, **given: Any) -> None:
        self.context, out = _context(context), new()
        check(lib.fine_schedule_new(byref(out), self.context.pointer, type.encode(),
                                    byref(options(c.fine_schedule_options, given))))
        super().__init__(out)

    def factor(self, step: int, n_steps: int) -> float:
        return float(lib.fine_schedule_factor(self.pointer, step, n_steps))


Progress = Dict[str, Any]
_EVENTS = {c.FINE_EVENT_STEP: "step", c.FINE_EVENT_EVALUATE: "evaluate", c.FINE_EVENT_CHECKPOINT: "checkpoint",
           c.FINE_EVENT_DONE: "done"}


def _progress(pointer: Any) -> Progress:
    p = pointer.contents
    out = {name: getattr(p, name) for name, _ in p._fields_ if name not in ("struct_size", "json", "reserved")}
    out["metric_name"], out["event"] = text(p.metric_name), _EVENTS.get(p.event, "")
    return out


class _Callback:
    """A Python function as the library's progress callback. What it raises stops the run, which stays
    resumable, and is raised again from the call that was at work; so is Control-C."""

    def __init__(self, function: Optional[Callable[[Progress], Any]]) -> None:
        self.function = function
        self.raised: Optional[BaseException] = None
        self.pointer = c.fine_progress_fn(self._call)

    def _call(self, progress: Any, _: Any) -> int:
        try:
            return 1 if self.function is not None and self.function(_progress(progress)) else 0
        except BaseException as error:      # KeyboardInterrupt too
            self.raised = error
            return 1

    def check(self, code: int) -> int:
        raised, self.raised = self.raised, None
        try:
            if raised is not None:
                raise raised
        finally:
            del raised              # its traceback holds this frame
        return check(code)


class Trainer(Handle):
    """A run. Options are those of fine_trainer_options: epochs, steps, batch_size, accumulate, clip_norm,
    seed, evaluate_every_epochs, checkpoint_every_steps, folder, metric, patience, resume,
    class_weighting, class_weights, label_smoothing, focal_gamma; augmentation: a dict.

    progress is called with a dict after every step, evaluation and checkpoint; a true result stops.
    """

    _free = "fine_trainer_free"

    def __init__(self, model: Model, data: Dataset, optimizer: Optional[Optimizer] = None,
                 schedule: Optional[Schedule] = None, *, validation: Optional[Dataset] = None,
                 progress: Optional[Callable[[Progress], Any]] = None,
                 augmentation: Optional[Dict[str, Any]] = None, **given: Any) -> None:
        self.model, self._callback = model, _Callback(progress)
        optimizer = optimizer or Optimizer(context=model.context)
        if augmentation is not None:
            given["augmentation"] = options(c.fine_augmentation, augmentation)
        if "folder" in given:
            given["folder"] = os.fspath(given["folder"])
        given.update(validation=validation, progress=self._callback.pointer)
        out = new()
        check(lib.fine_trainer_new(byref(out), model.pointer, data.pointer, optimizer.pointer,
                                   schedule.pointer if schedule is not None else None,
                                   byref(options(c.fine_trainer_options, given))))
        super().__init__(out)

    def step(self) -> bool:
        """One step; False: all are done."""
        return self._callback.check(lib.fine_trainer_step(self.pointer)) > 0

    @property
    def progress(self) -> Progress:
        return _progress(lib.fine_trainer_progress(self.pointer))

    def evaluate(self) -> Report:
        out = new()
        self._callback.check(lib.fine_trainer_evaluate(self.pointer, byref(out)))
        return Report._take(out)

    def checkpoint(self) -> None:
        self._callback.check(lib.fine_trainer_checkpoint(self.pointer))

    def fit(self) -> Report:
        """The whole run; the best weights are in the model then."""
        out = new()
        self._callback.check(lib.fine_trainer_fit(self.pointer, byref(out)))
        return Report._take(out)


class Recipe(Handle):
    """A YAML recipe: Recipe.open(path), or Recipe.parse(text, folder)."""

    _free = "fine_recipe_free"

    @classmethod
    def open(cls, path: Path, *, context: Optional[Context] = None) -> "Recipe":
        out = new()
        check(lib.fine_recipe_open(byref(out), _context(context).pointer, _path(path)))
        return cls(out)

    @classmethod
    def parse(cls, words: str, folder: Path = ".", *, context: Optional[Context] = None) -> "Recipe":
        out, encoded = new(), words.encode()
        check(lib.fine_recipe_parse(byref(out), _context(context).pointer, encoded, len(encoded), _path(folder)))
        return cls(out)

    def __getitem__(self, key: str) -> str:
        value = lib.fine_recipe_get(self.pointer, key.encode())
        if value is None:
            raise KeyError(key)
        return text(value)

    def __setitem__(self, key: str, value: Any) -> None:
        words = str(value).lower() if isinstance(value, bool) else str(value)
        check(lib.fine_recipe_set(self.pointer, key.encode(), words.encode()))

    def check(self) -> "Recipe":
        """Raises with every finding at once."""
        check(lib.fine_recipe_check(self.pointer))
        return self

    @property
    def resolved(self) -> str:
        """YAML with every default spelled out."""
        return text(lib.fine_recipe_resolved(self.pointer))

    def run(self, folder: Optional[Path] = None, *, progress: Optional[Callable[[Progress], Any]] = None,
            resume: bool = False) -> Report:
        """Trains, and writes the run folder."""
        callback, out = _Callback(progress), new()
        given: Dict[str, Any] = {"progress": callback.pointer, "resume": resume}
        if folder is not None:
            given["folder"] = os.fspath(folder)
        callback.check(lib.fine_recipe_run(self.pointer, byref(options(c.fine_run_options, given)), byref(out)))
        return Report._take(out)


__all__ = ["Context", "Dataset", "Error", "Model", "Optimizer", "Param", "Recipe", "Report", "Schedule", "Session",
           "Span", "Tokenizer", "Trainer", "version"]
