"""The four walks of CONTRIBUTING.md, each with a throw-away example: all steps make a command; one less, a sentence."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, quick
from forgotten import forgotten

METHOD = '''"""The mean of unit differences: every pair counts alike, however far apart its texts lie."""

from jaxtyping import Float
from torch import Tensor

from latentmech.direction.sample import LabelledRows


def mean_of_unit_differences(sample: LabelledRows) -> Float[Tensor, " d_model"]:
    """The vector."""
    differences = sample.rows[sample.pairs[:, 0]] - sample.rows[sample.pairs[:, 1]]
    return (differences / differences.norm(dim=1, keepdim=True).clamp(min=1e-9)).mean(0)
'''
EDIT = '''def scaling(direction: Direction, strength: Strength) -> Edit:
    """The part along the direction, so many times."""
    along = direction.vector
    return lambda resid: resid + (strength.value - 1) * (resid @ along.to(resid)).unsqueeze(-1) * along.to(resid)


EDIT_KINDS = {
    "scaling": EditKind(make=scaling, verb="Scaling", zero="0 takes it away", neutral=1.0, unit="times"),
'''
NORMS = {
    "__init__": '''"""How long states are."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.norms.settings import NormsSettings
    from latentmech.geometry.norms.study import NormsStudy

__getattr__, __dir__, __all__ = lazily(__name__)
''',
    "settings": '''"""Settings of a study of norms."""

from dataclasses import dataclass, field
from typing import ClassVar

from latentmech.data import Corpus


@dataclass(frozen=True, kw_only=True)
class NormsSettings:
    """The median norm of every level."""

    builds: ClassVar[str] = "latentmech.geometry.norms.study.NormsStudy"

    data: Corpus = field(default_factory=Corpus)
''',
    "findings": '''"""What was found of norms."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class NormsFindings:
    """Level -> median norm."""

    medians: Mapping[str, float]
''',
    "account": '''"""What a study of norms says."""

from latentmech.geometry.norms.findings import NormsFindings
from latentmech.model import Model
from latentmech.report import Ledger, Report, account


def account_of(study: object, found: NormsFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "norms"})
    for label, value in found.medians.items():
        ledger.add(f"geometry/norms/{label}/median", value, "median", layer=label)
    return account(study, model, ledger, title="Norms", headline=f"Largest: {max(found.medians.values()):.1f}.")
''',
    "study": '''"""`NormsStudy`: the median norm of every level."""

from dataclasses import dataclass

from latentmech.activations import ActivationStore
from latentmech.geometry.norms.account import account_of
from latentmech.geometry.norms.findings import NormsFindings
from latentmech.geometry.norms.settings import NormsSettings
from latentmech.model import Model, levels_of
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class NormsStudy(NormsSettings):
    """How long the states of a level are."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Read and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> NormsFindings:
        """The medians."""
        levels = levels_of(model.n_layers, "resid_post", "all")
        states = store.get(model, self.data(), levels)
        return NormsFindings({lv.label: float(states.level(lv.hook_name).norm(dim=1).median()) for lv in levels})
''',
}


def write(path, text):
    def step(root):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return step


def replace(path, old, new):
    def step(root):
        text = (root / path).read_text()
        assert old in text, f"{path} has no {old!r} any more"
        (root / path).write_text(text.replace(old, new, 1))

    return step


def append(path, text):
    return lambda root: (root / path).write_text((root / path).read_text() + text)


def named(name):
    return append("README.md", f"\n`{name}`\n")


WALKS = {  # what -> (steps by the words of the sentence that tells of a forgotten one, the command that then runs)
    "a direction method": (
        {
            "METHODS in direction/settings.py": replace(
                "latentmech/direction/settings.py", "METHODS = (", 'METHODS = ("mean_of_unit_differences", '
            ),
            "no function mean_of_unit_differences": write("latentmech/direction/mean_of_unit_differences.py", METHOD),
            "README.md": named("mean_of_unit_differences"),
        },
        ["steering=sentiment", *quick("steering"), "steering.direction.method=mean_of_unit_differences"],
    ),
    "a probe task": (
        {
            "TASKS in data/labels.py": replace(
                "latentmech/data/labels.py",
                "    for task in (\n",
                '    for task in (\n        Task("verb_form", "VerbForm"),\n',
            ),
            "conf/probe/verb_form.yaml": write(
                "conf/probe/verb_form.yaml",
                "defaults: [/schema/probe@_here_, /data@data: treebank, _self_]\ntask: verb_form\n",
            ),
            "README.md": named("verb_form"),
        },
        ["probe=verb_form", *quick("probe")],
    ),
    "an edit": (
        {
            "EDITS in steering/settings.py": replace(
                "latentmech/steering/settings.py", "EDITS = (", 'EDITS = ("scaling", '
            ),
            "EDIT_KINDS in steering/edits.py": replace("latentmech/steering/edits.py", "EDIT_KINDS = {\n", EDIT),
            "README.md": named("scaling"),
        },
        ["steering=sentiment", *quick("steering"), "steering.edit=scaling", "steering.strengths=[0,1,2]"],
    ),
    "a geometry question": (
        {
            **{
                f"geometry/norms has no {part}.py": write(f"latentmech/geometry/norms/{part}.py", text)
                for part, text in NORMS.items()
                if part != "__init__"
            },
            "no latentmech/geometry/norms": write("latentmech/geometry/norms/__init__.py", NORMS["__init__"]),
            "geometry/__init__.py": replace(
                "latentmech/geometry/__init__.py",
                "if TYPE_CHECKING:\n",
                "if TYPE_CHECKING:\n    from latentmech.geometry.norms import NormsSettings\n",
            ),
            "ROOMS in run/questions.py": replace(
                "latentmech/run/questions.py",
                '"map": geometry.MapSettings',
                '"norms": geometry.NormsSettings, "map": geometry.MapSettings',
            ),
            "conf/geometry/norms.yaml": write(
                "conf/geometry/norms.yaml", "defaults: [/schema/norms@_here_, /data@data: treebank, _self_]\n"
            ),
            "SMALL in tests/commands.py": replace(
                "tests/commands.py", "SMALL = {\n", 'SMALL = {\n    "geometry=norms": {"data.limit": 300},\n'
            ),
            "README.md": named("norms"),
        },
        ["geometry=norms", "model=tiny", "report=console", "geometry.data.limit=300"],
    ),
}


@pytest.fixture
def tree(tmp_path):
    """A copy of what the walks change."""
    root = tmp_path / "copy"
    for folder in ("latentmech", "conf"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "tests").mkdir()
    for file in ("README.md", "tests/commands.py"):
        shutil.copy(ROOT / file, root / file)
    return root


def test_nothing_is_forgotten_in_this_house():
    assert forgotten(ROOT) == []


@pytest.mark.parametrize("what", WALKS)
def test_all_steps_make_a_command_that_runs(what, tree):
    steps, command = WALKS[what]
    for step in steps.values():
        step(tree)
    assert forgotten(tree) == []
    env = os.environ | {"PYTHONPATH": str(tree)}
    run = [sys.executable, "-m", "latentmech.run", *command, "hydra.run.dir=out"]
    done = subprocess.run(run, cwd=tree.parent, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tree.parent / "out" / "metrics.json").read_text())


@pytest.mark.parametrize(("what", "left_out"), [(what, step) for what, (steps, _) in WALKS.items() for step in steps])
def test_a_forgotten_step_is_told_in_a_sentence(what, left_out, tree):
    for name, step in WALKS[what][0].items():
        if name != left_out:
            step(tree)
    (sentence, *_) = [told for told in forgotten(tree) if left_out in told]
    assert re.fullmatch(r".+\.", sentence)


def test_contributing_tells_of_every_walk():
    text = Path(ROOT / "CONTRIBUTING.md").read_text()
    assert all(f"## To add {what}" in text for what in WALKS)
