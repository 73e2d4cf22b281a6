"""Fine-tunes pre-trained models: the C library libfinetune, from Python.

    import finetune
    model = finetune.Model.open("minilm")
    data = finetune.Dataset.open("reviews.csv")
    model.set_task("classify", labels=data.labels, pool="mean")
    finetune.Trainer(model, data, finetune.Optimizer("adamw", learning_rate=1e-4), epochs=3).fit()
    model.save("out")

One class for each of the library's handles, and estimators for scikit-learn: TextClassifier,
TextRegressor, ImageClassifier. NumPy, scikit-learn and tqdm are imported when they are first
needed.
"""
from __future__ import annotations

from typing import Any, List

from ._lib import Error
from .core import (Context, Dataset, Model, Optimizer, Recipe, Report, Schedule, Session, Span, Tokenizer, Trainer,
                   version)

_ESTIMATORS = ("TextClassifier", "TextRegressor", "ImageClassifier")
__all__ = ["Context", "Dataset", "Error", "Model", "Optimizer", "Recipe", "Report", "Schedule", "Session", "Span",
           "Tokenizer", "Trainer", "version", *_ESTIMATORS]
__version__ = version()


def __getattr__(name: str) -> Any:
    if name in _ESTIMATORS:
        from . import estimators
        return getattr(estimators, name)
    raise AttributeError(f"module 'finetune' has no attribute '{name}'")


def __dir__() -> List[str]:
    return sorted([*globals(), *_ESTIMATORS])
