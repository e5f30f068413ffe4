"""One writer for each folder: a lock that the system frees when its process ends, however that ends."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

from pydantic import BaseModel

from leukbench.errors import DataError, UsageError

LOCK = "lock"
WORK = ".work"
"""Folder below a run folder for what is only there while a process writes it."""
SILENT_SECONDS = 60.0
"""A process of another machine that gave no sign for so long is dead."""
_PATIENCE = 1.0  # whoever only looks whether a folder is locked holds the lock for a moment


class Owner(BaseModel):
    """Who writes a folder."""

    process: int
    host: str
    started: str
    """Date and time, UTC."""
    command: str = ""

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.started}"


class FolderLock:
    """The right to write a folder, held until `release` or the end of this process.

    The system holds the lock, so that of a dead process is free at once. Where a file system is shared
    and does not tell other machines of a lock, their owner's heartbeat does.

    Raises
    ------
    UsageError
        Where another process writes the folder.
    DataError
        Where the folder cannot be written.
    """

    def __init__(self, folder: Path, command: str = "") -> None:
        self.work = folder / WORK
        self._file = self._acquire(folder)
        before = _read_owner(self.work / LOCK)
        if before and before.host != socket.gethostname() and _gave_sign(self.work):
            self._file.close()
            raise _held(folder, before)
        self.owner = Owner(
            process=os.getpid(),
            host=socket.gethostname(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
        )
        self._file.seek(0)
        self._file.truncate()
        self._file.write(self.owner.model_dump_json())
        self._file.flush()

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others write the folder."""
        with suppress(OSError):
            (self.work / LOCK).unlink()
        self._file.close()
        with suppress(OSError):
            self.work.rmdir()

    def _acquire(self, folder: Path) -> IO[str]:
        path, end = self.work / LOCK, time.monotonic() + _PATIENCE
        while True:
            try:
                self.work.mkdir(parents=True, exist_ok=True)
                file = path.open("a+", encoding="utf-8")
            except FileNotFoundError:  # its last owner removed the folder at this moment
                continue
            except OSError as error:
                raise DataError(
                    f"`out={folder}` cannot be written ({error.strerror}): name a folder that can."
                ) from error
            if _lock(file) and _same_file(file, path):
                return file
            file.close()
            if time.monotonic() > end:
                raise _held(folder, _read_owner(path))
            time.sleep(0.05)


def lock_is_held(folder: Path) -> bool:
    """Whether a process of this machine holds the lock of a folder."""
    try:
        with (folder / WORK / LOCK).open("r+", encoding="utf-8") as file:
            return not _lock(file)
    except OSError:
        return False


def owner_of(folder: Path) -> Owner | None:
    """Who writes a folder, or wrote it and died; None where the last writer ended in order."""
    return _read_owner(folder / WORK / LOCK)


def _held(folder: Path, owner: Owner | None) -> UsageError:
    who = f" ({owner})" if owner else ""
    return UsageError(
        f"`out={folder}` is being written by another leukbench{who}: wait until it ends ('leukbench "
        "status' follows it), or name another folder."
    )


def _read_owner(path: Path) -> Owner | None:
    try:
        return Owner.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def _gave_sign(work: Path) -> bool:
    """Whether a file of the work folder was written lately; a clock that is ahead counts as now."""
    with suppress(OSError, ValueError):
        newest = max(file.stat().st_mtime for file in work.iterdir() if file.is_file())
        return time.time() - newest < SILENT_SECONDS
    return False


def _same_file(file: IO[str], path: Path) -> bool:
    """Whether a path still leads to an open file: its last owner may have removed it meanwhile."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _lock(file: IO[str]) -> bool:
    """Take a lock that ends with this process; False where another has it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            file.seek(2**30)  # beyond the content, which others read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: the heartbeat tells
    return True
