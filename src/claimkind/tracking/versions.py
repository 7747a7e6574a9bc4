"""The versions of a registered model: listing them, and moving an alias between them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import mlflow
from mlflow.exceptions import MlflowException

from claimkind.errors import ClaimkindError, first_line
from claimkind.tracking.links import run_page
from claimkind.tracking.store import check_store, get_run, store_errors_explained


class Version(NamedTuple):
    """A version of a registered model, with what its training run says about it."""

    number: int
    aliases: tuple[str, ...]
    registered: str
    """The day, as in 2026-01-31."""
    model_uri: str
    """A URI that always names this model."""
    description: str
    """In Markdown."""
    run: str
    """Name of the run that trained it; empty if it was deleted."""
    page: str
    """The address of that run within the MLflow UI."""
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def list_versions(name: str) -> list[Version]:
    """The versions of a registered model, the newest first.

    Raises:
        ClaimkindError: there is no store, it does not answer, or it has no registered model of this name.
    """
    check_store()
    client = mlflow.MlflowClient()
    try:
        aliases = client.get_registered_model(name).aliases
        found = client.search_model_versions(f"name = '{name}'")
    except MlflowException as error:
        with store_errors_explained():
            known = ", ".join(sorted(entry.name for entry in client.search_registered_models()))
        expected = f"one of {known}" if known else "one after scripts/compare.py promote=true"
        raise ClaimkindError(
            f"no model is registered as {name!r} ({first_line(error).rstrip('.')}), expected {expected}"
        ) from None
    versions = [
        _version(entry, [alias for alias, number in aliases.items() if number == entry.version]) for entry in found
    ]
    return sorted(versions, key=lambda version: -version.number)


def set_alias(name: str, alias: str, version: int) -> None:
    """Let an alias of a registered model point at a version that exists.

    Raises:
        ClaimkindError: the store does not answer, or does not take the alias.
    """
    with store_errors_explained():
        mlflow.MlflowClient().set_registered_model_alias(name, alias, str(version))


def _version(entry: mlflow.entities.model_registry.ModelVersion, aliases: list[str]) -> Version:
    run = get_run(entry.tags.get("run_id") or entry.run_id or "")
    return Version(
        number=int(entry.version),
        aliases=tuple(sorted(map(str, aliases))),
        registered=datetime.fromtimestamp(entry.creation_timestamp / 1000, tz=UTC).date().isoformat(),
        model_uri=str(run.data.tags.get("model_uri", entry.source)) if run else str(entry.source),
        description=entry.description or "",
        run=str(run.info.run_name) if run else "",
        page=run_page(run.info.experiment_id, run.info.run_id) if run else "",
        params=dict(run.data.params) if run else {},
        metrics=dict(run.data.metrics) if run else {},
        tags=dict(run.data.tags) if run else {},
    )
