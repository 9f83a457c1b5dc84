"""Prompts and the tokens that count."""

from latentmech.data import Pairs
from latentmech.steering import Requests


def test_requests_in_turn_stand_for_every_group(tiny):
    contrast = Pairs(name="refusal")()
    groups = set(contrast.in_split("test").negative.groups)
    first, turned = (
        Requests(phrases=["Sorry"], limit=20, in_turn=turn)(tiny, contrast, "test") for turn in (False, True)
    )
    assert len(first) == len(turned) == 20 and len(set(first.groups)) < len(groups) / 2
    assert sorted(turned.groups) == sorted([*groups, *groups])
