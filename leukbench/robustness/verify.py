"""Whether ``robustness/`` is what it says: every hash, and every table again from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from leukbench.checks.verify import verify_run
from leukbench.checks.verify_tables import Difference, differing
from leukbench.errors import LeukbenchError
from leukbench.records import file_sha256
from leukbench.robustness.ablate import RUNS, ablation_texts, view_folders
from leukbench.robustness.folder import FOLDER, RECORD, RobustnessRecord, place, read_robustness
from leukbench.robustness.labels import label_texts
from leukbench.robustness.properties import stored_properties
from leukbench.robustness.slices import slice_texts
from leukbench.runfolder import RunFolder

Again = Callable[[RunFolder, RobustnessRecord], dict[str, str]]

AGAIN: dict[str, Again] = {
    "slices": lambda folder, record: slice_texts(folder, stored_properties(folder)),
    "ablate": lambda folder, record: ablation_texts(folder),
    "labels": lambda folder, record: label_texts(folder, record.settings["labels"]),
}
"""What each command writes that follows from stored files, made again."""


def verify_robustness(path: Path) -> list[Difference]:
    """Name every difference in the folder ``robustness`` of a run; none where there is no such folder."""
    try:
        folder = RunFolder(path)
        record = read_robustness(folder)
    except LeukbenchError as error:
        return [Difference(f"{FOLDER}/{RECORD}", " ".join(str(error).split()))]
    return [] if record is None else [*_differences(folder, record), *_views(folder)]


def _views(folder: RunFolder) -> Iterator[Difference]:
    """Differences in the run folder of each view, which has no tables of its own."""
    for view, other in view_folders(folder).items():
        for one in verify_run(other.path, tables=False):
            yield Difference(f"{FOLDER}/{RUNS}/{view}/{one.file}", one.what)


def _differences(folder: RunFolder, record: RobustnessRecord) -> Iterator[Difference]:
    damaged = False
    for name, digest in record.files.items():
        path = place(folder) / name
        if not path.is_file():
            yield Difference(f"{FOLDER}/{name}", "is missing")
            damaged = True
        elif file_sha256(path) != digest:
            yield Difference(f"{FOLDER}/{name}", f"its sha256 is not the one in {RECORD}")
            damaged = True
    if damaged:
        return
    for command in record.settings:
        if command not in AGAIN:
            continue
        try:
            texts = AGAIN[command](folder, record)
        except (LeukbenchError, ValueError, KeyError, TypeError) as error:
            what = f"{command} cannot be computed again: {type(error).__name__} {error}"
            yield Difference(f"{FOLDER}/{RECORD}", what)
            continue
        for name, text in texts.items():
            stored = (place(folder) / name).read_text(encoding="utf-8")
            for one in differing(name, stored, text):
                yield Difference(f"{FOLDER}/{one.file}", one.what)
