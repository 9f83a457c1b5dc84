"""From readings to a `Report`: the levels with their nulls, one text drawn, the tables of tokens beside the states."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from latentmech.data import Examples
from latentmech.geometry.lens.next_token import METRICS, Places, Readings
from latentmech.geometry.lens.vocabulary import KINDS, Cosines
from latentmech.model import Level, Model
from latentmech.report import Ledger, Picture, Report, Table, heat_map, inscribe, layer_curve
from latentmech.statistics import Estimate, bootstrap_mean

if TYPE_CHECKING:
    from latentmech.geometry.lens.study import LensStudy

DRAWN = 32  # tokens of the text that fit into a picture


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that was read; `drawn` is the one text of the picture."""

    levels: tuple[Level, ...]
    places: Places
    own: Readings
    twin: Readings | None
    unigram: dict[str, Float[np.ndarray, " row"]]
    cosines: Cosines
    drawn: Places
    drawn_readings: Readings
    vocab: int


@dataclass(frozen=True)
class _Means:
    """Means over places with intervals over documents."""

    findings: Findings
    draws: int

    def of(self, values: Float[np.ndarray, " row"]) -> Estimate:
        return bootstrap_mean(values, self.findings.places.clusters, self.draws)

    def levels(self, grid: Float[np.ndarray, "level row"]) -> list[Estimate]:
        return [self.of(row) for row in grid]


def present(study: "LensStudy", model: Model, texts: Examples, findings: Findings) -> Report:
    """Everything a reader gets."""
    means = _Means(findings, study.draws)
    own = {name: means.levels(findings.own.own[name]) for name in METRICS}
    ledger = Ledger({"study": "geometry", "task": "lens", "site": "resid_post"})
    _write_down(ledger, findings, means, own)
    return Report(
        title=f"lens in {model.name}",
        headline=headline(model, findings, means, own),
        metrics=ledger.metrics,
        rows=tuple(ledger.rows),
        tables={
            "levels": _level_table(findings, means, own),
            "vocabulary": _vocabulary_table(findings, means),
            "text": _text_table(model, findings),
        },
        pictures={
            "text": _drawn(model, study.text, findings),
            "log_loss": _curve(model, findings, means, own),
            "vocabulary": _vocabulary_curve(model, findings, means),
        },
        notes=tuple(_notes(model, texts, findings)),
        provenance={"model": {"name": model.name, "fingerprint": model.fingerprint}, "data": {"source": texts.source}},
    )


def headline(model: Model, findings: Findings, means: _Means, own: dict[str, list[Estimate]]) -> str:
    """From where on the head reads more than frequencies, and where the answer settles."""
    base = means.of(findings.unigram["log_loss"]).value
    losses, agreement = own["log_loss"], [e.value for e in own["agreement"]]
    better = next((i for i in range(len(losses)) if all(e.ci_high < base for e in losses[i:])), None)
    half = next(i for i, value in enumerate(agreement) if value >= 0.5)
    beats = "at no level" if better is None else f"from {findings.levels[better].place} on"
    return (
        f"Read by its own head, {model.name} tells the next token better than its frequency ({base:.2f} nats) {beats}, "
        f"and ends at {losses[-1].value:.2f} nats [{losses[-1].ci_low:.2f}, {losses[-1].ci_high:.2f}]. Half of the "
        f"final top tokens are on top from {findings.levels[half].place}."
    )


def _write_down(ledger: Ledger, findings: Findings, means: _Means, own: dict[str, list[Estimate]]) -> None:
    _grid(ledger, findings.levels, "geometry/lens", own, None)
    shuffled = {name: means.levels(grid) for name, grid in findings.own.shuffled.items()}
    _grid(ledger, findings.levels, "geometry/lens/shuffled", shuffled, "shuffled")
    if findings.twin is not None:
        twin = {name: means.levels(grid) for name, grid in findings.twin.own.items()}
        _grid(ledger, findings.levels, "geometry/lens/random_init", twin, "random_init")
    for name, values in findings.unigram.items():
        ledger.add(f"geometry/lens/unigram/{name}", means.of(values), name, control="unigram")
    for kind, grid in findings.cosines.own.items():
        _grid(ledger, findings.levels, "geometry/lens/cosine", {kind: means.levels(grid)}, None)
        random = {kind: means.levels(findings.cosines.random[kind])}
        _grid(ledger, findings.levels, "geometry/lens/cosine/random", random, "random_token")


def _grid(
    ledger: Ledger, levels: Sequence[Level], prefix: str, found: dict[str, list[Estimate]], control: str | None
) -> None:
    for name, estimates in found.items():
        for level, value in zip(levels, estimates, strict=True):
            ledger.add(f"{prefix}/{level.label}/{name}", value, name, layer=level.layer, control=control)


def _level_table(findings: Findings, means: _Means, own: dict[str, list[Estimate]]) -> Table:
    rows = []
    for i, level in enumerate(findings.levels):
        loss = own["log_loss"][i]
        row: dict[str, object] = {"layer": level.tick, "log-loss": loss.value, "low": loss.ci_low, "high": loss.ci_high}
        row["shuffled"] = float(findings.own.shuffled["log_loss"][i].mean())
        if findings.twin is not None:
            row["random init"] = float(findings.twin.own["log_loss"][i].mean())
        row |= {
            "accuracy": own["accuracy"][i].value,
            "acc. shuffled": float(findings.own.shuffled["accuracy"][i].mean()),
        }
        row["median rank"] = float(np.median(findings.own.own["rank"][i]))
        row |= {name: own[metric][i].value for name, metric in _PLAIN.items()}
        rows.append(row)
    base = {name: means.of(values).value for name, values in findings.unigram.items()}
    caption = (
        f"{len(findings.places.ids)} tokens; intervals are 95 %, over documents. A unigram model has a log-loss of "
        f"{base['log_loss']:.2f} nats and an accuracy of {base['accuracy']:.3f}. Shuffled: the right tokens of other "
        "places; random init: the same architecture with fresh weights, read by its own head. Rank: tokens held "
        "likelier than the right one. KL: from the last level's distribution, in nats; agreement: same top token."
    )
    return Table(title="What the head reads, level by level", frame=pd.DataFrame(rows), caption=caption)


_PLAIN = {"1/rank": "reciprocal_rank", "entropy": "entropy", "KL": "kl", "agreement": "agreement"}


def _vocabulary_table(findings: Findings, means: _Means) -> Table:
    rows = []
    for i, level in enumerate(findings.levels):
        row: dict[str, object] = {"layer": level.tick}
        for kind in (kind for kind in KINDS if kind in findings.cosines.own):
            value, title = means.of(findings.cosines.own[kind][i]), kind.replace("_", " ")
            row |= {title: value.value, f"{title} low": value.ci_low, f"{title} high": value.ci_high}
            row[f"{title}, random"] = float(findings.cosines.random[kind][i].mean())
        rows.append(row)
    caption = (
        "Mean cosine of a state with the rows of its own and of the next token in the tables of embeddings and "
        "unembeddings, all centred; random: rows of the tokens of other places. Intervals are 95 %, over documents."
    )
    return Table(title="States between the two tables of tokens", frame=pd.DataFrame(rows), caption=caption)


def _text_table(model: Model, findings: Findings) -> Table:
    """Position by position: what came, what was said at the end, and from where on."""
    readings, drawn = findings.drawn_readings, findings.drawn
    rows = []
    for i in range(len(drawn.ids)):
        same = readings.top[:, i] == readings.top[-1, i]
        settled = len(same) - int(np.argmin(same[::-1])) if not same.all() else 0
        row: dict[str, object] = {
            "token": _shown(model, int(drawn.ids[i])),
            "next": _shown(model, int(drawn.targets[i])),
        }
        row |= {"says": _shown(model, int(readings.top[-1, i])), "settled at": findings.levels[settled].tick}
        row |= {"rank of next": int(readings.own["rank"][-1, i]), "log-loss": float(readings.own["log_loss"][-1, i])}
        rows.append(row)
    caption = "Says: the model's likeliest next token; settled at: the first level from which on it stays on top."
    return Table(title="The text of the picture", frame=pd.DataFrame(rows), caption=caption)


def _shown(model: Model, token: int) -> str:
    text = str(model.tokenizer.decode([token]))
    return text.replace("\n", "⏎").replace(" ", "·")


def _drawn(model: Model, text: str, findings: Findings) -> Picture:
    readings, ids = findings.drawn_readings, findings.drawn.ids[:DRAWN].tolist()
    grid = np.exp(-readings.own["log_loss"][::-1, :DRAWN])
    figure = heat_map(
        grid,
        [level.tick for level in findings.levels[::-1]],
        [_shown(model, token) for token in ids],
        title=f"What the head of {model.name} reads at every level",
        xlabel="token that was read last",
        ylabel="level",
        bar="probability of the right next token",
    )
    words = [[_shown(model, int(token)) for token in row] for row in readings.top[::-1, :DRAWN]]
    caption = f"The likeliest next token at every level (row) after every token (column, at most {DRAWN}) of “{text}”."
    return Picture(title="One text through the lens", figure=inscribe(figure, words), caption=caption)


def _curve(model: Model, findings: Findings, means: _Means, own: dict[str, list[Estimate]]) -> Picture:
    losses = {model.name: own["log_loss"], "shuffled targets": means.levels(findings.own.shuffled["log_loss"])}
    if findings.twin is not None:
        losses["random init"] = means.levels(findings.twin.own["log_loss"])
    losses = {name: estimates[1:] for name, estimates in losses.items()}  # at the embedding it can be 100 and more
    series = {name: [e.value for e in estimates] for name, estimates in losses.items()}
    bands = {name: ([e.ci_low for e in es], [e.ci_high for e in es]) for name, es in losses.items()}
    base = {"unigram": means.of(findings.unigram["log_loss"]).value, "uniform": float(np.log(findings.vocab))}
    ticks, title = [level.tick for level in findings.levels[1:]], f"Next token by the logit lens in {model.name}"
    figure = layer_curve(ticks, series, bands, base, "log-loss of the right token, nats", title, best="")
    caption = (
        "Log-loss of the right next token after every block with 95 % intervals over documents, and what chance gives; "
        f"at the embedding it is {own['log_loss'][0].value:.1f} nats."
    )
    return Picture(title="Log-loss by level", figure=figure, caption=caption)


def _vocabulary_curve(model: Model, findings: Findings, means: _Means) -> Picture:
    cosines, kinds = findings.cosines, [kind for kind in KINDS if kind in findings.cosines.own]
    found = {kind.replace("_", " "): means.levels(cosines.own[kind]) for kind in kinds}
    series = {name: [e.value for e in estimates] for name, estimates in found.items()}
    bands = {name: ([e.ci_low for e in es], [e.ci_high for e in es]) for name, es in found.items()}
    random = np.array([cosines.random[kind].mean(1) for kind in kinds])
    bands["random tokens"] = (random.min(0).tolist(), random.max(0).tolist())
    ticks, title = [level.tick for level in findings.levels], f"States of {model.name} and the rows of tokens"
    figure = layer_curve(ticks, series, bands, None, "cosine, centred", title, best="")
    caption = (
        "Mean centred cosine of states with the rows of their own and the next token; random: tokens of other places."
    )
    return Picture(title="States and tokens", figure=figure, caption=caption)


def _notes(model: Model, texts: Examples, findings: Findings) -> list[str]:
    notes = [f"{model.name}: {model.checkpoint.note}."] if model.checkpoint.note else []
    notes.append(
        f"Means are over {len(texts)} texts of {texts.source} ({len(set(texts.groups))} documents) without position 0."
    )
    if "own_unembedding" not in findings.cosines.own:
        notes.append("Embedding and unembedding are one table in this model.")
    if findings.twin is None:
        notes.append("Switched off by setting: random-init twin.")
    notes.append("A level that the head cannot read may still hold the answer in another basis: a probe would find it.")
    return notes
