"""`InterpolationStudy`: what a model would say on the way from one context's state to another's."""

from dataclasses import dataclass

from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.geometry.interpolation.account import account_of
from latentmech.geometry.interpolation.findings import InterpolationFindings, PromptPair
from latentmech.geometry.interpolation.settings import InterpolationSettings
from latentmech.geometry.interpolation.walk import ends_of, walk
from latentmech.model import Model, levels_of
from latentmech.report import Report


@dataclass(frozen=True, kw_only=True)
class InterpolationStudy(InterpolationSettings):
    """Straight and spherical paths between the states of two prompts, patched back into the model at every level."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Walk every pair at every level, and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> InterpolationFindings:
        """Everything that the report is made of; nothing is taken from `store`."""
        del store
        levels = levels_of(model.n_layers, "resid_post", self.layers)
        seeds, found = range(self.seed, self.seed + self.random), []
        with tqdm(total=len(levels) * len(self.asked), unit="path", desc=f"{model.name}: paths", mininterval=1) as bar:
            for start, end in self.asked:
                ends, walks = ends_of(model, levels, start, end, self.tokens), []
                for level in levels:
                    walks += walk(model, level, ends, self.steps, seeds)
                    bar.update()
                found.append(PromptPair(start, end, walks))
        return InterpolationFindings(settings=self, levels=levels, pairs=found)
