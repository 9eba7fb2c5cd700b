"""Which rows of ``saturation.csv`` the paper's figures show."""

from __future__ import annotations

import pandas as pd

# Estimator of p_x as the paper prints it (App. A). A strategy that the paper does not have is shown
# by the estimator that comes first in its table.
PUBLISHED = {"parallel": "c/n", "sequential": "k/n"}


def published_estimator(rows: pd.DataFrame, strategy: str) -> str:
    """Name of the estimator by which a strategy is drawn.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows of ``saturation.csv`` or ``fit.csv``.
    strategy : str
        A strategy that `rows` has.
    """
    if strategy in PUBLISHED:
        return PUBLISHED[strategy]
    return str(rows.loc[rows["strategy"] == strategy, "estimator"].iloc[0])


def published_rows(saturation: pd.DataFrame) -> pd.DataFrame:
    """One row for each (model, benchmark, strategy, problem): that of the paper's estimator."""
    chosen = {s: published_estimator(saturation, s) for s in saturation["strategy"].unique()}
    return saturation[saturation["estimator"] == saturation["strategy"].map(chosen)]
