"""What is typed: how it is refused when it cannot be read, or would change nothing; folders; numbers that are none."""

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints
from unittest.mock import patch

import hydra
import pandas as pd
import pytest
from commands import QUICK, invoke
from omegaconf import OmegaConf

from latentmech.data import TASKS, Corpus, Pairs, bundled_pairs
from latentmech.direction import DirectionSettings
from latentmech.errors import BadInput
from latentmech.fields import idle
from latentmech.geometry import (
    AnalogiesSettings,
    CompareSettings,
    DimensionSettings,
    InterpolationSettings,
    LensSettings,
    MapSettings,
    NeighboursSettings,
)
from latentmech.probe import AtlasSettings, ProbeSettings
from latentmech.report import joined
from latentmech.run.arguments import sweep_arguments
from latentmech.run.questions import CONF, KNOWN, register, unused
from latentmech.settings import settled
from latentmech.storage import save_json

QUIET = ["probe.random_init=false", "probe.control_seeds=0", "probe.code_length=false", "probe.layers=[0]"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


UNREADABLE = {
    "probe.column=Number[psor]": """probe.column='"Number[psor]"'""",
    "probe.data.path=rows (v2).jsonl": """probe.data.path='"rows (v2).jsonl"'""",
    "probe.data.path=run=3.jsonl": """probe.data.path='"run=3.jsonl"'""",
    "probe.data.path=~/x.csv": """probe.data.path='"~/x.csv"'""",
    "probe.strengths=[0.5,": "'probe.strengths=[0.5, ...'",
    "probe=pos,": "probe=pos",
}


@pytest.mark.parametrize("argument", UNREADABLE)
@pytest.mark.parametrize("flags", [(), ("-m",)], ids=["run", "sweep"])
def test_a_value_that_cannot_be_read_is_named_with_how_it_is_written(argument, flags):
    code, out, err = invoke(*flags, "probe=column", "model=tiny", argument, "report=console")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"latentmech: {argument} cannot be read; ") and err.rstrip().endswith(UNREADABLE[argument])
    assert "hydra.cc" not in err


@pytest.mark.parametrize("name", ["run=3 (v2).jsonl", 'a "b" [c].jsonl', "tail\\.jsonl"])
def test_what_is_quoted_as_it_says_is_read(name):
    rows = [{"text": f"{'good' if i % 2 else 'bad'} number {i}", "label": "ab"[i % 2]} for i in range(60)]
    Path(name).write_text("\n".join(map(json.dumps, rows)))
    asked = ["probe=column", "probe.column=label", *QUIET]
    code, _, err = invoke(*asked, f"probe.data.path={name}", *QUICK)
    if code:
        import shlex

        (argument,) = shlex.split(err.rpartition(": ")[2])
        code, _, err = invoke(*asked, argument, *QUICK)
    assert code == 0, err


IDLE = {
    "probe=pos probe.positive=NOUN": "probe.positive changes nothing here: probe.column is not set",
    "probe=pos probe.method=mass_mean probe.strengths=[0.1]": "probe.strengths changes nothing here: mass_mean has nei",
    "probe=pos probe.data.limit_seed=1": "probe.data.limit_seed changes nothing here: data.limit is not set",
    "probe=pos model.seed=1": "model.seed changes nothing here: model.random_init is off",
    "probe=pos model.random_init=true model.quantization=nf4": "model.quantization changes nothing here: weights drawn",
    "probe=pos model.random_init=true model.device_map=auto": "model.device_map changes nothing here: weights drawn",
    "probe=atlas probe.tasks=[pos] probe.truth.limit=80": "probe.truth changes nothing here: truth is not",
    "probe=atlas probe.random_init=false probe.twin_step=2": "probe.twin_step changes nothing here: random_init is off",
    "direction=sentiment direction.data.positive=good": "direction.data.positive changes nothing here: bundled sets",
    "geometry=map geometry.methods=[pca] geometry.perplexity=9": "geometry.perplexity changes nothing here: tsne",
    "steering=sentiment steering.direction.push=a/b": "steering.direction.push changes nothing here: steering",
    "steering=sentiment steering.allow_foreign=true": "steering.allow_foreign changes nothing here: steering",
    "steering=file steering.file=x steering.direction.method=lda": "steering.direction changes nothing here: the direc",
    "steering=truth steering.layer=1 steering.choose_by=[1]": "steering.choose_by changes nothing here: steering.layer",
}  # fmt: skip


@pytest.mark.parametrize("command", IDLE)
def test_a_setting_that_changes_nothing_is_refused_when_typed(command):
    code, out, err = invoke(*command.split(), "model=tiny", "report=console")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"latentmech: {IDLE[command]}") and err.rstrip().endswith("; leave it out")


def test_where_it_is_not_typed_for_this_run_alone_the_report_says_so():
    swept = ["-m", "probe=number", *QUICK, *QUIET, "probe.method=ridge,mass_mean", "probe.strengths=[0.5]"]
    code, out, err = invoke(*swept)
    assert code == 0, err
    assert out.count("Without effect here: probe.strengths (mass_mean has neither penalty nor weights).") == 1


def test_what_has_a_say_is_not_called_idle():
    asked = ProbeSettings(task="column", column="Number", positive="Sing", data=Corpus(limit=9))
    assert not [*idle(asked, "probe")]
    assert not [name for name, _, said in idle(AtlasSettings(), "probe") if said]
    named = {name for name, _, said in idle(ProbeSettings(data=Corpus(path="x", name="y", limit_seed=1)), "p") if said}
    assert named == {"p.data.limit_seed"}  # the name is an option's, the seed is the user's


NUMBERS = [(cls, f.name) for cls in dict.fromkeys(KNOWN.values()) for f in fields(cls)
           if (f.init and float in (hint := get_type_hints(cls)[f.name], *getattr(hint, "__args__", ())))
           or "float" in str(get_type_hints(cls)[f.name])]  # fmt: skip
NEEDED = {"trials": None, "strengths": (1.0,), "phrases": ["I"], "prompts": ["a"], "towards": ["a"], "away": ["b"]}


@pytest.mark.parametrize(("cls", "name"), NUMBERS, ids=lambda one: getattr(one, "__name__", one))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_every_setting_that_is_a_number_refuses_what_is_none(cls, name, value):
    needed = {f.name: NEEDED.get(f.name) for f in fields(cls) if f.name in ("trials", "phrases")} | {"trials": object()}
    own = {key: held for key, held in needed.items() if key in {f.name for f in fields(cls)}}
    many = "Sequence" in str(get_type_hints(cls)[name])
    with pytest.raises(BadInput, match=rf"{name}=\[?{value}.*: {value} is no number to work with"):
        cls(**own, **{name: [value] if many else value})


def test_two_runs_of_one_second_have_two_folders(tmp_path):
    assert [unused("runs/x/now"), unused("runs/x/now"), unused("runs/x/now")] == [
        "runs/x/now", "runs/x/now_2", "runs/x/now_3",
    ]  # fmt: skip

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    with patch("hydra.core.utils.datetime", Stopped):
        for method in ("ridge", "lda"):
            assert invoke("probe=number", f"probe.method={method}", *QUICK, *QUIET)[0] == 0
        for _ in range(2):
            assert invoke("-m", "probe=number", "probe.method=ridge,lda", *QUICK, *QUIET)[0] == 0
    found = {p.parent.name: json.loads(p.read_text())["command"] for p in tmp_path.glob("runs/probe-number/*/run.json")}
    assert {name: command.split()[4] for name, command in found.items()} == {
        "2026-01-02_03-04-05": "probe.method=ridge", "2026-01-02_03-04-05_2": "probe.method=lda",
    }  # fmt: skip
    assert [len([*folder.glob("*/run.json")]) for folder in sorted(tmp_path.glob("sweeps/*"))] == [2, 2]


def test_a_sweep_over_strengths_has_every_job_choose_its_block_by_all_of_them():
    def added(*arguments: str) -> Sequence[str]:
        return [one for one in sweep_arguments(["-m", "steering=sentiment", *arguments]) if "choose_by=" in one]

    assert added("steering.strengths=[-1],[0],[0.5]") == ["steering.choose_by=[-1,0,0.5]"]
    assert added("steering.strengths=[-1],[1]", "steering=truth,sentiment") == ["steering.choose_by=choice([-1,1])"]
    assert not added("steering.strengths=[-1,1]", "steering.seed=0,1")
    assert added("steering.strengths=[-1],[1]", "steering.choose_by=[2]") == ["steering.choose_by=[2]"]


NAMES = [name for name in bundled_pairs() if "subtle" not in name]
OPTIONS = {
    **{
        f"direction={name}": DirectionSettings(data=Pairs(name=name))
        for name in bundled_pairs()
        if "subtle" not in name
    },
    **{f"probe={name}": ProbeSettings(task=name) for name in TASKS},
    "probe=atlas": AtlasSettings(),
    "geometry=analogies": AnalogiesSettings(),
    "geometry=neighbours": NeighboursSettings(),
    "geometry=map": MapSettings(),
    "geometry=dimension": DimensionSettings(),
    "geometry=lens": LensSettings(),
    "geometry=interpolation": InterpolationSettings(),
    "geometry=compare": CompareSettings(others=["a"]),
}
GIVEN = {"observer", "transfer", "other", "others", "trials"}  # what an option adds by name


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_the_defaults_that_python_has(option):
    register()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", [option])
    room, own = option.partition("=")[0], OPTIONS[option]
    plain = OmegaConf.to_container(config[room], resolve=True)
    asked = settled(plain, KNOWN, room)
    python = {f.name: getattr(own, f.name) for f in fields(own) if f.name not in GIVEN}
    typed = {name: getattr(asked, name) for name in python}
    assert plainly(typed) == plainly(python)
    for name in ("read_at", "in_template"):
        assert getattr(asked, name, None) == getattr(own, name, None)


def plainly(values):
    """Settings inside settings as mappings, tuples as lists."""
    if is_dataclass(values):
        return plainly({f.name: getattr(values, f.name) for f in fields(values)})
    if isinstance(values, Mapping):
        return {key: plainly(value) for key, value in values.items()}
    return [plainly(value) for value in values] if isinstance(values, list | tuple) else values


def test_bundled_sentences_are_read_plainly_and_all_else_in_the_template():
    plain = {name for name in bundled_pairs() if not DirectionSettings(data=Pairs(name=name)).in_template}
    assert plain == {"sentiment", "truth", "formality", "language"}
    assert DirectionSettings(data=Pairs(path="x.csv")).in_template
    assert DirectionSettings(data=Pairs(name="truth"), chat_template=True).in_template
    assert DirectionSettings(data=Pairs(name="sycophancy")).read_at == ("letter",)
    assert DirectionSettings(data=Pairs(name="sycophancy"), positions=["last"]).read_at == ["last"]


def job(folder, name, strengths, typed="", site="blocks.1.hook_resid_post", data="d", weights="w", at=0.0):
    rows = [{"strength": s, "control": None, "metric": "effect", "value": s + at, "task": "t", "site": site}
            for s in strengths]  # fmt: skip
    (folder / name).mkdir()
    pd.DataFrame(rows).to_parquet(folder / name / "results.parquet")
    command = f"python -m latentmech.run steering=t {typed} steering.strengths=[{strengths}]"
    marks = {"direction": {"data": data}, "model": {"fingerprint": weights}}
    save_json(folder / name / "run.json", {"status": "done", "command": command, **marks})


def test_a_sweep_over_strengths_and_anything_else_has_a_curve_for_each(tmp_path):
    for i, (method, at) in enumerate((("lda", 0.0), ("leace", 10.0))):
        for strength in (-1.0, 1.0):
            job(tmp_path, f"{i}{strength}", [strength], f"steering.direction.method={method}", at=at)
    report = joined(tmp_path)
    assert report.metrics == {
        "sweep/steering.direction.method=lda/effect@-1.00": -1.0,
        "sweep/steering.direction.method=lda/effect@+1.00": 1.0,
        "sweep/steering.direction.method=leace/effect@-1.00": 9.0,
        "sweep/steering.direction.method=leace/effect@+1.00": 11.0,
    }  # fmt: skip
    assert report.headline == "2 strengths of t from 4 runs, 2 curves."
    assert report.tables["strengths"].frame["effect"].tolist() == [-1.0, 1.0, 9.0, 11.0]
    assert [curve.values for curve in report.curves] == [(-1.0, 1.0), (9.0, 11.0)]


@pytest.mark.parametrize(
    ("own", "curve"),
    [({"site": "blocks.2.hook_resid_post"}, "block=blocks.2.hook_resid_post"), ({"data": "e"}, "data=e"),
     ({"weights": "v"}, "weights=v")],
    ids=["block", "data", "weights"],
)  # fmt: skip
def test_another_block_or_data_or_weights_are_another_curve(tmp_path, own, curve):
    job(tmp_path, "0", [-1.0])
    job(tmp_path, "1", [1.0], **own)
    job(tmp_path, "2", [0.0])
    metrics = joined(tmp_path).metrics
    assert len(metrics) == 3 and metrics[f"sweep/{curve}/effect@+1.00"] == 1.0
