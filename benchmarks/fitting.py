"""Children that fit classical models, or compute their features, on the images of the comparison."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fit(model: str, data: str) -> dict[str, Any]:
    """Fit a registered classical model to the training images of the paper's split.

    Returns
    -------
    dict
        ``seconds`` of the fit, and the ``sha256`` of the probabilities of all images.
    """
    from leukbench.models import registry

    images, labels, train = _images(data)
    estimator = registry.create(model, random_state=0)
    x, y = images[train], labels[train]
    begun = time.perf_counter()
    estimator.fit(x, y)
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "sha256": _sha256(estimator.predict_proba(images))}


def spectra(data: str, batch: bool) -> dict[str, Any]:
    """Fourier spectra of all images, in batches as leukbench takes them, or image by image."""
    from leukbench.models.features import FourierSpectrum

    images = np.array(_images(data)[0])
    transformer = FourierSpectrum().fit(images[:1])
    transformer.transform(images[:64])
    begun = time.perf_counter()
    if batch:
        spectra = transformer.transform(images)
    else:
        spectra = np.concatenate(
            [transformer.transform(images[i : i + 1]) for i in range(len(images))]
        )
    return {"seconds": time.perf_counter() - begun, "sha256": _sha256(spectra)}


def _images(data: str) -> tuple[NDArray[np.uint8], NDArray[np.str_], NDArray[np.intp]]:
    from leukbench.data.folder import load_folder
    from leukbench.data.preprocess import preprocess_dataset
    from leukbench.data.splits import make_split, part_indices
    from leukbench.protocol import load_protocol

    protocol = load_protocol("paper")
    dataset = load_folder(Path(data))
    split = make_split(dataset, protocol.split)
    array = preprocess_dataset(dataset, protocol.preprocessing)
    return array, dataset.labels, part_indices(split, dataset, 0, "train")


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
