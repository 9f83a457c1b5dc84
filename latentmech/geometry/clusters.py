"""Clusters, found without the labels, and whether they are there and are the labels.

`kmeans`   k round groups (Lloyd 1982), k the number of classes. It always finds k, also in noise.
`hdbscan`  groups denser than what surrounds them (Campello et al. 2013); the rest is noise, here one group more. In
           hundreds of dimensions distances are nearly equal, no place is denser than another, and nearly all is noise
           whatever there is. So it is asked a second time in a few dimensions that UMAP makes for it, with more
           neighbours than a map has and no distance kept between points (McInnes 2018, "Using UMAP for clustering";
           Allaoui et al. 2020). UMAP makes groups of noise too: what it says counts over its null only.

silhouette  (b − a) / max(a, b), a the mean distance to the own cluster, b to the next (Rousseeuw 1987), noise left
            out. Number of clusters, noise and silhouette have a null: the same method, with UMAP if it takes part, on
            rows with each coordinate shuffled by itself.
ARI, AMI    agreement of two partitions, corrected for chance (Hubert & Arabie 1985; Vinh et al. 2010): 0 for unrelated
            ones on average, 1 for equal ones. Their null: the labels shuffled.

A cluster of a t-SNE or UMAP map is a cluster of the map; only those of the full space speak of the model, and those of
UMAP's few dimensions so far as they go beyond their null.
"""

import numpy as np
from jaxtyping import Float, Int

Rows = Float[np.ndarray, "point axis"]
Partition = Int[np.ndarray, " point"]
NOISE = -1


def kmeans(rows: Rows, n_clusters: int, seed: int) -> Partition:
    """The best of three starts."""
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=3, random_state=seed).fit_predict(rows).astype(np.int64)


def hdbscan(rows: Rows, min_cluster_size: int) -> Partition:
    """Dense groups of at least so many points; `NOISE` for points in none."""
    from sklearn.cluster import HDBSCAN

    return HDBSCAN(min_cluster_size=min_cluster_size, copy=True).fit_predict(rows).astype(np.int64)


def silhouette(rows: Rows, partition: Partition) -> float:
    """Mean over the points that are in a cluster; NaN unless there are two clusters."""
    from sklearn.metrics import silhouette_score

    inside = partition != NOISE
    n_clusters = len(np.unique(partition[inside]))
    if not 2 <= n_clusters < inside.sum():
        return float("nan")
    return float(silhouette_score(rows[inside], partition[inside]))


def partition_agreement(labels: Partition, partition: Partition) -> dict[str, float]:
    """`ari` and `ami` of two partitions of the same points."""
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    measures = {"ari": adjusted_rand_score, "ami": adjusted_mutual_info_score}
    return {name: float(measure(labels, partition)) for name, measure in measures.items()}


def label_match(partition: Partition, labellings: Int[np.ndarray, "labelling point"]) -> dict[str, float]:
    """Agreement with the first labelling, and the 95th percentile of it over the others: shuffles of its labels."""
    true, *null = [partition_agreement(labels, partition) for labels in labellings]
    return true | {f"{name}_null_p95": float(np.percentile([one[name] for one in null], 95)) for name in true}
