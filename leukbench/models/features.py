"""What the classical models see of an image: its Fourier spectrum and its histogram.

Keerthivasan and Saranya 2023, section 3.5, name both features and no more. Colour images are turned
grey first, with the weights of OpenCV's BGR2GRAY read in the order red, green, blue.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from sklearn.base import BaseEstimator, TransformerMixin

from leukbench.errors import UsageError
from leukbench.models.input_images import check_images

Images = NDArray[np.uint8]

# ITU-R BT.601 luma, as in OpenCV's colour conversions.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_CHUNK = 512


class ImageFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer of images that learns nothing: each image has the same features in every set."""

    def fit(self, X: Images, y: Any = None) -> Self:
        """Remember the size of the images."""
        self.image_shape_ = check_images(X).shape[1:3]
        return self

    @abstractmethod
    def transform(self, X: Images) -> NDArray[np.floating[Any]]:
        """Features of the images, one row an image."""


class FourierSpectrum(ImageFeatures):
    """Log-magnitude of the half-plane of the discrete Fourier transform.

    The transform of a real image is symmetric, so that half of the plane holds all of it: an image
    of ``height x width`` gives ``height * (width // 2 + 1)`` numbers ``log(1 + |F|)``, where F is
    the unnormalised transform of the grey values scaled to 0..1 (1300 numbers at 50x50).
    """

    def transform(self, X: Images) -> NDArray[np.float32]:
        """Spectra, shape ``(n, height * (width // 2 + 1))``."""
        images = check_images(X)
        return np.concatenate(
            [_log_spectrum(images[i : i + _CHUNK]) for i in range(0, len(images), _CHUNK)]
        )


class GreyHistogram(ImageFeatures):
    """Share of the pixels in each of the 256 grey values."""

    def transform(self, X: Images) -> NDArray[np.float32]:
        """Histograms, shape ``(n, 256)``; rows sum to 1."""
        levels = np.rint(to_grey(check_images(X))).astype(np.uint8)
        return _histograms(levels.reshape(len(levels), -1), 256)


class ColourHistogram(ImageFeatures):
    """Share of the pixels in each of ``bins`` equally wide bins (a divisor of 256), by channel."""

    def __init__(self, bins: int = 32) -> None:
        self.bins = bins

    def fit(self, X: Images, y: Any = None) -> Self:
        """Remember the size of the images."""
        if self.bins < 1 or 256 % self.bins:
            raise UsageError(f"`bins={self.bins}` does not fit: use a divisor of 256.")
        return super().fit(X, y)

    def transform(self, X: Images) -> NDArray[np.float32]:
        """Histograms, shape ``(n, channels * bins)``."""
        images = check_images(X)
        levels = np.moveaxis(images, 3, 1).reshape(len(images), images.shape[3], -1)
        width = 256 // self.bins
        return np.concatenate(
            [_histograms(levels[:, c] // width, self.bins) for c in range(images.shape[3])], axis=1
        )


class MeanAndSpread(ImageFeatures):
    """Two numbers: mean and standard deviation of all values of an image, 0..255."""

    def transform(self, X: Images) -> NDArray[np.float64]:
        """The numbers, shape ``(n, 2)``."""
        images = check_images(X)
        flat = images.reshape(len(images), -1)
        return np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1)


def to_grey(images: Images) -> NDArray[np.float32]:
    """Grey values 0..255, shape ``(n, height, width)``; three channels are red, green, blue."""
    if images.shape[3] == 1:
        return images[..., 0].astype(np.float32)
    return np.asarray(images.astype(np.float32) @ LUMA)


def _histograms(levels: Images, bins: int) -> NDArray[np.float32]:
    """Shares of the values 0..bins-1 in each row."""
    counts = np.stack([np.bincount(row, minlength=bins) for row in levels])
    return np.asarray(counts / levels.shape[1], dtype=np.float32)


def _log_spectrum(images: Images) -> NDArray[np.float32]:
    spectrum = np.abs(fft.rfft2(to_grey(images) / np.float32(255)))
    return np.asarray(np.log1p(spectrum).reshape(len(images), -1), dtype=np.float32)
