"""`Reading`: where a direction is read in a text and in a model, and the rows that this gives for any texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Examples
from latentmech.direction.parts import Rows
from latentmech.direction.positions import placed, rendered
from latentmech.errors import BadInput
from latentmech.model import Layers, Level, Model, levels_of

NEUTRAL_WORDS = 1500  # of the bundled treebank


@dataclass(frozen=True)
class Reading:
    """How texts are turned into rows, and by which method rows into a direction.

    Attributes:
        method: name of the method.
        rule: name of the position, such as `last` or `post_-2`.
        site: hook point in every block.
        layers: the blocks that are collected, `all` or numbers.
        chat_template: whether texts are put into the model's chat template.
        system: a system prompt instead of the template's own.
    """

    method: str
    rule: str
    site: str
    layers: Layers
    chat_template: bool
    system: str | None


def rows_at(reading: Reading, examples: Examples, hook_name: str, model: Model, store: ActivationStore) -> Rows:
    """A row per text at one level, at the reading's position or, where a text has no such place, at the last token."""
    texts = rendered(model, examples, reading.chat_template, reading.system)
    rules = ("post_instruction",) if reading.rule.startswith("post_") else (reading.rule,)
    try:
        at, names = placed(model, examples, texts, rules)
    except BadInput:
        at, names = placed(model, examples, texts, ("last",))
    levels = levels_of(model.n_layers, reading.site, reading.layers)  # all: the study may have collected them already
    rows = store.get(model, at, levels, "word_mean").level(hook_name).view(len(examples), len(names), -1)
    return rows[:, names.index(reading.rule) if reading.rule in names else -1].to(torch.float32)


def median_norms(model: Model, store: ActivationStore, levels: Sequence[Level]) -> dict[str, float]:
    """Median norm over the words of a neutral text at each level: what a strength is measured in.

    A mean would be that of first tokens, which are 100 times larger.
    """
    activations = store.get(model, Corpus(limit=NEUTRAL_WORDS)(), levels, "word_last")
    return {level.hook_name: float(activations.level(level.hook_name).norm(dim=1).median()) for level in levels}
