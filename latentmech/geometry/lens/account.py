"""What a lens study says: numbers, tables, pictures, sentences."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from latentmech.geometry.drawn import level_table, line_picture, with_ends
from latentmech.geometry.lens.findings import LensFindings
from latentmech.model import Model
from latentmech.report import Ledger, Method, Picture, Report, Table, account, by_depth, heat_map, inscribe, values
from latentmech.statistics import verdict

DRAWN = 32  # tokens of the text that fit into a picture
PLAIN = {"1/rank": "reciprocal_rank", "entropy": "entropy", "KL": "kl", "agreement": "agreement"}


def account_of(study: object, found: LensFindings, model: Model) -> Report:
    """Everything a reader gets."""
    ledger = Ledger({"study": "geometry", "task": "lens", "site": "resid_post"})
    for name, control, level, metric, value in found.rows():
        ledger.add(f"geometry/lens/{name}", value, metric, layer=level and level.layer, control=control)
    loss = {"geometry/lens/log_loss": values(found.of("log_loss"))}
    return account(
        study, model, ledger,
        title=f"lens in {model.name}",
        headline=headline(found, model),
        tables={"levels": _read_table(found), "vocabulary": _vocabulary_table(found), "text": text_table(found, model)},
        pictures={
            "text": _drawn_text(found, model),
            "log_loss": loss_curve(found, model),
            "vocabulary": _vocabulary_curve(found, model),
        },
        curves=by_depth("geometry/depth", found.levels, loss),
        data=found.texts,
        groups="documents",
        notes=_notes(found),
        methods=_methods(found),
    )  # fmt: skip


def headline(found: LensFindings, model: Model) -> str:
    """From where on the head reads more than all that do not read the text, and where the answer settles."""
    better, names = found.better_from, [lead.rival for lead in found.leads[-1]]
    where = "at no level" if better == len(found.levels) else f"from {found.levels[better].place} on"
    half = found.levels[found.settled_from].place
    return (
        f"Read by its own head, {model.name} tells the next token better than {_listed(names)} {where}. It ends at a "
        f"log-loss of {found.of('log_loss')[-1]:.2f} nats; by the log-probability of the right token that "
        f"{verdict(found.leads[-1])}. Half of the final top tokens are on top from {half} on."
    )


def _notes(found: LensFindings) -> Iterator[str]:
    yield (
        f"Means are over {len(found.texts)} texts of {found.texts.source} ({len(set(found.texts.groups))} documents) "
        "without position 0."
    )
    if "own_unembedding" not in found.by_who["cosine"]:
        yield "Embedding and unembedding are one table in this model."
    yield "A level that the head cannot read may still hold the answer in another basis: a probe would find it."


def _methods(found: LensFindings) -> Iterator[Method]:
    yield Method(
        f"The state after every level was put through the model's own final norm and unembedding (logit lens), at "
        f"{found.n:,} tokens of held-out texts, the first position of each left out.",
        ("nostalgebraist2020", "belrose2023lens"),
    )
    yield Method(
        "The next token counts as told at a level if the log-probability of the right one exceeds that of "
        f"{_listed([lead.rival for lead in found.leads[-1]])}, each by a paired 95 % interval above 0. Token "
        "frequencies were counted in other texts, with additive smoothing chosen on dev.",
        ("berger1982",),
    )


def _read_table(found: LensFindings) -> Table:
    columns = with_ends("log-loss", found.of("log_loss"))
    columns |= {title: found.of("log_loss", who) for who, title in _controls(found).items()}
    columns |= {"accuracy": found.of("accuracy"), "acc. shuffled": found.of("accuracy", "shuffled")}
    columns |= {"median rank": found.median_rank} | {name: found.of(metric) for name, metric in PLAIN.items()}
    caption = (
        f"{found.n} tokens; 95 % intervals over documents (here {len(set(found.texts.groups))}). A unigram model has a "
        f"log-loss of {found.unigram['log_loss'].value:.2f} nats and an accuracy of "
        f"{found.unigram['accuracy'].value:.3f}. Shuffled: the right tokens of other places; random init: the same "
        "architecture with fresh weights, read by its own head. Rank: tokens held likelier than the right one. KL: "
        "from the last level's distribution, in nats; agreement: same top token."
    )
    return level_table("What the head reads, level by level", found.levels, columns, caption)


def _vocabulary_table(found: LensFindings) -> Table:
    columns: dict[str, Sequence] = {}
    for kind, own in found.by_who["cosine"].items():
        title = kind.replace("_", " ")
        columns |= with_ends(title, own, f"{title} low", f"{title} high")
        columns |= {f"{title}, random": found.of(kind, "random_token")}
    caption = (
        "Mean cosine of a state with the rows of its own and of the next token in the tables of embeddings and "
        "unembeddings, all centred; random: rows of the tokens of other places. Intervals are 95 %, over documents."
    )
    return level_table("States between the two tables of tokens", found.levels, columns, caption)


def text_table(found: LensFindings, model: Model) -> Table:
    """Position by position: what came, what was said at the end, and from where on."""
    read = found.drawn_readings
    columns = {
        "token": _shown(model, found.drawn.ids.tolist()),
        "next": _shown(model, found.drawn.targets.tolist()),
        "says": _shown(model, read.top[-1].tolist()),
        "settled at": [level.tick for level in found.settled()],
        "rank of next": read.own["rank"][-1].astype(int),
        "log-loss": read.own["log_loss"][-1],
    }
    caption = "Says: the model's likeliest next token; settled at: the first level from which on it stays on top."
    return Table(title="The text of the picture", frame=pd.DataFrame(columns), caption=caption)


def _drawn_text(found: LensFindings, model: Model) -> Picture:
    read = found.drawn_readings
    ticks, tokens = [level.tick for level in found.levels[::-1]], _shown(model, found.drawn.ids[:DRAWN].tolist())
    figure = heat_map(
        np.exp(-read.own["log_loss"][::-1, :DRAWN]), ticks, tokens, bar="probability of the right next token",
        title=f"What the head of {model.name} reads at every level", xlabel="token that was read last", ylabel="level",
    )  # fmt: skip
    words = [_shown(model, row) for row in read.top[::-1, :DRAWN].tolist()]
    after = f"after every token (column, at most {DRAWN}) of “{found.text}”"
    caption = f"The likeliest next token at every level (row) {after}."
    return Picture(title="One text through the lens", figure=inscribe(figure, words), caption=caption)


def loss_curve(found: LensFindings, model: Model) -> Picture:
    """Log-loss by block, beside its nulls; at the embedding it can be 100 and more."""
    losses = {model.name: found.of("log_loss")[1:]}
    names = _controls(found) | {"shuffled": "shuffled targets"}
    losses |= {title: found.of("log_loss", who)[1:] for who, title in names.items()}
    return line_picture(
        "Log-loss by level", [level.tick for level in found.levels[1:]], losses,
        "Log-loss of the right next token after every block with 95 % intervals over documents, and what chance gives; "
        f"at the embedding it is {found.of('log_loss')[0].value:.1f} nats.",
        around=losses, title=f"Next token by the logit lens in {model.name}",
        ylabel="log-loss of the right token, nats",
        reference_lines={"unigram": found.unigram["log_loss"].value, "uniform": float(np.log(found.vocab))},
    )  # fmt: skip


def _vocabulary_curve(found: LensFindings, model: Model) -> Picture:
    cosines = {kind.replace("_", " "): own for kind, own in found.by_who["cosine"].items()}
    random = np.array([values(own) for own in found.by_who["random_token"].values()])
    return line_picture(
        "States and tokens", [level.tick for level in found.levels], cosines,
        "Mean centred cosine of states with the rows of their own and the next token; random: tokens of other places.",
        around=cosines, bands={"random tokens": (random.min(0).tolist(), random.max(0).tolist())},
        ylabel="cosine, centred", title=f"States of {model.name} and the rows of tokens",
    )  # fmt: skip


def _controls(found: LensFindings) -> dict[str, str]:
    titles = {"shuffled": "shuffled", "random_init": "random init"}
    return {who: title for who, title in titles.items() if who in found.by_who}


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _shown(model: Model, tokens: Sequence[int]) -> list[str]:
    """Tokens with their blanks made visible."""
    return [str(model.tokenizer.decode([token])).replace("\n", "⏎").replace(" ", "·") for token in tokens]
