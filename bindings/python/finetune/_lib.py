"""The shared library, its errors, and how Python values become its options. No NumPy here."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import Any, Dict, List, Optional

from . import _signatures as c


class Error(Exception):
    """What the library says: `code` (such as "FINE_EDATA"), and every finding with its place and
    remedy in `findings`; the text is the last one said, or all of them."""

    def __init__(self, code: str, findings: List[str]) -> None:
        super().__init__("\n".join(findings))
        self.code, self.findings = code, findings

    def __reduce__(self) -> Any:
        return Error, (self.code, self.findings)


def _load() -> ctypes.CDLL:
    here = os.path.dirname(os.path.abspath(__file__))
    names = [os.path.join(here, "_native", "libfinetune.so.0"), "libfinetune.so.0",
             ctypes.util.find_library("finetune") or ""]
    failures = []
    for name in names:
        if not name or (os.path.isabs(name) and not os.path.exists(name)):
            continue
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            failures.append(str(error))
    raise ImportError("libfinetune.so.0 was not found beside this package, nor where the system looks for "
                      "libraries; install libfinetune, or set LD_LIBRARY_PATH. " + "; ".join(failures))


lib = _load()
for _name, (_result, _arguments) in c.FUNCTIONS.items():
    _function = getattr(lib, _name)
    _function.restype, _function.argtypes = _result, _arguments


def text(value: Optional[bytes]) -> str:
    return value.decode("utf-8", "replace") if value else ""


def check(code: int) -> int:
    """Raises where a function's result is an error; else the result."""
    if code >= 0:
        return code
    findings = [text(lib.fine_error_message())]
    more = lib.fine_error_next()
    while more and len(findings) < 1000:
        findings.append(text(more))
        more = lib.fine_error_next()
    name, words = c.ERRORS.get(code, (str(code), "unknown error"))
    raise Error(name, [f for f in findings if f] or [words])


def strings(values: Any) -> Any:
    """A sequence of str as const char *const *; it keeps the bytes."""
    encoded = [None if v is None else str(v).encode() for v in values]
    return (ctypes.c_char_p * max(len(encoded), 1))(*encoded)


def options(kind: Any, given: Dict[str, Any], *init: Any) -> Any:
    """An options struct with the library's defaults, and what was given in place of some."""
    out = kind()
    getattr(lib, kind.__name__ + "_init")(
        ctypes.byref(out), ctypes.sizeof(out), *init)
    kinds = dict(kind._fields_)
    keep: List[Any] = []
    for name, value in given.items():
        if name not in kinds:
            known = ", ".join(sorted(k for k in kinds if k not in ("struct_size", "reserved")))
            raise TypeError(f"there is no option '{name}'; there are {known}")
        if value is None:
            continue
        value, extra = _convert(kinds[name], value)
        setattr(out, name, value)
        keep.append(value)
        if extra is not None and "n_" + name in kinds:
            setattr(out, "n_" + name, extra)
    out._keep = keep
    return out


def _convert(kind: Any, value: Any) -> Any:
    if kind is ctypes.c_char_p:
        return str(value).encode(), None
    if kind is ctypes.POINTER(ctypes.c_char_p):
        value = [value] if isinstance(value, str) else list(value)
        return ctypes.cast(strings(value), kind), len(value)
    if kind is ctypes.POINTER(ctypes.c_double):
        value = [float(v) for v in value]
        return ctypes.cast((ctypes.c_double * len(value))(*value), kind), len(value)
    if isinstance(value, bool):
        return int(value), None
    if isinstance(value, Handle):
        return value.pointer, None
    if isinstance(value, ctypes.Structure):
        return ctypes.pointer(value), None
    return value, None


class Handle:
    """One object of the library. Freed by close(), at the end of a `with` block, or with the last
    reference, in any order and also while the interpreter ends."""

    _free = ""

    def __init__(self, pointer: ctypes.c_void_p) -> None:
        self._pointer: Optional[int] = pointer.value

    @property
    def pointer(self) -> int:
        if not self._pointer:
            raise ValueError(f"this {type(self).__name__} was closed")
        return self._pointer

    def close(self) -> None:
        pointer, self._pointer = getattr(self, "_pointer", None), None
        if pointer and lib is not None:
            getattr(lib, self._free)(pointer)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:       # the interpreter may be half gone
            pass


def new() -> ctypes.c_void_p:
    return ctypes.c_void_p()
