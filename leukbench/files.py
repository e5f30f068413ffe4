"""Where derived arrays are kept, and how files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leukbench.errors import DataError

_TEMPORARY = re.compile(r"\..+(\.\w+)\.[a-z0-9_]{8}\1")


def cache_dir() -> Path:
    """Folder for derived data: ``LEUKBENCH_CACHE``, else ``leukbench`` in the user's cache folder."""
    chosen = os.environ.get("LEUKBENCH_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "leukbench"


def writable_cache(*parts: str) -> Path:
    """A folder below `cache_dir` that can be written.

    `DataError` where it cannot be made: names the folder and the variable that moves it.
    """
    folder = cache_dir().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise DataError(
            f"The cache folder {folder} cannot be written ({error.strerror}): "
            "set LEUKBENCH_CACHE to a folder that can."
        ) from error
    return folder


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` when the block ends well.

    A kill at any moment leaves the old file or the new one, never a part of one.

    `DataError` where the disk is full or the folder read-only.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
    except OSError as error:
        raise _not_written(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise _not_written(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what `atomic_path` leaves in a folder, and one level below it, at a kill."""
    for place in (folder, *(path for path in folder.iterdir() if path.is_dir())):
        for file in place.glob(".*"):
            if _TEMPORARY.fullmatch(file.name) and file.is_file():
                file.unlink()


def reserve_space(path: Path) -> None:
    """Take the disk space of a file that is to be filled through a memory map.

    A page of a mapped file that finds no space on the disk ends the process without a word.

    `OSError` where the disk has not so much space left, or the user may not have it.
    """
    if not hasattr(os, "posix_fallocate"):  # not on macOS and Windows
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _not_written(path: Path, error: OSError) -> DataError:
    cached = cache_dir() in path.parents
    other = "set LEUKBENCH_CACHE to another folder" if cached else "name another folder with `out`"
    return DataError(
        f"{path} cannot be written ({error.strerror}): free some space or {other}; "
        "what was finished before is kept."
    )
