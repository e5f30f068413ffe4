"""The one scikit-learn classifier that trains every network.

Same batches, same stopping rule, same recording of the learning curve for all of them; what differs
is the architecture (``layers``) and the recipe, which the model's own file states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

import leukbench.models.training.layers  # noqa: F401  registers layers that saved networks hold
from leukbench.errors import UsageError
from leukbench.models.input_images import check_images
from leukbench.models.training.batches import batches, shuffled_batches
from leukbench.models.training.cost import layer_table, model_flops
from leukbench.models.training.fused_adam import FusedAdam
from leukbench.models.training.weight_gradients import multiply_on_small_maps

Images = NDArray[np.uint8]
Pair = tuple[Any, ArrayLike]
OnEpoch = Callable[[int, dict[str, float]], None]

CURVE_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "monitored")
CHOICES = {
    "optimizer": ("adam", "adamw", "sgd"),
    "schedule": ("constant", "cosine"),
    "precision": ("float32", "mixed_bfloat16"),
}


@dataclass(eq=False, repr=False)
class KerasClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network as a scikit-learn classifier over uint8 images.

    The same seed on the same machine with the same number of threads gives identical predictions.
    Fitting sets the global seeds of Python, NumPy and TensorFlow.

    Once fitted it has ``classes_`` (the sorted labels), ``model_`` (the trained ``keras.Model``),
    ``history_`` (a frame with a row an epoch and `CURVE_COLUMNS`; the ``val_`` columns are of the data
    that ``monitored`` names: ``validation``, ``test``, or none), ``diverged_`` (whether training stopped
    as the loss became NaN or infinite), ``n_parameters_``, ``flops_`` (of a forward pass over one
    image) and ``layer_table_`` (`leukbench.models.training.cost.layer_table`).
    """

    layers: str | Callable[..., Any]
    """``"module:function"`` or the function, called as ``layers(shape, classes, **options)``. It returns
    a ``keras.Model`` from uint8 images to class probabilities in float32. Where that has several
    outputs, the first is the classifier and the others are auxiliary heads, dropped after training."""
    _: KW_ONLY
    options: Mapping[str, Any] | None = None
    """Options of ``layers``."""
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    """Of the first epoch."""
    optimizer: str = "adam"
    """``adam``, ``adamw``, or ``sgd`` with Nesterov momentum 0.9."""
    weight_decay: float = 0.0
    """Decoupled weight decay (``adamw`` and ``sgd``), 0 for none."""
    schedule: str = "constant"
    """``constant``, or ``cosine``: warm-up over the first twentieth of all steps, then a fall to zero."""
    patience: int | None = None
    """Stop after this many epochs without a lower validation loss and keep the weights of the best
    epoch; without ``validation_data`` the last epoch is kept."""
    precision: str = "float32"
    """``float32`` or ``mixed_bfloat16`` arithmetic; weights and probabilities are float32 in both."""
    jit_compile: bool = False
    """Compile by XLA."""
    auxiliary_weight: float = 0.3
    """Weight of each auxiliary head's loss."""
    random_state: Any = None
    """Seed of initial weights, order of images, dropout and augmentation."""

    def fit(
        self,
        X: Images,
        y: ArrayLike,
        validation_data: Pair | None = None,
        monitor_data: Pair | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> KerasClassifier:
        """Train the network from its initial weights, on images (n, height, width, channels).

        Early stopping may use the images and labels of ``validation_data``. Of ``monitor_data`` loss
        and accuracy are recorded after each epoch and nothing else; they are ignored where there are
        validation data. ``on_epoch`` gets the number of each epoch (from 1) and its row of the curve,
        and may predict with the network as it is then.
        """
        self._check_parameters()
        images = check_images(X)
        self.classes_, targets = np.unique(np.asarray(y), return_inverse=True)
        if len(targets) != len(images):
            raise UsageError(f"There are {len(images)} images and {len(targets)} labels.")
        monitored, held_out = "validation", validation_data
        if held_out is None:
            monitored, held_out = "" if monitor_data is None else "test", monitor_data

        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        keras.utils.set_random_seed(seed)
        with _dtype_policy(self.precision):
            network = self._compiled(images)
            heads = len(network.outputs)
            head = f"{network.output_names[0]}_" if heads > 1 else ""
            curve = _Curve(head, monitored, on_epoch)
            callbacks: list[Any] = [keras.callbacks.TerminateOnNaN(), curve]
            if self.patience is not None and validation_data is not None:
                best = keras.callbacks.EarlyStopping(
                    f"val_{head}loss", patience=self.patience, mode="min", restore_best_weights=True
                )
                callbacks.append(best)
            trained = network if heads == 1 else keras.Model(network.inputs[0], network.outputs[0])
            self._hold(trained)  # so that ``on_epoch`` may predict
            network.fit(
                shuffled_batches(
                    images, _repeat(targets, heads), batch_size=self.batch_size, seed=seed
                ),
                epochs=self.epochs,
                validation_data=None if held_out is None else self._held_out(held_out, heads),
                callbacks=callbacks,
                shuffle=False,  # the batches are
                verbose=0,
            )
        self.history_ = pd.DataFrame(curve.rows, columns=list(CURVE_COLUMNS))
        self.diverged_ = not bool(np.isfinite(self.history_["loss"]).all())
        return self

    def predict_proba(self, X: Images) -> NDArray[np.float64]:
        """Probabilities, shape (n, classes), columns in the order of ``classes_``; rows sum to 1.

        Where a network that diverged gives NaN, all classes are equally probable.
        """
        check_is_fitted(self, "model_")
        images = check_images(X)
        raw = self.model_.predict(batches(images, batch_size=max(self.batch_size, 64)), verbose=0)
        probabilities = np.asarray(raw, dtype=np.float64)
        probabilities[~np.isfinite(probabilities).all(axis=1)] = 1.0
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def predict(self, X: Images) -> NDArray[Any]:
        """The most probable class of each image, as a label."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def save(self, path: str | Path) -> Path:
        """Write the trained network in Keras' own format; `path` ends in ``.keras``."""
        check_is_fitted(self, "model_")
        self.model_.save(path)
        return Path(path)

    def load(self, path: str | Path, classes: ArrayLike) -> KerasClassifier:
        """Take the network from a file that `save` wrote, and the ``classes_`` of that estimator.

        Code in the file is not run.
        """
        self._architecture()  # imports the module, which may register layers of its own
        self.classes_ = np.asarray(classes)
        return self._hold(keras.saving.load_model(path, compile=False, safe_mode=True))

    def build(self, shape: tuple[int, int, int], classes: int) -> Any:
        """The untrained network for images of this shape, auxiliary heads included."""
        with _dtype_policy(self.precision):
            return self._architecture()(shape, classes, **(self.options or {}))

    def _architecture(self) -> Callable[..., Any]:
        if callable(self.layers):
            return self.layers
        module, _, function = self.layers.partition(":")
        architecture: Callable[..., Any] = getattr(import_module(module), function)
        return architecture

    def _compiled(self, images: Images) -> Any:
        network = self.build(images.shape[1:], len(self.classes_))
        multiply_on_small_maps(network)
        heads = len(network.outputs)
        steps = self.epochs * -(-len(images) // self.batch_size)
        network.compile(
            optimizer=self._optimizer(steps),
            loss=_repeat("sparse_categorical_crossentropy", heads),
            loss_weights=None if heads == 1 else [1.0] + [self.auxiliary_weight] * (heads - 1),
            metrics=["accuracy"] if heads == 1 else [["accuracy"]] + [[]] * (heads - 1),
            jit_compile=self.jit_compile,
        )
        return network

    def _optimizer(self, steps: int) -> Any:
        rate: Any = self.learning_rate
        if self.schedule == "cosine":
            warm = max(1, steps // 20)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, max(1, steps - warm), warmup_target=self.learning_rate, warmup_steps=warm
            )
        decay = self.weight_decay or None
        if self.optimizer == "adam":
            return FusedAdam(rate)
        if self.optimizer == "adamw":
            return FusedAdam(rate, weight_decay=decay)
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)

    def _held_out(self, pair: Pair, heads: int) -> Any:
        labels = np.asarray(pair[1])
        unseen = np.setdiff1d(labels, self.classes_)
        if len(unseen):
            raise UsageError(
                f"The held-out images have the class {unseen[0]!s}, which no training image has: "
                "split the data another way."
            )
        targets = _repeat(np.searchsorted(self.classes_, labels), heads)
        return batches(check_images(pair[0]), targets, batch_size=self.batch_size)

    def _hold(self, trained: Any) -> KerasClassifier:
        self.model_ = trained
        self.n_parameters_ = int(trained.count_params())
        self.flops_ = model_flops(trained)
        self.layer_table_ = layer_table(trained)
        return self

    def _check_parameters(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise UsageError(f"`{name}={value}` does not fit: use one of {', '.join(allowed)}.")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}={getattr(self, name)}` does not fit: use at least 1.")
        if not self.learning_rate > 0:
            raise UsageError(
                f"`learning_rate={self.learning_rate}` does not fit: use a number above 0."
            )


class _Curve(keras.callbacks.Callback):  # type: ignore[misc]
    """Records the learning curve of the main output and calls ``on_epoch``.

    ``head`` is what Keras puts before the names of that output's metrics.
    """

    def __init__(self, head: str, monitored: str, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self._head = head
        self._monitored = monitored
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        numbers = {
            part + metric: float((logs or {}).get(f"{part}{self._head}{metric}", np.nan))
            for part in ("", "val_")
            for metric in ("loss", "accuracy")
        }
        self.rows.append({"epoch": epoch + 1, **numbers, "monitored": self._monitored})
        if self._on_epoch is not None:
            self._on_epoch(epoch + 1, numbers)


@contextmanager
def _dtype_policy(precision: str) -> Iterator[None]:
    """Keras' global precision, for as long as a network is built and trained."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _repeat(value: Any, heads: int) -> Any:
    """One value for a network with one output, a list of it for several."""
    return value if heads == 1 else [value] * heads
