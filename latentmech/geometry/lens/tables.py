"""The tables of a lens study: the levels with their nulls, states beside the rows of tokens, one text."""

import numpy as np
import pandas as pd

from latentmech.geometry.lens.findings import Findings, Means
from latentmech.geometry.lens.vocabulary import KINDS
from latentmech.model import Model
from latentmech.report import Table
from latentmech.statistics import Estimate

PLAIN = {"1/rank": "reciprocal_rank", "entropy": "entropy", "KL": "kl", "agreement": "agreement"}


def level_table(findings: Findings, means: Means, own: dict[str, list[Estimate]]) -> Table:
    """One row per level: what the head reads there, and what chance reads."""
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
        row |= {name: own[metric][i].value for name, metric in PLAIN.items()}
        rows.append(row)
    base = {name: means.of(values).value for name, values in findings.unigram.items()}
    caption = (
        f"{len(findings.places.ids)} tokens; intervals are 95 %, over documents. A unigram model has a log-loss of "
        f"{base['log_loss']:.2f} nats and an accuracy of {base['accuracy']:.3f}. Shuffled: the right tokens of other "
        "places; random init: the same architecture with fresh weights, read by its own head. Rank: tokens held "
        "likelier than the right one. KL: from the last level's distribution, in nats; agreement: same top token."
    )
    return Table(title="What the head reads, level by level", frame=pd.DataFrame(rows), caption=caption)


def vocabulary_table(findings: Findings, means: Means) -> Table:
    """One row per level: where states lie between the two tables of tokens."""
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


def text_table(model: Model, findings: Findings) -> Table:
    """Position by position: what came, what was said at the end, and from where on."""
    readings, drawn = findings.drawn_readings, findings.drawn
    rows = []
    for i in range(len(drawn.ids)):
        same = readings.top[:, i] == readings.top[-1, i]
        settled = len(same) - int(np.argmin(same[::-1])) if not same.all() else 0
        row: dict[str, object] = {
            "token": shown(model, int(drawn.ids[i])),
            "next": shown(model, int(drawn.targets[i])),
        }
        row |= {"says": shown(model, int(readings.top[-1, i])), "settled at": findings.levels[settled].tick}
        row |= {"rank of next": int(readings.own["rank"][-1, i]), "log-loss": float(readings.own["log_loss"][-1, i])}
        rows.append(row)
    caption = "Says: the model's likeliest next token; settled at: the first level from which on it stays on top."
    return Table(title="The text of the picture", frame=pd.DataFrame(rows), caption=caption)


def shown(model: Model, token: int) -> str:
    """A token with its blanks made visible."""
    text = str(model.tokenizer.decode([token]))
    return text.replace("\n", "⏎").replace(" ", "·")
