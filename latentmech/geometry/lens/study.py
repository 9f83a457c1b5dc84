"""`LensStudy`: what the output head reads at every level, and where states lie between its table and the input's."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.errors import BadInput
from latentmech.geometry.lens.account import account_of
from latentmech.geometry.lens.findings import LensFindings
from latentmech.geometry.lens.next_token import Grids, LensReadings, TokenPlaces, cosines, places_in, readings, unigram
from latentmech.geometry.lens.settings import LensSettings
from latentmech.model import Model, embedding, levels_of, refuse_without, unembedding, within
from latentmech.report import Report
from latentmech.statistics import Estimate, Lead, estimate, leads, mean_of

SHARES = ("accuracy", "reciprocal_rank", "agreement")  # of 1 at most; nothing else has a bound
OF_THE_LAST = ("kl", "agreement")  # of the last level with itself: known, not estimated
RIVALS = {"unigram": "token frequency", "shuffled": "shuffled targets", "random_init": "random weights"}

Values = Float[np.ndarray, " row"]


@dataclass(frozen=True, kw_only=True)
class LensStudy(LensSettings):
    """The logit lens at every level and position, beside token frequencies, shuffled targets and random weights."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Read texts and twin, then the one text, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> LensFindings:
        """Everything that the report is made of; nothing is taken from `store`, for every token is needed once."""
        del store
        last = model.n_layers - 1  # what all other blocks are compared with
        layers = self.layers if isinstance(self.layers, str) else [*self.layers, last]
        examples, levels = within(model, self.data()), levels_of(model.n_layers, "resid_post", layers)
        texts = self._sample(model, examples)
        refuse_without(model, "lens", "states cannot be read through the head of")
        places = places_in(model, texts, levels)
        one = Examples(ids=("text",), texts=(self.text,), groups=("text",), splits=("",), source="geometry.text")
        drawn = places_in(model, one, levels, first=0)
        if not len(drawn.ids):
            raise BadInput(f"geometry.text={self.text!r} is one token of {model.name}; give a longer one")
        own, parts = self._read(model, places), np.array(examples.splits)
        train, dev = (examples.select(np.flatnonzero(parts == split).tolist()) for split in ("train", "dev"))
        frequency = unigram(model, train, dev, places)
        beside, elsewhere = cosines(places, embedding(model), unembedding(model), self.seed)
        grids = {"model": own.own, "shuffled": own.shuffled}
        if self.random_init:
            twin = model.changed(random_init=True, seed=self.seed)
            grids["random_init"] = self._read(twin, places_in(twin, texts, levels)).own
        rows = {"cosine": beside, "random_token": elsewhere}
        return LensFindings(
            texts=texts, levels=levels, n=len(places.ids), text=self.text, vocab=len(unembedding(model)),
            by_who={who: self._by_level(by_metric, places) for who, by_metric in (grids | rows).items()},
            median_rank=np.median(own.own["rank"], axis=1).tolist(),
            unigram={name: self._mean(name, values, places) for name, values in frequency.items()},
            leads=[self._leads(i, grids, frequency, places) for i in range(len(levels))],
            drawn=drawn, drawn_readings=readings(model, drawn, self.seed),
        )  # fmt: skip

    def _sample(self, model: Model, examples: Examples) -> Examples:
        """Test texts in seeded order, until there are enough tokens."""
        test = np.flatnonzero(np.array(examples.splits) == "test")
        order = np.random.default_rng(self.seed).permutation(test).tolist()
        lengths = [len(ids) for ids in model.tokenizer([examples.texts[i] for i in order])["input_ids"]]
        enough = int(np.searchsorted(np.cumsum(lengths), self.tokens)) + 1
        return examples.select(sorted(order[:enough]))

    def _read(self, model: Model, places: TokenPlaces) -> LensReadings:
        name = f"{model.name}{' (random init)' if model.random_init else ''}: lens"
        with tqdm(total=places.states.shape[0] * len(places.ids), unit="state", desc=name, mininterval=1) as bar:
            return readings(model, places, self.seed, bar.update)

    def _by_level(self, grids: Grids, places: TokenPlaces) -> dict[str, list[Estimate]]:
        found = {name: [self._mean(name, row, places) for row in grid] for name, grid in grids.items()}
        for name in set(OF_THE_LAST) & set(found):
            found[name][-1] = Estimate(found[name][-1].value, n=len(places.ids))
        return found

    def _mean(self, name: str, values: Values, places: TokenPlaces) -> Estimate:
        bounds = (0.0, 1.0) if name in SHARES else (-np.inf, np.inf)
        return estimate(mean_of(values, places.clusters, *bounds), self.draws, self.seed)

    def _leads(
        self, at: int, grids: Mapping[str, Grids], frequency: Mapping[str, Values], places: TokenPlaces
    ) -> list[Lead]:
        """By the log-probability of the right token, which is minus the loss, at one level."""
        losses = {who: grid["log_loss"][at] for who, grid in grids.items()} | {"unigram": frequency["log_loss"]}
        tallies = {who: mean_of(-loss, places.clusters) for who, loss in losses.items()}
        rivals = {title: tallies[who] for who, title in RIVALS.items() if who in tallies}
        return leads(tallies["model"], rivals, self.draws, self.seed)
