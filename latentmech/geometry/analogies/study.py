"""`AnalogiesStudy`: is king - man + woman near queen, and would king alone have been as near?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.fields import Control
from latentmech.geometry.analogies.account import account_of
from latentmech.geometry.analogies.findings import AnalogiesFindings, ShownAnalogy, SpaceResult
from latentmech.geometry.analogies.offsets import answers_in
from latentmech.geometry.analogies.questions import Asked, asked
from latentmech.geometry.analogies.settings import AnalogiesSettings
from latentmech.geometry.similarity import CausalMetric, prepared
from latentmech.geometry.spaces import in_template, model_spaces
from latentmech.model import Model, WordVectors, unembedding
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class AnalogiesStudy(AnalogiesSettings):
    """Word analogies in every space of a model and in static vectors, with the baselines that decide them."""

    static: Annotated[WordVectors | None, Control("static vectors")] = field(default_factory=WordVectors)

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Ask every space, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> AnalogiesFindings:
        """Everything that the report is made of."""
        words = asked(model, self, self.static)
        twin = model.changed(random_init=True, seed=self.seed)
        bare, only_model = replace(self, random_draws=0, examples=()), replace(words, static=None)
        fresh = bare.results(twin, store, only_model) if self.random_init else []
        return AnalogiesFindings(
            settings=self, asked=words, results=list(self.results(model, store, words)),
            twin=[replace(result, name=f"random_init/{result.name}") for result in fresh],
        )  # fmt: skip

    def results(self, model: Model, store: ActivationStore, words: Asked) -> Iterator[SpaceResult]:
        """What every space answers, the static vectors first."""
        causal = CausalMetric.of(unembedding(model)) if self.similarity == "causal" else None
        examples = in_template(words.candidates, self.template)
        static = [] if words.static is None else [words.static]
        for space in chain(static, model_spaces(model, store, examples, self.site, self.layers)):
            vectors = prepared(space.vectors, self.similarity, causal, space.role)
            answers = answers_in(vectors, words.questions, self.random_draws, self.seed)
            shown = (shown_analogy(example.split(), vectors, words.candidates) for example in self.examples)
            yield SpaceResult(space.name, space.tick, space.layer, space.role, answers, tuple(filter(None, shown)))


def shown_analogy(
    example: Sequence[str], vectors: Float[Tensor, "candidate d"], candidates: Sequence[str]
) -> ShownAnalogy | None:
    """3CosAdd of four words by hand, and the nearest words to c alone; None if a word is no candidate."""
    if not set(example) <= set(candidates):
        return None
    a, b, c, answer = map(candidates.index, example)
    scores = vectors @ (vectors[b] - vectors[a] + vectors[c])
    alone = vectors @ vectors[c]
    scores[[a, b, c]] = alone[[a, b, c]] = -torch.inf
    nearest, beside = (tuple(candidates[i] for i in s.topk(5).indices.tolist()) for s in (scores, alone))
    query = f"{example[1]} - {example[0]} + {example[2]}"
    return ShownAnalogy(query, example[3], int((scores >= scores[answer]).sum()), nearest, beside)
