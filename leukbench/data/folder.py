"""Read any folder with one sub-folder a class."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from joblib import Parallel, delayed

from leukbench.data.catalog import CATALOG, get_entry, recognise
from leukbench.data.dataset import Dataset, ImageRecord, SkippedImage
from leukbench.data.preprocess import decode_image
from leukbench.errors import DataError
from leukbench.files import atomic_path, cache_dir

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
GROUPS_FILE = "groups.csv"
SYNTHETIC_FILE = "leukbench-synthetic.json"
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """What is known of one image file after it was read once."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    height: int
    width: int
    fault: str


def load_folder(
    path: Path, *, skip_unreadable: bool = False, name: str | None = None, jobs: int = -1
) -> Dataset:
    """Find the classes below `path`, read every image once, and recognise known datasets.

    The dataset is called `name`, else as the catalogue says, else like its folder; unreadable images
    are refused, or with `skip_unreadable` left out and recorded.

    Raises
    ------
    DataError
        No folder, no images, one class, a class of one image, or unreadable images (all are counted,
        the first is named).
    """
    root = find_root(path)
    files = scan(root, jobs=jobs)
    bad = [file for file in files if file.fault]
    if bad and not skip_unreadable:
        more = f" ({len(bad)} unreadable images in all)" if len(bad) > 1 else ""
        raise DataError(
            f"{root / bad[0].path} {bad[0].fault}{more}: replace or remove it, or pass "
            "`skip_unreadable=True`."
        )
    groups = _read_groups(root)
    good = [file for file in files if not file.fault]
    records = tuple(
        ImageRecord(file.path, file.path.split("/")[0], file.sha256, groups.get(file.path, ""))
        for file in good
    )
    _require_trainable(root, records)
    entry = recognise(Counter(record.label for record in records))
    synthetic = (root / SYNTHETIC_FILE).is_file()
    if synthetic:
        entry = get_entry("synthetic")
    return Dataset(
        name=name or (entry.name if entry else slug(path.resolve().name)),
        root=root,
        records=records,
        synthetic=synthetic,
        catalog=entry.name if entry else None,
        skipped=tuple(SkippedImage(file.path, file.fault) for file in bad),
    )


def find_root(path: Path) -> Path:
    """The folder that holds the class folders: `path`, or the level below it that a known layout has."""
    if not path.exists():
        raise DataError(f"`data={path}` does not exist: check the path.")
    if not path.is_dir():
        raise DataError(f"`data={path}` is a file: name the folder that holds one folder a class.")
    layouts = {entry.layout for entry in CATALOG if entry.layout != "."}
    for layout in sorted(layouts):
        if (path / layout).is_dir():
            return path / layout
    if _has_classes(path):
        return path
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    if len(inner) == 1 and not any(_images_in(path, recursive=False)) and _has_classes(inner[0]):
        return inner[0]
    return path


def scan(root: Path, *, jobs: int = -1) -> list[ScannedFile]:
    """Hash and decode every image below the class folders of `root`, in parallel.

    What was read before and has the same size and time of change is taken from an index in the cache.
    """
    paths = sorted(
        file.relative_to(root).as_posix()
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for file in _images_in(folder)
    )
    index_file = (
        cache_dir() / "index" / f"{hashlib.sha256(str(root.resolve()).encode()).hexdigest()}.jsonl"
    )
    known = _read_index(index_file)
    fresh: list[str] = []
    found: dict[str, ScannedFile] = {}
    for path in paths:
        status = (root / path).stat()
        entry = known.get(path)
        if entry and (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns):
            found[path] = entry
        else:
            fresh.append(path)
    if fresh:
        chunks = [fresh[start : start + _CHUNK] for start in range(0, len(fresh), _CHUNK)]
        for scanned in Parallel(n_jobs=jobs, prefer="threads")(
            delayed(_scan_chunk)(root, chunk) for chunk in chunks
        ):
            found.update((file.path, file) for file in scanned)
    files = [found[path] for path in paths]
    if fresh or len(known) != len(files):
        _write_index(index_file, files)
    return files


def slug(text: str) -> str:
    """A name for files: letters, digits, dots and dashes.

    >>> slug("My blood smears (2)")
    'my-blood-smears-2'
    """
    return re.sub(r"[^\w.]+", "-", text.casefold()).strip("-.") or "dataset"


def _scan_chunk(root: Path, paths: Iterable[str]) -> list[ScannedFile]:
    return [_scan_file(root, path) for path in paths]


def _scan_file(root: Path, path: str) -> ScannedFile:
    full = root / path
    status = full.stat()
    digest, height, width, fault = "", 0, 0, ""
    try:
        data = full.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        height, width = decode_image(data, path).shape[:2]
    except OSError as error:
        fault = f"cannot be opened ({error.strerror})"
    except DataError as error:
        fault = str(error).removeprefix(f"{path} ").partition(":")[0]
    return ScannedFile(path, status.st_size, status.st_mtime_ns, digest, height, width, fault)


def _images_in(folder: Path, *, recursive: bool = True) -> Iterator[Path]:
    for file in folder.rglob("*") if recursive else folder.iterdir():
        if file.suffix.casefold() in IMAGE_SUFFIXES and not file.name.startswith("."):
            yield file


def _has_classes(folder: Path) -> bool:
    inner = [entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."]
    return sum(any(_images_in(entry, recursive=False)) for entry in inner) >= 2


def _require_trainable(root: Path, records: tuple[ImageRecord, ...]) -> None:
    counts = Counter(record.label for record in records)
    if not counts:
        raise DataError(
            f"`data={root}` holds no images: name a folder with one folder a class, each with jpg, "
            "png, bmp or tif files."
        )
    if len(counts) == 1:
        raise DataError(
            f"`data={root}` holds one class ({next(iter(counts))}): a comparison needs two or more "
            "folders with images."
        )
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest == 1:
        raise DataError(
            f"The class {label} in {root} has one image: it needs two or more, one to train and one "
            "to test."
        )


def _read_groups(root: Path) -> dict[str, str]:
    truth = root / SYNTHETIC_FILE
    table = root / GROUPS_FILE
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            if not {"image", "group"} <= set(reader.fieldnames or ()):
                raise DataError(f"{table} needs the columns image and group: add them.")
            return {row["image"]: row["group"] for row in reader}
    if truth.is_file():
        groups: dict[str, str] = json.loads(truth.read_text(encoding="utf-8"))["groups"]
        return groups
    return {}


def _read_index(path: Path) -> dict[str, ScannedFile]:
    try:
        with path.open(encoding="utf-8") as lines:
            files = (ScannedFile(*json.loads(line)) for line in lines)
            return {file.path: file for file in files}
    except (OSError, ValueError, TypeError):
        return {}


def _write_index(path: Path, files: list[ScannedFile]) -> None:
    try:
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(astuple(file)) + "\n" for file in files)
    except DataError:
        return  # the index only saves time
