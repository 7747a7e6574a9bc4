"""Scoring on a Spark cluster: the logged model as MLflow's Spark UDF, between any two paths that Spark knows."""

import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.process import ShellCommandException

from claimkind import tracking
from claimkind.config import ScoreSparkConfig
from claimkind.errors import ClaimkindError
from claimkind.io.columns import rename_reserved_columns
from claimkind.models.prediction import OUTPUT_COLUMNS
from claimkind.scoring.summary import counts_in_words

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_RESULT = ", ".join(f"{name} {'string' if name == 'label' else 'double'}" for name in OUTPUT_COLUMNS)
_FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".orc": "orc"}
_PACKED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")
# Blanks at the ends of a cell belong to it; and a label that no row has is a column all the same.
_OPTIONS: dict[str, dict[str, Any]] = {
    "csv": {
        "header": True, "escape": '"', "multiLine": True, "ignoreLeadingWhiteSpace": False,
        "ignoreTrailingWhiteSpace": False,
    },
    "json": {"ignoreNullFields": False},
}  # fmt: skip
# Nobody else shall reach what Spark opens on this machine.
_ON_THIS_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
}  # fmt: skip
_SEEN = r"(?U)\S"  # a character that is no blank of any alphabet
_GATEWAY = "PYSPARK_GATEWAY_PORT"  # set where spark-submit started us
_ENVIRONMENTS = ("local", "virtualenv", "uv", "conda")


def run(config: ScoreSparkConfig) -> dict[str, int]:
    """Score a table with Spark; see `configs/score_spark.yaml`.

    Each worker process loads the model once. A row without text keeps its place and gets no label; a column that has a
    name which we write ourselves becomes `input_<name>`. Spark commits its output as a whole or not at all, but with
    `overwrite` takes away the old one first.

    Returns:
        The number of rows by label; those without are under the empty string.

    Raises:
        ClaimkindError: Spark or Java is not installed, or the input, the output or the model is not as it should be.
    """
    if config.env_manager not in _ENVIRONMENTS:
        raise ClaimkindError(f"env_manager={config.env_manager} is unknown, expected one of {', '.join(_ENVIRONMENTS)}")
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ModuleNotFoundError:
        raise ClaimkindError(
            "pyspark is not installed, expected the extra spark: pip install -e '.[spark]', and Java 17 or newer"
        ) from None
    start = time.perf_counter()
    _silence()
    session = _session(config)
    try:
        rows = _spread(session, _read(session, config.input, _format_of(config.input, config.input_format)))
        label = _model_udf(session, config)
        _write(_labelled(rows, label, config.text_column), config)
        counts = _counts(session, config)
    except (PySparkException, Py4JError) as error:  # of Java's, PySpark knows only some by a class of its own
        if "PATH_ALREADY_EXISTS" in str(error):
            raise ClaimkindError(
                f"output={config.output} exists, expected a new one: choose another, or give overwrite=true"
            ) from None
        raise ClaimkindError(f"Spark stopped ({_reason(error)}): check input, output and the settings") from None
    finally:
        session.stop()
    _print(counts, config.output, time.perf_counter() - start)
    return counts


def _silence() -> None:
    """Leave out what neither we nor our users can change: notes on closed connections and on versions of pandas."""
    logging.getLogger("py4j").setLevel(logging.WARNING)
    logging.getLogger("mlflow.pyfunc").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)


def _session(config: ScoreSparkConfig) -> "SparkSession":
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("claimkind")
    for name, value in config.spark.items():
        builder = builder.config(name, value)
    master = f"local[{config.cores}]" if config.cores else config.master
    if master is None and _GATEWAY not in os.environ:
        master = config.spark.get("spark.master", "local[*]")  # what Spark would take, but with the settings below
    if master:
        builder = builder.master(master)
    if master and master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else whatever Python stands first in the path
        for name, value in _ON_THIS_MACHINE.items():
            builder = builder.config(name, config.spark.get(name, value))
    try:
        session: SparkSession = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise ClaimkindError(
            f"Spark does not start ({_reason(error)}), expected Java 17 or newer: install it, or set JAVA_HOME"
        ) from None
    session.sparkContext.setLogLevel("OFF")  # errors are raised here too, and told in a sentence
    return session


def _reason(error: Exception) -> str:
    """The line that says what is wrong: the last before Java's stack that names an exception, or the first."""
    told = str(error).partition("\n\tat ")[0]
    named = re.findall(r"^(?:: )?(?:[\w$]+\.)*([\w$]+(?:Error|Exception): .+)$", told, re.MULTILINE)
    return str(named[-1] if named else (told.splitlines() or [type(error).__name__])[0]).rstrip(".")


def _format_of(path: str, wanted: str) -> str:
    whole = PurePosixPath(path.lower())
    unpacked = whole.with_suffix("") if whole.suffix in _PACKED else whole
    return _FORMATS.get(unpacked.suffix, "parquet") if wanted == "auto" else wanted


def _read(session: "SparkSession", path: str, form: str) -> "DataFrame":
    return session.read.format(form).options(**_OPTIONS.get(form, {})).load(path)


def _spread(session: "SparkSession", rows: "DataFrame") -> "DataFrame":
    """Rows for every core, in their order: Spark would read a file of a few megabytes on one."""
    from pyspark.sql import functions

    cores = session.sparkContext.defaultParallelism
    if rows.rdd.getNumPartitions() >= cores:
        return rows
    place = _unused("place", rows.columns)
    numbered = rows.withColumn(place, functions.monotonically_increasing_id())
    return numbered.repartitionByRange(cores, place).sortWithinPartitions(place).drop(place)


def _unused(name: str, columns: Sequence[str]) -> str:
    """A name that no column has; Spark does not tell cases apart."""
    taken = {column.lower() for column in columns}
    while name in taken:
        name = f"_{name}"
    return name


def _model_udf(session: "SparkSession", config: ScoreSparkConfig) -> Any:
    tracking.fetch_folder(config.model_uri)  # which says what is wrong with it
    try:
        return mlflow.pyfunc.spark_udf(session, config.model_uri, result_type=_RESULT, env_manager=config.env_manager)
    except (MlflowException, ShellCommandException, OSError) as error:
        raise ClaimkindError(
            f"MLflow cannot make env_manager={config.env_manager} ready for the workers ({_reason(error)}): install "
            "what it needs, or take env_manager=local"
        ) from None


def _labelled(rows: "DataFrame", label: Any, text_column: str) -> "DataFrame":
    from pyspark.sql import functions

    if text_column not in rows.columns:
        raise ClaimkindError(
            f"the input has no column {text_column!r}, expected one of its columns {', '.join(rows.columns)}: "
            "give text_column=…"
        )
    text = functions.coalesce(functions.col(f"`{text_column}`").cast("string"), functions.lit(""))
    # Spark gives a Python UDF all rows, so those without text are labelled too, and lose the label again.
    said = functions.when(text.rlike(_SEEN), label(functions.struct(text.alias("text"))))
    names = rename_reserved_columns(rows.columns, OUTPUT_COLUMNS)
    kept = [functions.col(f"`{name}`").alias(renamed) for name, renamed in names.items()]
    answer = _unused("said", list(names.values()))
    return rows.select(*kept, said.alias(answer)).select(
        *[f"`{renamed}`" for renamed in names.values()],
        *[functions.col(f"{answer}.{name}").alias(name) for name in OUTPUT_COLUMNS],
    )


def _write(rows: "DataFrame", config: ScoreSparkConfig) -> None:
    form = _format_of(config.output, config.output_format)
    writer = rows.write.format(form).options(**_OPTIONS.get(form, {}))
    writer.mode("overwrite" if config.overwrite else "errorifexists").save(config.output)


def _counts(session: "SparkSession", config: ScoreSparkConfig) -> dict[str, int]:
    written = _read(session, config.output, _format_of(config.output, config.output_format))
    return {str(row["label"] or ""): int(row["count"]) for row in written.groupBy("label").count().collect()}


def _print(counts: dict[str, int], output: str, seconds: float) -> None:
    total = sum(counts.values())
    without = f"; {counts['']:,} without text and label" if counts.get("") else ""
    print(f"{output}: {total:,} rows, {counts_in_words(counts)}{without}")  # noqa: T201
    print(f"{seconds:,.1f} s with the start of Spark, {total / seconds:,.0f} rows/s")  # noqa: T201
