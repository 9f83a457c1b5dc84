"""Train a small model on the bundled texts and keep checkpoints, to see how a latent space comes to be.

    .venv/bin/python scripts/train_checkpoints.py runs/checkpoints

It writes ten folders, `step_0000` (untrained) to `step_1000`, at steps that grow by powers, since most happens early.

    python -m latentmech.run +experiment=geometry_over_training

compares the last with each. The model is a GPT-2 over bytes: four blocks, d_model 128. It reads the training splits of
the treebank and of five contrasts, a hundred kilobytes in all, about twenty times: it learns to spell, no more.
"""

import argparse
import math
import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import trange
from transformers import AutoModelForCausalLM

from latentmech.data import Corpus, Pairs
from latentmech.model import Model, Tiny, tokenise

CONTEXT = 128  # tokens of a training row
ROWS = 16  # rows of a batch
CONTRASTS = ("formality", "language", "refusal", "sentiment", "truth")
PEAK, WARM_UP = 3e-3, 50  # learning rate, and the steps up to it


def main() -> None:
    """Train and save."""
    asked = arguments()
    start = Model(name="start", source=Tiny(n_layers=4, d_model=128, n_heads=4, seed=asked.seed))
    folder = start.checkpoint.folder
    train, dev = (stream(start, split) for split in ("train", "dev"))
    model = AutoModelForCausalLM.from_pretrained(folder)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.1)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_peak(step, asked.steps))
    draw, kept = torch.Generator().manual_seed(asked.seed), checkpoints(asked.steps, asked.keep)
    torch.manual_seed(asked.seed)  # of dropout
    for step in trange(asked.steps + 1):
        if step in kept:
            print(f"step {step}: dev log-loss {held_out(model, dev):.3f} nats per byte", flush=True)
            save(model, folder, asked.folder / f"step_{step:04d}")
        optimiser.zero_grad()
        rows = batch(train, draw)
        model(input_ids=rows, labels=rows).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rate.step()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkpoints go")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--keep", type=int, default=10, help="how many checkpoints, the untrained model included")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def checkpoints(steps: int, keep: int) -> set[int]:
    """Step 0, and then ever wider apart up to the last."""
    return {0, *np.geomspace(1, steps, keep - 1).round().astype(int).tolist()}


def share_of_peak(step: int, steps: int) -> float:
    """Learning rate as a share of its peak: up in a line, down along a cosine to a tenth."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.55 + 0.45 * math.cos(math.pi * (step - WARM_UP) / max(steps - WARM_UP, 1))


def stream(model: Model, split: str) -> Tensor:
    """The texts of one split as one row of tokens, each begun as the model's texts are."""
    sources = [Corpus()(), *(Pairs(name=name)().joint for name in CONTRASTS)]
    parts = [part.where(lambda i, part=part: part.splits[i] == split) for part in sources]
    return torch.from_numpy(
        np.concatenate([ids for part in parts for ids in tokenise(model, part.texts, part.ids).ids])
    )


def batch(tokens: Tensor, draw: torch.Generator) -> Tensor:
    """Rows from random places."""
    starts = torch.randint(len(tokens) - CONTEXT, (ROWS,), generator=draw)
    return torch.stack([tokens[at : at + CONTEXT] for at in starts.tolist()])


@torch.no_grad()
def held_out(model: torch.nn.Module, tokens: Tensor) -> float:
    """Log-loss on other documents; every third row of them, for all of them take as long as ten steps."""
    rows = tokens[: CONTEXT * (len(tokens) // CONTEXT)].view(-1, CONTEXT)[::3]
    model.eval()
    loss = float(model(input_ids=rows, labels=rows).loss)
    model.train()
    return loss


def save(model: torch.nn.Module, origin: Path, folder: Path) -> None:
    """Weights, configuration and the tokenizer's files."""
    model.save_pretrained(folder)  # type: ignore[operator]
    for file in origin.glob("tokenizer*.json"):
        shutil.copy(file, folder)


if __name__ == "__main__":
    main()
