"""Known datasets: layout, expected counts, licence, citation, and how to get them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from leukbench.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class CatalogEntry:
    """One known dataset."""

    name: str
    title: str
    counts: Mapping[str, int] = field(default_factory=dict)
    """Images in each class, by the names of the class folders."""
    layout: str = "."
    """Where the class folders lie below the archive's top."""
    licence: str = ""
    citation: str = ""
    fetch: str = ""
    """``"kaggle:OWNER/NAME"``, ``"medmnist:NAME"`` or empty."""
    by_hand: str = ""
    """How to get it without the downloader, in one sentence."""
    benign: str = ""
    """Class that is not malignant, where there is one."""
    total: int = 0
    """Number of images where those of each class are not stated."""
    names: str = ""
    """Regular expression that the path of every image contains, and of no other dataset's."""
    group_pattern: str = ""
    """Regular expression whose group ``group`` is the patient, where names tell."""
    label_pattern: str = ""
    """Regular expression whose group ``label`` is a key of `label_names`, where names tell the class."""
    label_names: Mapping[str, str] = field(default_factory=dict)
    first_sha256: str = ""
    """Of the first image by path, to tell datasets of equal counts apart."""

    @property
    def images(self) -> int:
        """Number of images that the dataset holds."""
        return sum(self.counts.values()) or self.total


CATALOG = tuple(
    CatalogEntry(**entry)
    for entry in tomllib.loads(
        (resources.files("leukbench.data") / "catalogue.toml").read_text(encoding="utf-8")
    )["dataset"]
)


def get_entry(name: str) -> CatalogEntry:
    """The entry called `name`; a UsageError where there is none."""
    for entry in CATALOG:
        if entry.name == name:
            return entry
    names = [entry.name for entry in CATALOG]
    raise UsageError(
        f"There is no known dataset {name}{did_you_mean(name, names)}: take one of {', '.join(names)}."
    )


def recognise(
    counts: Mapping[str, int], images: Sequence[str] = (), first_sha256: str = ""
) -> CatalogEntry | None:
    """The known dataset with exactly these classes and numbers of images, or with such names of files.

    `first_sha256` is that of the first image by path.
    """
    folded = _fold(counts)
    alike = [entry for entry in CATALOG if entry.counts and _fold(entry.counts) == folded]
    exact = [entry for entry in alike if first_sha256 and entry.first_sha256 == first_sha256]
    return next(iter([*exact, *alike]), None) or recognise_names(images)


def recognise_names(images: Sequence[str]) -> CatalogEntry | None:
    """The known dataset whose files are all named so, or a part of it."""
    for entry in CATALOG:
        if entry.names and images and all(re.search(entry.names, image) for image in images):
            return entry
    return None


def _fold(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.strip().casefold(): number for name, number in counts.items()}
