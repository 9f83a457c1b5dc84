"""A steering study on the tiny model: where its numbers come from, what they are called, and what a reader is told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Pairs
from latentmech.direction import DirectionStudy, load_direction, rows_at
from latentmech.errors import BadInput
from latentmech.model import levels_of
from latentmech.report import at_strength, joined
from latentmech.steering import Requests, SteeringSettings, SteeringStudy, Stems, StemsSettings
from latentmech.steering.account import headline
from latentmech.storage import plain, save_json
from latentmech.tensors import save_tensors

STEMS = Stems(prompts=[f"The {what} is" for what in "food book film house song team road game tree".split()],
              towards=["good"], away=["bad"])  # fmt: skip
SMALL = {"random": 3, "exchanged": 4, "n_tokens": 2, "kl_tokens": 2, "neutral_words": 100, "draws": 100}
FOUND = DirectionStudy(data=Pairs(name="sentiment", limit=80), chat_template=False, draws=100, halvings=2)


def study(**settings) -> SteeringStudy:
    return SteeringStudy(**{"trials": STEMS, "direction": FOUND, "layer": 1, **SMALL, **settings})


@pytest.fixture(scope="module")
def report(tiny):
    return study(strengths=[-1.0, 0.0, 1.0], layer=2, prompting=["Good.", "Bad."])(tiny, ActivationStore())


@pytest.mark.parametrize("layer", [0, 2])
def test_strengths_are_in_units_of_the_block_that_is_steered(tiny, layer):
    """Spread and norms recomputed from the states of train, wherever the direction was found."""
    found = study(strengths=[0.5], unit="std", layer=layer, exchanged=0).find(tiny, ActivationStore())
    contrast, name = FOUND.data(), f"blocks.{layer}.hook_resid_post"
    reading = FOUND.reading(str(found.direction.card["position"]))
    rows = rows_at(reading, contrast.joint, name, tiny, ActivationStore()).double().numpy()
    train = np.array(contrast.joint.splits) == "train"
    means = [rows[train & (contrast.labels == kind)].mean(0) for kind in (True, False)]
    length = np.linalg.norm(means[0] - means[1])
    along = rows @ ((means[0] - means[1]) / length)
    classes = [along[train & (contrast.labels == kind)] for kind in (True, False)]
    n = sum(map(len, classes))
    spread = np.sqrt(sum(((one - one.mean()) ** 2).sum() for one in classes) / n)
    words = ActivationStore().get(tiny, Corpus(limit=1500)(), levels_of(3), "word_last").level(name)
    resid = float(words.norm(dim=1).median())
    assert found.doses[0.5]["strength_std"].value == pytest.approx(0.5)
    assert found.doses[0.5]["strength_raw"].value == pytest.approx(0.5 * spread / length, rel=0.02)
    assert found.doses[0.5]["strength_resid"].value == pytest.approx(0.5 * spread / resid, rel=0.02)


def test_names_of_strengths_never_meet(tiny):
    strengths = [0.0, 0.001, 0.002, 1.0, 1.001, -1e-5]
    metrics = study(strengths=strengths)(tiny, ActivationStore()).metrics
    names = {f"steering/effect{end}" for end in ("@+0.00", "@+0.001", "@+0.002", "@+1.00", "@+1.001", "@-1e-05")}
    assert {name for name in metrics if name.startswith("steering/effect@")} == names
    assert metrics["steering/effect@+0.00"] == 0 and metrics["steering/effect@+0.002"] != 0
    assert [at_strength(s) for s in (0.5, -0.25, 1.0, 0.0, -0.0, 0.125)] == [
        "@+0.50", "@-0.25", "@+1.00", "@+0.00", "@+0.00", "@+0.125",
    ]  # fmt: skip


def test_a_sweep_of_runs_spells_strengths_alike(tmp_path):
    for i, strength in enumerate((0.001, 0.002)):
        row = {"strength": strength, "control": None, "metric": "effect", "value": float(i), "task": "t"}
        (tmp_path / f"{i}").mkdir()
        pd.DataFrame([row]).to_parquet(tmp_path / f"{i}" / "results.parquet")
        save_json(tmp_path / f"{i}" / "run.json", {"status": "done"})
    assert joined(tmp_path).metrics == {"sweep/effect@+0.001": 0.0, "sweep/effect@+0.002": 1.0}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strengths": [1, 1.0]}, r"steering.strengths=\[1, 1.0\] holds a number twice"),
        ({"strengths": []}, "expected numbers"),
        ({"trials": None}, "steering.trials is not set"),
        ({"prompting": ["one"]}, "prompting has 1 entries"),
        ({"exchanged": -1}, "steering.exchanged=-1 is too small"),
    ],
)
def test_settings_that_mean_nothing_are_refused_without_torch(settings, said):
    trials = StemsSettings(prompts=["It is"], towards=["a"], away=["b"])
    with pytest.raises(BadInput, match=said):
        SteeringSettings(**{"trials": trials, **settings})


def test_the_saved_direction_tells_where_it_stands(report, tmp_path):
    (name,) = report.artifacts
    tensors, card = report.artifacts[name]
    found = card["found"]
    assert card["hook_name"] == "blocks.2.hook_resid_post" != found["hook_name"] and "layer" not in card
    assert {"layer", "scores", "projections"} <= set(found) and card["spreads"][card["hook_name"]] > 0
    save_tensors(tmp_path / "d.safetensors", tensors, plain(card))
    again = load_direction(str(tmp_path / "d.safetensors"))
    assert again.layer == 2 and again.at(found["hook_name"]).card["layer"] == found["layer"]


def test_every_null_has_its_range_and_its_kl(report):
    metrics, frame = report.metrics, report.frame()
    for path, strengths in {"": ("-1.00", "+0.00", "+1.00"), "/isotropic": ("-1.00", "+1.00"),
                            "/exchanged": ("-1.00", "+1.00")}.items():  # fmt: skip
        for strength in strengths:
            low, high = (metrics[f"steering/null_{end}{path}@{strength}"] for end in ("min", "max"))
            assert low < high or strength == "+0.00"
    assert metrics["steering/null_min@+0.00"] == metrics["steering/null_max@+0.00"] == 0
    assert metrics["steering/null_next_kl@+1.00"] > 0 and "steering/null_next_kl@+0.00" not in metrics
    mean = metrics["steering/effect@+1.00"] - metrics["steering/effect_minus_null@+1.00"]
    assert metrics["steering/null_min@+1.00"] <= mean <= metrics["steering/null_max@+1.00"]
    effects = frame[(frame["metric"] == "effect") & frame["control"].isna()]
    assert (effects["groups"] == 6).all() and set(effects["interval"]) <= {"95% interval", "exact bound"}
    assert metrics["steering/shown"] in (0, 1) and 0 < metrics["steering/exchanged/p"] <= 1


@pytest.mark.parametrize(
    ("low", "high", "kl", "said"),
    [
        (-3.1, -2.9, 4.2, ("damaged at -1 (KL 4.20", "damaged at +1", "fall, the wrong way, at +1")),
        (3.0, -3.0, 0.5, ("rise, the wrong way, at -1", "fall, the wrong way, at +1", "100% of the prompts move the")),
    ],
    ids=["damage alone", "the wrong way round"],
)
def test_what_is_no_steering_is_named_in_the_headline(low, high, kl, said, tiny):
    """A sweep of the tiny model in which what the direction does is planted; the nulls are what they were."""
    real = study(strengths=[-1.0, 1.0]).find(tiny, ActivationStore())
    n, sweep = len(real.trials), real.sweep
    change = np.array([low, high])[None, :, None] + 0.1 * np.random.default_rng(0).normal(size=(1, 2, n))
    own, cost = replace(sweep.own, change=change), replace(sweep.cost, kl=torch.full((2, n), kl))
    told = headline(replace(real, sweep=replace(sweep, own=own, cost=cost), clusters=np.arange(n), draws=100), tiny)
    assert "It is not shown to steer" in told and "more than directions without meaning do" not in told
    assert all(cause in told for cause in said)


def test_the_report_says_what_was_asked_of_the_dose(report):
    asked = report.tables["verdict"].frame
    assert list(asked["asked"][:2]) == ["log-odds fall at -1", "more than random directions at -1"]
    assert "rises with the strength" in set(asked["asked"])
    shown = report.metrics["steering/shown"] == 1
    assert shown == (set(asked["holds"]) == {"yes"}) and ("not shown to steer" in report.headline) != shown
    assert [method.cites for method in report.methods[:3]] == [("turner2023",), ("berger1982",), ("phipson2010",)]
    what = report.tables["controls"].frame["what"]
    assert what.str.startswith("4 exchanged labels at").sum() == 2 and "instruction for it, change in nats" in set(what)


def test_what_was_left_out_is_said(tiny):
    report = study(strengths=[1.0], random=0, exchanged=0)(tiny, ActivationStore())
    off = {"random directions", "exchanged labels", "prompting baseline"}
    assert {f"Switched off by setting: {name}." for name in off} <= set(report.notes)
    assert "nothing without meaning stands beside it" in report.headline
    untouched = study(strengths=[0.0])(tiny, ActivationStore())
    assert "by nothing. There is no dose to judge" in untouched.headline
    assert not any(name.startswith("steering/null") for name in untouched.metrics)


def test_a_direction_that_exchanging_labels_only_turns_round_has_no_such_test(tiny):
    pca = replace(FOUND, method="pca_of_differences")
    found = study(strengths=[-1.0, 1.0], direction=pca).find(tiny, ActivationStore())
    assert found.exchanged is None
    assert (
        "No test against exchanged labels: pca_of_differences finds the same line under exchanged labels"
        in " ".join(found.notes)
    )
    assert not any("exchanged" in claim.asked for claim in found.verdict.claims)


def test_a_saved_direction_stands_beside_the_states_of_neutral_words(tiny, tmp_path):
    direction = FOUND.find(tiny, ActivationStore()).direction
    direction.save(tmp_path / "d.safetensors")
    saved = study(strengths=[-1.0, 1.0], file=str(tmp_path / "d.safetensors"), layer="dev")
    found = saved.find(tiny, ActivationStore())
    assert set(found.sweep.others) == {"random", "isotropic", "own_block"}
    assert "No exchanged labels: a saved direction comes without its texts." in found.notes
    origin = saved._origin(tiny, ActivationStore())
    (own, *_) = saved._null_source(tiny, ActivationStore(), origin).random(found.direction, 3)
    words = ActivationStore().get(tiny, Corpus(limit=1500)(), levels_of(3), "word_last")
    rows = words.level(found.direction.hook_name).double()
    drawn = torch.randn(3, len(rows), generator=torch.Generator().manual_seed(0)).double()[0] @ (rows - rows.mean(0))
    assert torch.allclose(own.vector, (drawn / drawn.norm()).float(), atol=1e-5)
    with pytest.raises(BadInput, match=r"steering\.gate needs the direction's texts"):
        replace(saved, gate="cosine").find(replace(tiny), ActivationStore())
    with pytest.raises(BadInput, match="these trials come from the direction's data, and a saved direction has none"):
        replace(saved, trials=Requests(phrases=["Sorry"])).find(tiny, ActivationStore())


def test_nulls_choose_where_the_direction_chose(tiny):
    found = study(strengths=[-1.0, 0.5, 1.0], layer="dev").find(tiny, ActivationStore())
    assert set(found.sweep.others) == {"random", "isotropic", "own_block", "exchanged"}
    assert found.sweep.others["random"].strengths == (-1.0, 0.5, 1.0) and found.sweep.others["exchanged"].strengths == (
        -1.0,
        1.0,
    )
    assert "more than random directions at blocks of their own choice at +1" in {c.asked for c in found.verdict.claims}
    assert set(study(strengths=[1.0], layer="found").find(tiny, ActivationStore()).sweep.others) == {
        "random", "isotropic", "exchanged",
    }  # fmt: skip
