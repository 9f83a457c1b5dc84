"""`VerifyStudy`: the checks of first use, on more and longer texts, all of them shown."""

from dataclasses import dataclass

from latentmech.activations import ActivationStore
from latentmech.model import Model, every_check, truth_of
from latentmech.report import Report
from latentmech.verify.account import account_of
from latentmech.verify.findings import VerifyFindings
from latentmech.verify.settings import VerifySettings


@dataclass(frozen=True, kw_only=True)
class VerifyStudy(VerifySettings):
    """Compares the model that is loaded with the one in its folder."""

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Check and report."""
        return account_of(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> VerifyFindings:
        """Every check; nothing is taken from `store`, and no record of an earlier check is asked."""
        del store
        truth = truth_of(model, self.texts, self.n_tokens, continued=None)
        return VerifyFindings(
            checks=every_check(model, truth), lengths=[len(row) for row in truth.ids], n_tokens=self.n_tokens
        )
