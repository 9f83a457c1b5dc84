"""The pictures and curves of a steering study."""

from collections.abc import Iterator

import numpy as np

from latentmech.model import Model
from latentmech.report import Curve, Picture, layer_curve, trade_off
from latentmech.steering.doses import Doses


def dose_picture(dose: Doses, model: Model) -> Picture:
    """Effect against strength, beside random directions."""
    order = np.argsort(dose.strengths)
    ticks = [f"{dose.strengths[i]:+g}" for i in order]
    estimates = [dose.estimate(dose.sweep.own.score[i] - dose.clean) for i in order]
    name = dose.found.direction.name
    bands = {name: ([e.ci_low for e in estimates], [e.ci_high for e in estimates])}
    if len(dose.random):
        ends = [dose.null(int(i)) for i in order]
        bands[f"{len(dose.random)} random directions"] = ([e[0] for e in ends], [e[1] for e in ends])
    series = {name: [e.value for e in estimates]}
    if dose.sweep.shuffled is not None:
        series["shuffled labels"] = dose.sweep.shuffled.effect(dose.clean)[order].tolist()
    lines = {f"instruction {kind} it": float((told - dose.clean).mean()) for kind, told in dose.sweep.prompting.items()}
    title = f"{name} at block {dose.found.direction.layer} of {model.name}"
    xlabel = f"strength ({dose.study.unit})"
    figure = layer_curve(ticks, series, bands, lines, "change of log-odds (nats)", title, xlabel=xlabel, best="")
    caption = "Effect against strength with 95 % intervals, and the range of random directions of the same length."
    return Picture(title="Dose and response", figure=figure, caption=caption)


def trade_picture(dose: Doses, model: Model) -> Picture:
    """Effect against damage."""
    name = dose.found.direction.name
    points = list(zip(dose.kl.tolist(), dose.effect.tolist(), [f"{s:+g}" for s in dose.strengths], strict=True))
    figure = trade_off(
        points,
        title=f"What {name} steering costs in {model.name}",
        xlabel="KL to the untouched model (nats per token)",
        ylabel="change of log-odds (nats)",
    )
    return Picture(
        title="Effect against damage", figure=figure, caption="One point a strength; better is far from zero, and left."
    )


def curves(dose: Doses) -> Iterator[Curve]:
    """Everything against strength."""
    order = np.argsort(dose.strengths)
    steps = tuple(dose.strengths[i] for i in order)
    values = {"effect": dose.effect, "kl": dose.kl, "own_perplexity": np.exp(dose.loss)}
    values["neutral_perplexity"] = np.array(dose.sweep.neutral[1:]) / dose.sweep.neutral[0]
    if len(dose.random):
        values |= {"null_max": dose.random.max(0), "null_min": dose.random.min(0)}
    for name, numbers in values.items():
        curve = tuple(float(numbers[i]) for i in order)
        yield Curve(name=f"steering/{name}", axis="steering/strength", steps=steps, values=curve)
