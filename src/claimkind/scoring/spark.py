"""Scoring on a Spark cluster: the logged model as MLflow's Spark UDF, from one path that Spark knows to another."""

import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.process import ShellCommandException

from claimkind import tracking
from claimkind.config import ScoreSparkConfig
from claimkind.errors import ClaimkindError
from claimkind.io.columns import rename_reserved_columns
from claimkind.io.formulas import FORMULA, NUMBER
from claimkind.models.inference import BACKEND_VARIABLE, PRECISION_VARIABLE, Inference
from claimkind.models.prediction import OUTPUT_COLUMNS
from claimkind.scoring.summary import counts_in_words

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_RESULT = ", ".join(f"{name} {'string' if name == 'label' else 'double'}" for name in OUTPUT_COLUMNS)
_FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".orc": "orc"}
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")
# Blanks at the ends of a cell belong to it; and a label that no row has is still a column.
_OPTIONS: dict[str, dict[str, Any]] = {
    "csv": {
        "header": True, "escape": '"', "multiLine": True, "ignoreLeadingWhiteSpace": False,
        "ignoreTrailingWhiteSpace": False,
    },
    "json": {"ignoreNullFields": False},
}  # fmt: skip
# Nobody else may reach the ports that Spark opens on this machine.
_LOCAL_SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
}  # fmt: skip
# What `claimkind.text.visible` takes for a visible character, as Java writes it.
_VISIBLE = r"[\p{L}\p{N}\p{P}\p{S}&&[^\u115f\u1160\u3164\uffa0\u2800]]"
_GATEWAY = "PYSPARK_GATEWAY_PORT"  # set where spark-submit started us
# What is in a folder that Spark wrote: data, the mark of a complete output, checksums, and folders of partitions.
_OF_SPARK = re.compile(r"part-|_(SUCCESS|started|committed|metadata|common_metadata)|\.\S+\.crc$|\w+=")
_ENVIRONMENTS = ("local", "virtualenv", "uv", "conda")


class Location(NamedTuple):
    """A table that Spark reads or writes."""

    path: str
    form: str
    """A format that Spark knows."""


class SparkSummary(NamedTuple):
    """The summary of a scoring run on Spark."""

    output: str
    counts: dict[str, int]
    """The number of rows of each label; rows without a label are under the empty string."""
    seconds: float

    def text(self) -> str:
        """The summary in words."""
        total = sum(self.counts.values())
        without = f"; {self.counts['']:,} without text and label" if self.counts.get("") else ""
        return (
            f"{self.output}: {total:,} rows, {counts_in_words(self.counts)}{without}\n"
            f"{self.seconds:,.1f} s with the start of Spark, {total / self.seconds:,.0f} rows/s"
        )


def run(config: ScoreSparkConfig) -> SparkSummary:
    """Score a table with Spark; see `configs/score_spark.yaml`.

    Each worker process loads the model once. A row without text keeps its place and gets no label; a column of the
    input that has the name of an added one becomes `input_<name>`. Spark commits its output as a whole or not at all,
    but with `overwrite` it deletes the old output first; only an output of Spark is ever replaced.

    Raises:
        ClaimkindError: Spark or Java is not installed, or the input, the output or the model is not as it should be.
    """
    if config.env_manager not in _ENVIRONMENTS:
        raise ClaimkindError(f"env_manager={config.env_manager} is unknown, expected one of {', '.join(_ENVIRONMENTS)}")
    errors = _spark_errors()
    start = time.perf_counter()
    _silence()
    source = Location(config.input, _format_of(config.input, config.input_format))
    output = Location(config.output, _format_of(config.output, config.output_format))
    inference = Inference(config.inference.backend, config.inference.precision)
    settings = {**_worker_settings(inference, config.spark), **config.spark}
    session = _session(_master(config.master, config.cores, config.spark), settings)
    try:
        if config.overwrite:
            _check_replaceable(session, output.path)
        rows = _spread(session, _read(session, source))
        label = _model_udf(session, config.model_uri, config.env_manager)
        labelled = _labelled(rows, label, config.text_column)
        if config.escape_formulas and output.form == "csv":
            labelled = _with_escaped_formulas(labelled)
        _write(labelled, output, overwrite=config.overwrite)
        counts = _count_labels(_read(session, output))
    except errors as error:
        raise _explained(error, output) from None
    finally:
        session.stop()
    return SparkSummary(output.path, counts, time.perf_counter() - start)


def _worker_settings(inference: Inference, spark: Mapping[str, str]) -> dict[str, str]:
    """Environment variables of the workers, which load the model as MLflow does and use the cores of one task each."""
    chosen = dict(zip((BACKEND_VARIABLE, PRECISION_VARIABLE), inference.resolved(), strict=True))
    variables = {name: value for name, value in chosen.items() if value != "auto"}
    variables["OMP_NUM_THREADS"] = spark.get("spark.task.cpus", "1")
    return {f"spark.executorEnv.{name}": value for name, value in variables.items()}


def _spark_errors() -> tuple[type[Exception], ...]:
    """The exceptions of Spark: PySpark has classes of its own for some of Java's exceptions only.

    Raises:
        ClaimkindError: Spark is not installed.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ModuleNotFoundError:
        raise ClaimkindError(
            "pyspark is not installed, expected the extra spark: pip install 'claimkind[spark]', and Java 17 or newer"
        ) from None
    return PySparkException, Py4JError


def _explained(error: Exception, output: Location) -> ClaimkindError:
    if "PATH_ALREADY_EXISTS" in str(error):
        return ClaimkindError(
            f"output={output.path} exists, expected a new one: choose another, or give overwrite=true"
        )
    return ClaimkindError(f"Spark stopped ({_reason(error)}): check input, output and the settings")


def _silence() -> None:
    """Leave out warnings that users cannot act on: closed connections and versions of pandas."""
    logging.getLogger("py4j").setLevel(logging.WARNING)
    logging.getLogger("mlflow.pyfunc").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)


def _master(master: str | None, cores: int | None, settings: Mapping[str, str]) -> str | None:
    """Where Spark runs; None where spark-submit decides."""
    if cores:
        return f"local[{cores}]"
    if master is None and _GATEWAY not in os.environ:
        return settings.get("spark.master", "local[*]")  # Spark's own default, but with `_LOCAL_SETTINGS`
    return master


def _session(master: str | None, settings: Mapping[str, str]) -> "SparkSession":
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("claimkind")
    if master:
        builder = builder.master(master)
    if master and master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else Spark takes the first Python in the path
        settings = {**_LOCAL_SETTINGS, **settings}
    for name, value in settings.items():
        if name != "spark.master" or not master:
            builder = builder.config(name, value)
    errors: tuple[type[Exception], ...] = (*_spark_errors(), OSError)
    try:
        session: SparkSession = builder.getOrCreate()
    except errors as error:
        raise ClaimkindError(
            f"Spark does not start ({_reason(error)}), expected Java 17 or newer: install it, or set JAVA_HOME"
        ) from None
    session.sparkContext.setLogLevel("OFF")  # errors are raised here too, and reported in one sentence
    return session


def _reason(error: Exception) -> str:
    """The line that tells what is wrong: the last line above Java's stack that names an exception, or the first."""
    message = str(error).partition("\n\tat ")[0]
    named = re.findall(r"^(?:: )?(?:[\w$]+\.)*([\w$]+(?:Error|Exception): .+)$", message, re.MULTILINE)
    return str(named[-1] if named else (message.splitlines() or [type(error).__name__])[0]).rstrip(".")


def _format_of(path: str, wanted: str) -> str:
    whole = PurePosixPath(path.lower())
    inner = whole.with_suffix("") if whole.suffix in _COMPRESSED else whole
    return _FORMATS.get(inner.suffix, "parquet") if wanted == "auto" else wanted


def _read(session: "SparkSession", table: Location) -> "DataFrame":
    return session.read.format(table.form).options(**_OPTIONS.get(table.form, {})).load(table.path)


def _spread(session: "SparkSession", rows: "DataFrame") -> "DataFrame":
    """Rows for every core, in their order: Spark would read a file of a few megabytes on one core."""
    from pyspark.sql import functions

    cores = session.sparkContext.defaultParallelism
    if rows.rdd.getNumPartitions() >= cores:
        return rows
    place = _unused("place", rows.columns)
    numbered = rows.withColumn(place, functions.monotonically_increasing_id())
    return numbered.repartitionByRange(cores, place).sortWithinPartitions(place).drop(place)


def _unused(name: str, columns: Sequence[str]) -> str:
    """A name that no column has; Spark ignores case."""
    taken = {column.lower() for column in columns}
    while name in taken:
        name = f"_{name}"
    return name


def _model_udf(session: "SparkSession", model_uri: str, env_manager: str) -> Any:
    tracking.fetch_folder(model_uri)  # whose errors tell what is wrong with it
    try:
        return mlflow.pyfunc.spark_udf(session, model_uri, result_type=_RESULT, env_manager=env_manager)
    except (MlflowException, ShellCommandException, OSError) as error:
        raise ClaimkindError(
            f"MLflow cannot make env_manager={env_manager} ready for the workers ({_reason(error)}): install "
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
    # Spark passes all rows to a Python UDF, so the condition only removes labels of rows without text.
    prediction = functions.when(text.rlike(_VISIBLE), label(functions.struct(text.alias("text"))))
    names = rename_reserved_columns(rows.columns, OUTPUT_COLUMNS)
    kept = [functions.col(f"`{name}`").alias(renamed) for name, renamed in names.items()]
    answer = _unused("prediction", list(names.values()))
    return rows.select(*kept, prediction.alias(answer)).select(
        *[f"`{renamed}`" for renamed in names.values()],
        *[functions.col(f"{answer}.{name}").alias(name) for name in OUTPUT_COLUMNS],
    )


def _with_escaped_formulas(rows: "DataFrame") -> "DataFrame":
    """Rows as `claimkind.io.formulas.escape` gives them."""
    from pyspark.sql import functions

    columns = []
    for name, kind in rows.dtypes:
        cell = functions.col(f"`{name}`")
        if kind == "string":
            is_formula = cell.rlike(f"^{FORMULA}") & ~cell.rlike(f"^{NUMBER}$")
            cell = functions.when(is_formula, functions.concat(functions.lit("'"), cell)).otherwise(cell)
        columns.append(cell.alias(f"'{name}" if re.match(FORMULA, name) else name))
    return rows.select(*columns)


def _check_replaceable(session: "SparkSession", output: str) -> None:
    """Check that a path does not exist, is an empty folder, or holds a complete output of Spark and nothing else.

    Raises:
        ClaimkindError: it holds anything else.
    """
    spark: Any = session  # whose gateway to Java has no types
    hadoop = spark._jvm.org.apache.hadoop.fs
    path = hadoop.Path(output)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    # Of a file, Spark lists the file itself.
    names = [entry.getPath().getName() for entry in files.listStatus(path)] if files.exists(path) else []
    if names and not ("_SUCCESS" in names and all(map(_OF_SPARK.match, names))):
        raise ClaimkindError(
            f"output={output} exists and is no complete output of Spark, so overwrite=true does not delete it: delete "
            "it yourself, or choose another"
        )


def _write(rows: "DataFrame", output: Location, *, overwrite: bool) -> None:
    writer = rows.write.format(output.form).options(**_OPTIONS.get(output.form, {}))
    writer.mode("overwrite" if overwrite else "errorifexists").save(output.path)


def _count_labels(written: "DataFrame") -> dict[str, int]:
    return {str(row["label"] or ""): int(row["count"]) for row in written.groupBy("label").count().collect()}
