"""Where the atlas takes each row's texts from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from latentmech.data import TASKS, Contrast, Corpus, Examples, Pairs, Task, bundled_pairs, holds_pairs, task
from latentmech.errors import BadInput
from latentmech.model import Model, within
from latentmech.probe.atlas.settings import LABEL, NEXT_TOKEN, WITH_TEXTS, AtlasSettings
from latentmech.probe.atlas.subject import Subject, subjects_of


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The data of one run, with notes on what it lacks; a set is read once, so rows that share it share activations."""

    asked: AtlasSettings
    model: Model
    notes: list[str] = field(default_factory=list)

    @cached_property
    def treebank(self) -> Examples:
        """The treebank that was asked for."""
        return within(self.model, self.asked.data())

    @cached_property
    def bundled(self) -> Examples:
        """The bundled treebank, for what the user's lacks."""
        return within(self.model, replace(self.asked.data, path=None, name="treebank", group=None, text=None)())

    def subjects(self) -> list[Subject]:
        """Every row but the next token, in the order of the settings; tasks that the data cannot pose are noted."""
        found = [row for name in self.asked.tasks if name != NEXT_TOKEN for row in self._known(name)]
        for name, where in (self.asked.extra or {}).items():
            found += subjects_of(*self._foreign(name, where), self.asked)
        found += [row for name, places in self.asked.further().items() for row in self._others(name, places)]
        names = [subject.name for subject in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise BadInput(f"two rows of the atlas are called {twice[0]}; expected a name for each: rename one")
        return found

    def _known(self, name: str) -> list[Subject]:
        asked = TASKS.get(name) or WITH_TEXTS[name]
        if name in TASKS:
            examples = self._from_treebank(asked)
        else:
            examples = within(self.model, examples_of(getattr(self.asked, name)))
        try:
            return subjects_of(asked, examples, self.asked)
        except BadInput as error:
            self.notes.append(f"{name} is left out: {error}.")
            return []

    def _from_treebank(self, asked: Task) -> Examples:
        if {asked.column, *asked.keep} <= set(self.treebank.columns):
            return self.treebank
        lacking = f"{self.treebank.source} has no labels for it"
        self.notes.append(f"{asked.name} is read from the bundled treebank: {lacking}.")
        return self.bundled

    def _foreign(self, name: str, where: str) -> tuple[Task, Examples]:
        """A data set of the user's: its labels stand in a column called as the row, or in `label`."""
        path = Path(where).expanduser()
        if where in bundled_pairs():
            return Task(name, LABEL), examples_of(Pairs(name=where))
        if path.is_file() and holds_pairs(path):
            return Task(name, LABEL), examples_of(Pairs(path=path))
        data = Corpus(path=path, limit=self.asked.data.limit, too_long=self.asked.data.too_long)
        examples = within(self.model, data())
        return Task(name, name if name in examples.columns else LABEL), examples

    def _others(self, name: str, places: Sequence[str]) -> Iterator[Subject]:
        """More data for one of the tasks."""
        for where in places:
            posed, examples = self._foreign(name, where)
            asked = replace(task(name), stage=posed.stage) if name in TASKS else posed
            data = Path(where).name.partition(".")[0]
            yield from (replace(row, data=data) for row in subjects_of(asked, examples, self.asked))


def examples_of(source: Corpus | Pairs) -> Examples:
    """The texts of a data set; those of a contrast labelled `positive` or `negative`."""
    read = source()
    if not isinstance(read, Contrast):
        return read
    kinds = tuple("positive" if kind else "negative" for kind in read.labels)
    return replace(read.joint, columns={**read.joint.columns, LABEL: kinds}, notes=read.notes)
