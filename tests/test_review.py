"""A review file: what it may say, what a panel's votes mean, and the one sentence for each thing that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.analyse.panel import panel
from profiler.documents.review_file import read_review
from profiler.errors import UserError

SMALL = '[[model]]\nname = "A"\n[[model]]\nname = "B"\n'


def file(folder: Path, text: str) -> Path:
    path = folder / "review.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_example_that_ships_is_read() -> None:
    review = read_review(Path(__file__).parents[1] / "docs" / "review.example.toml")
    first = review.models[0]
    assert (first.ship_votes, first.panel, first.quotes[0].verdict) == (9, 12, "ship")
    assert first.words == ("SmolLM2-135M-Instruct.Q4_0",)
    assert review.cost is not None
    assert review.cost.hosted is not None
    assert (review.cost.device_price, review.cost.hosted.output_per_million) == (90, 0.1)


def test_a_model_without_match_is_called_by_its_name(tmp_path: Path) -> None:
    assert read_review(file(tmp_path, f'title = "T"\n{SMALL}')).models[1].words == ("B",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL, "title is missing"),
        (f'title = "T"\nprice = 3\n{SMALL}', "unknown key price"),
        (f'title = "T"\n{SMALL}ship_votes = 13\npanel = 12', "model[1].ship_votes is 13, more than the panel of 12"),
        (f'title = "T"\n{SMALL}ship_votes = 9', "model[1].panel is missing, accepted: ship_votes and panel together"),
        (f'title = "T"\n{SMALL}panel = 0', "model[1].panel is 0, accepted: a whole number from 1 on"),
        (f'title = "T"\n{SMALL}[[model]]\nname = "a"', "model[2].name is 'a', as is model[0].name"),
        (f'title = "T"\n{SMALL}match = ["a"]', "model[1].match is 'a', as is model[0].match"),
        (f'title = "T"\n{SMALL}' + "".join(f'[[model]]\nname = "{n}"\n' for n in range(3)), "model is there 5 times"),
        (f'title = "T\\u001b[2J"\n{SMALL}', "title holds control characters"),
        (f'title = "T"\n{SMALL}[[model.quote]]\ntext = "x"\nauthor = "y"\nverdict = "shp"', "did you mean ship"),
        (f'title = "T"\n{SMALL}[[use]]\nname = "u"\nlimits = "../secret.toml"', "or of a file beside the review"),
        (f'title = "T"\n{SMALL}[cost]\nduty_cycle = 0', "cost.duty_cycle is 0, accepted: a share above 0, up to 1"),
        (f'title = "T"\n{SMALL}[cost]\nlifetime_years = inf', "cost.lifetime_years is inf"),
        (f'title = "T"\n{SMALL}[cost.device."a b"]\npower_w = 3', "accepted: the id of a device"),
        (f'title = "T"\n{SMALL}[cost.hosted]\ninput_per_million = 1', "cost.hosted.output_per_million is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_that_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as refusal:
        read_review(file(tmp_path, text))
    assert said in str(refusal.value)
    assert "review.toml: " in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("votes", "share", "low", "high"),
    [((9, 12), 0.75, 0.4677, 0.9111), ((0, 12), 0.0, 0.0, 0.2425), ((12, 12), 1.0, 0.7575, 1.0)],
)
def test_the_interval_of_a_panel_is_wilsons(
    votes: tuple[int, int], share: float, low: float, high: float
) -> None:
    """The figures of a table of Wilson intervals; at 0 and at all votes a bound is the share itself."""
    found = panel(*votes)
    assert (found.share, found.small) == (share, True)
    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)


def test_a_panel_of_thirty_is_not_called_small() -> None:
    assert not panel(20, 30).small
