"""Children that train one network on random images and tell how long its epochs took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE = (50, 50, 1)
"""Of the paper's images."""
CLASSES = 4
BATCH = 64
MATRIX_SIZES = (1024, 2048, 3072, 4096)


def random_images(images: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise with random labels: the arithmetic is that of real images."""
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 256, (images, *SHAPE), dtype=np.uint8)
    y = generator.integers(0, CLASSES, images)
    y[:CLASSES] = np.arange(CLASSES)
    return x, y


def auto_precisions(models: Sequence[str]) -> dict[str, Any]:
    """The precision that ``auto`` picks for each model on this machine."""
    from leukbench.models import registry
    from leukbench.trials.precision import resolve_precision

    return {"precisions": {name: resolve_precision(registry.get(name), "auto") for name in models}}


def matrix_peaks(seconds: float, sizes: Sequence[int] = MATRIX_SIZES) -> dict[str, Any]:
    """GFLOP/s of square matrix products in both precisions, by size."""
    return {
        "peaks": {
            dtype: {str(size): matrix_peak(dtype, size, seconds) for size in sizes}
            for dtype in ("float32", "bfloat16")
        }
    }


def matrix_peak(dtype: str, size: int, seconds: float) -> float:
    """Best GFLOP/s of ``tf.linalg.matmul`` of square matrices, with all threads that there are."""
    import tensorflow as tf

    left = tf.cast(tf.random.normal((size, size)), dtype)
    right = tf.cast(tf.random.normal((size, size)), dtype)
    product = tf.function(lambda a, b: tf.linalg.matmul(a, b))
    product(left, right).numpy()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        product(left, right).numpy()
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best / 1e9


def train(
    model: str,
    precision: str,
    images: int,
    epochs: int,
    peak_seconds: float = 0.0,
    optimizer: bool = False,
    parameters: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Fit a registered network.

    Parameters
    ----------
    model, precision : str
        What to train, and in which arithmetic.
    images, epochs : int
        How much.
    peak_seconds : float
        Measure the matrix product in the same precision as well, before and after, for so long.
    optimizer : bool
        Time the optimizer's step alone as well.
    parameters : dict, optional
        Further parameters of the estimator.

    Returns
    -------
    dict
        ``first_seconds`` (with building and tracing), ``epoch_seconds`` of the epochs after the first,
        ``flops`` of a forward pass over one image, ``steps`` an epoch, and what else was asked for.
    """
    from leukbench.models import registry

    dtype = "bfloat16" if precision == "mixed_bfloat16" else "float32"
    sizes = MATRIX_SIZES if peak_seconds else ()
    peaks = [matrix_peak(dtype, size, peak_seconds) for size in sizes]
    x, y = random_images(images)
    estimator = registry.create(
        model,
        epochs=epochs,
        batch_size=BATCH,
        precision=precision,
        random_state=0,
        **(parameters or {}),
    )
    heads = estimator.build(SHAPE, CLASSES)
    marks = [time.perf_counter()]
    estimator.fit(x, y, on_epoch=lambda epoch, values: marks.append(time.perf_counter()))
    seconds = [b - a for a, b in pairwise(marks)]
    peaks += [matrix_peak(dtype, size, peak_seconds) for size in sizes]
    return {
        "first_seconds": seconds[0],
        "epoch_seconds": seconds[1:],
        "steps": -(-images // BATCH),
        "flops": int(estimator.flops_),
        "parameters": int(heads.count_params()),
        "jit_compile": bool(estimator.get_params()["jit_compile"]),
        "peak": max(peaks, default=0.0),
        "optimizer_seconds": _optimizer_step(estimator.model_) if optimizer else None,
    }


def flipped_jit(model: str, **work: Any) -> dict[str, Any]:
    """`train` with XLA where the model's recipe has none, and the other way round."""
    from leukbench.models import registry

    usual = bool(registry.create(model).get_params()["jit_compile"])
    return train(model, **work, parameters={"jit_compile": not usual})


def without_products(model: str, **work: Any) -> dict[str, Any]:
    """`train` with TensorFlow's own weight gradients on small maps too."""
    from leukbench.models.training import weight_gradients

    weight_gradients.POSITIONS = 0
    return train(model, **work)


def _optimizer_step(network: Any) -> float:
    """Median seconds of one update of all weights, with gradients of the size of the weights."""
    import tensorflow as tf

    weights = [variable.value for variable in network.trainable_variables]
    gradients = [tf.random.normal(weight.shape, stddev=1e-6) for weight in weights]

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        network.optimizer.apply(gradients, network.trainable_variables)

    return median(timed(step, 20))


def timed(action: Callable[[], Any], times: int) -> list[float]:
    """Seconds of each call after two that are not counted."""
    seconds = []
    for number in range(times + 2):
        begun = time.perf_counter()
        action()
        if number > 1:
            seconds.append(time.perf_counter() - begun)
    return seconds


def feed(model: str, precision: str, images: int, epochs: int, source: str) -> dict[str, Any]:
    """Train the same network from leukbench's batches or from the pipeline that Keras makes of arrays.

    Parameters
    ----------
    model, precision, images, epochs
        As for `train`.
    source : {"batches", "arrays"}
        Where the batches come from; both are shuffled anew every epoch.
    """
    import keras

    from leukbench.models import registry
    from leukbench.models.training.batches import shuffled_batches

    x, y = random_images(images)
    keras.utils.set_random_seed(0)
    network = registry.create(model, precision=precision).build(SHAPE, CLASSES)
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    marks = [time.perf_counter()]
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter())
    )
    if source == "batches":
        pairs = shuffled_batches(x, y, batch_size=BATCH, seed=0)
        network.fit(pairs, epochs=epochs, callbacks=[note], shuffle=False, verbose=0)
    else:
        network.fit(x, y, batch_size=BATCH, epochs=epochs, callbacks=[note], verbose=0)
    seconds = [b - a for a, b in pairwise(marks)]
    return {"first_seconds": seconds[0], "epoch_seconds": seconds[1:]}
