"""The long form: ``python -m tests.faults`` breaks runs in every way and prints what was lost."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import disk
from tests.faults.blows import (
    at_moment,
    at_step,
    endure,
    interrupt,
    of_children,
    of_dask_workers,
    read_only,
    two_at_once,
)
from tests.faults.site import Site

SEEDS = 40
Campaign = tuple[str, Callable[[Site, Path], Counter[str]]]


def disks(site: Site, undisturbed: Path) -> Counter[str]:
    """Disks of several sizes, from one that holds nothing to one that holds all but the report."""
    hits: Counter[str] = Counter()
    for kilobytes, what in ((4, "cache"), (8, "out"), (64, "out"), (300, "out"), (1000, "out")):
        full = disk.fill(site, undisturbed, kilobytes, what)
        hits[f"disk full ({what})" if full else f"disk of {kilobytes} KB not full"] += 1
    return hits


def together(site: Site, undisturbed: Path) -> Counter[str]:
    """Two runs into one folder."""
    two_at_once(site, undisturbed)
    return Counter({"two runs into one folder": 1})


def campaigns(kills: int, seed: int) -> list[Campaign]:
    """What is done, each in a folder of its own; so many kills of runs, of trials and of workers."""
    luck = random.Random(seed)
    # up to 130 steps stand before and among the trials, the rest in the report
    steps = [luck.randrange(*luck.choice(((0, 130), (0, 900)))) for _ in range(kills)]

    def several(site: Site, undisturbed: Path) -> Counter[str]:
        blows = [interrupt(1), interrupt(2), read_only()]
        return endure(site, undisturbed, blows, "several")

    return [
        (
            "moments",
            lambda s, u: endure(s, u, map(at_moment, range(seed, seed + kills)), "moments"),
        ),
        ("steps", lambda s, u: endure(s, u, map(at_step, steps), "steps")),
        ("children", lambda s, u: endure(s, u, [of_children(seed, kills)], "children")),
        ("workers", lambda s, u: endure(s, u, [of_dask_workers(seed, kills)], "workers")),
        ("several", several),
        ("disks", disks) if disk.possible() else ("no disks", lambda s, u: Counter()),
        ("two", together),
    ]


def main() -> int:
    """Run all campaigns, two side by side."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="of each kind (default: 50)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    hits: Counter[str] = Counter()
    lost = 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="leukbench-faults-") as name:
        site = Site.make(Path(name), SEEDS)
        undisturbed = site.whole_run()
        with ThreadPoolExecutor(2) as pool:
            waiting = {
                title: pool.submit(work, site, undisturbed)
                for title, work in campaigns(given.kills, given.seed)
            }
            for title, result in waiting.items():
                try:
                    hits += result.result()
                except AssertionError as error:
                    lost += 1
                    print(f"FAULT in {title}: {error}", file=sys.stderr, flush=True)
    for fault, number in hits.items():
        print(f"{number:5d}  {fault}")
    killed = sum(number for fault, number in hits.items() if "killed" in fault)
    print(
        f"{killed} kills and {hits.total() - killed} other faults; {lost} campaigns lost something."
    )
    print(f"{time.monotonic() - begun:.0f} s")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
