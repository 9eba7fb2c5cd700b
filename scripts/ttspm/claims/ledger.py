"""The ledger: one row for each number or sentence of the paper that can be checked."""

from __future__ import annotations

import pandas as pd

from ttspm.claims.accuracy import APPENDIX_C, MAIN_RESULTS, MODEL_OF_RETHINKING
from ttspm.claims.cells import table_cells
from ttspm.claims.claim import Claim
from ttspm.claims.consistency import paper_against_itself
from ttspm.claims.correlations import FIGURE_4, VERIFICATION
from ttspm.claims.decision import NAN, NOT_RUN, Row
from ttspm.claims.evidence import Evidence, nothing_ran, paper_evidence
from ttspm.claims.scaling import CURVES, SATURATION_POINTS

LEDGER_COLUMNS = ["claim", "where", "paper", "ours", "ci_low", "ci_high", "verdict", "note"]
DECIMALS = 6

# What the paper's own numbers decide a sentence from, where that is not Table 1.
SOURCES = {"Fig. 4": "its own r", "Sec. 4.4": "Fig. 4"}

SENTENCES = [
    *MODEL_OF_RETHINKING,
    *MAIN_RESULTS,
    *CURVES,
    *SATURATION_POINTS,
    *FIGURE_4,
    *VERIFICATION,
    *APPENDIX_C,
]


def ledger(
    metrics: pd.DataFrame,
    fit: pd.DataFrame,
    saturation: pd.DataFrame,
    differences: pd.DataFrame | None,
    paper: pd.DataFrame,
    published: pd.DataFrame,
) -> pd.DataFrame:
    """Decide every claim of the paper that can be checked.

    Parameters
    ----------
    metrics, fit, saturation : pandas.DataFrame
        ``metrics.csv``, ``fit.csv``, ``saturation.csv`` of a run.
    differences : pandas.DataFrame or None
        ``differences.csv``: paired differences at equal N. Without it, differences are taken as
        unpaired, with wider intervals.
    paper, published : pandas.DataFrame
        ``resources/paper_table1.csv`` and ``resources/published_pass1.csv``.

    Returns
    -------
    pandas.DataFrame
        Columns `LEDGER_COLUMNS`. Shares are in percent, their differences in points. `ours` with
        its 95 % interval is the value that decides: of a sentence about many cells the worst one.
        `paper` is the number that the paper prints, or the same quantity from its Table 1.
        Docs: ``docs/claims.md`` says how a verdict is reached.

    Raises
    ------
    UserError
        If a table lacks a column that is read.
    """
    empty = nothing_ran()
    run = Evidence(
        metrics, fit, saturation, empty.differences if differences is None else differences
    )
    return _frame([*_run_rows(run, paper), *_paper_rows(paper, published)])


def paper_ledger(paper: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Give the ledger of a checkout without results: what needs no run is decided."""
    return _frame([*_run_rows(nothing_ran(), paper), *_paper_rows(paper, published)])


def _run_rows(run: Evidence, paper: pd.DataFrame) -> list[Row]:
    table = paper_evidence(paper)
    rows = []
    for claim in [*table_cells(paper), *SENTENCES]:
        theirs = claim.decide(table).ours if claim.paper is None else claim.paper
        rows.append(Row(claim.text, claim.where, theirs, claim.decide(run)))
    return rows


def _paper_rows(paper: pd.DataFrame, published: pd.DataFrame) -> list[Row]:
    """The paper's sentences decided by its own Table 1 and Fig. 4, then the other checks."""
    table = paper_evidence(paper)
    sentences = [_against_itself(c, table) for c in SENTENCES if c.paper is None]
    there = [row for row in sentences if row.decision.verdict != NOT_RUN]
    return [*there, *paper_against_itself(paper, published)]


def _against_itself(claim: Claim, table: Evidence) -> Row:
    source = SOURCES.get(claim.where, "Table 1")
    return Row(claim.text, f"{claim.where} against {source}", NAN, claim.decide(table))


def _frame(rows: list[Row]) -> pd.DataFrame:
    cells = [
        (
            row.claim,
            row.where,
            row.paper,
            row.decision.ours,
            row.decision.low,
            row.decision.high,
            row.decision.verdict,
            row.decision.note,
        )
        for row in rows
    ]
    return pd.DataFrame(cells, columns=LEDGER_COLUMNS).round(DECIMALS)
