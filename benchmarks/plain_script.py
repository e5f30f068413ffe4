"""What a user would write instead of leukbench: the paper's comparison in one plain script.

``python -m benchmarks.plain_script IMAGES [--epochs 30] [--models a,b] [--out FILE.json]``

An OpenCV loop, a random split, Keras' ``compile`` and ``fit`` with their defaults in float32,
scikit-learn pipelines, one model after another in one process. The architectures are leukbench's own
layer functions, so that both sides train the same networks; nothing else of leukbench is used.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from leukbench.models import alexnet, googlenet, mobilenet, modified_cnn, vgg

SIZE, MEDIAN, BATCH, SEED = 50, 5, 64, 0

# Architecture, its options, learning rate, schedule.
NETWORKS: dict[str, tuple[Any, dict[str, Any], float, str]] = {
    "modified_cnn": (modified_cnn.layers, {}, 1e-3, "constant"),
    "vgg16": (vgg.layers, {"depth": 16}, 1e-4, "constant"),
    "vgg19": (vgg.layers, {"depth": 19}, 1e-4, "cosine"),
    "alexnet": (alexnet.layers, {}, 1e-4, "cosine"),
    "googlenet": (googlenet.layers, {"auxiliary": True}, 3e-4, "cosine"),
    "mobilenet_v2": (mobilenet.layers, {}, 1e-3, "cosine"),
}
CLASSICAL = {
    "svm_rbf": SVC(kernel="rbf"),
    "naive_bayes": GaussianNB(),
    "decision_tree": DecisionTreeClassifier(random_state=SEED),
    "random_forest": RandomForestClassifier(random_state=SEED),
}


def load_images(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read, turn grey, blur and resize every image, one after another."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    images, labels = [], []
    for number, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            image = cv2.imread(str(path))
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            image = cv2.medianBlur(image, MEDIAN)
            images.append(cv2.resize(image, (SIZE, SIZE)))
            labels.append(number)
    return np.array(images)[..., np.newaxis], np.array(labels)


def features(images: np.ndarray) -> np.ndarray:
    """Fourier spectrum and histogram of every image."""
    rows = []
    for image in images[..., 0]:
        spectrum = np.log1p(np.abs(np.fft.rfft2(image / 255)))
        histogram = np.histogram(image, bins=256, range=(0, 256))[0] / image.size
        rows.append(np.concatenate([spectrum.ravel(), histogram]))
    return np.array(rows)


class Clock(keras.callbacks.Callback):
    """Notes how long every epoch took."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def train_network(name: str, x: Any, y: Any, x_test: Any, y_test: Any, epochs: int) -> dict:
    """Train one network from scratch and test it."""
    layers, options, rate, schedule = NETWORKS[name]
    keras.utils.set_random_seed(SEED)
    begun = time.perf_counter()
    model = layers(x.shape[1:], int(y.max()) + 1, **options)
    if schedule == "cosine":
        steps = epochs * -(-len(x) // BATCH)
        warm = max(1, steps // 20)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm), warmup_target=rate, warmup_steps=warm
        )
    heads = len(model.outputs)
    if heads == 1:
        loss, weights, metrics = "sparse_categorical_crossentropy", None, ["accuracy"]
    else:
        loss = ["sparse_categorical_crossentropy"] * heads
        weights, metrics = [1.0] + [0.3] * (heads - 1), [["accuracy"]] + [[]] * (heads - 1)
        y, y_test = [y] * heads, [y_test] * heads
    model.compile(keras.optimizers.Adam(rate), loss, loss_weights=weights, metrics=metrics)
    clock = Clock()
    model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(x_test, y_test),
        callbacks=[clock],
        verbose=2,
    )
    fitted = time.perf_counter()
    output = model.predict(x_test, verbose=0)
    predicted = (output if heads == 1 else output[0]).argmax(axis=1)
    ended = time.perf_counter()
    return {
        "accuracy": accuracy_score(y_test if heads == 1 else y_test[0], predicted),
        "fit_seconds": fitted - begun,
        "predict_seconds": ended - fitted,
        "epoch_seconds": clock.seconds,
    }


def train_classical(name: str, x: Any, y: Any, x_test: Any, y_test: Any) -> dict:
    """Fit one classical model on features and test it."""
    begun = time.perf_counter()
    model = make_pipeline(StandardScaler(), CLASSICAL[name]).fit(x, y)
    fitted = time.perf_counter()
    predicted = model.predict(x_test)
    ended = time.perf_counter()
    return {
        "accuracy": accuracy_score(y_test, predicted),
        "fit_seconds": fitted - begun,
        "predict_seconds": ended - fitted,
        "epoch_seconds": [],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--models", default=",".join([*NETWORKS, *CLASSICAL]))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)

    start = time.perf_counter()
    images, labels = load_images(given.images)
    preprocessed = time.perf_counter()
    train, test = train_test_split(np.arange(len(images)), test_size=0.2, random_state=SEED)
    y, y_test = labels[train], labels[test]
    described = None
    featured = 0.0
    models = {}
    for name in given.models.split(","):
        if name in NETWORKS:
            models[name] = train_network(name, images[train], y, images[test], y_test, given.epochs)
        else:
            if described is None:
                begun = time.perf_counter()
                described = features(images)
                featured = time.perf_counter() - begun
            models[name] = train_classical(name, described[train], y, described[test], y_test)
        print(f"{name}: accuracy {models[name]['accuracy']:.4f}", flush=True)
        if given.out:
            result = {
                "images": len(images),
                "preprocess_seconds": preprocessed - start,
                "feature_seconds": featured,
                "models": models,
            }
            given.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
