"""Maps of successive levels turned so that they can be compared by eye, and how much is left over.

A map may be rotated and mirrored at will. The orthogonal Procrustes problem (Schönemann 1966) finds the rotation or
reflection R that brings the centred coordinates A nearest to B: with A'B = USV', R = UV'. What no rotation and no
scale explains is the disparity 1 − (Σ s)² / (‖A‖² ‖B‖²) (Gower 1975): 0 for one shape twice, 1 for unrelated ones.

A small disparity says that the map stayed, not that the space did: t-SNE and UMAP also move by themselves.
"""

import numpy as np
from jaxtyping import Float

Coordinates = Float[np.ndarray, "point axis"]


def aligned(coordinates: Coordinates, reference: Coordinates) -> Coordinates:
    """The coordinates, centred and turned towards the reference; their scale stays their own."""
    own, other = _centred(coordinates), _centred(reference)
    u, _, vt = np.linalg.svd(own.T @ other)
    return own @ (u @ vt)


def disparity(coordinates: Coordinates, reference: Coordinates) -> float:
    """What rotation, reflection and scale leave unexplained, from 0 to 1."""
    own, other = _centred(coordinates), _centred(reference)
    common = np.linalg.svd(own.T @ other, compute_uv=False).sum()
    return float(1 - common**2 / ((own**2).sum() * (other**2).sum()))


def _centred(coordinates: Coordinates) -> Coordinates:
    return coordinates - coordinates.mean(0)
