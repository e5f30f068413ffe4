"""Files that are almost right: some bytes of a good one are changed, lost, doubled or put elsewhere."""

from __future__ import annotations

import random
from collections.abc import Sequence


def mutated(luck: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """A good file with one to six changes."""
    data = bytearray(luck.choice(seeds))
    for _ in range(luck.choice((1, 1, 1, 2, 3, 6))):
        start = luck.randrange(len(data) + 1)
        end = min(len(data), start + luck.choice((1, 1, 2, 4, 16, 200)))
        what = luck.randrange(7)
        if what == 0 and data:
            data[start % len(data)] ^= 1 << luck.randrange(8)
        elif what == 1:
            data[start:end] = luck.randbytes(end - start)
        elif what == 2:
            del data[start:end]
        elif what == 3:
            data[start:start] = data[start:end]
        elif what == 4 and words:
            data[start : luck.choice((start, end))] = luck.choice(words)
        elif what == 5:
            other = luck.choice(seeds)
            place = luck.randrange(len(other) + 1)
            data[start:end] = other[place : place + end - start]
        elif what == 6 and luck.random() < 0.3:
            del data[start:]
    return bytes(data)
