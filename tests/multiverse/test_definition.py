"""What a definition spans, and how it is refused."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from leukbench.errors import UsageError
from leukbench.multiverse.definition import Defined, read_definition
from leukbench.protocol import load_protocol, parse_protocol

COMMITTED = Path(__file__).parents[2] / "results/all-pbs-multiverse/multiverse.toml"
HEAD = 'name = "small"\nprotocol = "paper"\nmodels = ["random_forest"]\n'


def read(tmp_path: Path, text: str) -> Defined:
    file = tmp_path / "multiverse.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    return read_definition(file)


def test_the_committed_definition_spans_the_48_protocols_that_one_would_write_by_hand() -> None:
    defined = read_definition(COMMITTED)
    paper = (resources.files("leukbench") / "protocols" / "paper.toml").read_text(encoding="utf-8")
    assert len(defined.universes) == len({one.name for one in defined.universes}) == 48
    assert (defined.definition.seeds, defined.definition.published.correct) == ((0, 1, 2), 637)
    prints = set()
    for universe in defined.universes:
        choices = universe.choices
        text = (
            paper.replace('colour = "grey"', f'colour = "{choices["preprocessing.colour"]}"')
            .replace(
                "median_kernel = 5", f"median_kernel = {choices['preprocessing.median_kernel']}"
            )
            .replace('policy = "paper"', f'policy = "{choices["split.policy"]}"')
        )
        if choices["options.modified_cnn.dropout"]:
            text += "\n[options.modified_cnn]\ndropout = 0.25\n"
        assert universe.protocol.fingerprint == parse_protocol(text, "by hand").fingerprint
        prints.add((choices["copies"], universe.protocol.fingerprint))
    assert len(prints) == 48
    assert ("Original", load_protocol("paper").fingerprint) in prints


def test_a_seeded_sample_is_a_part_of_all_combinations(tmp_path: Path) -> None:
    vary = '[vary]\n"preprocessing.size" = [16, 24, 32, 40, 48]\n"split.seed" = [0, 1, 2]\n'
    everything = [one.name for one in read(tmp_path, vary).universes]
    first = [one.name for one in read(tmp_path, f"sample = 4\n{vary}").universes]
    other = [one.name for one in read(tmp_path, f"sample = 4\nsample_seed = 1\n{vary}").universes]
    assert len(everything) == 15 and everything[:2] == ["16_0", "16_1"]
    assert first == [one.name for one in read(tmp_path, f"sample = 4\n{vary}").universes]
    assert len(first) == 4 and set(first) < set(everything) and first != other
    assert first == sorted(first, key=everything.index)


def test_an_impossible_combination_leaves_the_others_standing(tmp_path: Path) -> None:
    defined = read(
        tmp_path, '[vary]\n"split.policy" = ["paper", "blocks"]\n"split.embargo" = [0, 2]\n'
    )
    faults = {one.name: one.fault for one in defined.universes}
    assert [name for name, fault in faults.items() if fault] == ["paper_2"]
    assert "embargo goes with the policy blocks" in faults["paper_2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[vary]\n"preprocessing.color" = ["grey", "rgb"]', "did you mean colour"),
        ('[vary]\n"preprocessing.median_kernel" = [3, 4]', "must be odd"),
        ('[vary]\n"split.policy" = ["papr"]', "does not fit"),
        ('[vary]\n"options.modified_cnn.dropot" = [0.1]', "did you mean dropout"),
        ('[vary]\n"options.modified_cnn.dropout" = ["much"]', "give a value like 0.0"),
        ('[vary]\n"split.seed" = [1, 1]', "different values"),
        ('[vary]\n"seeds" = [1, 2]', "no choice of an analysis"),
        ('[vary]\n"name.x" = [1, 2]', "no choice of an analysis"),
        ('[vary]\n"task.x" = [1, 2]', "task is no section"),
        ("sampel = 4", "did you mean sample"),
        ("sample = 0", "sample does not fit"),
        ("sample = ", "no valid TOML"),
        ('[published]\nmodel = "vgg16"\ncorrect = 1\ntotal = 2\nsource = "x"', "none of the models"),
        ('[published]\nmodel = "random_forest"\ncorrect = 3\ntotal = 2\nsource = "x"', "at least"),
        ('[vary]\n"split.seed" = [' + ", ".join(map(str, range(20_001))) + "]", "more than 20000"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_names_of_universes_are_different_folders(tmp_path: Path) -> None:
    defined = read(tmp_path, '[copies]\n"a b" = "x"\n"a/b" = "y"\n"A-B" = "z"\nother = "w"\n')
    names = [one.name for one in defined.universes]
    assert len({name.casefold() for name in names}) == 4 and names[-1] == "other"
    assert not any("/" in name or " " in name for name in names)


def test_the_committed_definition_is_toml_that_anybody_reads() -> None:
    values = tomllib.loads(COMMITTED.read_text(encoding="utf-8"))
    assert values["models"][0] == values["published"]["model"] == "modified_cnn"
