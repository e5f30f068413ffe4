"""A synthetic dataset in memory, or as a folder of PNG files with the truth about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic.config import RENDERER, SyntheticConfig
from leukbench.data.synthetic.copies import Item, PlantedPair, plan, render_item
from leukbench.errors import DataError
from leukbench.files import write_bytes, write_text

TRUTH_FILE = "leukbench-synthetic.json"
"""Name of the file that marks a folder as synthetic."""
MASK_FOLDER = ".masks"
"""Where masks go: hidden, so that no loader takes it for a class."""


@dataclass(frozen=True)
class Truth:
    """What is known of a synthetic dataset."""

    config: SyntheticConfig
    groups: dict[str, str]
    """Patient of every file, by its path below the folder."""
    pairs: tuple[PlantedPair, ...]
    """All pairs of files that show the same content."""

    def to_json(self) -> str:
        """The truth as a JSON text; one line for each image and pair."""
        lines = [
            '{"schema_version": 1',
            f'"config": {json.dumps(self.config.to_dict())}',
            '"groups": '
            + _one_a_line(
                "{}", [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in self.groups.items()]
            ),
            '"pairs": ' + _one_a_line("[]", [json.dumps(asdict(pair)) for pair in self.pairs]),
        ]
        return ",\n".join(lines) + "}\n"


class Synthesized(NamedTuple):
    """A dataset in memory; labels, patients and paths have shape ``(n,)``."""

    images: Iterator[NDArray[np.uint8]]
    """``(size, size, 3)``, channels red, green, blue, rendered as they are asked for."""
    labels: NDArray[np.str_]
    patients: NDArray[np.str_]
    paths: NDArray[np.str_]
    """Where `write_dataset` would write them."""


def synthesize(config: SyntheticConfig) -> Synthesized:
    """Render a dataset without writing it.

    >>> made = synthesize(SyntheticConfig(images_per_class=1, size=64))
    >>> made.labels.tolist(), made.patients.tolist()
    (['Benign', 'Early', 'Pre', 'Pro'], ['p001', 'p009', 'p017', 'p025'])
    >>> np.stack(list(made.images)).shape
    (4, 64, 64, 3)
    """
    items, _ = plan(config)
    return Synthesized(
        (render_item(config, item).image for item in items),
        np.array([item.label for item in items]),
        np.array([item.group for item in items]),
        np.array([item.path for item in items]),
    )


def write_dataset(
    folder: Path | str, config: SyntheticConfig, *, masks: bool = False, jobs: int = 1
) -> Truth:
    """Write a dataset as ``<folder>/<class>/<patient>-<number>.png``, with its truth beside it.

    Files that are there already are kept, so that an interrupted call is taken up again.

    ``masks`` writes those of leukocytes too (0 and 255), under ``.masks/``. ``jobs`` processes render,
    -1 for one on each core; the files are the same.

    `DataError` where the folder holds something else, or cannot be written, or another version's
    renderer is asked for.
    """
    if config.renderer != RENDERER:
        raise DataError(
            f"renderer {config.renderer} is asked for, this version has {RENDERER}: install the "
            "version that made the dataset, or leave the renderer out."
        )
    root = Path(folder)
    items, pairs = plan(config)
    truth = Truth(config, {item.path: item.group for item in items}, tuple(pairs))
    try:
        _claim(root, truth)
    except OSError as error:
        raise DataError(
            f"{error.filename or root} cannot be written ({error.strerror}): choose another "
            "folder, or mend its permissions and free space."
        ) from error
    missing = [
        item
        for item in items
        if not (root / item.path).exists()
        or (masks and not (root / MASK_FOLDER / item.path).exists())
    ]
    joblib.Parallel(n_jobs=jobs, batch_size=16 if jobs != 1 else "auto")(
        joblib.delayed(_write_item)(root, config, item, masks) for item in missing
    )
    return truth


def load_truth(folder: Path | str) -> Truth:
    """Read the truth that `write_dataset` stored.

    `DataError` where the folder holds no synthetic dataset, or its truth file cannot be read.
    """
    path = Path(folder) / TRUTH_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        pairs = tuple(
            PlantedPair(**{**pair, "shift": tuple(pair["shift"]) if pair["shift"] else None})
            for pair in stored["pairs"]
        )
        config = SyntheticConfig.from_dict(stored["config"])
        return Truth(config, dict(stored["groups"]), pairs)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing: {folder} holds no synthetic dataset, make one with "
            "`leukbench data synthesize`."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as the truth of a synthetic dataset: make the folder again "
            "with `leukbench data synthesize`."
        ) from error


def _claim(root: Path, truth: Truth) -> None:
    """Make sure that the folder is ours, and put the truth into it first."""
    root.mkdir(parents=True, exist_ok=True)
    if (root / TRUTH_FILE).exists():
        if load_truth(root) != truth:
            raise DataError(
                f"{root} holds a synthetic dataset of another configuration or renderer: choose "
                "another folder."
            )
    elif any(not entry.name.startswith(".") for entry in root.iterdir()):
        raise DataError(f"{root} holds other files: choose a new or empty folder.")
    else:
        write_text(root / TRUTH_FILE, truth.to_json())


def _write_item(root: Path, config: SyntheticConfig, item: Item, masks: bool) -> None:
    smear = render_item(config, item)
    colours = cv2.cvtColor(smear.image, cv2.COLOR_RGB2BGR)
    coded = cv2.imencode(".png", colours, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    write_bytes(root / item.path, coded.tobytes())
    if masks:
        coded = cv2.imencode(".png", smear.mask.astype(np.uint8) * 255)[1]
        write_bytes(root / MASK_FOLDER / item.path, coded.tobytes())


def _one_a_line(brackets: str, lines: list[str]) -> str:
    return brackets[0] + "".join(f"\n  {x}," for x in lines)[:-1] + "\n" * bool(lines) + brackets[1]
