"""Estimators for scikit-learn, and with its manners where it isn't installed: fit, predict, score.

    clf = finetune.TextClassifier("minilm", epochs=3).fit(texts, labels)
    clf.predict(["how good is this?"])

They work in Pipeline, cross_val_score and GridSearchCV, clone and pickle. Data may be lists, NumPy
arrays, columns of pandas or of datasets.
"""
from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, List, Optional, Sequence

from .core import Context, Dataset, Model, Optimizer, Schedule, Trainer

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import NotFittedError
except ImportError:                     # the same interface, without scikit-learn
    import inspect

    class NotFittedError(ValueError, AttributeError):  # type: ignore[no-redef]
        """fit() comes first."""

    class BaseEstimator:  # type: ignore[no-redef]
        def get_params(self, deep: bool = True) -> Dict[str, Any]:
            names = [n for n in inspect.signature(type(self).__init__).parameters if n != "self"]
            return {name: getattr(self, name) for name in names}

        def set_params(self, **given: Any) -> Any:
            for name, value in given.items():
                setattr(self, name, value)
            return self

    class ClassifierMixin:  # type: ignore[no-redef]
        pass

    class RegressorMixin:  # type: ignore[no-redef]
        pass


def _column(values: Any) -> List[str]:
    """Texts from a list, an array (also of one column) or a column of a table."""
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    out = [v[0] if isinstance(v, (list, tuple)) and len(v) == 1 else v for v in values]
    for v in out:
        if not isinstance(v, (str, os.PathLike)):
            raise TypeError(f"a text is needed in each row, not {type(v).__name__}")
    return [os.fspath(v) for v in out]


def _bar(total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit="step", leave=False)


class _Estimator(BaseEstimator):
    """What all have in common; see TextClassifier for the parameters."""

    _task = ""

    def __init__(self, model: str = "", *, epochs: float = 3, batch_size: int = 32, learning_rate: float = 5e-5,
                 head_learning_rate: Optional[float] = None, weight_decay: float = 0.01, warmup: float = 0.1,
                 pool: Optional[str] = None, max_length: int = 0, freeze: str = "none",
                 architecture: Optional[str] = None, seed: int = 0, threads: int = 0, verbose: int = 0) -> None:
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.head_learning_rate = head_learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.pool = pool
        self.max_length = max_length
        self.freeze = freeze
        self.architecture = architecture
        self.seed = seed
        self.threads = threads
        self.verbose = verbose

    # ---- fitting ----

    def _targets(self, y: Sequence[Any]) -> List[str]:
        raise NotImplementedError

    def _labels(self) -> Optional[List[str]]:
        return None

    def fit(self, X: Any, y: Any) -> Any:
        """X: n texts (of ImageClassifier: paths); y: n labels or numbers."""
        texts, context = _column(X), Context(self.threads)
        targets = self._targets(list(y))
        if len(texts) != len(targets):
            raise ValueError(f"X has {len(texts)} rows and y {len(targets)}")
        model = Model.open(self.model, context=context, seed=self.seed, architecture=self.architecture)
        data = Dataset.from_rows(texts, targets, context=context, task=self._task,
                                 label_names=self._labels())
        model.set_task(self._task, labels=self._labels(), pool=self.pool, max_length=self.max_length, seed=self.seed)
        model.freeze(self.freeze)
        self._train(model, data, context)
        self.model_ = model
        self.n_features_in_ = 1
        return self

    def _train(self, model: Model, data: Dataset, context: Context) -> None:
        history: List[Dict[str, Any]] = []
        steps = -(-len(data) // self.batch_size) * self.epochs
        bar = _bar(int(-(-steps // 1))) if self.verbose else None

        def tell(progress: Dict[str, Any]) -> int:
            if progress["event"] == "step":
                history.append({"step": progress["step"], "loss": progress["loss"],
                                "learning_rate": progress["learning_rate"]})
                if bar is not None:
                    bar.update(1)
                    bar.set_postfix(loss=f"{progress['loss']:.4f}")
            return 0

        optimizer = Optimizer("adamw", context=context, learning_rate=self.learning_rate,
                              head_learning_rate=self.head_learning_rate, weight_decay=self.weight_decay)
        schedule = Schedule("linear", context=context, warmup=self.warmup)
        with Trainer(model, data, optimizer, schedule, epochs=float(self.epochs), batch_size=self.batch_size,
                     seed=self.seed, evaluate_every_epochs=0.0, progress=tell) as trainer:
            self.report_ = dict(trainer.fit())
        if bar is not None:
            bar.close()
        self.history_ = history

    def _fitted(self) -> Model:
        if not hasattr(self, "model_"):
            raise NotFittedError(f"this {type(self).__name__} isn't fitted yet: call fit() first")
        model: Model = self.model_
        return model

    # ---- what comes after ----

    def save(self, folder: str) -> None:
        """A model folder that Hugging Face's tools read."""
        self._fitted().save(folder)

    def plot(self, ax: Any = None) -> Any:
        """The training loss, with matplotlib."""
        import matplotlib.pyplot as plt
        self._fitted()
        ax = ax or plt.gca()
        ax.plot([h["step"] for h in self.history_], [h["loss"] for h in self.history_])
        ax.set_xlabel("step")
        ax.set_ylabel("training loss")
        return ax

    def __getstate__(self) -> Dict[str, Any]:
        """A pickle holds the model's folder."""
        state = dict(self.__dict__)
        model = state.pop("model_", None)
        if model is not None:
            with tempfile.TemporaryDirectory() as folder:
                model.save(folder)
                state["_files"] = {}
                for name in os.listdir(folder):
                    path = os.path.join(folder, name)
                    if os.path.isfile(path):
                        with open(path, "rb") as f:
                            state["_files"][name] = f.read()
        return state

    def __setstate__(self, state: Dict[str, Any]) -> None:
        files = state.pop("_files", None)
        self.__dict__.update(state)
        if files is not None:
            self.model_ = Model.open_memory(files, context=Context(self.threads))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


class _Classifier(_Estimator):
    def _targets(self, y: Sequence[Any]) -> List[str]:
        import numpy as np
        self.classes_ = np.unique(np.asarray(y))
        if len(self.classes_) < 2:
            raise ValueError(f"there is one class in y, {self.classes_[0]!r}: nothing to tell apart")
        return [str(label) for label in y]

    def _labels(self) -> Optional[List[str]]:
        return [str(label) for label in self.classes_]

    def predict_proba(self, X: Any) -> Any:
        """(n, classes): probabilities, in the order of classes_."""
        with self._fitted().session() as session:
            return session.scores(_column(X))

    def predict(self, X: Any) -> Any:
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The accuracy."""
        import numpy as np
        return float(np.average(self.predict(X) == np.asarray(y), weights=sample_weight))


class TextClassifier(ClassifierMixin, _Classifier):
    """Labels for texts.

    model: a model folder; epochs, batch_size, learning_rate, head_learning_rate, weight_decay, warmup:
    of AdamW with a linear schedule; pool: pooler, cls or mean; max_length: ids a text, 0 for the
    model's limit; freeze: none, all, embeddings..3; threads: 0 for all; verbose: a progress bar.
    """

    _task = "classify"


class ImageClassifier(ClassifierMixin, _Classifier):
    """Labels for pictures; X holds the paths of JPEG and PNG files. architecture: for weights without a
    configuration. The other parameters as TextClassifier's."""

    _task = "classify-image"


class TextRegressor(RegressorMixin, _Estimator):
    """A number for each text; parameters as TextClassifier's."""

    _task = "regress"

    def _targets(self, y: Sequence[Any]) -> List[str]:
        return [repr(float(value)) for value in y]

    def predict(self, X: Any) -> Any:
        import numpy as np
        with self._fitted().session() as session:
            return np.asarray(session.predict(_column(X)), np.float64)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination."""
        import numpy as np
        y = np.asarray(y, np.float64)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        rest = float((weights * (y - self.predict(X)) ** 2).sum())
        total = float((weights * (y - np.average(y, weights=weights)) ** 2).sum())
        return 1 - rest / total if total else 0.0
