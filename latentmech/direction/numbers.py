"""Every number of a direction study, by its flat name and as a tidy row."""

import numpy as np

from latentmech.direction.audit import Audit
from latentmech.direction.findings import Findings
from latentmech.report import Ledger
from latentmech.statistics import Estimate


def numbers(findings: Findings, ledger: Ledger) -> None:
    """Every number once, as a flat metric and as a row."""
    best, several = findings.best, len(findings.positions) > 1
    layer = best.level.layer
    ledger.add("direction/layer", -1 if layer is None else layer, "layer")
    ledger.add("direction/dev/auroc", best.dev, "auroc", split="dev", layer=best.level.label)
    for candidate in findings.candidates:
        name = candidate.name if several else candidate.level.label
        columns = {"split": "dev", "layer": candidate.level.label}
        ledger.add(f"direction/{name}/dev/auroc", candidate.dev, "auroc", **columns)
        test = findings.test_auroc(candidate)
        ledger.add(f"direction/{name}/test/auroc", test, "auroc", split="test", layer=candidate.level.label)
        if len(candidate.random_dev):
            high = float(np.percentile(candidate.random_dev, 95))
            ledger.add(f"direction/{name}/dev/random_p95", high, "auroc", control="random_p95", **columns)
    _test_numbers(findings.audit, findings, ledger)
    _other_numbers(findings, ledger)


def _test_numbers(audit: Audit, findings: Findings, ledger: Ledger) -> None:
    layer = findings.best.level.label
    for reading in audit.readings:
        kind = "" if reading.name == "direction" else f"{reading.name}/"
        control = None if reading.name == "direction" else reading.name
        columns = {"layer": layer, "control": control}
        ledger.add(f"direction/{kind}test/auroc", reading.raw, "auroc", split="test", **columns)
        ledger.add(f"direction/{kind}matched/auroc", reading.matched, "auroc", split="matched", **columns)
    nulls = {"random": audit.random, "shuffled": findings.shuffled_max()}
    for name, values in nulls.items():
        if len(values):
            for which, value in (("p95", float(np.percentile(values, 95))), ("max", float(values.max()))):
                columns = {"split": "test", "layer": layer, "control": f"{name}_{which}"}
                ledger.add(f"direction/null/{name}_{which}", value, "auroc", **columns)


def _other_numbers(findings: Findings, ledger: Ledger) -> None:
    layer, stable = findings.best.level.label, findings.stability
    if stable.repeats:
        cosine = Estimate(stable.cosine, stable.low, stable.high, stable.repeats)
        ledger.add("direction/split_half_cosine", cosine, "cosine", split="train", layer=layer)
        ledger.add("direction/texts_for_cosine_0.9", stable.texts_needed, "texts", split="train", layer=layer)
    for other in findings.relatives:
        ledger.add(f"direction/cosine/{other.name}", other.cosine, "cosine", control=other.name, layer=layer)
    for data in findings.transfers:
        columns = {"control": data.name, "split": "transfer", "layer": layer}
        ledger.add(f"direction/transfer/{data.name}/auroc", data.auroc, "auroc", **columns)
        ledger.add(f"direction/transfer/{data.name}/exact_duplicates", data.exact, "texts", **columns)
        ledger.add(f"direction/transfer/{data.name}/near_duplicates", data.near, "texts", **columns)
    if findings.shown is not None:
        name = findings.shown.name.replace(" ", "_")
        ledger.add(f"direction/{name}/positive", findings.shown.positive, name, split="test", n=findings.shown.n)
        ledger.add(f"direction/{name}/negative", findings.shown.negative, name, split="test", n=findings.shown.n)
