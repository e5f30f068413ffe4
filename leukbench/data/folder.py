"""Read any folder of images: find its classes, patients and parts, and say what was understood."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from leukbench.data.catalog import CatalogEntry, get_entry, recognise, recognise_names
from leukbench.data.dataset import Dataset, ImageRecord, SkippedImage
from leukbench.data.layout import (
    Facts,
    Tree,
    facts_of_folders,
    find_root,
    part_name,
    refuse_alike,
    root_of,
    tables_in,
    walk,
)
from leukbench.data.npz import unpack_npz
from leukbench.data.scan import ScannedFile, scan
from leukbench.data.tables import facts_of_names, read_facts
from leukbench.errors import DataError, printable
from leukbench.records import read_json

__all__ = ["find_root", "load_folder", "slug"]

GROUPS_FILE = "groups.csv"
SYNTHETIC_FILE = "leukbench-synthetic.json"
_NUMBER = re.compile("[0-9]{1,9}")
_PARTS = ("train", "validation", "test")


def load_folder(
    path: Path,
    *,
    labels: Path | None = None,
    label_pattern: str | None = None,
    group_pattern: str | None = None,
    skip_unreadable: bool = False,
    name: str | None = None,
    jobs: int = -1,
) -> Dataset:
    """Find the classes below `path`, read every image once, and recognise known datasets.

    Classes are folders, or come from `labels` (a table of image, label and, where known, group and
    part) or from `label_pattern`, a regular expression with ``(?P<label>...)`` that is searched in each
    image's path, as `group_pattern` is for ``(?P<group>...)``. The dataset is called `name`, else as in
    the catalogue, else like its folder. `skip_unreadable` leaves out and records what cannot be read.

    Raises
    ------
    DataError
        No folder, no images, one class, a class of one image, images that cannot be read (counted, the
        first is named), or labels, patients or parts that are not clear.
    """
    if path.suffix == ".npz" and path.is_file():
        path, name = unpack_npz(path), name or slug(path.stem)
    tree = walk(path)
    root = root_of(path, tree.images)
    images = _below(path, root, tree, by_folders=labels is None and label_pattern is None)
    files = scan(root, images, jobs=jobs)
    skipped = _unreadable(path, root, tree, files, skip_unreadable)
    good = [file for file in files if not file.fault]
    listed = [*images, *_relative(path, root, tree.faults)]
    facts = _facts(root, [file.path for file in good], listed, labels, label_pattern)
    refuse_alike(root, (one["label"] for one in facts.values()))
    synthetic = (root / SYNTHETIC_FILE).is_file()
    counts = Counter(one["label"] for one in facts.values())
    _require_trainable(path, root, counts)
    entry = get_entry("synthetic") if synthetic else recognise(counts, images, good[0].sha256)
    groups = _groups(root, path, facts, listed, entry, group_pattern)
    records = tuple(_record(file, facts[file.path], groups) for file in good)
    return Dataset(
        name=name or (entry.name if entry else slug(path.resolve().name)),
        root=root,
        records=records,
        synthetic=synthetic,
        catalog=entry.name if entry else None,
        skipped=skipped,
        notes=(
            *_notes(path, root, tree, good, records),
            *_from_names(entry, facts, groups),
            *_unread_folders(facts, groups),
            *_unread_tables(path, root, labels, groups),
        ),
    )


def _record(file: ScannedFile, facts: Facts, groups: Mapping[str, str]) -> ImageRecord:
    group, part = groups.get(file.path, ""), facts.get("part", "")
    return ImageRecord(file.path, facts["label"], file.sha256, group, part)


def slug(text: str) -> str:
    """A name for files: letters, digits, dots and dashes.

    >>> slug("My blood smears (2)")
    'my-blood-smears-2'
    """
    return re.sub(r"[^\w.]+", "-", text.casefold()).strip("-.") or "dataset"


def _below(path: Path, root: Path, tree: Tree, *, by_folders: bool) -> list[str]:
    """Paths below the root; what lies elsewhere is counted as left out."""
    inside = _relative(path, root, tree.images)
    if others := len(tree.images) - len(inside):
        tree.left_out[f"images outside {root.relative_to(path).as_posix()}"] += others
    nested = [image for image in inside if "/" in image]
    if by_folders and nested and len(nested) < len(inside):
        tree.left_out["images beside the class folders"] += len(inside) - len(nested)
        inside = nested
    if not inside and not tree.faults:
        unread = [f"{number} {why}" for why, number in tree.left_out.items() if "not read" in why]
        held = f" but {unread[0]}" if unread else ""
        raise DataError(
            f"`data={root}` holds no images{held}: name a folder with one folder a class, each with jpg, "
            "png, bmp, tif, webp or gif files."
        )
    return inside


def _relative(path: Path, root: Path, names: Iterable[str]) -> list[str]:
    """Names below `path` as names below `root`, without those that lie elsewhere."""
    prefix = "".join(f"{part}/" for part in root.relative_to(path).parts)
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _unreadable(
    path: Path, root: Path, tree: Tree, files: Sequence[ScannedFile], skip: bool
) -> tuple[SkippedImage, ...]:
    """What cannot be read, by name; refused unless it is to be skipped."""
    bad = [SkippedImage(printable(name), fault) for name, fault in sorted(tree.faults.items())]
    above = root.relative_to(path)
    bad += [SkippedImage((above / f.path).as_posix(), f.fault) for f in files if f.fault]
    if bad and not skip:
        more = f" ({len(bad)} unreadable images in all)" if len(bad) > 1 else ""
        raise DataError(
            f"{path / bad[0].path} {bad[0].reason}{more}: replace or remove it, or pass "
            "`skip_unreadable=True`."
        )
    return tuple(bad)


def _facts(
    root: Path,
    images: Sequence[str],
    listed: Sequence[str],
    labels: Path | None,
    label_pattern: str | None,
) -> dict[str, Facts]:
    """Label of each image and, where they are known, its group and part."""
    if labels is not None:
        facts = read_facts(labels, ["label"], ["group", "part"], root, images, listed)
    elif label_pattern is not None:
        facts = facts_of_names(label_pattern, "label_pattern", "label", root, images)
    elif (known := recognise_names(images)) and known.label_pattern:
        facts = facts_of_names(known.label_pattern, "label_pattern", "label", root, images)
        return {image: {"label": known.label_names[one["label"]]} for image, one in facts.items()}
    else:
        return facts_of_folders(root, images)
    for column in ("group", "part"):
        bare = [image for image in images if not facts[image].get(column)]
        if bare and len(bare) < len(images):
            raise DataError(
                f"{len(bare)} images of {root} have no {column} where others have one, the first is "
                f"{bare[0]}: give it for all images or for none."
            )
    return {
        image: one | {"part": _known_part(root, image, one.get("part", ""))}
        for image, one in facts.items()
    }


def _known_part(root: Path, image: str, given: str) -> str:
    part = part_name(given) or (f"fold {int(given)}" if _NUMBER.fullmatch(given) else "")
    if given and not part:
        raise DataError(
            f"The part {given!r} of {root / image} is unknown: write train, validation, test, or the "
            "number of a fold."
        )
    return part


def _groups(
    root: Path,
    path: Path,
    facts: dict[str, Facts],
    listed: Sequence[str],
    entry: CatalogEntry | None,
    group_pattern: str | None,
) -> dict[str, str]:
    """Patient of each image, from the first source that names patients."""
    good = list(facts)
    named = [t for t in [*tables_in(root), *tables_in(path)] if t.name.casefold() == GROUPS_FILE]
    table = next((t for t in named if t.is_file()), None)
    if all(one.get("group") for one in facts.values()):
        found = facts
    elif group_pattern is not None:
        found = facts_of_names(group_pattern, "group_pattern", "group", root, good)
    elif table is not None:
        found = read_facts(table, ["group"], [], root, good, listed)
    elif (truth := root / SYNTHETIC_FILE).is_file():
        stored = synthetic_groups(truth)
        if added := [image for image in good if image not in stored]:
            raise DataError(
                f"{len(added)} images of {root} stand not in {truth.name}, the first is {added[0]}: move "
                "them out, or write a groups.csv."
            )
        found = {image: {"group": stored[image]} for image in good}
    elif entry and entry.group_pattern:
        found = facts_of_names(entry.group_pattern, "group_pattern", "group", root, good)
    else:
        return {}
    return {image: found[image]["group"] for image in good}


def synthetic_groups(truth: Path) -> dict[str, str]:
    """Patient of each rendered image, as the renderer stored it."""
    groups = read_json(truth).get("groups")
    if not isinstance(groups, dict) or not all(isinstance(one, str) for one in groups.values()):
        raise DataError(
            f"{truth} names no groups: make the folder again with `leukbench data synthesize`."
        )
    return groups


def _require_trainable(path: Path, root: Path, counts: Counter[str]) -> None:
    if len(counts) < 2:
        held = f"one class ({next(iter(counts))})" if counts else "no image that can be read"
        tables = [*tables_in(path), *tables_in(root)]
        hint = f", or `labels={tables[0]}` if that table says the classes" if tables else ""
        raise DataError(
            f"`data={root}` holds {held}: a comparison needs two or more folders with images{hint}."
        )
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest == 1:
        raise DataError(
            f"The class {label} in {root} has one image: it needs two or more, one to train and one "
            "to test."
        )


def _from_names(
    entry: CatalogEntry | None, facts: dict[str, Facts], groups: dict[str, str]
) -> list[str]:
    """What the names of a known dataset's files say."""
    told = []
    if (
        entry
        and entry.label_pattern
        and set(entry.label_names.values()) >= {one["label"] for one in facts.values()}
    ):
        told.append("classes")
    if entry and entry.group_pattern and groups:
        told.append("patients")
    return [f"The {' and '.join(told)} come from the names of the files."] if told else []


def _unread_folders(facts: dict[str, Facts], groups: dict[str, str]) -> list[str]:
    """Folders within the classes that may be patients, while no patient is known."""
    inner = {
        tuple(image.split("/")[:-1])
        for image, one in facts.items()
        if image.split("/")[-2:-1] not in ([], [one["label"]])
        and not part_name(image.split("/")[-2])
    }
    if groups or len(inner) < 2:
        return []
    return [
        f"The classes hold {len(inner)} folders, such as {'/'.join(min(inner))}: where a folder is a "
        "patient, pass `group_pattern='(?P<group>[^/]+)/[^/]+$'`."
    ]


def _unread_tables(
    path: Path, root: Path, labels: Path | None, groups: dict[str, str]
) -> list[str]:
    """Tables that lie beside the classes and may name patients, while no patient is known."""
    tables = {table for table in (*tables_in(root), *tables_in(path)) if table != labels}
    if groups or not tables:
        return []
    names = ", ".join(sorted(table.name for table in tables)[:3])
    return [
        f"Not read: {names}; a table that names patients is read as {GROUPS_FILE} (columns image, group)."
    ]


def _notes(
    path: Path, root: Path, tree: Tree, good: Sequence[ScannedFile], records: Sequence[ImageRecord]
) -> list[str]:
    """How the folder was understood, where that is not plain."""
    notes = []
    if root != path:
        notes.append(f"The classes are looked for in {root.relative_to(path)}.")
    if tree.left_out:
        told = ", ".join(f"{number} {why}" for why, number in sorted(tree.left_out.items()))
        notes.append(f"Left out: {told}.")
    if tree.empty:
        notes.append(f"Folders without images: {', '.join(tree.empty)}.")
    remarks = Counter(file.remark for file in good if file.remark)
    notes += [f"{number} images have {remark}." for remark, number in sorted(remarks.items())]
    parts = Counter(record.part for record in records)
    if "" not in parts:
        order = [part for part in _PARTS if part in parts] or sorted(parts)
        sizes = ", ".join(f"{part} {parts[part]}" for part in order)
        if "validation" in parts and "test" not in parts:
            sizes += ", of which validation is tested"
        notes.append(
            f"The images come with a split of their own ({sizes}): the policy given keeps it, every "
            "other policy divides all of them anew."
        )
    return notes
