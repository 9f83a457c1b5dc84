"""The pictures of a lens study: one text drawn, log-loss and cosines by level."""

import numpy as np

from latentmech.geometry.lens.findings import Findings, Means
from latentmech.geometry.lens.tables import shown
from latentmech.geometry.lens.vocabulary import KINDS
from latentmech.model import Model
from latentmech.report import Picture, heat_map, inscribe, layer_curve
from latentmech.statistics import Estimate

DRAWN = 32  # tokens of the text that fit into a picture


def drawn_text(model: Model, text: str, findings: Findings) -> Picture:
    """The likeliest next token at every level of the one text."""
    readings, ids = findings.drawn_readings, findings.drawn.ids[:DRAWN].tolist()
    grid = np.exp(-readings.own["log_loss"][::-1, :DRAWN])
    figure = heat_map(
        grid,
        [level.tick for level in findings.levels[::-1]],
        [shown(model, token) for token in ids],
        title=f"What the head of {model.name} reads at every level",
        xlabel="token that was read last",
        ylabel="level",
        bar="probability of the right next token",
    )
    words = [[shown(model, int(token)) for token in row] for row in readings.top[::-1, :DRAWN]]
    caption = f"The likeliest next token at every level (row) after every token (column, at most {DRAWN}) of “{text}”."
    return Picture(title="One text through the lens", figure=inscribe(figure, words), caption=caption)


def loss_curve(model: Model, findings: Findings, means: Means, own: dict[str, list[Estimate]]) -> Picture:
    """Log-loss by block, beside its nulls."""
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


def vocabulary_curve(model: Model, findings: Findings, means: Means) -> Picture:
    """Cosines of states and rows of tokens by level."""
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
