"""Whether a replay is what it says: every hash, and the table again from the stored predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leukbench.checks.verify_tables import Difference
from leukbench.data.splits import split_sha256
from leukbench.errors import LeukbenchError
from leukbench.protocol import canonical_sha256
from leukbench.records import LEAKY, REPLAY, REPLAY_FILE, file_sha256, read_record
from leukbench.replay.folder import ReplayFolder
from leukbench.replay.tables import PAGE, TABLE, markdown_of, table_of
from leukbench.runfolder import read_split


def replay_folders(path: Path) -> list[Path]:
    """The folder of replays itself, or all that lie in it, one or two levels down."""
    if (path / REPLAY_FILE).is_file():
        return [path]
    found = [*path.glob(f"*/{REPLAY_FILE}"), *path.glob(f"*/*/{REPLAY_FILE}")]
    return sorted(file.parent for file in found)


def verify_replay(path: Path) -> list[Difference]:
    """Name every difference in one folder of replays; nothing is written to it."""
    try:
        folder = ReplayFolder(path)
        return list(_differences(folder))
    except (LeukbenchError, KeyError) as error:
        return [Difference(REPLAY_FILE, f"does not fit: {str(error).splitlines()[0]}")]


def _differences(folder: ReplayFolder) -> Iterator[Difference]:
    about = folder.about
    if about.protocol.fingerprint != about.protocol_fingerprint:
        yield Difference(REPLAY_FILE, "protocol_fingerprint is not that of its protocol")
    if split_sha256(read_split(folder.path / "split.csv")) != about.split_sha256:
        yield Difference("split.csv", f"its sha256 is not the one in {REPLAY_FILE}")
    for place in sorted((folder.path / "trials").glob("*")):
        record = read_record(place / "record.json")
        name = f"trials/{place.name}"
        leaky = str(record.identity.get(REPLAY, "")).startswith(LEAKY)
        key = (f"{LEAKY}-" if leaky else "") + canonical_sha256(record.identity)
        if not place.name == record.key == key:
            yield Difference(name, "its name is not the sha256 of its identity")
        if leaky != record.title.startswith(LEAKY):
            yield Difference(name, f"its title does not say {LEAKY} as its training does")
        for file, digest in record.files.items():
            if not (place / file).is_file() or file_sha256(place / file) != digest:
                yield Difference(f"{name}/{file}", "its sha256 is not the one in record.json")
    made = {TABLE: table_of(folder).to_csv(index=False, lineterminator="\n")}
    for file, text in (made | {PAGE: markdown_of(folder)}).items():
        stored = folder.path / file
        if not stored.is_file() or stored.read_text(encoding="utf-8") != text:
            yield Difference(file, "is not what the stored predictions give")
