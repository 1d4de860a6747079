"""Gradient-boosted trees that predict how well a candidate fits a true object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

TREES, LEAVES, LEARNING_RATE = 150, 8, 0.06
# A leaf of fewer candidates repeats their noise; of few candidates in all, a leaf holds a tenth at least.
LEAST_IN_LEAF = 50


def fitted(features: NDArray[np.float32], iou: NDArray[np.float64], seed: int = 0) -> Any:
    """Fit the trees.

    Parameters
    ----------
    features : ndarray of shape (n, F), float32
    iou : ndarray of shape (n,), float64
        0..1.
    seed : int
        Of what the trees draw at random.

    Returns
    -------
    HistGradientBoostingRegressor

    References
    ----------
    Friedman, Ann Stat 29, 1189 (2001), doi:10.1214/aos/1013203451; with histograms as in LightGBM (Ke et al., NeurIPS
    2017), in scikit-learn, whose wheels need no other library.
    """
    regressor = HistGradientBoostingRegressor(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=max(1, min(LEAST_IN_LEAF, len(iou) // 10)),
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    return regressor.fit(features, iou)


def predicted(regressor: Any, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predict the IoU of candidates (n, F), 0..1, (n,)."""
    if not len(features):
        return np.zeros(0, np.float32)
    return np.clip(regressor.predict(features), 0, 1).astype(np.float32)
