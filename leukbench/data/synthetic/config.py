"""What a synthetic dataset is: its size, its seed, and how strongly patients differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from leukbench.errors import UsageError, require_number

CLASSES = ("Benign", "Early", "Pre", "Pro")
"""The four classes, in the order of their number."""

RENDERER = 2
"""Raised whenever the same configuration begins to give other pixels."""

CopyKind = Literal[
    "exact", "rotated", "mirrored", "recompressed", "cropped", "overlapping", "conflict"
]
ClassLook = Literal["overlapping", "distinct"]
COPY_KINDS: tuple[CopyKind, ...] = get_args(CopyKind)


@dataclass(frozen=True)
class CopyPlan:
    """How many copies of each kind are planted; each adds files to the rendered ones."""

    exact: int = 0
    """Pixel-identical copies under the same label."""
    rotated: int = 0
    """Copies turned by 90, 180 or 270 degrees."""
    mirrored: int = 0
    """Copies under one of the four reflections."""
    recompressed: int = 0
    """Copies that went through JPEG at quality 60 to 90."""
    cropped: int = 0
    """Copies that lost 3 to 9 % of each dimension and were resized back."""
    overlapping: int = 0
    """Pairs of fields of view from one larger field, moved by 10 to 45 % of the width or height. Each
    pair adds two files, the other kinds one."""
    conflict: int = 0
    """Pixel-identical copies under another label."""

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

    >>> SyntheticConfig(images_per_class=10).counts
    {'Benign': 10, 'Early': 10, 'Pre': 10, 'Pro': 10}
    """

    images_per_class: int | tuple[int, ...] = 60
    """Rendered images in each class, or one number for each of `CLASSES`. Raising it leaves the images
    that were there as they are."""
    patients_per_class: int = 8
    """Every patient belongs to one class, and images go round among them."""
    size: int = 224
    """Width and height in pixels, at least 32; the field of view stays the same (62 micrometres)."""
    seed: int = 0
    patient_effect: float = 1.0
    """How much patients differ in stain, illumination, red cells and cell size: 0 not at all, 1 as in a
    laboratory with fair standards, 2 to 3 so strongly that a patient is recognised at sight, which
    plants leakage under every split that is not grouped."""
    confounding: float = 0.0
    """How much the stain differs between classes: 0 not at all; 1 makes colour a shortcut."""
    classes: ClassLook = "overlapping"
    """``overlapping``: neighbouring classes differ as little as real ones may. ``distinct``: sizes and
    outlines are exaggerated, so that a beginner tells the classes apart, and the amount of each stain
    is the same in all of them, so that colour does not."""
    copies: CopyPlan = field(default_factory=CopyPlan)
    renderer: int = RENDERER
    """Version of the renderer; only this version's can be rendered, others' can be read."""

    def __post_init__(self) -> None:
        each = self.images_per_class
        if isinstance(each, tuple) and len(each) != len(CLASSES):
            raise UsageError(
                f"images_per_class has {len(each)} numbers: give one, or {len(CLASSES)}."
            )
        if min(self.counts.values()) < 0 or sum(self.counts.values()) == 0:
            raise UsageError(f"images_per_class is {each}: give at least one image.")
        least = {"size": 32, "patients_per_class": 1, "seed": 0, "patient_effect": 0}
        for name, lowest in (least | {"confounding": 0}).items():
            require_number(name, getattr(self, name), lowest)
        if self.classes not in get_args(ClassLook):
            raise UsageError(f"classes is {self.classes}: give overlapping or distinct.")

    @property
    def counts(self) -> dict[str, int]:
        """Rendered images in each class, planted copies not counted."""
        each = self.images_per_class
        numbers = (each,) * len(CLASSES) if isinstance(each, int) else each
        return dict(zip(CLASSES, numbers, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in the truth file."""
        each = self.images_per_class
        return asdict(self) | {"images_per_class": each if isinstance(each, int) else list(each)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SyntheticConfig:
        """The reverse of `to_dict`; a TypeError where a value is of another version or shape."""
        given = dict(values)
        each = given["images_per_class"]
        given["images_per_class"] = tuple(each) if isinstance(each, list) else each
        given["copies"] = CopyPlan(**given["copies"])
        return cls(**given)
