"""What a dataset is: labelled images in a fixed order, and a fingerprint of them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DIGITS = 4000  # Python reads no longer number


def natural_key(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort key that orders numbers in names by value.

    >>> sorted(["a10.png", "a9.png"], key=natural_key)
    ['a9.png', 'a10.png']
    """
    pieces = re.split(r"(\d+)", text)
    return tuple(
        (piece.isdecimal(), int(piece[:_DIGITS]) if piece.isdecimal() else 0, piece)
        for piece in pieces
    )


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image file."""

    path: str
    """Below the dataset's root, with forward slashes."""
    label: str
    """Name of the class."""
    sha256: str
    """Of the file's bytes, hexadecimal."""
    group: str = ""
    """Patient or slide; empty where unknown."""
    part: str = ""
    """``train``, ``validation``, ``test`` or ``fold N`` of a published split; else empty."""


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read and was left out on the user's word."""

    path: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Labelled images below one folder."""

    name: str
    """Short name, used for the run folder."""
    root: Path
    records: tuple[ImageRecord, ...]
    """Sorted by path."""
    synthetic: bool = False
    """Whether the images were rendered, not photographed."""
    catalog: str | None = None
    """Name of the known dataset that this is, if it is one."""
    skipped: tuple[SkippedImage, ...] = ()
    """Unreadable images that were left out."""
    notes: tuple[str, ...] = ()
    """How the folder was understood, in sentences."""

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names in alphabetical order, numbers in them by value."""
        return tuple(sorted({record.label for record in self.records}, key=natural_key))

    @cached_property
    def labels(self) -> NDArray[np.str_]:
        """Class name of each image, shape ``(n,)``."""
        return np.array([record.label for record in self.records], dtype=np.str_)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """Index into `classes` of each image, shape ``(n,)``."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index[record.label] for record in self.records], dtype=np.int64)

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """Group (patient or slide) of each image, shape ``(n,)``; empty where unknown."""
        return np.array([record.group for record in self.records], dtype=np.str_)

    @property
    def has_groups(self) -> bool:
        """Whether every image's group is known."""
        return bool(self.records) and all(record.group for record in self.records)

    @property
    def has_parts(self) -> bool:
        """Whether the dataset comes with a split of its own."""
        return bool(self.records) and all(record.part for record in self.records)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Path of each image below `root`."""
        return tuple(record.path for record in self.records)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of images in each class, in the order of `classes`."""
        counted = Counter(record.label for record in self.records)
        return {name: counted[name] for name in self.classes}

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over path, label, group and content of every image; where the root lies is no matter."""
        digest = hashlib.sha256()
        for record in self.records:
            line = "\t".join((record.path, record.label, record.sha256, record.group))
            digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        return digest.hexdigest()

    def absolute(self, index: int) -> Path:
        """Full path of image number `index`."""
        return self.root / self.records[index].path
