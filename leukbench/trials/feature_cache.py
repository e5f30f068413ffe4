"""Features of a frozen network, computed once for all trials on the same images.

They are found by the content of the array of preprocessed images and by what the network is, so that
neither folds nor protocols with the same preprocessing compute them again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from leukbench.files import atomic_path, cache_dir
from leukbench.records import file_sha256


@runtime_checkable
class OnFeatures(Protocol):
    """An estimator whose ``fit`` takes features that it computes from each image by itself."""

    features_key: str
    """Equal where the same images have the same features."""

    def image_features(self, X: Any) -> NDArray[np.float32]:
        """A row an image."""


def cached_features(estimator: OnFeatures, images: Path) -> NDArray[np.float32]:
    """Features of all images of an ``.npy`` file, from the cache where they are there.

    Two processes that compute them at the same time leave the same file, whole.
    """
    key = hashlib.sha256(f"{file_sha256(images)} {estimator.features_key}".encode()).hexdigest()
    path = cache_dir() / "features" / f"{key[:32]}.npy"
    array = np.load(images, mmap_mode="r")
    try:
        stored: NDArray[np.float32] = np.load(path)
        if len(stored) == len(array):
            return stored
    except (OSError, ValueError, EOFError):
        pass  # not there yet, or damaged: computed below
    features = estimator.image_features(array)
    with atomic_path(path) as temporary:
        np.save(temporary, features)
    return features
