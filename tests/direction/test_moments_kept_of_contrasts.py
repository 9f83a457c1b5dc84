"""Directions from moments are those from rows, and what moments do not carry is refused."""

from dataclasses import replace

import pytest
import torch
from commands import invoke, quick

from latentmech.activations import ActivationStore
from latentmech.data import Pairs
from latentmech.direction import DirectionStudy
from latentmech.errors import BadInput

QUICK = {"random_draws": 39, "shuffles": 0, "halvings": 0, "compare": False, "draws": 100}


@pytest.fixture
def store(tmp_path):
    return ActivationStore(root=str(tmp_path), shard_rows=32)


@pytest.mark.parametrize("method", ["difference_of_means", "lda", "pca_of_differences", "leace"])
def test_directions_from_moments_are_those_from_rows(store, tiny, method):
    study = DirectionStudy(
        data=Pairs(name="refusal", limit=160), method=method, positions=("last", "prompt_mean"), **QUICK
    )
    rows, moments = (study.find(tiny, replace(store, keep=keep)) for keep in ("rows", "moments"))
    assert len(rows.candidates) == len(moments.candidates) == 8
    for one, other in zip(rows.candidates, moments.candidates, strict=True):
        assert (one.position, one.level) == (other.position, other.level)
        if (
            method == "leace" and one.name == "embed/last"
        ):  # a handful of different tokens: many normals read them alike
            continue
        assert float(one.vector @ other.vector) == pytest.approx(1, abs=1e-4)
        assert other.norm == pytest.approx(one.norm, rel=1e-3)
        assert other.spread == pytest.approx(one.spread, rel=1e-3)
        assert other.dev == pytest.approx(one.dev, abs=5e-3)
        torch.testing.assert_close(one.means, other.means, rtol=1e-4, atol=1e-4)
    assert rows.choice.candidate == moments.choice.candidate
    assert rows.audit.test.value == pytest.approx(moments.audit.test.value, abs=5e-3)
    held = (rows.plan.parts.split != "train").sum()
    assert len(moments.plan.read.positive) == held
    assert {"random", "covariance"} == set(moments.left_out.nulls)
    assert 0 < moments.left_out.nulls["covariance"].p <= 1


def test_covariance_draws_of_moments_vary_as_those_of_rows():
    from latentmech.activations import Moments
    from latentmech.direction.nulls import covariance_directions, directions_within

    rows = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 13) + 50
    moments = Moments.of(rows, torch.zeros(4000, dtype=torch.long), 1)
    spread = [f.square().mean(0) for f in (covariance_directions(rows, 4000, 0), directions_within(moments, 4000, 1))]
    torch.testing.assert_close(*spread, rtol=0.1, atol=0.003)


def test_what_is_refitted_on_other_rows_is_refused_by_name(store, tiny):
    asked = DirectionStudy(data=Pairs(name="refusal"), method="logistic")
    wanted = r"set direction\.method=lda \(or any other\) direction\.shuffles=0 direction\.halvings=0, or activations"
    with pytest.raises(BadInput, match=wanted):
        asked.find(tiny, replace(store, keep="moments"))


def test_the_command_line_says_what_was_not_kept():
    settings = [s for s in quick("direction") if "shuffles" not in s and "halvings" not in s]
    settings += ["direction=refusal", "direction.shuffles=0", "direction.halvings=0", "activations.keep=moments"]
    code, out, err = invoke(*settings)
    assert code == 0, err
    assert "test texts with AUROC" in out
    assert "rows not kept (activations.keep=moments)" in " ".join(out.split())
    code, _, err = invoke(*quick("direction"), "direction=refusal", "activations.keep=moments")
    assert (code, err.count("\n")) == (2, 1)
    assert "direction.shuffles=0 direction.halvings=0" in err
