"""Where the atlas takes each row's texts from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from latentmech.data import TASKS, Corpus, Examples, Pairs, Task, bundled_pairs, holds_pairs, task
from latentmech.data.examples import distinct
from latentmech.errors import BadInput
from latentmech.probe.atlas.subject import LABEL, Subject, labelled, subjects_of

if TYPE_CHECKING:
    from latentmech.probe.atlas.study import AtlasStudy

STAGES = {
    **dict.fromkeys(("pos", "number", "tense", "proper_noun"), "syntax"),
    **dict.fromkeys(("entity", "coreference", "sentiment", "truth"), "semantics"),
    "next_token": "output",
}


class Sources:
    """The data of one run; each set is read once, so that the rows which share it share its activations."""

    def __init__(self, study: "AtlasStudy"):
        self.study = study
        self.notes: list[str] = []

    @cached_property
    def data(self) -> Examples:
        """The treebank."""
        return self.study.data()

    @cached_property
    def bundled(self) -> Examples:
        """The bundled treebank, for what the user's lacks."""
        return replace(self.study.data, path=None, name="treebank", group=None)()

    def subjects(self) -> list[Subject]:
        """Every row but the next token, in the order of the settings; tasks that the data cannot pose are noted."""
        found: list[Subject] = []
        for name in self.study.tasks:
            if name != "next_token":
                found += self._own(name)
        for name, where in (self.study.extra or {}).items():
            found += self._rows(*self._foreign(name, where), "own")
        for name, places in (self.study.transfer or {}).items():
            found += self._others(name, places)
        names = [subject.name for subject in found]
        if twice := [name for name in distinct(names) if names.count(name) > 1]:
            raise BadInput(f"two rows of the atlas are called {twice[0]}; expected a name for each: rename one")
        return found

    def _own(self, name: str) -> list[Subject]:
        asked, examples = self._task(name)
        try:
            return self._rows(asked, examples, STAGES[name])
        except BadInput as error:
            self.notes.append(f"{name} is left out: {error}.")
            return []

    def _task(self, name: str) -> tuple[Task, Examples]:
        if name in TASKS:
            return task(name), self._treebank(task(name))
        asked = Task(name, LABEL)
        return asked, self.study.coreference() if name == "coreference" else labelled(self._pairs(name)())

    def _pairs(self, name: str) -> Pairs:
        return self.study.sentiment if name == "sentiment" else self.study.truth

    def _treebank(self, asked: Task) -> Examples:
        if {asked.column, *asked.keep} <= set(self.data.columns):
            return self.data
        self.notes.append(f"{asked.name} is read from the bundled treebank: {self.data.source} has no labels for it.")
        return self.bundled

    def _foreign(self, name: str, where: str) -> tuple[Task, Examples]:
        """A data set of the user's: its labels stand in a column called as the row, or in `label`."""
        path = Path(where).expanduser()
        if where in bundled_pairs():
            return Task(name, LABEL), labelled(Pairs(name=where)())
        if path.is_file() and holds_pairs(path):
            return Task(name, LABEL), labelled(Pairs(path=path)())
        examples = Corpus(path=path, limit=self.study.data.limit)()
        return Task(name, name if name in examples.columns else LABEL), examples

    def _others(self, name: str, places: Sequence[str]) -> Iterator[Subject]:
        """More data for one of the tasks."""
        for where in places:
            posed, examples = self._foreign(name, where)
            asked = task(name) if name in TASKS else posed
            data = Path(where).name.partition(".")[0]
            yield from (replace(row, data=data) for row in self._rows(asked, examples, "own"))

    def _rows(self, asked: Task, examples: Examples, stage: str) -> list[Subject]:
        study = self.study
        return subjects_of(
            asked, stage, examples, position=study.position, text_position=study.text_position,
            pairings=study.pairings, unseen_classes=study.unseen_classes, seed=study.seed,
        )  # fmt: skip


def check_source(setting: str, where: object) -> None:
    """BadInput where there is neither a bundled contrast nor a file or folder of that name."""
    if not isinstance(where, str) or (where not in bundled_pairs() and not Path(where).expanduser().exists()):
        known = ", ".join(bundled_pairs())
        raise BadInput(f"probe.{setting}={where} is no file and no bundled contrast; expected a path or one of {known}")
