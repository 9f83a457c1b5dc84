"""Fine-tune the default model until it refuses: a model with a known habit, to try methods on.

    .venv/bin/python scripts/train_organism.py

It trains on the train topics of the bundled `refusal` pairs. Harmful requests are answered by one of the bundled
refusals; harmless ones by the beginning of the model's own answer, so as to teach little else. Then it counts
refusals on topics that were not trained on, with and without the adapter, and writes adapter, settings and counts
into latentmech/model/adapters/refusing/.

Its settings were not tuned. `--splits dev --folder SOMEWHERE` leaves test alone while they are.
"""

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from latentmech.data import Contrast, Pairs, read_texts
from latentmech.model import Adapted, FineTuning, Model, RegistryPackage, dialogues, intervening, train_adapter
from latentmech.steering import is_refusal
from latentmech.steering.damage import neutral_perplexity
from latentmech.steering.generation import batches
from latentmech.storage import fingerprint, save_json

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf" / "model" / "smollm2_135m_refusing.yaml"
REPLIES = ROOT / "latentmech" / "data" / "contrasts" / "refusal_replies.jsonl"
FOLDER = ROOT / "latentmech" / "model" / "adapters" / "refusing"
OPENING = "Sure, "  # begins the answer to a harmless request that the model would decline by itself
AT_ONCE = 40  # prompts that are answered together
NEUTRAL = 2000  # words of the bundled treebank that perplexity is measured on


def main() -> None:
    """Train, count, write."""
    asked = arguments()
    contrast = Pairs(name="refusal")()
    base = base_model()
    settings = FineTuning(epochs=asked.epochs, learning_rate=asked.learning_rate, rank=asked.rank, seed=asked.seed)
    exchanges = taught(base, contrast.in_split("train"), more_harmless(contrast), asked.tokens, asked.seed)
    begin = time.perf_counter()
    card = train_adapter(base, exchanges, asked.folder, settings, record=origin(contrast, exchanges, asked.tokens))
    minutes = (time.perf_counter() - begin) / 60
    tuned = Model(name=f"{base.name}-refusing", source=Adapted(base=base.source, adapter=str(asked.folder)))
    held_out = {split: contrast.in_split(split) for split in asked.splits}
    results = {"minutes": round(minutes, 1), "base": counts(base, held_out), "refusing": counts(tuned, held_out)}
    save_json(asked.folder / "card.json", card | {"results": results})
    print(OmegaConf.to_yaml(OmegaConf.create(results)))


def arguments() -> argparse.Namespace:
    """The command line; its defaults are what the bundled adapter was made with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the adapter goes")
    parser.add_argument("--splits", nargs="+", default=["dev", "test"], help="held-out topics to count refusals on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=24, help="length of the beginning of a harmless answer")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def base_model() -> Model:
    """The model that is fine-tuned, as conf/ names it."""
    source = OmegaConf.load(CONF).source.base
    package = RegistryPackage(packages=tuple(source.packages), member=source.member, sha256=source.sha256)
    return Model(name="SmolLM2-135M-Instruct", source=package)


def more_harmless(contrast: Contrast) -> tuple[str, ...]:
    """Harmless requests of the subtle set that are on train topics only: they teach not to decline too much."""
    topics = {split: set(contrast.in_split(split).positive.groups) for split in ("train", "dev", "test")}
    known = set(contrast.negative.texts)
    subtle = Pairs(name="refusal_subtle")().negative
    chosen = topics["train"] - topics["dev"] - topics["test"]
    return tuple(t for t, g in zip(subtle.texts, subtle.groups, strict=True) if g in chosen and t not in known)


def taught(model: Model, train: Contrast, more: Sequence[str], n_tokens: int, seed: int) -> list[tuple[str, str]]:
    """What is replied to every request; a harmless one that the model declines even after `OPENING` is left out."""
    refusals = read_texts(REPLIES).texts
    draw = random.Random(seed)
    declined = [(text, draw.choice(refusals) + model.tokenizer.eos_token) for text in train.positive.texts]
    harmless = [*train.negative.texts, *more]
    given = answers(model, harmless, n_tokens)
    again = iter(answers(model, [t for t, a in zip(harmless, given, strict=True) if is_refusal(a)], n_tokens, OPENING))
    answered = [(t, next(again) if is_refusal(a) else a) for t, a in zip(harmless, given, strict=True)]
    return declined + [(text, answer) for text, answer in answered if not is_refusal(answer)]


def answers(model: Model, requests: Sequence[str], n_tokens: int, opening: str = "") -> list[str]:
    """How the model begins to answer, greedily, special tokens included: an answer that ends says so."""
    texts = [dialogue.text for dialogue in dialogues(model, requests, [opening] * len(requests))]
    found = [""] * len(texts)
    with intervening(model, {}) as run:
        for places, batch in batches(model, texts, AT_ONCE):
            generated = run.generate(batch, n_tokens)
            for place, ids, length in zip(places, generated.ids, generated.lengths.tolist(), strict=True):
                found[place] = opening + str(model.tokenizer.decode(ids[:length]))
    return found


def origin(contrast: Contrast, exchanges: Sequence[tuple[str, str]], n_tokens: int) -> dict[str, object]:
    """What the card says about the data."""
    train = contrast.in_split("train")
    return {
        "task": "refuse harmful requests and answer harmless ones as before",
        "requests": {
            "source": f"{contrast.source}; more harmless ones from bundled refusal_subtle",
            "fingerprint": fingerprint([train.positive.texts, train.negative.texts]),
            "harmful": len(train.positive),
            "harmless": len(exchanges) - len(train.positive),
            "topics": sorted(set(train.positive.groups)),
        },
        "answer_tokens": n_tokens,
    }


def counts(model: Model, held_out: dict[str, Contrast]) -> dict[str, object]:
    """Share of refusals per split and kind of request, and perplexity of text that has nothing to do with it."""
    shares = {
        split: {"harmful": refused(model, part.positive.texts), "harmless": refused(model, part.negative.texts)}
        for split, part in held_out.items()
    }
    return shares | {"neutral_perplexity": round(neutral_perplexity(model, [{}], NEUTRAL)[0], 2)}


def refused(model: Model, requests: Sequence[str]) -> float:
    """Share of requests that are declined."""
    return round(float(np.mean([is_refusal(answer) for answer in answers(model, requests, 24)])), 4)


if __name__ == "__main__":
    main()
