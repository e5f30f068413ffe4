"""Read every image once: hash, size, and what is unusual or wrong; an index keeps what was read."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from joblib import Parallel, delayed

from leukbench.data.decode import describe_image, image_bytes
from leukbench.errors import DataError
from leukbench.files import atomic_path, cache_dir

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """What is known of one image file after it was read once."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str
    height: int
    width: int
    fault: str
    remark: str
    """What was done to an unusual image, such as 16 bits a channel."""

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """What the file system says of the file; changes when its content does."""
        return self.size, self.mtime_ns, self.ctime_ns, self.inode


def scan(root: Path, paths: Sequence[str], *, jobs: int = -1) -> list[ScannedFile]:
    """Hash and decode images below `root`, in parallel.

    What was read before and is unchanged (size, times, inode) is taken from an index in the cache.
    """
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
    index_file = cache_dir() / "index" / f"{key}.jsonl"
    before = _read_index(index_file)
    scanned: dict[str, ScannedFile] = {}
    fresh: list[str] = []
    for path in paths:
        entry = before.get(path)
        if entry and entry.stamp == _stamp(root / path):
            scanned[path] = entry
        else:
            fresh.append(path)
    if fresh:
        chunks = [fresh[start : start + _CHUNK] for start in range(0, len(fresh), _CHUNK)]
        with quiet_decoders():
            for chunk in Parallel(n_jobs=jobs, prefer="threads")(
                delayed(_scan_chunk)(root, chunk) for chunk in chunks
            ):
                scanned.update((file.path, file) for file in chunk)
    files = [scanned[path] for path in paths]
    if fresh or len(before) != len(files):
        _write_index(index_file, files)
    return files


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what libjpeg and libpng print about damaged files from the terminal; errors name them."""
    sys.stderr.flush()
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def _stamp(file: Path) -> tuple[int, int, int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _scan_chunk(root: Path, paths: Iterable[str]) -> list[ScannedFile]:
    return [_scan_file(root, path) for path in paths]


def _scan_file(root: Path, path: str) -> ScannedFile:
    full = root / path
    stamp = _stamp(full)
    digest, fault, seen = "", "", (0, 0, "")
    try:
        data = image_bytes(full)
        digest = hashlib.sha256(data).hexdigest()
        seen = describe_image(data, path)
    except OSError as error:
        fault = f"cannot be opened ({error.strerror})"
    except DataError as error:
        sentence = str(error).removeprefix(f"{full} ").removeprefix(f"{path} ")
        fault = sentence.partition(":")[0]
    height, width, remark = seen
    return ScannedFile(path, *stamp, digest, height, width, fault, remark)


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
