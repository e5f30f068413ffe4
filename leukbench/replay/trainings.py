"""The trainings that replays need: which images, and which of them in training and test.

Each is one function of the images and one of the parts. All use the same model, parameters and seed,
and several mistakes share a training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Indices = NDArray[np.intp]

VIEWS = 4
"""Views of each image where images are multiplied: as it is, mirrored in both ways, turned by 180."""
KEPT_SHARE = 0.1
"""Of the pixels that feature selection keeps."""
SPREAD = 3.0
"""Standard deviations to each side of the mean that 0 to 255 hold after standardisation."""
BLACK_SHARE = 0.2
"""Least median share of black pixels for which images count as segmented."""


@dataclass(frozen=True)
class Material:
    """What trainings are made of; arrays have one row an image."""

    images: Images
    """Preprocessed, shape (n, height, width, channels)."""
    segmented: Images | None
    """The same with everything but cells black; None where there is no such thing."""
    labels: NDArray[np.str_]
    paths: NDArray[np.str_]
    train: Indices
    validation: Indices
    test: Indices
    clusters: NDArray[np.str_]
    """The audit's cluster of duplicates and overlaps that each image is in."""

    @property
    def partners(self) -> NDArray[np.bool_]:
        """Whether an image outside the test part is a duplicate or overlap of a test image."""
        found = np.isin(self.clusters, self.clusters[self.test])
        found[self.test] = False
        return found


@dataclass(frozen=True)
class Parts:
    """Indices of one training; `scored` are the images that the model predicts when it is trained."""

    train: Indices
    validation: Indices
    test: Indices
    scored: Indices


@dataclass(frozen=True)
class Training:
    """One training: whether it makes a mistake itself, its images, and its parts by seed."""

    name: str
    leaky: bool
    images: Callable[[Material], Images]
    parts: Callable[[Material, int], Parts]
    views: int = 1
    """Rows of `images` are all images, view after view."""


def as_they_are(material: Material) -> Images:
    """The images as the protocol makes them."""
    return material.images


def honest_parts(material: Material, seed: int) -> Parts:
    """The protocol's split; every image is scored, so that a reading may take what it wants."""
    everything = np.arange(len(material.paths))
    return Parts(material.train, material.validation, material.test, everything)


def all_shuffled(material: Material, seed: int) -> Parts:
    """All images in random order, of which ``validation_split`` sets the last share aside.

    The share is that of the test part, and the model is tested on the protocol's test part all the same.
    """
    order = np.random.default_rng(seed).permutation(len(material.paths))
    first = len(order) - len(material.test)
    return Parts(np.sort(order[:first]), np.sort(order[first:]), material.test, material.test)


def in_views(material: Material) -> Images:
    """All images, mirrored left to right, top to bottom, and in both ways."""
    x = np.asarray(material.images)
    return np.concatenate([x, x[:, :, ::-1], x[:, ::-1], x[:, ::-1, ::-1]])


def split_then_views(material: Material, seed: int) -> Parts:
    """The protocol's split; the views of training images are trained on, test images are tested."""
    step = len(material.paths) * np.arange(VIEWS)[:, None]
    train, validation = ((step + part).ravel() for part in (material.train, material.validation))
    return Parts(train, validation, material.test, material.test)


def views_then_split(material: Material, seed: int) -> Parts:
    """The views of all images, divided at random in the shares of the protocol's split."""
    order = np.random.default_rng(seed).permutation(VIEWS * len(material.paths))
    test, validation, train = np.split(
        order, np.cumsum([VIEWS * len(material.test), VIEWS * len(material.validation)])
    )
    return Parts(np.sort(train), np.sort(validation), np.sort(test), np.sort(test))


def scaled(material: Material, *, by_all: bool) -> Images:
    """Every pixel standardised by its mean and deviation over training images, or over all."""
    x = material.images
    fitted = x if by_all else x[material.train]
    mean, deviation = fitted.mean(axis=0), fitted.std(axis=0)
    out = np.empty_like(x)
    for index, image in enumerate(x):
        z = (image - mean) / np.maximum(deviation, 1.0)
        out[index] = np.rint(255 * np.clip((z + SPREAD) / (2 * SPREAD), 0, 1))
    return out


def selected(material: Material, *, by_all: bool) -> Images:
    """The tenth of the pixels that tells classes apart best (largest F); the others are black.

    F is that of training images and their labels, or of all images and all labels.
    """
    from sklearn.feature_selection import f_classif

    flat = material.images.reshape(len(material.images), -1)
    rows = np.arange(len(flat)) if by_all else material.train
    varied = np.flatnonzero(np.ptp(flat[rows], axis=0))
    statistic = np.full(flat.shape[1], -np.inf)
    statistic[varied] = f_classif(flat[rows][:, varied], material.labels[rows])[0]
    kept = np.argsort(-statistic, kind="stable")[: max(1, round(KEPT_SHARE * flat.shape[1]))]
    out = np.zeros_like(flat)
    out[:, kept] = flat[:, kept]
    return out.reshape(material.images.shape)


def without_partners(material: Material, seed: int) -> Parts:
    """The protocol's split; partners of test images leave the training part."""
    left = ~material.partners
    train, validation = material.train, material.validation
    return Parts(train[left[train]], validation[left[validation]], material.test, material.test)


def with_partners(material: Material, seed: int) -> Parts:
    """The protocol's split; partners stay, and as many other images leave the training part."""
    partner, rng = material.partners, np.random.default_rng(seed)

    def fewer(part: Indices) -> Indices:
        others = part[~partner[part]]
        number = min(int(partner[part].sum()), len(others))
        return np.setdiff1d(part, rng.choice(others, number, replace=False))

    return Parts(fewer(material.train), fewer(material.validation), material.test, material.test)


def segmented(material: Material) -> Images:
    """The segmented images, cut alike for all classes."""
    assert material.segmented is not None
    return material.segmented


def segmented_by_label(material: Material) -> Images:
    """The segmented images, cut a pixel closer to the cell for each class than for the one before."""
    out = np.array(segmented(material))
    order = np.unique(material.labels, return_inverse=True)[1]
    brush = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for image, number in zip(out, order.tolist(), strict=True):
        cell = image.any(axis=-1).astype(np.uint8)
        image[cv2.erode(cell, brush, iterations=number) == 0] = 0
    return out


def looks_segmented(images: Images) -> bool:
    """Whether the background of most images is black."""
    black = [float((image == 0).all(axis=-1).mean()) for image in images]
    return float(np.median(black)) >= BLACK_SHARE


HONEST = "honest"
TRAININGS = {
    training.name: training
    for training in (
        Training(HONEST, False, as_they_are, honest_parts),
        Training("trained-on-test", True, as_they_are, all_shuffled),
        Training("split-then-multiplied", False, in_views, split_then_views, VIEWS),
        Training("multiplied-then-split", True, in_views, views_then_split, VIEWS),
        Training("scaled-by-training", False, partial(scaled, by_all=False), honest_parts),
        Training("scaled-by-all", True, partial(scaled, by_all=True), honest_parts),
        Training("selected-by-training", False, partial(selected, by_all=False), honest_parts),
        Training("selected-by-all", True, partial(selected, by_all=True), honest_parts),
        Training("without-partners", False, as_they_are, without_partners),
        Training("with-partners", True, as_they_are, with_partners),
        Training("segmented", False, segmented, honest_parts),
        Training("segmented-by-label", True, segmented_by_label, honest_parts),
    )
}


def fold_arrays(training: Training, material: Material, seed: int) -> dict[str, Any]:
    """What a trial's fold file holds: names and labels of the rows, and the parts."""
    names = [
        path if view == 0 else f"{path}#{view}"
        for view in range(training.views)
        for path in material.paths.tolist()
    ]
    return {
        "labels": np.tile(material.labels, training.views),
        "classes": np.unique(material.labels),
        "paths": np.array(names),
    } | vars(training.parts(material, seed))


def image_of(name: str) -> str:
    """The image that a row shows, without the number of its view.

    >>> image_of("Pro/a.png#3"), image_of("Pro/a#b.png")
    ('Pro/a.png', 'Pro/a#b.png')
    """
    head, mark, view = name.rpartition("#")
    return head if mark and view.isdigit() else name
