"""Protocols: read whole, refused with the key and the line, and fingerprinted by what matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.errors import UsageError
from leukbench.protocol import builtin_protocols, load_protocol, override, parse_protocol


def test_the_papers_protocol_says_what_the_paper_says() -> None:
    paper = load_protocol("paper")
    assert (paper.preprocessing.size, paper.preprocessing.colour) == (50, "grey")
    assert (paper.training.epochs, paper.training.batch_size) == (30, 64)
    assert (paper.split.policy, paper.split.test_fraction) == ("paper", 0.2)
    assert paper.training.early_stopping == 0
    assert len(paper.models) == 10


@pytest.mark.parametrize("name", builtin_protocols())
def test_every_built_in_protocol_is_valid_and_named_like_its_file(name: str) -> None:
    assert load_protocol(name).name == name


HEAD = 'name = "x"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "\n[training]\nepoks = 3\n",
            "f.toml, line 4: the key training.epoks is unknown (did you mean epochs?)",
        ),
        (HEAD + '[split]\npolicy = "lucky"\n', "f.toml, line 3: split.policy = 'lucky'"),
        (HEAD + "seeds = []\n", "f.toml, line 2: seeds"),
        ('title = "x"\n', "the key name is missing"),
        (HEAD + "[preprocessing]\nmedian_kernel = 4\n", "line 3: preprocessing.median_kernel = 4"),
        ("name = \n", "no valid TOML"),
        (HEAD + "[training]\nepochs = 0\n", "line 3: training.epochs = 0"),
        (HEAD + '[split]\npolicy = "repeated-kfold"\n', "needs folds of 2 or more"),
        (
            HEAD + "[options.vgg16]\nrate = nan\n",
            "line 3: options.vgg16.rate = nan does not fit: must be a finite number",
        ),
        (HEAD + "[options.vgg16]\nrate = [1]\n", "line 3: options.vgg16.rate = [1] does not fit"),
    ],
)
def test_a_broken_file_is_named_with_key_and_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_protocol(text, "f.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_name_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean paper"):
        load_protocol("papr")
    with pytest.raises(UsageError, match="cannot be read"):
        load_protocol(str(tmp_path / "none.toml"))


def test_fingerprint_holds_what_makes_numbers_comparable_and_no_more() -> None:
    paper = load_protocol("paper")
    assert override(paper, seeds=(3, 4), models=("vgg16",)).fingerprint == paper.fingerprint
    assert override(paper, training__epochs=29).fingerprint != paper.fingerprint
    blocks = override(paper, split__policy="blocks")
    assert "embargo" not in blocks.comparable()["split"]
    assert override(blocks, split__embargo=5).fingerprint != blocks.fingerprint
    assert override(paper, split__seed=1).fingerprint != paper.fingerprint
    assert override(paper, preprocessing__colour="rgb").fingerprint != paper.fingerprint
    assert override(paper, task="benign-malignant").fingerprint != paper.fingerprint
    assert "options" not in paper.comparable()
    dropout = override(paper, options={"modified_cnn": {"dropout": 0.25}})
    assert dropout.fingerprint != paper.fingerprint


def test_an_override_is_validated() -> None:
    with pytest.raises(UsageError, match=r"training\.epochs = 0"):
        override(load_protocol("paper"), training__epochs=0)
