"""The result of a comparison of runs, and how it is printed."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from claimkind import tracking
from claimkind.evaluation.changes import Changes
from claimkind.evaluation.selection import Configuration
from claimkind.metrics.bootstrap import Estimate
from claimkind.metrics.significance import Difference

_MOST_VERDICTS = 10
_MOST_NAMES = 3


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
        """The verdict on every pair; if there are many, on the best configuration and ten of the others at most."""
        many = len(self.differences) > _MOST_VERDICTS
        shown = self.differences[: min(len(self.configurations) - 1, _MOST_VERDICTS)] if many else self.differences
        return [difference.verdict() for difference in shown]

    @property
    def conclusion(self) -> str:
        """How the configuration that is best on validation compares with each of the others on test."""
        best = self.configurations[0]
        lead = f"{best.name} is best on validation" if best.validation is not None else f"{best.name} is the first"
        pairs = self.differences[: len(self.configurations) - 1]  # its own, as the first of `combinations`
        results = {
            "better than": [pair.second for pair in pairs if pair.separable and pair.macro_f1.value > 0],
            "worse than": [pair.second for pair in pairs if pair.separable and pair.macro_f1.value <= 0],
            "not separable from": [pair.second for pair in pairs if not pair.separable],
        }
        found = [f"{relation} {_listed(names)}" for relation, names in results.items() if names]
        return f"{lead}; on test it is {', '.join(found)}" if found else f"{best.name} is the only configuration"

    def text(self) -> str:
        """The conclusion, the table, the verdicts and what the promotion did."""
        promotion = [self.promotion] if self.promotion else []
        changes = [self.changes.text()] if self.changes else []
        more = len(self.differences) - len(self.verdicts)
        rest = [f"and {more} further pairs, in comparison/differences.csv of the run"] if more > 0 else []
        table = self.table.to_string(index=False)
        lines = [self.conclusion, self.title, table, *self.verdicts, *rest, *changes, *promotion, *self.links]
        return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    """Names in words; many are counted."""
    if len(names) > _MOST_NAMES:
        return f"{len(names)} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
