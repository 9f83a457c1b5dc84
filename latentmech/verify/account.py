"""What a verification says."""

import math
import re
from collections.abc import Iterator

import pandas as pd

from latentmech.model import Model
from latentmech.report import Ledger, Method, Report, Table, account
from latentmech.verify.findings import VerifyFindings


def account_of(study: object, found: VerifyFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "verify", "task": "model"})
    numbers(found, ledger)
    return account(
        study, model, ledger,
        title=f"{model.name} against plain transformers",
        headline=headline(found, model),
        tables={"checks": check_table(found)},
        notes=notes(found),
        methods=[Method(caption(found))],
        failure=failure(found, model),
    )  # fmt: skip


def numbers(found: VerifyFindings, ledger: Ledger) -> None:
    """The size of every difference that is a number, and how many checks failed."""
    for check in found.checks:
        if not math.isnan(check.size):
            ledger.add(f"verify/{slug(check.name)}", check.size, "difference", method=check.name)
    ledger.add("verify/checks", len(found.checks), "checks")
    ledger.add("verify/failed", len(found.fatal) + len(found.gone_round), "failed")


def slug(name: str) -> str:
    """A check's name as a metric is called."""
    return re.sub(r"\W+", "_", name)


def headline(found: VerifyFindings, model: Model) -> str:
    """The answer."""
    n = len(found.checks)
    if found.fatal:
        return f"{model.name} does not compute what plain transformers computes: {found.fatal[0].failure}."
    if found.gone_round:
        left = f"{n - len(found.gone_round)} of {n} checks"
        return f"{model.name} passes {left}; what the others would need is gone round or refused, as the table says."
    return f"{model.name} computes what plain transformers computes, in all of {n} checks."


def failure(found: VerifyFindings, model: Model) -> str:
    """What the run ends with; empty where the model is of use."""
    return f"{model.name}: {found.fatal[0].failure}" if found.fatal else ""


def check_table(found: VerifyFindings) -> Table:
    """A row for each check."""
    frame = pd.DataFrame(
        {
            "check": [check.name for check in found.checks],
            "passed": ["yes" if check.passed else "NO" for check in found.checks],
            "difference": ["none" if math.isnan(c.size) else f"{c.size:.1e}" for c in found.checks],
            "rounding": [f"{check.tolerance:g}" for check in found.checks],
            "largest at": [check.level for check in found.checks],
            "then": ["" if check.passed else check.remedy for check in found.checks],
        }
    )
    return Table(title="Checks", frame=frame, caption=caption(found))


def caption(found: VerifyFindings) -> str:
    """How it was measured."""
    lengths = sorted(found.lengths)
    return (
        f"Plain transformers runs each of {len(lengths)} texts of {lengths[0]} to {lengths[-1]} tokens by itself, "
        "without padding or cache, in eager attention, with weights that it reads from the folder once more. "
        "Differences are relative: of states, to the length of a token's vector; of logits, to that of a token's row "
        "without its mean; of "
        f"a generation of {found.n_tokens} tokens, how much likelier, in standard deviations of the logits, plain "
        "transformers holds its own token than the first that is another."
    )


def notes(found: VerifyFindings) -> Iterator[str]:
    """What is done about checks that failed."""
    for check in found.gone_round:
        yield f"{check.failure}: {check.remedy}."
