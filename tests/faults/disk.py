"""A run on a disk that is full: a small file system of its own, in memory.

The file system is mounted in a namespace of one process and is gone with it. Where the system does
not allow that, nothing is tried.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.faults.site import Site, check_after, check_same

NAMESPACE = ("unshare", "--mount", "--map-root-user")


def possible() -> bool:
    """Whether this system lets a process mount a file system of its own."""
    try:
        return (
            subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def fill(site: Site, undisturbed: Path, kilobytes: int, what: str = "out") -> bool:
    """Run on a disk of a size, give it space, go on, and compare; whether it was full.

    The disk holds the run folder, or what the run takes as its ``cache``.
    """
    return _in_namespace(site, undisturbed, f"{kilobytes}k", what).startswith("full")


def _in_namespace(site: Site, undisturbed: Path, size: str, what: str) -> str:
    words = [str(site.folder), str(undisturbed), size, what]
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.faults.disk", *words],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, f"{size} {what}: {done.stdout}{done.stderr}"
    return done.stdout


def main(folder: str, undisturbed: str, size: str, what: str) -> None:
    """Break one run in this namespace."""
    base = Path(folder)
    disk = base / "disk"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    environment = {"LEUKBENCH_CACHE": str((disk if what == "cache" else base) / "cache")}
    site = Site(base, base / "data", base / "faults.toml", environment | {"MPLBACKEND": "agg"})
    out = (disk if what == "out" else base) / f"run-{what}"
    run = site.start(out)
    code = run.wait()
    last = run.text.splitlines()[-1]
    assert code in (0, 3), run.text
    if code == 3:
        assert last.startswith("leukbench: ") and "Traceback" not in run.text, run.text
        assert "unexpected" not in last, last
        assert "space" in last, last
    before = check_after(out, set(), run.text) if out.exists() else set()
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    again = site.start(out)
    assert again.wait() == 0, again.text
    check_after(out, before)
    check_same(out, Path(undisturbed))
    print("full" if code else "fits", last)


if __name__ == "__main__":
    main(*sys.argv[1:])
