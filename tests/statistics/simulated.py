"""Data whose truth is known: documents of words, topics of scored texts, levels that are equal or not."""

import numpy as np
from scipy.stats import norm


def accuracy(groups, rng, truth=0.9, likeness=0.02, size=60):
    """Right answers by document; words of a document are alike by `likeness` (intraclass correlation)."""
    scale = (1 - likeness) / likeness
    shares = rng.beta(truth * scale, (1 - truth) * scale, groups)
    clusters = np.repeat(np.arange(groups), np.maximum(5, rng.poisson(size, groups)))
    return (rng.random(len(clusters)) < shares[clusters]).astype(float), clusters


def two_readers(groups, rng, own=0.88, other=0.82, size=60):
    """Right answers of two readers of the same words; documents differ in both, and in what lies between them."""
    clusters = np.repeat(np.arange(groups), np.maximum(5, rng.poisson(size, groups)))
    hard, apart = rng.normal(0, 0.03, groups)[clusters], rng.normal(0, 0.02, groups)[clusters]
    luck = rng.random(len(clusters))
    others = np.where(rng.random(len(clusters)) < 0.7, luck, rng.random(len(clusters)))
    return (luck < own + hard) * 1.0, (others < other + hard + apart) * 1.0, clusters


def topics(groups, rng, distance, size=20, shift=0.5, spread=0.4):
    """Scores of positive and negative texts; topics differ in where their texts lie and in how far the kinds are."""
    clusters = np.repeat(np.arange(groups), 2 * size)
    positive = np.tile(np.repeat([True, False], size), groups)
    where, apart = rng.normal(0, shift, groups)[clusters], rng.normal(distance, spread, groups)[clusters]
    return where + apart * positive + rng.normal(size=len(clusters)), positive, clusters


def topics_auroc(distance, shift=0.5, spread=0.4):
    """The AUROC of `topics` over pairs of texts of different topics, which nearly all pairs are."""
    return float(norm.cdf(distance / np.sqrt(2 + 2 * shift**2 + spread**2)))


def levels(n, groups, rng, likeness=0.9, gap=0.0, truth=0.9, size=60):
    """Right answers of `n` levels on the same words, their errors alike; level 0 is better by `gap`."""
    clusters = np.repeat(np.arange(groups), size)
    shared, own = rng.normal(size=(len(clusters), 1)), rng.normal(size=(len(clusters), n))
    hard, apart = rng.normal(0, 0.15, (groups, 1))[clusters], rng.normal(0, 0.1, (groups, n))[clusters]
    luck = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own + hard + apart
    shares = np.full(n, truth)
    shares[0] += gap
    return (luck < norm.ppf(shares) * np.sqrt(1 + 0.15**2 + 0.1**2)).T.astype(float), clusters
