"""The folder of a replay: ``replay.json`` instead of ``run.json``, so that nothing takes it for a run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel

from leukbench.errors import DataError, UsageError
from leukbench.files import write_text
from leukbench.records import (
    REPLAY,
    REPLAY_FILE,
    PublishedValues,
    RunDescription,
    TrialRecord,
    read_record,
    read_stored,
)
from leukbench.replay.mistakes import MISTAKES, Mistake, Reading
from leukbench.replay.trainings import TRAININGS, image_of
from leukbench.runfolder import PREDICTIONS, read_split, read_table
from leukbench.trials.store import RunStore, write_json
from leukbench.trials.trial import EVERY_EPOCH

WARNING = (
    "LEAKY: numbers of this folder are measured with known mistakes; they show a possible origin of "
    "a published value, never an accusation, and are no results."
)


class Compared(BaseModel):
    """The two trainings of a mistake, and why it is not shown, where it is not."""

    honest: str = ""
    replayed: str = ""
    abstained: str = ""


class ReplayDescription(RunDescription):
    """Content of ``replay.json``: that of a ``run.json``, the model, and the mistakes."""

    warning: str = WARNING
    model: str
    title: str
    published: PublishedValues | None = None
    """What a paper prints for the model on these images."""
    mistakes: dict[str, Compared]


class ReplayStore(RunStore):
    """A folder of replays that is being written."""

    def begin_replay(self, about: ReplayDescription, split: pd.DataFrame) -> None:
        """Write ``replay.json`` and ``split.csv``, or check that they are of the same replay.

        `UsageError` where the folder holds a run, or replays of other images, protocol or model.
        """
        if (self.path / "run.json").is_file():
            raise UsageError(
                f"`out={self.path}` holds a run, whose numbers must not stand beside LEAKY ones: name "
                "another folder."
            )
        if (self.path / REPLAY_FILE).is_file():
            before = ReplayFolder(self.path).about
            other = before.differs_in(about) or (before.model != about.model and "model")
            if other:
                raise UsageError(
                    f"`out={self.path}` holds replays of another {other}: name another folder."
                )
            about = about.model_copy(
                update={
                    "created": before.created,
                    "mistakes": before.mistakes | about.mistakes,
                }
            )
        write_text(self.path / "split.csv", split.to_csv(index=False, lineterminator="\n"))
        write_json(self.path / REPLAY_FILE, about.model_dump(mode="json"))


class ReplayFolder:
    """Replays on disk; `DataError` where there are none."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not (self.path / REPLAY_FILE).is_file():
            raise DataError(f"{path} holds no replays: name a folder that leukbench replay made.")
        self.about = read_stored(
            self.path / REPLAY_FILE, ReplayDescription, "name another folder of replays"
        )

    @cached_property
    def split(self) -> pd.DataFrame:
        """Content of ``split.csv``; fold 0 is replayed."""
        split = read_split(self.path / "split.csv")
        first: pd.DataFrame = split[split["fold"] == split["fold"].min()]
        return first

    @cached_property
    def records(self) -> dict[str, dict[int, TrialRecord]]:
        """Trainings that left predictions, by name (as in `TRAININGS`) and seed."""
        found: dict[str, dict[int, TrialRecord]] = {}
        for path in sorted((self.path / "trials").glob("*/record.json")):
            record = read_record(path)
            if record.scored:
                name = str(record.identity.get(REPLAY, "")).split()[-1]
                found.setdefault(name, {})[record.seed] = record
        return {name: dict(sorted(seeds.items())) for name, seeds in found.items()}

    def compared(self) -> list[tuple[Mistake, Compared]]:
        """The mistakes of this folder in the order of the tables."""
        return [(MISTAKES[name], self.about.mistakes[name]) for name in MISTAKES
                if name in self.about.mistakes]  # fmt: skip

    def answers(self, reading: Reading, seed: int) -> pd.DataFrame:
        """Right answers of a reading: columns ``image`` (without views) and ``right`` (0 or 1)."""
        record = self.records[reading.training][seed]
        folder = self.path / "trials" / record.key
        if reading.scored == "best-epoch":
            epochs = read_table(folder, record, EVERY_EPOCH)
            table = epochs.drop(columns=["image", "y_true"]).eq(epochs["y_true"], axis=0)
            best = table.columns[int(np.argmax(table.mean().to_numpy()))]
            return pd.DataFrame({"image": epochs["image"], "right": table[best].astype(float)})
        frame = read_table(folder, record, PREDICTIONS)
        right = (frame["y_true"] == frame["y_pred"]).astype(float)
        answers = pd.DataFrame({"image": frame["image"].map(image_of), "right": right})
        if reading.scored == "everything" or TRAININGS[reading.training].views > 1:
            return answers  # views are predicted for the test part alone
        tested = self.split.loc[self.split["part"] == "test", "image"]
        own: pd.DataFrame = answers[answers["image"].isin(tested)]
        return own
