"""What a dimension study says: numbers, tables, pictures, sentences."""

from collections.abc import Iterator

import numpy as np

from latentmech.geometry.dimension.findings import DimensionFindings
from latentmech.geometry.drawn import level_table, line_picture, with_ends
from latentmech.geometry.rows import first_of_each, forms_of, said_of_the_first
from latentmech.model import Model
from latentmech.report import Ledger, Method, Picture, Report, Table, account, by_depth, values

SHOWN_LEVELS = 5  # curves in the picture of sample sizes


def account_of(study: object, found: DimensionFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "dimension", "site": found.settings.site})
    below = {who: "geometry/dimension" + ("" if who == "model" else f"/{who}") for who in found.by_who}
    for who, level, name, estimate in found.rows():
        control = ("embed" if level.layer is None else None) if who == "model" else who
        columns = {"layer": level.layer, "control": control, "method": name.partition("@")[0]}
        ledger.add(f"{below[who]}/{level.label}/{name}", estimate, name, **columns)
    drawn = ("two_nn", found.mle, "participation_ratio")
    curves = {f"{below[who]}/{name}": values(found.of(name, who)) for who in found.by_who for name in drawn}
    return account(
        study, model, ledger,
        title=f"Dimension of {found.examples.source} in {model.name}",
        headline=headline(found, model),
        tables={"levels": _estimate_table(found), "scan": _scan_table(found)},
        pictures=dict(_pictures(found, model)),
        curves=by_depth("geometry/depth", found.levels, curves),
        data=found.examples,
        notes=_notes(found),
        methods=_methods(found),
    )  # fmt: skip


def _estimate_table(found: DimensionFindings) -> Table:
    ratio, asked, controls = "participation_ratio", found.settings, found.controls.items()
    columns = {"distinct": found.of("n"), "copies": found.of("duplicates")} | with_ends("TwoNN", found.of("two_nn"))
    columns |= {f"TwoNN {title}": found.of("two_nn", who) for who, title in controls}
    columns |= {found.mle.replace("mle_k", "MLE k="): found.of(found.mle), "PR": found.of(ratio)}
    columns |= {f"PR {title}": found.of(ratio, who) for who, title in controls}
    columns |= {"PR standardised": found.of(f"{ratio}_standardised")}
    caption = (
        f"Means over {asked.seeds} draws of up to {asked.points} {found.unit}, low and high the smallest and the "
        "largest. Copies were removed before anything was estimated. PR: participation ratio; standardised: of the "
        "correlation matrix, where no coordinate can be large. Coordinates shuffled: the same margins with no "
        f"relation, what the estimator gives for independent coordinates from as many {found.unit}."
    )
    return level_table("Dimension by level", found.levels, columns, caption, "level")


def _scan_table(found: DimensionFindings) -> Table:
    names = {"TwoNN": "two_nn", "PR": "participation_ratio"}
    columns = {f"{t} of {s:g}": found.of(name, share=s) for t, name in names.items() for s in found.settings.shares}
    columns |= {f"MLE k={k}": found.of(f"mle_k{k}") for k in found.settings.scales}
    caption = (
        "Estimates from parts of the draw (sample size) and from more neighbours (scale). Only a number that stays "
        "the same along a row is a property of the space; the rest is one of the sample or of the scale."
    )
    return level_table("Sample size and scale", found.levels, columns, caption, "level")


def _pictures(found: DimensionFindings, model: Model) -> Iterator[tuple[str, Picture]]:
    ticks = [level.tick for level in found.levels]
    names = {"two_nn": "TwoNN", found.mle: f"MLE, k = {found.mle[5:]}", "participation_ratio": "participation ratio"}
    for name, title in names.items():
        drawn = {model.name: found.of(name)} | {text: found.of(name, who) for who, text in found.controls.items()}
        caption = f"{title} at every level with the range over draws, and of the controls."
        yield name.partition("_k")[0], line_picture(
            title, ticks, drawn, caption, around=drawn, ylabel=f"dimension ({title})", title=f"{title} in {model.name}",
        )  # fmt: skip
    if len(shares := found.settings.shares) > 1:
        n, scans = len(ticks), [found.of("two_nn", share=share) for share in shares]
        chosen = np.unique(np.linspace(0, n - 1, min(SHOWN_LEVELS, n)).round().astype(int)).tolist()
        yield "sample_size", line_picture(
            "Sample size", [f"{share:g}" for share in shares],
            {found.levels[i].place: [scan[i] for scan in scans] for i in chosen},
            "TwoNN estimated from parts of the draw, at a few levels. A flat line can be believed.",
            ylabel="dimension (TwoNN)", title="TwoNN and sample size", xlabel="share of the draw",
        )  # fmt: skip


def headline(found: DimensionFindings, model: Model) -> str:
    """Where TwoNN is highest, what its null gives there, and whether the number has settled with sample size."""
    two_nn = found.of("two_nn")
    if not np.isfinite(values(two_nn)).any():
        return f"Too few distinct {found.unit} to estimate a dimension in {model.name}."
    top = int(np.nanargmax(values(two_nn)))
    mle, ratio = found.of(found.mle)[top].value, found.of("participation_ratio")[top].value
    null = found.of("two_nn", "coordinates_shuffled")[top].value
    others = [(title, found.of("two_nn", who)[top].value) for who, title in list(found.controls.items())[1:]]
    beside = f"It is {' and '.join(f'{value:.1f} with {title}' for title, value in others)} there. " if others else ""
    return (
        f"The {found.unit} fill at most {two_nn[top].value:.1f} dimensions by TwoNN, at {found.levels[top].place} of "
        f"{model.name} (MLE {mle:.1f}, participation ratio {ratio:.1f}, of {model.d_model}); with every coordinate "
        f"shuffled the same estimator gives {null:.1f}, so it {'does' if two_nn[top].ci_high < null else 'does not'} "
        f"see structure. {beside}{_settled(found, top)}"
    )


def _settled(found: DimensionFindings, top: int) -> str:
    """Whether the smallest part of the rows gives the same dimension as all of them."""
    share = found.settings.shares[0]
    part, whole = found.of("two_nn", share=share)[top].value, found.of("two_nn")[top].value
    if share == 1 or not np.isfinite(part):
        return f"How it depends on the number of {found.unit} was not measured."
    change = whole / part - 1
    verdict = "has settled" if abs(change) < 0.1 else "has not settled: it is a statement about this sample"
    part_of = f"From {share:g} of the {found.unit} it is {part:.1f}"
    return f"{part_of} ({change:+.0%} with all of them): the number {verdict}."


def _notes(found: DimensionFindings) -> Iterator[str]:
    yield said_of_the_first(f"{found.unit[:-1]}_{found.settings.position}")
    if not found.settings.repeats:
        n_forms = len(first_of_each(forms_of(found.examples)))
        yield f"Every form is drawn once at most; draws share some of the {n_forms:,}, so their range is narrow."
    copies = values(found.of("duplicates"))
    yield f"Copies among the {found.unit} of a draw: {min(copies):.0f} to {max(copies):.0f}, by level."
    if near := found.near_copies():
        where = "every level" if len(near) == len(found.levels) else ", ".join(level.place for level, _ in near)
        yield (
            f"Near-copies: a draw's TwoNN is below 2 or below half of the MLE at {where} "
            f"({min(least for _, least in near):.1f} at the lowest). It then sees {found.unit} that almost coincide, "
            "and not the space; believe the MLE at larger k."
        )
    yield (
        "TwoNN and MLE fall short of high dimensions at any affordable sample size; compare levels and controls, "
        "not absolute numbers."
    )


def _methods(found: DimensionFindings) -> Iterator[Method]:
    asked = found.settings
    once = "" if asked.repeats else ", every form once"
    yield Method(
        f"Of {found.examples.source}, {asked.seeds} draws of up to {asked.points} {found.unit}{once} were read at "
        f"{len(found.levels)} levels ({asked.site}); rows within a thousandth of the median distance of an earlier one "
        "were removed. Dimension was estimated by TwoNN without the largest tenth of ratios, by maximum likelihood "
        f"over k = {', '.join(map(str, asked.scales))} neighbours with inverses averaged, and by the participation "
        "ratio of the covariance and of the correlation matrix.",
        ("facco2017", "levina2004", "mackay2005", "gao2017"),
    )
    others = [title for who, title in found.controls.items() if who != "coordinates_shuffled"]
    beside = f" Beside it stand {' and '.join(others)}." if others else ""
    yield Method(
        "The null permutes every coordinate over the rows by itself; structure is said to be seen where the largest "
        f"estimate of the draws is below the mean of that null.{beside} No test was made; ranges are over draws, which "
        "overlap."
    )
