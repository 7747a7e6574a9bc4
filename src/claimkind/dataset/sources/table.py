"""Sources that are tables, public corpora and a user's own data alike: CSV, JSON lines or parquet."""

import csv
from pathlib import Path

import pandas as pd

from claimkind.dataset.sources.base import CorpusFile, fetch, label_corpus
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS


class Table:
    """Sentences in the rows of a table, with labels of ours, of the table's own, or both."""

    def __init__(
        self,
        files: dict[str, str | None],
        folder: str,
        licence: str,
        url: str | None = None,
        citation: str = "",
        text_column: str = "text",
        label_column: str = "label",
        id_column: str | None = None,
        group_column: str | None = None,
        genre: str = "",
        separator: str = ",",
        own_labels: dict[str, str] | None = None,
        source_labels: dict[str, str | None] | None = None,
        bins: list[float] | None = None,
        evidence: dict[str, list[str]] | None = None,
        labels: str | None = None,
        always_test: list[str] | None = None,
    ) -> None:
        """Settings.

        Args:
            files: name and sha256 of each file; null instead of a digest for a file of your own that may change.
            folder: where the files are, or are downloaded to.
            licence: of the sentences.
            url: address that the files' names are relative to, for a public corpus.
            citation: how the data is to be cited.
            text_column: the sentence.
            label_column: the table's own label.
            id_column: names a row; without it, the file's name and the row's number from 0 do.
            group_column: rows that belong together, an article, say; without it each row is a group.
            genre: of all rows.
            separator: of a CSV file.
            own_labels: the table's labels in our names, where they mean what our guide says; their rows are labelled.
            source_labels: the table's labels that are kept, under the names that the data card gives them; a row of
                another label is an error, one whose name is null is left out. All are kept if this is not given.
            bins: turns a numeric label into `<=a`, `a-b`, `>=b` for the two bounds a and b.
            evidence: for a label of the table, the only classes that it can mean; measured where it is not given.
            labels: file of our stand-off labels.
            always_test: files whose rows are on the test side of every split.
        """
        self.files, self.folder, self.url = files, folder, url
        self.licence, self.citation, self.genre = licence, citation, genre
        self.text_column, self.label_column = text_column, label_column
        self.id_column, self.group_column = id_column, group_column
        self.separator = separator
        self.own_labels, self.source_labels, self.bins = own_labels or {}, source_labels or {}, bins
        self.evidence, self.labels, self.always_test = evidence or {}, labels, always_test or []
        for label in self.own_labels.values():
            if label not in LABELS:
                raise ClaimkindError(f"own_labels maps to {label!r}, expected one of {', '.join(LABELS)}: correct it")

    def read(self, name: str) -> pd.DataFrame:
        """Read every file; see `Source.read`.

        Raises:
            ClaimkindError: a file cannot be read, lacks a column, or has a label that the settings do not name.
        """
        rows = pd.concat(
            [self._rows(file, name) for file in fetch(self.files, self.folder, self.url)], ignore_index=True
        )
        labelled = label_corpus(rows, self.labels)
        ours = rows["source_label"].map(self.own_labels)
        return labelled.assign(label=labelled["label"].where(labelled["label"].notna(), ours))

    def _rows(self, file: CorpusFile, name: str) -> pd.DataFrame:
        table = self._table(file.path)
        number = pd.Series(range(len(table)), index=table.index).map(str)
        key = table[self.id_column] if self.id_column else file.part + ":" + number
        group = table[self.group_column] if self.group_column else None
        rows = pd.DataFrame(
            {
                "id": f"{name}:" + key.astype(str),
                "text": table[self.text_column].astype(str).str.strip(),
                "source_label": self._source_labels(table[self.label_column], file.path),
                "licence": self.licence,
                "genre": self.genre or None,
                "pinned": file.part in self.always_test,
            }
        )
        alone = rows["id"]
        rows["group"] = (
            alone if group is None else (f"{name}:" + group.astype(str)).where(group.fillna("") != "", alone)
        )
        return rows[rows["source_label"].notna() & (rows["text"] != "")]

    def _table(self, path: Path) -> pd.DataFrame:
        try:
            if path.suffix == ".parquet":
                table = pd.read_parquet(path)
            elif path.suffix == ".jsonl":
                table = pd.read_json(path, lines=True, dtype=False)
            else:
                table = self._read_csv(path)
        except (ValueError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise ClaimkindError(f"{path} cannot be read as a table ({reason}): check the source's settings") from None
        wanted = [self.text_column, self.label_column, self.id_column, self.group_column]
        for column in filter(None, wanted):
            if column not in table:
                raise ClaimkindError(
                    f"{path} has no column {column!r}, found {', '.join(map(str, table.columns))}: "
                    "correct the source's settings"
                )
        return table

    def _read_csv(self, path: Path) -> pd.DataFrame:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, *rows = csv.reader(stream, delimiter=self.separator)
        # CheckThat's rows may end before the last column.
        return pd.DataFrame([dict(zip(header, row, strict=False)) for row in rows], columns=header)

    def _source_labels(self, values: pd.Series, path: Path) -> pd.Series:
        if self.bins:
            low, high = self.bins
            numbers = pd.to_numeric(values, errors="raise")
            middle = numbers.map(lambda _: f"{low:g}-{high:g}")
            return middle.mask(numbers <= low, f"<={low:g}").mask(numbers >= high, f">={high:g}")
        values = values.astype(str).str.strip()
        known = {**{label: label for label in self.own_labels}, **self.source_labels}
        unknown = sorted(set(values) - set(known)) if known else []
        if unknown:
            raise ClaimkindError(f"{path} has the label {unknown[0]!r}, expected one of {', '.join(known)}: map it too")
        return values.map(known) if known else values
