"""Our models beside other systems, trained on the same sentences."""

import multiprocessing
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from claimkind.benchmarks.baselines import Ours, Peer
from claimkind.config import build
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import evidence_of
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import estimate
from claimkind.models.base import Examples


class QualityBenchmark:
    """Trains systems on the same sentences, each in a process of its own, and tests them on the same others."""

    def __init__(self, dataset: str, data_dir: str, systems: dict[str, Any], max_labels: int | None = None) -> None:
        """Settings.

        Args:
            dataset: name of a built dataset.
            data_dir: where it is.
            systems: by name the settings of a model of ours (`claimkind.models`) or of a peer
                (`claimkind.benchmarks.baselines`).
            max_labels: so many training rows, the first in the order of their digests.
        """
        systems = {name: settings for name, settings in systems.items() if settings is not None}
        if not systems:
            raise ClaimkindError("benchmark.systems is empty, expected one at least: leave some in")
        if max_labels is not None and max_labels < 1:
            raise ClaimkindError(f"benchmark.max_labels={max_labels}, expected 1 at least, or null for all: correct it")
        self.dataset, self.data_dir, self.systems, self.max_labels = dataset, data_dir, systems, max_labels
        for settings in systems.values():  # an hour of training comes before the last of them
            _peer(settings)

    def measure(self) -> pd.DataFrame:
        """Macro F1 on the test split, and the seconds of training and of prediction; a peer may be missing."""
        rows: list[dict[str, Any]] = []
        context = multiprocessing.get_context("spawn")
        for name, settings in tqdm(self.systems.items(), desc="systems"):
            with context.Pool(1, maxtasksperchild=1) as pool:
                rows.append({"system": name, **pool.apply(_train_and_test, (settings, self))})
            tqdm.write(str(rows[-1]), file=sys.stderr)
        return pd.DataFrame(rows)


def _train_and_test(settings: dict[str, Any], benchmark: QualityBenchmark) -> dict[str, Any]:
    splits = load_dataset(benchmark.data_dir, benchmark.dataset).splits
    train = splits["train"].to_pandas()
    train = train[train["label"].notna()].sort_values("sha")[: benchmark.max_labels]
    validation = Examples(splits["validation"]["text"][:], evidence_of(splits["validation"]))
    test = splits["test"].to_pandas()
    start = time.perf_counter()
    try:
        peer = _peer(settings)
        peer.fit(train["text"].tolist(), [LABELS[int(label)] for label in train["label"]], validation)
    except ModuleNotFoundError as error:
        return {"macro F1": f"{error.name} is not installed: pip install -e '.[bench]'"}
    trained = time.perf_counter()
    predicted = peer.predict(test["text"].tolist())
    ended = time.perf_counter()
    truth = test["label"].to_numpy(dtype=int)
    scores = estimate(truth, np.eye(len(LABELS))[predicted], test["group"].tolist(), samples=1000, seed=0)
    return {
        "trained on": len(train),
        "n": len(test),
        "macro F1": str(scores["macro_f1"]),
        "training seconds": round(trained - start, 1),
        "prediction seconds": round(ended - trained, 2),
    }


def _peer(settings: dict[str, Any]) -> Peer:
    if str(settings.get("_target_", "")).startswith("claimkind.models."):
        return Ours(build(settings, "benchmark.systems", "claimkind.models"))
    peer: Peer = build(settings, "benchmark.systems", "claimkind.benchmarks.baselines")
    return peer
