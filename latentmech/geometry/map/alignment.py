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
    from scipy.linalg import orthogonal_procrustes

    centred = coordinates - coordinates.mean(0)
    return centred @ orthogonal_procrustes(centred, reference - reference.mean(0))[0]


def disparity(coordinates: Coordinates, reference: Coordinates) -> float:
    """What rotation, reflection and scale leave unexplained, from 0 to 1; NaN where all points of a map coincide."""
    from scipy.spatial import procrustes

    if not (np.ptp(coordinates, axis=0).any() and np.ptp(reference, axis=0).any()):
        return float("nan")
    return float(procrustes(reference, coordinates)[2])
