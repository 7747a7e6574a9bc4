"""The schema of every script's configuration, and the checks that Hydra leaves out.

Hydra checks a configuration against a schema only while it composes it; `+key` gets past. `to_schema` merges once more
and returns plain dataclasses, so nothing below a script's `run` depends on Hydra. The settings of a model or a source
are checked against the arguments of the class that `build` makes from them, which are their only schema.
"""

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from typing import Any, TypeVar

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

from claimkind.errors import ClaimkindError

T = TypeVar("T")


@dataclass
class PathsConfig:
    """Folders, relative to the working folder unless absolute (group `paths`)."""

    seeds_dir: str = "seeds"
    data_dir: str = "data"
    """Everything built or downloaded goes below it."""
    corpora_dir: str = "data/corpora"
    """Where the files of public corpora are, or are downloaded to."""


@dataclass
class DatasetConfig:
    """What a dataset is made of (`configs/dataset/`)."""

    name: str = MISSING
    sources: dict[str, Any] = field(default_factory=dict)
    validation_share: float = 0.15
    test_share: float = 0.15
    always_test: list[str] = field(default_factory=list)
    contamination_hashes: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    licence: str = "any"
    near_duplicate_threshold: float = 0.7
    split_seed: int = 0


@dataclass
class BuildDatasetConfig:
    """`scripts/build_dataset.py`."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class TrainConfig:
    """`scripts/train.py`."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    evidence_weight: float | None = None
    """Weight of training rows without a label of ours, which teach by what their source says of them; 0 leaves them
    out, null takes the `evidence_weight` of the model's family."""
    source_weights: dict[str, float] = field(default_factory=dict)
    """Weight of the training rows of a source, 1 where none is given; 0 leaves the source out."""
    evidence_sources: dict[str, float] = field(default_factory=dict)
    """Factor on `evidence_weight` by source, 1 where none is given; 0 leaves the evidence of the source out."""
    max_evidence: int | None = None
    """So many rows without a label of ours from each source at most, drawn with the seed."""
    distil_from: str | None = None
    """A saved model (as `model_uri` of scoring) that says what the rows without a label of ours are, in place of their
    sources: their weight is `evidence_weight`."""
    distil_texts: list[str] = field(default_factory=list)
    """Files or folders with further text for it to label."""
    max_labels: int | None = None
    """So many labelled training rows at most, drawn with the seed: for learning curves."""
    target_precision: float | None = None
    """The model says `undecided` below the confidence at which so many of its labels are right on validation; null
    gives every sentence a label."""
    experiment_name: str = "claimkind"
    run_name: str | None = None
    resume: bool = False
    init_from: str | None = None
    bootstrap_samples: int = 1000
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class TuneConfig(TrainConfig):
    """`scripts/tune.py`: what `scripts/train.py` takes, and what to search."""

    search: dict[str, Any] = field(default_factory=dict)
    """By dotted key of this configuration, where to search (`configs/search/`)."""
    trials: int = 20
    """The search ends when so many trials are done, those of earlier calls included; trials that other workers are at
    then are not cut off."""
    workers: int = 1
    """Processes that try at the same time."""
    prune: bool = True
    """Whether to stop trials that do worse after an epoch than the median of those before them."""
    study_name: str | None = None
    """Searches of one name go on from each other; by default the same dataset, model and space do."""
    storage: str = "sqlite:///${paths.data_dir}/studies.db"
    heartbeat_seconds: int = 30
    """A trial whose process has shown no sign of life for twice as long is begun anew."""


@dataclass
class AuditLabelsConfig:
    """`scripts/audit_labels.py`."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: dict[str, Any] = field(default_factory=dict)
    output: str = MISSING
    folds: int = 5
    seed: int = 0
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class CompareConfig:
    """`scripts/compare.py`."""

    runs: list[str] = field(default_factory=list)
    experiment_name: str = "claimkind"
    dataset_name: str = "bundled"
    promote: bool = False
    bootstrap_samples: int = 2000
    registered_name: str = "claimkind"
    alias: str = "champion"


@dataclass
class EvaluateConfig:
    """`scripts/evaluate.py`."""

    model_uri: str = "models:/claimkind@champion"
    dataset_name: str = "bundled"
    split: str = "test"
    probe: dict[str, Any] | None = None
    """An external test set to evaluate on instead of a built dataset (`configs/probe/`)."""
    experiment_name: str = "claimkind"
    bootstrap_samples: int = 1000
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class BenchmarkConfig:
    """`scripts/benchmark.py`."""

    benchmark: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class ScoreConfig:
    """`scripts/score.py`."""

    input: str = MISSING
    output: str = MISSING
    model_uri: str = "models:/claimkind@champion"
    unit: str = "auto"
    report: str | None = None
    explain: bool = False
    """Whether the report shows which words speak for a label; takes some thirty times as long."""
    text_column: str = "text"
    id_column: str = "id"
    chunk_size: int = 8192
    """Rows that are scored and written at once."""
    max_rejected: int | None = None
    """Stop when more rows than that cannot be scored; null goes on whatever comes."""
    processes: int | None = None
    """Of a family that computes on one core; null starts one for each core where the input is worth it."""


@dataclass
class ScoreSparkConfig:
    """`scripts/score_spark.py`."""

    input: str = MISSING
    """Any path that Spark reads: a file, a folder, `s3a://…`."""
    output: str = MISSING
    model_uri: str = "models:/claimkind@champion"
    text_column: str = "text"
    input_format: str = "auto"
    """A format that Spark knows; `auto` goes by the ending, and takes parquet where there is none."""
    output_format: str = "auto"
    overwrite: bool = False
    """Takes away an output that is there before anything is scored."""
    env_manager: str = "local"
    """Where workers run the model: `local`, in the environment that they have; `virtualenv`, `uv` or `conda`, in one
    that MLflow builds there from the model's requirements."""
    master: str | None = None
    """Such as `yarn` or `spark://host:7077`; null leaves it to spark-submit, or is this machine."""
    cores: int | None = None
    """Run on this machine, on so many cores; null takes all where no master is given."""
    spark: dict[str, str] = field(default_factory=dict)
    """Further settings of Spark by name."""


SCHEMAS: dict[str, type] = {
    "build_dataset": BuildDatasetConfig,
    "train": TrainConfig,
    "tune": TuneConfig,
    "audit_labels": AuditLabelsConfig,
    "compare": CompareConfig,
    "evaluate": EvaluateConfig,
    "score": ScoreConfig,
    "score_spark": ScoreSparkConfig,
    "benchmark": BenchmarkConfig,
}


_OPEN = (dict[str, float], dict[str, str])


def register_schemas() -> None:
    """Make each schema known to Hydra as `<script>_schema`, the first entry of that script's defaults list."""
    for name, schema in SCHEMAS.items():
        node = OmegaConf.structured(schema)
        for entry in fields(schema):
            if entry.type in _OPEN:  # whose keys are the user's, so that `source_weights={babe: 0}` adds one
                OmegaConf.set_struct(node[entry.name], False)
        ConfigStore.instance().store(name=f"{name}_schema", node=node)
    ConfigStore.instance().store(group="paths", name="default", node=PathsConfig)


def to_schema(config: DictConfig, schema: type[T]) -> T:
    """Check a composed configuration against its schema once more, and make it a plain dataclass.

    Raises:
        ClaimkindError: a key is unknown, a value has the wrong type, or a mandatory value is missing.
    """
    try:
        checked: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), _without_hydra(config)))
    except OmegaConfBaseException as error:
        raise ClaimkindError(explain(error, schema)) from None
    return checked


def _without_hydra(config: DictConfig) -> dict[str, Any]:
    # Plain values: nodes would bring their own types along, and with them the keys that were slipped in.
    visible = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plain: Any = OmegaConf.to_container(visible, resolve=True)
    return plain


def build(settings: Mapping[str, Any], key: str, package: str) -> Any:
    """Build an object from its settings, after checking them against its class.

    The settings are the arguments of the class, or where its only argument is a settings dataclass, the fields of that.

    Args:
        settings: `_target_`, the dotted path of a class in `package`, and by name the settings.
        key: where the settings stand in the configuration, for error texts (`model`).
        package: the only package from which classes are taken, so that a configuration cannot call arbitrary code.

    Raises:
        ClaimkindError: the class is not in `package`, or a setting is unknown, missing, of the wrong type or refused
            by the class.
    """
    factory = _class_of(str(settings.get("_target_", "")), key, package)
    arguments = {name: value for name, value in settings.items() if name != "_target_"}
    schema = signature_schema(factory)
    try:
        checked: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(arguments)))
    except OmegaConfBaseException as error:
        raise ClaimkindError(explain(error, schema, prefix=f"{key}.")) from None
    return factory(checked) if _settings_class(factory) else factory(**vars(checked))


def _class_of(target: str, key: str, package: str) -> type:
    if not target.startswith(f"{package}."):
        raise ClaimkindError(
            f"{key}._target_ is {target!r}, expected a class in {package}: correct it in the YAML file"
        )
    try:
        found: type = hydra.utils.get_class(target)
        return found
    except (ImportError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise ClaimkindError(f"{key}._target_ is {target!r}, which does not import ({reason}): correct it") from None


def signature_schema(factory: type) -> type:
    """The settings of a class as a dataclass: its own, or one made of its arguments with their types and defaults."""
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
    """One sentence for an error of OmegaConf: the key, what was found, what was expected, the nearest valid keys."""
    key = prefix + str(error.full_key or error.key or "")
    first_line = str(error).split("\n", maxsplit=1)[0].rstrip(".")
    if isinstance(error, MissingMandatoryValue):
        return f"{key or first_line} has no value, expected one: give it on the command line as {key}=…"
    if isinstance(error, InterpolationKeyError):
        missing = re.sub(r".*'(.+)'.*", r"\1", first_line)
        return f"{key} refers to {missing}, which this script has not: choose a file of configs/ that is meant for it"
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        siblings = error.parent_node if isinstance(error.parent_node, DictConfig) else field_names(schema)
        return f"{key} is no setting; {nearest(str(error.key), map(str, siblings))}"
    if isinstance(error, ValidationError):
        return f"{key} has a wrong value: {first_line[0].lower()}{first_line[1:]}; correct its type"
    return f"{key or 'the configuration'} does not resolve: {first_line}; correct it"


def field_names(schema: type | None) -> list[str]:
    """Names of the fields of a schema; none of what is no dataclass."""
    return [entry.name for entry in fields(schema)] if schema and is_dataclass(schema) else []


def nearest(name: str, valid: Iterable[str]) -> str:
    """The names nearest to a misspelt one, as the second half of a sentence."""
    known = sorted(entry for entry in valid if not entry.startswith("_"))
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"
