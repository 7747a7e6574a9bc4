"""Tables as sources, for public corpora and your own data, in the table formats of `claimkind.io`."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from claimkind.dataset.sources.base import CorpusFile, fetch, label_corpus
from claimkind.errors import ClaimkindError
from claimkind.io.tables import RejectedRow, read_table
from claimkind.labels import LABELS

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Table:
    """Sentences in the rows of tables."""

    files: dict[str, str | None]
    """Name and sha256 of each file; null instead of the sha256 for a local file that may change."""
    folder: str
    """Where the files are, or are downloaded to."""
    licence: str
    """Licence of all sentences; `own` for your own text."""
    url: str | None = None
    """For a public corpus, the address to which the names of the files are relative."""
    citation: str = ""
    provenance: str = ""
    """Who wrote and labelled the sentences, for the data card."""
    genre: str = ""
    """Genre of all sentences."""
    separator: str | None = None
    """Separator of CSV files; null detects it."""
    fill_short_rows: bool = False
    """Whether a row of a CSV file with too few cells is filled with empty cells instead of left out."""
    text_column: str = "text"
    label_column: str = "label"
    """Column with the source label."""
    id_column: str | None = None
    """Column that identifies a row; null uses the name of the file and the number of the row, from 0."""
    group_column: str | None = None
    """Column with the group, such as the article; rows of a group stay in one split. Null makes each row a group."""
    own_labels: dict[str, str] | None = None
    """Maps source labels to the labels of this project that have the same meaning; their rows are labelled."""
    source_labels: dict[str, str | None] | None = None
    """Maps source labels to their names in the data card; rows whose name is null are left out, and a label that is not
    listed is an error. Null keeps all labels, unless `own_labels` is given."""
    bins: list[float] | None = None
    """Two bounds a and b that turn a numeric label into `<=a`, `a-b` and `>=b`."""
    evidence: dict[str, list[str]] | None = None
    """By source label, the only classes that it can mean; measured for labels that are not listed."""
    labels: str | None = None
    """File of stand-off labels; see `label_corpus`."""
    always_test: list[str] | None = None
    """Files, without their ending, whose rows are always in the test split."""

    def __post_init__(self) -> None:
        """Check the labels.

        Raises:
            ClaimkindError: `own_labels` maps to an unknown label.
        """
        for label in (self.own_labels or {}).values():
            if label not in LABELS:
                raise ClaimkindError(f"own_labels maps to {label!r}, expected one of {', '.join(LABELS)}")

    def read(self, name: str) -> pd.DataFrame:
        """Read every file; see `Source.read`. Bad rows are left out, and each is logged with its place.

        Raises:
            ClaimkindError: a file cannot be read, lacks a column, has no good row, or has a label that the settings do
                not name.
        """
        files = fetch(self.files, self.folder, self.url)
        rows = pd.concat([self._rows(file, name) for file in files], ignore_index=True)
        labelled = label_corpus(rows, self.labels)
        own = rows["source_label"].map(self.own_labels or {})
        return labelled.assign(label=labelled["label"].where(labelled["label"].notna(), own))

    def _rows(self, file: CorpusFile, name: str) -> pd.DataFrame:
        table = self._read_good_rows(file.path)
        # The index is the number of the row in the file, whatever rows are left out.
        key = table[self.id_column].astype(str) if self.id_column else file.part + ":" + table.index.astype(str)
        rows = pd.DataFrame(
            {
                "id": f"{name}:" + key,
                "text": table[self.text_column].astype(str).str.strip(),
                "source_label": self._source_labels(table[self.label_column], file.path),
                "licence": self.licence,
                "genre": self.genre or None,
                "pinned": file.part in (self.always_test or []),
            },
            index=table.index,
        )
        rows["group"] = rows["id"]
        if self.group_column:
            group = table[self.group_column]
            rows["group"] = (f"{name}:" + group.astype(str)).where(group.fillna("") != "", rows["id"])
        return rows[rows["source_label"].notna()]

    def _read_good_rows(self, path: Path) -> pd.DataFrame:
        table = read_table(
            path, text_column=self.text_column, separator=self.separator, fill_short_rows=self.fill_short_rows
        )
        if table.rows.empty:
            reason = f" ({table.rejected[0].place}: {table.rejected[0].reason})" if table.rejected else ""
            raise ClaimkindError(f"{path} has no row that can be used{reason}: check it and the source's settings")
        self._check_columns(table.rows, path)
        problems = [self._label_problem(label) for label in table.rows[self.label_column]]
        bad = [RejectedRow(place, text) for place, text in zip(table.places, problems, strict=True) if text]
        _log_rejected(path, len(table.rows) - len(bad), [*table.rejected, *bad])
        return table.rows[[not problem for problem in problems]]

    def _label_problem(self, label: Any) -> str:
        """Why a row cannot be used; empty where its label is good."""
        text = _label_text(label)
        if not text and "" not in (self.source_labels or {}):
            return f"no label in the column {self.label_column!r}"
        if self.bins and not _is_finite(text):
            return f"the label {text!r} is not a number"
        return ""

    def _check_columns(self, table: pd.DataFrame, path: Path) -> None:
        for column in filter(None, (self.text_column, self.label_column, self.id_column, self.group_column)):
            if column not in table:
                raise ClaimkindError(
                    f"{path} has no column {column!r}, expected one of its columns "
                    f"{', '.join(map(str, table.columns))}: change the name of the column in the settings"
                )

    def _source_labels(self, values: pd.Series, path: Path) -> pd.Series:
        if self.bins:
            return _bin(values, *self.bins)
        values = values.map(_label_text)
        known = {**{label: label for label in self.own_labels or {}}, **(self.source_labels or {})}
        unknown = sorted(set(values) - set(known)) if known else []
        if unknown:
            raise ClaimkindError(
                f"{path} has the label {unknown[0]!r}, expected one of {', '.join(known)}: map it, or correct the file"
            )
        return values.map(known) if known else values


def _log_rejected(path: Path, used: int, rejected: list[RejectedRow]) -> None:
    if not rejected:
        return
    rows = "row is" if len(rejected) == 1 else "rows are"
    _LOGGER.warning("%s: %d rows are used, %d %s left out", path, used, len(rejected), rows)
    for row in sorted(rejected, key=lambda row: int(row.place.split()[-1])):  # "line 12", in the order of the file
        _LOGGER.warning("%s, %s: %s", path, row.place, row.reason)


def _label_text(label: Any) -> str:
    """A label as text; empty for null, which in parquet is not a number."""
    return "" if label is None or label != label else str(label).strip()


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _bin(values: pd.Series, low: float, high: float) -> pd.Series:
    numbers = pd.to_numeric(values)
    names = numbers.map(lambda _: f"{low:g}-{high:g}")
    return names.mask(numbers <= low, f"<={low:g}").mask(numbers >= high, f">={high:g}")
