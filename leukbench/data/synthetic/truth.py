"""What is known of a synthetic dataset, stored beside its images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from leukbench.data.synthetic.config import SyntheticConfig
from leukbench.data.synthetic.copies import PlantedPair, plan
from leukbench.errors import DataError

TRUTH_FILE = "leukbench-synthetic.json"
"""Name of the file that marks a folder as synthetic."""


@dataclass(frozen=True)
class Truth:
    """What is known of a synthetic dataset."""

    config: SyntheticConfig
    groups: dict[str, str]
    """Patient of every file, by its path below the folder."""
    pairs: tuple[PlantedPair, ...]
    """All pairs of files that show the same content."""

    def to_json(self) -> str:
        """The truth as a JSON text; one line for each image and pair."""
        lines = [
            '{"schema_version": 1',
            f'"config": {json.dumps(self.config.to_dict())}',
            '"groups": '
            + _one_a_line(
                "{}", [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in self.groups.items()]
            ),
            '"pairs": ' + _one_a_line("[]", [json.dumps(asdict(pair)) for pair in self.pairs]),
        ]
        return ",\n".join(lines) + "}\n"


def tell_truth(config: SyntheticConfig) -> Truth:
    """The truth of a dataset, known before an image is rendered."""
    items, pairs = plan(config)
    return Truth(config, {item.path: item.group for item in items}, tuple(pairs))


def load_truth(folder: Path | str) -> Truth:
    """Read the truth that `write_dataset` stored.

    Raises
    ------
    DataError
        Where the folder holds no synthetic dataset, or its truth file cannot be read.
    """
    path = Path(folder) / TRUTH_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        pairs = tuple(
            PlantedPair(**{**pair, "shift": tuple(pair["shift"]) if pair["shift"] else None})
            for pair in stored["pairs"]
        )
        config = SyntheticConfig.from_dict(stored["config"])
        return Truth(config, dict(stored["groups"]), pairs)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing: {folder} holds no synthetic dataset, make one with "
            "`leukbench data synthesize`."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as the truth of a synthetic dataset: make the folder again "
            "with `leukbench data synthesize`."
        ) from error


def _one_a_line(brackets: str, lines: list[str]) -> str:
    return brackets[0] + "".join(f"\n  {x}," for x in lines)[:-1] + "\n" * bool(lines) + brackets[1]
