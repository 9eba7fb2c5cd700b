"""Write the page of claims that needs no run: python scripts/claims_page.py > docs/claims.md."""

from pathlib import Path

import pandas as pd

from ttspm.claims.ledger import paper_ledger
from ttspm.claims.page import to_markdown

RESOURCES = Path(__file__).resolve().parents[1] / "resources"

INTRODUCTION = """\
<!-- Made by: python scripts/claims_page.py > docs/claims.md -->

# The ledger of claims

One row for each number or sentence of the paper (arXiv 2505.20522, version 1) that can be checked.
`snakemake --cores 8 results/tables/claims.csv` decides them from a run and writes the same page
with its numbers to `results/tables/claims.md`. This page is the part that needs no run: the paper
against itself and against what others published. Each claim is an entry in `scripts/ttspm/claims/`
with one small function that decides it.

## How a verdict is reached

Shares are in percent, their differences in points; intervals are 95 %. `ours` (here: `computed`)
is the value that decides, of a sentence about many cells the worst one; `paper` is what the paper
prints, or for a sentence the same quantity worked out from its Table 1. A model or benchmark of
another name than the paper's decides nothing.

* **A number** agrees when the 95 % interval of the difference between ours and the paper's
  includes 0, a two-sided test at 5 % with the errors of both sides: the paper's is one run on n
  problems (Wilson's interval [1]; Fisher's for a correlation, with 100 test problems), ours is the
  bootstrap over problems of `metrics.csv`, or Wilson's where all problems are alike and the
  bootstrap has no width. The two are combined by squaring and adding distances to the bounds [2,
  3]. Both runs have the same problems, so they differ by less than this allows: *differs* is a
  strong verdict, *agrees* a weak one. Of the 112 values of Table 1, up to five or six would differ
  by chance alone.
* Ours is the estimator `prefix`, one run of N units as in the paper, or `exact` where the order of
  units is not known. Vanilla is the first sample.
* **A sentence** is decided by the values themselves; each row says how the sentence is read.
  *Everywhere* needs every cell: one counterexample is enough to differ, and a cell that did not
  run leaves it *not run* otherwise. The note says "interval includes the opposite" where the
  values decide but their intervals do not. Differences between strategies, and between models, at
  equal N have paired intervals from `differences.csv`; all others are taken as independent, which
  makes them too wide. The intervals are not adjusted for the number of cells: where all must hold
  that is right, but among many cells one counterexample may be chance.
* **The paper against itself**: Table 1 and Fig. 4 take the place of the run in the same functions.
  A value that is k/n rounded to one decimal counts as that k/n.

What some of the checks mean:

* *Against its vanilla*: with independent samples hit@N is the mean over problems of 1-(1-p)^N,
  which is concave in p, so it cannot exceed 1-(1-m)^N of the mean m (Jensen's inequality). The
  interval is that of the bound, from one vanilla run. Two values of GPQA are above; with m at the
  top of its interval they would not be.
* *Against guessing*: hit@N on four choices rises to 100 % for a blind guesser. It measures how
  different the answers are, not how good.
* *Gains per unit*: expected hit@N of independent samples is concave in N whatever the model, so
  diminishing gains of parallel scaling are a property of the metric; only noise can break them.
* *Against published values*: others' means over many runs on the same problems are taken as exact
  beside the paper's single run. Their settings differ a little, and are in the note.

1. E. B. Wilson, JASA 22 (1927) 209-212. 2. R. G. Newcombe, Statistics in Medicine 17 (1998)
873-890, method 10. 3. G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008) 1693-1702.

## Verdicts

"""


def page() -> str:
    """Text of ``docs/claims.md``."""
    paper = pd.read_csv(RESOURCES / "paper_table1.csv")
    published = pd.read_csv(RESOURCES / "published_pass1.csv")
    return INTRODUCTION + to_markdown(paper_ledger(paper, published))


if __name__ == "__main__":
    print(page(), end="")
