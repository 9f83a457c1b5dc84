"""Where the atlas takes each row's texts from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from latentmech.data import TASKS, Contrast, Corpus, Examples, Pairs, Task, bundled_pairs, holds_pairs, task
from latentmech.errors import BadInput
from latentmech.probe.atlas.settings import LABEL, NEXT_TOKEN, WITH_TEXTS, AtlasSettings
from latentmech.probe.atlas.subject import Subject, subjects_of


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The data of one run; each set is read once, so that the rows which share it share its activations.

    Attributes:
        asked: which rows, and where their texts are.
        notes: what had to be left out, or taken from elsewhere.
    """

    asked: AtlasSettings
    notes: list[str] = field(default_factory=list)

    @cached_property
    def treebank(self) -> Examples:
        """The treebank, read."""
        return self.asked.data()

    @cached_property
    def bundled(self) -> Examples:
        """The bundled treebank, for what the user's lacks."""
        return replace(self.asked.data, path=None, name="treebank", group=None)()

    def subjects(self) -> list[Subject]:
        """Every row but the next token, in the order of the settings; tasks that the data cannot pose are noted."""
        found: list[Subject] = []
        for name in self.asked.tasks:
            found += self._known(name) if name != NEXT_TOKEN else []
        for name, where in (self.asked.extra or {}).items():
            found += subjects_of(*self._foreign(name, where), self.asked)
        for name, places in self.asked.further().items():
            found += self._others(name, places)
        names = [subject.name for subject in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise BadInput(f"two rows of the atlas are called {twice[0]}; expected a name for each: rename one")
        return found

    def _known(self, name: str) -> list[Subject]:
        asked = TASKS.get(name) or WITH_TEXTS[name]
        examples = self._from_treebank(asked) if name in TASKS else examples_of(getattr(self.asked, name))
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
        examples = Corpus(path=path, limit=self.asked.data.limit)()
        return Task(name, name if name in examples.columns else LABEL), examples

    def _others(self, name: str, places: Sequence[str]) -> Iterator[Subject]:
        """More data for one of the tasks."""
        for where in places:
            posed, examples = self._foreign(name, where)
            asked = replace(task(name), stage=posed.stage) if name in TASKS else posed
            data = Path(where).name.partition(".")[0]
            yield from (replace(row, data=data) for row in subjects_of(asked, examples, self.asked))


def examples_of(source: Corpus | Pairs) -> Examples:
    """The texts of a data set; those of a contrast with a column that says which kind each is of."""
    read = source()
    return labelled(read) if isinstance(read, Contrast) else read


def labelled(contrast: Contrast) -> Examples:
    """The texts of a contrast, labelled `positive` or `negative`."""
    kinds = tuple("positive" if kind else "negative" for kind in contrast.labels)
    joint = contrast.joint
    return replace(joint, columns={**joint.columns, LABEL: kinds}, notes=contrast.notes)
