"""Known datasets: layout, expected counts, licence, citation, and how to get them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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

    @property
    def images(self) -> int:
        """Number of images that the dataset holds."""
        return sum(self.counts.values())


CATALOG: tuple[CatalogEntry, ...] = (
    CatalogEntry(
        name="all-pbs",
        title="Acute Lymphoblastic Leukemia (ALL) image dataset, 3256 peripheral blood smears",
        counts={"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804},
        layout="Original",
        licence="not stated at the source; its authors ask that it is not redistributed",
        citation=(
            "Ghaderzadeh M, Aria M, et al. A fast and efficient CNN model for B-ALL diagnosis and its "
            "subtypes classification using peripheral blood smear images. International Journal of "
            "Intelligent Systems 37(8), 2022. doi:10.1002/int.22753"
        ),
        fetch="kaggle:mehradaria/leukemia",
        by_hand=(
            "download mehradaria/leukemia from Kaggle in a browser, unpack it, and pass its folder "
            "as `data`"
        ),
        benign="Benign",
    ),
    CatalogEntry(
        name="all-pbs-3242",
        title="Blood Cell Cancer (ALL) 4-class, the 3242-image re-upload",
        counts={
            "Benign": 512,
            "[Malignant] Pre-B": 955,
            "[Malignant] Pro-B": 796,
            "[Malignant] early Pre-B": 979,
        },
        licence="as stated by the uploader",
        citation=(
            "Re-upload of images of doi:10.1002/int.22753 in other sizes and counts; not the same "
            "dataset as all-pbs, so numbers of the two cannot be compared"
        ),
        fetch="kaggle:mohammadamireshraghi/blood-cell-cancer-all-4class",
        by_hand=(
            "download mohammadamireshraghi/blood-cell-cancer-all-4class from Kaggle in a browser, "
            "unpack it, and pass its folder as `data`"
        ),
        benign="Benign",
    ),
    CatalogEntry(
        name="bloodmnist",
        title="BloodMNIST, eight classes of normal peripheral blood cells",
        counts={
            "basophil": 1218,
            "eosinophil": 3117,
            "erythroblast": 1551,
            "immature granulocytes": 2895,
            "lymphocyte": 1214,
            "monocyte": 1420,
            "neutrophil": 3329,
            "platelet": 2348,
        },
        licence="CC BY 4.0",
        citation=(
            "Yang J, et al. MedMNIST v2. Scientific Data 10:41, 2023, doi:10.1038/s41597-022-01721-8; "
            "Acevedo A, et al. Data in Brief 30:105474, 2020, doi:10.1016/j.dib.2020.105474"
        ),
        fetch="medmnist:bloodmnist",
        by_hand=(
            "download bloodmnist.npz from the MedMNIST project and write its images into one folder "
            "a class, then pass that folder as `data`"
        ),
    ),
    CatalogEntry(
        name="synthetic",
        title="SYNTHETIC smears, rendered by leukbench",
        licence="as leukbench itself",
        citation="none: the images are drawn, not photographed",
        by_hand="leukbench data synthesize DIR",
        benign="Benign",
    ),
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


def recognise(counts: Mapping[str, int]) -> CatalogEntry | None:
    """The known dataset with exactly these classes and numbers of images, if there is one."""
    folded = _fold(counts)
    for entry in CATALOG:
        if entry.counts and _fold(entry.counts) == folded:
            return entry
    return None


def _fold(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.strip().casefold(): number for name, number in counts.items()}
