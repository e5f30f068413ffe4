"""What a synthetic dataset is: its size, its seed, and how strongly patients differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from leukbench.errors import UsageError

CLASSES = ("Benign", "Early", "Pre", "Pro")
"""The four classes, in the order of their number."""

RENDERER = 2
"""Raised whenever the same configuration begins to give other pixels."""

CopyKind = Literal[
    "exact", "rotated", "mirrored", "recompressed", "cropped", "overlapping", "conflict"
]
COPY_KINDS: tuple[CopyKind, ...] = get_args(CopyKind)


@dataclass(frozen=True)
class CopyPlan:
    """How many copies of each kind are planted; each adds files to the rendered ones.

    Attributes
    ----------
    exact : int
        Pixel-identical copies under the same label.
    rotated : int
        Copies turned by 90, 180 or 270 degrees.
    mirrored : int
        Copies under one of the four reflections.
    recompressed : int
        Copies that went through JPEG at quality 60 to 90.
    cropped : int
        Copies that lost 3 to 9 % of each dimension and were resized back.
    overlapping : int
        Pairs of fields of view from one larger field, moved by 10 to 45 % of the width or height.
        Each pair adds two files, the other kinds one.
    conflict : int
        Pixel-identical copies under another label.
    """

    exact: int = 0
    rotated: int = 0
    mirrored: int = 0
    recompressed: int = 0
    cropped: int = 0
    overlapping: int = 0
    conflict: int = 0

    def __post_init__(self) -> None:
        for kind in COPY_KINDS:
            if self.count(kind) < 0:
                raise UsageError(f"copies.{kind} is {self.count(kind)}: give 0 or more.")

    def count(self, kind: CopyKind) -> int:
        """Number of planted copies of one kind."""
        return int(getattr(self, kind))


@dataclass(frozen=True)
class SyntheticConfig:
    """A synthetic dataset, wholly determined by these values.

    Attributes
    ----------
    images_per_class : int or tuple of int
        Rendered images in each class, or one number for each of `CLASSES`. Raising it leaves the
        images that were there as they are.
    patients_per_class : int
        Patients in each class; every patient belongs to one class, and images go round among them.
    size : int
        Width and height in pixels, at least 32. The field of view stays the same (62 micrometres).
    seed : int
        Any whole number from 0.
    patient_effect : float
        How much patients differ in stain, illumination, red cells and cell size: 0 not at all, 1
        as in a laboratory with fair standards, 2 to 3 so strongly that a patient is recognised
        at sight, which plants leakage under every split that is not grouped.
    confounding : float
        How much the stain differs between classes: 0 not at all; 1 makes colour a shortcut.
    copies : CopyPlan
        Planted duplicates.
    renderer : int
        Version of the renderer; only this version's can be rendered, others' can be read.

    Examples
    --------
    >>> SyntheticConfig(images_per_class=10).counts
    {'Benign': 10, 'Early': 10, 'Pre': 10, 'Pro': 10}
    """

    images_per_class: int | tuple[int, ...] = 60
    patients_per_class: int = 8
    size: int = 224
    seed: int = 0
    patient_effect: float = 1.0
    confounding: float = 0.0
    copies: CopyPlan = field(default_factory=CopyPlan)
    renderer: int = RENDERER

    def __post_init__(self) -> None:
        each = self.images_per_class
        if isinstance(each, tuple) and len(each) != len(CLASSES):
            raise UsageError(
                f"images_per_class has {len(each)} numbers: give one, or {len(CLASSES)}."
            )
        if min(self.counts.values()) < 0 or sum(self.counts.values()) == 0:
            raise UsageError(f"images_per_class is {each}: give at least one image.")
        if self.size < 32:
            raise UsageError(f"size is {self.size}: give at least 32 pixels.")
        if self.patients_per_class < 1:
            raise UsageError(f"patients_per_class is {self.patients_per_class}: give at least 1.")
        for name in ("seed", "patient_effect", "confounding"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}: give 0 or more.")

    @property
    def counts(self) -> dict[str, int]:
        """Rendered images in each class, planted copies not counted."""
        each = self.images_per_class
        numbers = (each,) * len(CLASSES) if isinstance(each, int) else each
        return dict(zip(CLASSES, numbers, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in the truth file."""
        values = asdict(self)
        each = self.images_per_class
        values["images_per_class"] = each if isinstance(each, int) else list(each)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SyntheticConfig:
        """The reverse of `to_dict`.

        Raises
        ------
        TypeError
            Where a value is missing in this version, or of another shape.
        """
        given = dict(values)
        each = given["images_per_class"]
        given["images_per_class"] = tuple(each) if isinstance(each, list) else each
        given["copies"] = CopyPlan(**given["copies"])
        return cls(**given)
