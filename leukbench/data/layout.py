"""What a folder of images means: which files are images, which folders are classes, parts and folds.

What cannot be understood without guessing is refused: a wrong label is worse than none.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leukbench.data.catalog import CATALOG
from leukbench.errors import DataError

Facts = dict[str, str]
"""Of one image: ``label``, ``group`` and ``part`` (``train``, ``validation``, ``test``, ``fold N``)."""
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
)
OTHER_IMAGES = frozenset(
    {".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".dcm", ".nd2", ".czi", ".svs", ".ndpi"}
    | {".tga", ".psd", ".raw", ".dng", ".npy", ".mrxs", ".pgm", ".ppm", ".pnm"}
)
"""Images that are not read; where a folder holds some, that is said."""
_PART = re.compile(
    r"(train|training|val|valid|validation|dev|test|testing)(data|set|dataset|images?|split|folder)?"
)
_WRAPPERS = ("images", "image", "imgs", "img", "data")
_PARTS = {"train": "train", "val": "validation", "dev": "validation", "test": "test"}
_FOLD = re.compile(r"fold[\s_-]*(\d+)", re.IGNORECASE)
_INNER = "(?P<{}>[^/]+)/[^/]+$"
_OUTER = "^(?P<group>[^/]+)/"
_TABLES = (".csv", ".tsv", ".xls", ".xlsx")


@dataclass
class Tree:
    """The files below a folder."""

    images: list[str] = field(default_factory=list)
    """Paths below the folder, with forward slashes, sorted."""
    faults: dict[str, str] = field(default_factory=dict)
    """What is wrong with entries that look like images or hold some, before any is opened."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many files were left out, by why."""
    empty: list[str] = field(default_factory=list)
    """Folders that hold no image and no other folder."""


def walk(folder: Path) -> Tree:
    """List a folder: hidden files and what operating systems leave behind stay out, links are faults."""
    if not folder.exists():
        raise DataError(f"`data={folder}` does not exist: check the path.")
    if not folder.is_dir():
        raise DataError(
            f"`data={folder}` is a file: name the folder that holds one folder a class."
        )
    tree = Tree()
    top = folder.resolve()

    def closed(error: OSError) -> None:
        below = Path(error.filename).relative_to(top).as_posix()
        tree.faults[below] = f"cannot be opened ({error.strerror})"

    for place, subfolders, files in os.walk(top, onerror=closed):
        below, before = Path(place).relative_to(top), len(tree.images)
        for name in sorted(subfolders):
            full, path = Path(place, name), (below / name).as_posix()
            reason = _junk(name)
            if reason:
                tree.left_out[reason] += sum(len(inside) for _, _, inside in os.walk(full))
            elif full.is_symlink():
                tree.faults[path] = "is a link to a folder"
            elif Path(name).suffix.casefold() in IMAGE_SUFFIXES:
                tree.faults[path] = "is a folder that is named like an image"
            else:
                continue
            subfolders.remove(name)
        for name in files:
            path, suffix = (below / name).as_posix(), Path(name).suffix.casefold()
            if reason := _junk(name):
                tree.left_out[reason] += 1
            elif suffix in IMAGE_SUFFIXES:
                fault = _fault(Path(place, name), top)
                if fault:
                    tree.faults[path] = fault
                else:
                    tree.images.append(path)
            elif suffix in OTHER_IMAGES:
                tree.left_out[f"{suffix} files, which are not read"] += 1
            elif below.parts:
                tree.left_out["files that are no images"] += 1
        if not subfolders and len(tree.images) == before:
            tree.empty.append(below.as_posix())
    tree.images.sort()
    return tree


def find_root(path: Path) -> Path:
    """The folder that image paths start from: `path`, or the one below that wraps its classes."""
    return root_of(path, walk(path).images)


def root_of(path: Path, images: Iterable[str]) -> Path:
    """`find_root` of a folder whose images are listed already."""
    folders = [image.split("/")[:-1] for image in images]
    for layout in sorted({entry.layout for entry in CATALOG if entry.layout != "."}):
        if len({parts[1] for parts in folders if parts[:1] == [layout] and parts[1:]}) > 1:
            return path / layout
    depth = 0
    while folders and all(len(parts) > depth for parts in folders):
        heads = {parts[depth] for parts in folders}
        if len(heads) > 1:
            return path.joinpath(*folders[0][:depth])
        depth += 1
    return path


def facts_of_folders(root: Path, images: Sequence[str]) -> dict[str, Facts]:
    """Label, and part of a published split, of every image, from the folders that it lies in.

    Below `root` lie the classes, or parts (``train``, ``val``, ``test``, in any common spelling, or
    numbered folds) that hold the classes, or classes that hold the parts.

    Raises
    ------
    DataError
        Where the folders can be read in more than one way, or in none.
    """
    rest = {image: image.split("/")[:-1] for image in images}
    parts = dict.fromkeys(images, "")
    peeled = False
    while rest and all(rest.values()):
        heads = {folders[0] for folders in rest.values()}
        named = {head: part_name(head) for head in heads}
        if not peeled and _are_parts(set(named.values())):
            for image, folders in rest.items():
                parts[image] = named[folders[0]]
        elif not peeled or {head.casefold() for head in heads} - set(_WRAPPERS):
            break
        peeled = True
        rest = {image: folders[1:] for image, folders in rest.items()}
    _require_class_folders(root, rest)
    _refuse_doubtful(root, rest)
    inner = {part_name(folders[1]) if len(folders) > 1 else "" for folders in rest.values()}
    if not peeled and _are_parts(inner):
        parts = {image: part_name(folders[1]) for image, folders in rest.items()}
    return {image: {"label": rest[image][0], "part": parts[image]} for image in images}


def part_name(folder: str) -> str:
    """``train``, ``validation``, ``test`` or ``fold N``, where a folder is named so; else nothing.

    >>> [part_name(name) for name in ("TRAIN", "val_set", "Testing data", "fold_0", "Early")]
    ['train', 'validation', 'test', 'fold 0', '']
    """
    if fold := _FOLD.fullmatch(folder.strip()):
        return f"fold {int(fold[1])}"
    part = _PART.fullmatch(re.sub(r"[\W_]+", "", folder.casefold()))
    return next((_PARTS[key] for key in _PARTS if part and part[1].startswith(key)), "")


def tables_in(folder: Path) -> list[Path]:
    """Files in a folder that may be tables of labels; named where its images have no classes."""
    return sorted(file for file in folder.glob("*") if file.suffix.casefold() in _TABLES)


def refuse_alike(root: Path, labels: Iterable[str]) -> None:
    """Refuse classes whose names differ in case or blanks alone."""
    first: dict[str, str] = {}
    for label in sorted(set(labels)):
        plain = unicodedata.normalize("NFKC", " ".join(label.split())).casefold()
        other = first.setdefault(plain, label)
        if other != label:
            raise DataError(
                f"The classes {other!r} and {label!r} in {root} differ in case or blanks alone: give "
                "them one name, or two that differ."
            )


def _are_parts(names: set[str]) -> bool:
    if len(names) < 2 or "" in names:
        return False
    return "train" in names or all(name.startswith("fold") for name in names)


def _junk(name: str) -> str:
    if name.startswith("."):
        return "hidden files"
    system = name.casefold() in ("__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin")
    return "files made by an operating system" if system else ""


def _fault(file: Path, top: Path) -> str:
    try:
        str(file).encode("utf-8")
    except UnicodeEncodeError:
        return "has a name that is no UTF-8 text"
    if not str(file).isprintable():
        return "has a name with a control character"
    if not file.is_symlink():
        return ""
    target = file.resolve()
    if not target.exists():
        return "is a broken link"
    return "" if target.is_relative_to(top) else "is a link that leads out of the folder"


def _require_class_folders(root: Path, rest: dict[str, list[str]]) -> None:
    bare = [image for image, folders in rest.items() if not folders]
    if not bare:
        return
    labelled = {image.split("/")[0] for image, folders in rest.items() if folders}
    mend = (
        "put each class into a folder of its own, or say the classes by `labels` or `label_pattern`"
    )
    if table := next(iter(tables_in(root)), None):
        mend = f"pass `labels={table}` if that table says the classes, or {mend}"
    elif len(labelled) == 1:
        mend = f"pass {root / labelled.pop()} to use the images with a class alone, or {mend}"
    raise DataError(
        f"{len(bare)} images in {root} lie in no class folder, the first is {bare[0]}: {mend}."
    )


def _refuse_doubtful(root: Path, rest: dict[str, list[str]]) -> None:
    heads = sorted({folders[0] for folders in rest.values()})
    doubtful = [head for head in heads if part_name(head)]
    if len(doubtful) == len(heads) > 1 and (outer := next(iter(rest)).split("/")[0]) not in heads:
        raise DataError(
            f"{root / outer} has its own {' and '.join(heads)}, and so may have its neighbours: pass one "
            f"of them, as in {root / outer}, or `labels` with the column part."
        )
    if doubtful and len(heads) > 1:
        other = next(head for head in heads if head != doubtful[0])
        raise DataError(
            f"{root} holds the folder {doubtful[0]} beside {other}: it is not clear which folders are "
            "classes and which are parts, so rename or move one of them, or pass `labels`."
        )
    refuse_alike(root, heads)
    inner = [{f[1] for f in rest.values() if f[0] == head and len(f) > 1} for head in heads]
    same = len(heads) > 1 and len(inner[0]) > 1 and all(names == inner[0] for names in inner)
    if same and not any(part_name(name) or name.isdigit() for name in inner[0]):
        raise DataError(
            f"{root} holds the same folders ({', '.join(sorted(inner[0])[:3])}, ...) in each of "
            f"{', '.join(heads[:3])}: it is not clear which are the classes, so pass one of them, as in "
            f"{root / heads[0]}, or say the classes by `label_pattern='{_INNER.format('label')}'`, with "
            f"`group_pattern='{_OUTER}'` where {heads[0]} is a patient."
        )
