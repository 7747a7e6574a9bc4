"""The result of a comparison of runs, and how it is printed."""

from typing import NamedTuple

import pandas as pd

from claimkind import tracking
from claimkind.evaluation.changes import Changes
from claimkind.evaluation.selection import Configuration
from claimkind.metrics.bootstrap import Estimate
from claimkind.metrics.significance import Difference

_MOST_VERDICTS = 30  # more than people read, or than fit on the page of an MLflow run


class Comparison(NamedTuple):
    """The result of a comparison."""

    title: str
    dataset: tracking.Split
    """The test split of the dataset."""
    rows: pd.DataFrame
    """The sentences of the split, with `id`, `label` and, where it was logged, `text`."""
    configurations: list[Configuration]
    """Best on validation first."""
    scores: dict[str, dict[str, Estimate]]
    """By configuration every metric on the test split, averaged over the seeds."""
    table: pd.DataFrame
    """One row a configuration."""
    differences: list[Difference]
    """Every pair, on the test split."""
    changes: Changes | None = None
    """What changes between the two best configurations; None where there is one."""
    promotion: str = ""
    """What the promotion did, if one was wanted."""
    links: tuple[str, ...] = ()
    """Addresses in the MLflow UI: of the run of the comparison, and of the view of all comparisons."""

    @property
    def verdicts(self) -> list[str]:
        """The verdict on every pair; if there are many, on the best configuration and each of the others."""
        shown = self.differences
        if len(shown) > _MOST_VERDICTS:
            best = self.configurations[0].name
            shown = [difference for difference in shown if best in (difference.first, difference.second)]
        return [difference.verdict() for difference in shown]

    def text(self) -> str:
        """The title, the table, the verdicts and what the promotion did."""
        promotion = [self.promotion] if self.promotion else []
        changes = [self.changes.text()] if self.changes else []
        table = self.table.to_string(index=False)
        return "\n".join([self.title, table, "\n".join(self.verdicts), *changes, *promotion, *self.links])
