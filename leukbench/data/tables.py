"""Labels, groups and parts that a table or a pattern of file names gives to images.

Names are normalised where that is unambiguous (backslashes, ``./``, bare names, missing suffixes);
whatever is unmatched, ambiguous, missing or conflicting is refused, with its number and first row.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from leukbench.data.layout import Facts
from leukbench.errors import DataError, UsageError

DELIMITERS = ",;\t|"
_SYNONYMS = {
    "image": "filename file file_name image_id image_name image_path path filepath file_path",
    "label": "class class_name category diagnosis",
    "group": "patient patient_id patientid subject subject_id slide slide_id",
    "part": "split set subset partition fold",
}
"""Other common names of a table's columns."""


def read_facts(
    file: Path,
    columns: Sequence[str],
    optional: Sequence[str],
    root: Path,
    images: Sequence[str],
    listed: Sequence[str] = (),
) -> dict[str, Facts]:
    """`columns` of a table for each of `images`, whatever its delimiter; `optional` ones may lack.

    Columns may have another common name, as ``filename``, ``class``, ``patient_id`` or ``split``. Rows
    may also name what else is `listed`, such as images that are skipped.

    Raises
    ------
    DataError
        Where a column, an image or a value is missing, or a row fits no image, several, or another row.
    """
    rows = _read_rows(file, ["image", *columns])
    find = _Finder(root, dict.fromkeys([*images, *listed]))
    facts: dict[str, Facts] = {}
    unmatched: list[str] = []
    ambiguous: list[str] = []
    conflicting: list[str] = []
    empty: list[str] = []
    for number, row in rows:
        matches = find(row["image"])
        given = {name: row[name] for name in (*columns, *optional) if row.get(name, "")}
        where = f"row {number} ({row['image']})"
        if any(name not in given for name in columns):
            empty.append(where)
        elif len(matches) != 1:
            (ambiguous if matches else unmatched).append(where)
        elif facts.setdefault(matches[0], given) != given:
            conflicting.append(where)
    missing = [image for image in images if image not in facts]
    wanted = " or ".join(columns)
    for faults, what, mend in (
        (empty, f"have no {wanted}", "fill them in or remove them"),
        (unmatched, f"name no image of {root}", "mend the names or remove the rows"),
        (ambiguous, f"fit more than one image of {root}", "write the path below that folder"),
        (conflicting, "contradict an earlier row of the same image", "keep one of them"),
    ):
        if faults:
            raise DataError(
                f"{len(faults)} rows of {file} {what}, the first is {faults[0]}: {mend}."
            )
    if missing:
        raise DataError(
            f"{len(missing)} images of {root} stand in no row of {file}, the first is {missing[0]}: add "
            "them, or move them out of the folder."
        )
    return {image: facts[image] for image in images}


def facts_of_names(
    pattern: str, parameter: str, needed: str, root: Path, images: Sequence[str]
) -> dict[str, Facts]:
    """What a regular expression with named groups finds in each image's path below the root."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"`{parameter}={pattern}` is no regular expression ({error}): mend it."
        ) from error
    if needed not in expression.groupindex:
        raise UsageError(
            f"`{parameter}={pattern}` has no named group {needed}: write (?P<{needed}>...) around what "
            f"is the {needed}."
        )
    found = {image: expression.search(image) for image in images}
    facts = {
        image: {name: value for name, value in match.groupdict().items() if value}
        for image, match in found.items()
        if match and match[needed]
    }
    missing = [image for image in images if image not in facts]
    if missing:
        raise DataError(
            f"`{parameter}={pattern}` does not fit {len(missing)} of {len(images)} images in {root}, the "
            f"first is {missing[0]}: widen the pattern, or move them out of the folder."
        )
    return facts


class _Finder:
    """Images that a name may mean, from the exact path to a bare name without its suffix."""

    def __init__(self, root: Path, images: Iterable[str]) -> None:
        self.parts = {image: Path(_normal(str(root / image))).parts for image in images}
        self.exact = {_normal(image): image for image in self.parts}
        self.by_length: dict[tuple[int, bool], dict[str, list[str]]] = {}

    def __call__(self, name: str) -> list[str]:
        pieces = [piece for piece in name.replace("\\", "/").split("/") if piece not in ("", ".")]
        path = _normal("/".join(pieces))
        if path in self.exact:
            return [self.exact[path]]
        return self._ending(len(pieces), True).get(path) or self._ending(len(pieces), False).get(
            path, []
        )

    def _ending(self, length: int, suffix: bool) -> Mapping[str, list[str]]:
        if (length, suffix) not in self.by_length:
            table: dict[str, list[str]] = {}
            for image, parts in self.parts.items():
                last = parts[-1] if suffix else Path(parts[-1]).stem
                table.setdefault("/".join((*parts[-length:-1], last)), []).append(image)
            self.by_length[length, suffix] = table
        return self.by_length[length, suffix]


def _normal(text: str) -> str:
    """Accented letters as one character: some systems write them as two."""
    return unicodedata.normalize("NFC", text)


def _known_names(file: Path, names: Sequence[str]) -> list[str]:
    """Names of columns, with ours in place of another common name for the same."""
    renamed = {}
    for ours, others in _SYNONYMS.items():
        matching = [name for name in names if name.replace(" ", "_") in others.split()]
        if ours in names or not matching:
            continue
        if len(matching) > 1:
            raise DataError(
                f"The columns {' and '.join(matching)} of {file} may each be the {ours}: call the right "
                f"one {ours}."
            )
        renamed[matching[0]] = ours
    return [renamed.get(name, name) for name in names]


def table_text(file: Path) -> str:
    """Text of a CSV file, UTF-8 or UTF-16 with its mark; `DataError` where it is neither."""
    try:
        data = file.read_bytes()
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text: save it as CSV in UTF-8.") from error


def _read_rows(file: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Rows with their numbers; names of columns in lower case, blanks around values taken away."""
    text = table_text(file)
    header = text.lstrip().partition("\n")[0]
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            lines = [
                (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)
            ]
        except csv.Error as error:
            raise DataError(f"{file} is no CSV file ({error}): mend its quoting.") from error
        names = _known_names(file, [name.casefold() for name in lines[0][1]]) if lines else []
        if set(columns) <= set(names):
            break
    else:
        raise DataError(
            f"{file} needs the columns {' and '.join(columns)}, and its first line is "
            f"{header.strip()[:80]!r}: add them."
        )
    wrong = [number for number, cells in lines if len(cells) != len(names)]
    if wrong:
        raise DataError(
            f"{len(wrong)} rows of {file} have more or fewer than {len(names)} cells, the first is row "
            f"{wrong[0]}: mend them."
        )
    return [(number, dict(zip(names, cells, strict=True))) for number, cells in lines[1:]]
