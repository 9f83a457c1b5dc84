"""The protocol that every study follows: settings in the fields, one call, a `Report` back."""

from typing import Protocol

from latentmech.activations import ActivationStore
from latentmech.model import Model
from latentmech.report import Report


class Study(Protocol):
    """A question about a latent space, as a frozen dataclass whose fields are its settings.

    A study neither logs nor writes: what it found is in the `Report`, and activations that another study
    has collected are asked of the store again.
    """

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Answer the question for `model`, taking activations from `store`."""
        ...
