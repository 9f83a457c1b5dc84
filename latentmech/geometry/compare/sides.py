"""What two models are compared by: words that both read as whole tokens, each form once; and what is gathered of each.

That is states of the words, a contrast's direction, probes, and what adding the direction changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentmech.activations import Activations, ActivationStore
from latentmech.data import Contrast, Examples
from latentmech.direction import Direction, covariance_directions, isotropic_directions, templated
from latentmech.errors import BadInput
from latentmech.geometry.compare.drift import Classes, classes_in, fitted
from latentmech.geometry.compare.effect import Changes, beside_random, changes
from latentmech.geometry.compare.settings import FEWEST, CompareSettings
from latentmech.model import Level, Model, levels_of, tokenise, word_rows
from latentmech.probe import LinearProbe, Problem
from latentmech.statistics import clusters_of
from latentmech.steering import Trials


@dataclass(frozen=True, eq=False)
class CommonWords:
    """Which rows of a word-wise activation matrix are compared.

    Attributes:
        clusters: the document of each, numbered from 0.
        apart: how many words of the texts were left out because a model has them in one token with something else.
    """

    rows: Int[np.ndarray, " row"]
    clusters: Int[np.ndarray, " row"]
    forms: tuple[str, ...]
    apart: int


@dataclass(frozen=True, eq=False)
class Side:
    """One model.

    Attributes:
        classes: the contrast's texts, if there is a contrast.
        probes: by level, a probe of the words' labels, if that was asked.
        changes: by level of the first model, what adding directions does to the prompts' log-odds; at some, if asked.
        dev: the same of the model's own direction alone, on other prompts.
    """

    model: Model
    levels: tuple[Level, ...]
    activations: Activations
    words: CommonWords
    classes: Classes | None
    probes: Mapping[Level, LinearProbe] = field(default_factory=dict)
    changes: Mapping[Level, Changes] = field(default_factory=dict)
    dev: Mapping[Level, Float[np.ndarray, " dev"]] = field(default_factory=dict)

    def states(self, level: Level) -> Float[Tensor, "row d_model"]:
        """The states of the words at one level."""
        return self.activations.level(level.hook_name)[torch.from_numpy(self.words.rows)]


def counterparts(a: Sequence[Level], b: Sequence[Level]) -> list[tuple[Level, Level]]:
    """Every level of the first model with one of the second: that with the same share of the blocks below."""
    return [(level, b[round(i * (len(b) - 1) / (len(a) - 1))]) for i, level in enumerate(a)]


@dataclass(frozen=True, kw_only=True)
class Gathering:
    """What is asked of every model. Its weights are given up again, for several may not fit into memory.

    Attributes:
        problem: labels of the words that probes are to tell, if there are any.
        saved: a direction to take for the first model's instead of the difference of means.
    """

    settings: CompareSettings
    store: ActivationStore
    examples: Examples
    words: CommonWords
    contrast: Contrast | None
    problem: Problem | None
    saved: Direction | None

    def first(self, model: Model, trials: Trials | None) -> Side:
        """The model that the others are compared with; with trials, its directions are added in it."""
        loaded = replace(model)
        side = self._side(model, loaded)
        if side.classes is not None and self.saved is not None:
            side = replace(side, classes=side.classes.with_saved(self.saved))
        if trials is None or side.classes is None:
            return side
        places, found = self._places(side.levels, side.classes), side.classes.found
        added = [(at.hook_name, found[at.hook_name][None]) for at in places]
        return replace(side, changes=dict(zip(places, changes(loaded, trials, added), strict=True)))

    def beside(self, first: Side, model: Model, trials: Mapping[str, Trials]) -> Side:
        """Another one; with trials on `test` and `dev`, the first model's directions are added in it too."""
        loaded = replace(model)
        side = self._side(model, loaded)
        if not trials or not first.changes or side.classes is None or model.d_model != first.model.d_model:
            return side
        added = self._added(first, side.levels, side.classes)
        own = [(name, vectors[1:2]) for name, vectors in added]
        done, dev = changes(loaded, trials["test"], added), changes(loaded, trials["dev"], own)
        by_level = {at: each[0] for at, each in zip(first.changes, dev, strict=True)}
        return replace(side, changes=dict(zip(first.changes, done, strict=True)), dev=by_level)

    def _places(self, levels: Sequence[Level], classes: Classes) -> list[Level]:
        """Blocks evenly apart, of those at which a direction was found."""
        found = {name for name, vector in classes.found.items() if vector.any()}
        blocks = [at for at in levels if at.layer is not None and at.hook_name in found]
        n = min(self.settings.effect_levels, len(blocks))
        return [blocks[i] for i in np.linspace(0, len(blocks) - 1, n).round().astype(int)]

    def _added(self, first: Side, levels: Sequence[Level], own: Classes) -> list[tuple[str, Tensor]]:
        """At each place: its counterpart's hook point, and what is added there."""
        assert first.classes is not None
        matched, added = dict(counterparts(first.levels, levels)), []
        n, seed = self.settings.random, self.settings.seed
        for at in first.changes:
            here, frozen = matched[at], first.classes.found[at.hook_name]
            random = [covariance_directions(own.train(here), n, seed), isotropic_directions(n, len(frozen), seed)]
            added.append((here.hook_name, beside_random(frozen, own.found[here.hook_name], torch.cat(random))))
        return added

    def _side(self, model: Model, loaded: Model) -> Side:
        levels = levels_of(model.n_layers)
        activations = self.store.get(loaded, self.examples, levels, "word_last")
        classes, probes = None, {}
        if self.contrast is not None:
            asked = self.settings.contrast
            template = asked is not None and templated(asked, self.settings.chat_template)
            classes = classes_in(loaded, self.store, self.contrast, levels, template)
        if self.problem is not None:
            probes = fitted(self.problem, activations, levels, f"{model.name}: probes")
        return Side(model, levels, activations, self.words, classes, probes)


def common_words(models: list[Model], examples: Examples, limit: int, seed: int) -> CommonWords:
    """A seeded sample of words, one of each form, that every model has in tokens of their own.

    The first word of a text is left out: it may stand at position 0, whose state is unlike all others. Two words of
    one form have the same state before the first block, and would be each other's nearest neighbour for that alone.

    Raises:
        BadInput: there are no words, or too few that all models tokenise alike.
    """
    if examples.spans is None:
        raise BadInput(f"{examples.source} has no words; expected annotated words, such as a CoNLL-U file")
    own = np.logical_and.reduce([in_own_tokens(model, examples) for model in models])
    forms = [word for text in range(len(examples)) for word in examples.words(text)]
    first = np.concatenate([np.arange(size) == 0 for size in examples.sizes()])
    candidates = np.flatnonzero(own & ~first)
    shuffled = np.random.default_rng(seed).permutation(candidates)
    one_each = {forms[row]: int(row) for row in shuffled[::-1]}  # the first of the shuffle wins
    rows = np.array(sorted([row for row in shuffled if one_each[forms[row]] == row][:limit]), dtype=np.int64)
    if len(rows) < FEWEST:
        names = " and ".join(dict.fromkeys(model.name for model in models))
        seen = f"{len(rows)} word forms of {examples.source} stand in tokens of their own in {names}"
        raise BadInput(f"{seen}; expected at least {FEWEST}: take more text, or models whose tokenizers are more alike")
    document = np.repeat(np.array(examples.groups, dtype=object), examples.sizes())
    return CommonWords(rows, clusters_of(document[rows]), tuple(forms[row] for row in rows), int((~own).sum()))


def in_own_tokens(model: Model, examples: Examples) -> Bool[np.ndarray, " word"]:
    """Whether a word's tokens hold the word and nothing else but blanks before it."""
    assert examples.spans is not None
    tokens = tokenise(model, examples.texts, examples.ids)
    spans = np.array([span for words in examples.spans for span in words], dtype=np.int64).reshape(-1, 2)
    found = []
    for (text, first, last), (begin, end) in zip(word_rows(tokens, examples.spans, examples.ids), spans, strict=True):
        before = examples.texts[text][tokens.starts[text][first] : begin]
        found.append(tokens.ends[text][last] == end and tokens.starts[text][first] <= begin and not before.strip())
    return np.array(found, dtype=bool)
