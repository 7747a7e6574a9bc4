"""What the tests share: small seeds, a tiny encoder, a workspace with a tracking store of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from claimkind.config import BuildDatasetConfig, DatasetConfig, PathsConfig
from claimkind.dataset import build
from claimkind.dataset.rows import text_sha
from claimkind.text.sentences import split_sentences

ROOT = Path(__file__).parents[1]

os.environ["HF_HUB_OFFLINE"] = "1"
# Converting a model takes seconds; tests of OpenVINO set this to another value.
os.environ["CLAIMKIND_BACKEND"] = "torch"

# Sentences of three kinds whose words differ enough for a small model to learn them; `{}` makes them distinct.
TEMPLATES = {
    "factual": [
        "The council of {} met on Monday.", "{} has nine bridges.", "The mill in {} closed in 1987.",
        "Rain fell on {} for two days.", "The train to {} left at noon.",
    ],
    "speculative": [
        "The council of {} may meet again.", "{} could lose its bridge.", "Perhaps the mill in {} will open.",
        "Rain might reach {} soon.", "The train to {} would then be late.",
    ],
    "opinion": [
        "The council of {} is a shameful circus.", "{} deserves a better bridge.",
        "The mill in {} was a beautiful ruin.", "Rain in {} is sadly dull.", "The train to {} must be saved.",
    ],
}  # fmt: skip
# The documents of `seeds/analysis/` that are always in the test split (configs/dataset/bundled.yaml), and two others.
ANALYSES = [
    "analysis-betting-kenya", "analysis-digital-identity-jamaica", "analysis-municipal-bonds-calder",
    "analysis-orbital-debris", "analysis-postal-reform-denmark", "analysis-ride-hailing-jakarta",
    "analysis-tourist-taxes-balearics", "analysis-wildfire-insurance", "analysis-one", "analysis-two",
]  # fmt: skip
PLACES = ["Arden", "Brack", "Corm", "Dunle", "Estry", "Farrow", "Gilt", "Harn", "Ilsen", "Jurby", "Kells", "Lorne"]


def write_document(folder: Path, name: str, text: str, genre: str = "test") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    front = f"---\ntitle: {name}\ngenre: {genre}\norigin: written for this test\nlicence: CC0-1.0\n---\n"
    (folder / f"{name}.md").write_text(front + text, encoding="utf-8")


def write_labels(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def label_document(name: str, text: str, labels: list[str]) -> list[dict]:
    """Stand-off labels for a text whose sentences have the given labels, in order."""
    sentences = split_sentences(text)
    assert len(sentences) == len(labels)
    return [
        {
            "document": name,
            "start": s.start,
            "end": s.end,
            "sha": text_sha(s.text),
            "label": label,
            "votes": [label] * 2,
        }
        for s, label in zip(sentences, labels, strict=True)
    ]  # fmt: skip


def contrast_pair(place: str) -> list[dict]:
    """A fact and its hedge, as a contrast pair."""
    sides = {"a": (f"The well in {place} is dry.", "factual"), "b": (f"The well in {place} may be dry.", "speculative")}
    return [
        {"pair": place, "side": side, "kind": "hedge", "text": text, "sha": text_sha(text), "label": label,
         "votes": [label] * 2}
        for side, (text, label) in sides.items()
    ]  # fmt: skip


def write_analyses(folder: Path) -> list[dict]:
    """Write the documents of the source `analysis`, each with a sentence of each class, and return their labels."""
    labels = []
    for number, name in enumerate(ANALYSES):
        text = " ".join(templates[0].format(f"Ward {number}") for templates in TEMPLATES.values()) + "\n"
        write_document(folder, name, text, genre="analysis")
        labels += label_document(name, text, list(TEMPLATES))
    return labels


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeds folder: twelve documents of fifteen sentences, one of them called `article`, and ten of three."""
    folder = tmp_path_factory.mktemp("seeds")
    labels = []
    for number, place in enumerate(PLACES):
        name = "article" if number == 0 else place.lower()
        kinds = [kind for kind in TEMPLATES for _ in range(5)]
        sentences = [template.format(place) for kind in TEMPLATES for template in TEMPLATES[kind]]
        text = " ".join(sentences) + "\n"
        write_document(folder / "documents", name, text)
        labels += label_document(name, text, kinds)
    write_labels(folder / "labels" / "documents.jsonl", labels)
    write_labels(folder / "labels" / "analysis.jsonl", write_analyses(folder / "analysis"))
    write_labels(folder / "contrast" / "pairs.jsonl", [row for place in PLACES for row in contrast_pair(place)])
    (folder / "labels" / "corrections.csv").write_text("id,sha,corrected\n")
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "behaviour.txt").write_text("")
    hedge = {"group": "hedge", "text": "Rain fell.", "label": "factual"}
    write_labels(
        folder / "behaviour" / "pairs.jsonl", [{**hedge, "edited": "Rain may fall.", "edited_label": "speculative"}]
    )
    return folder


def source_settings(seeds: Path) -> dict:
    return {
        "_target_": "claimkind.dataset.sources.documents.SeedDocuments",
        "documents": str(seeds / "documents"),
        "labels": str(seeds / "labels" / "documents.jsonl"),
    }


def dataset_config(seeds: Path, **changes: object) -> DatasetConfig:
    settings = {"name": "tiny", "sources": {"documents": source_settings(seeds)}, "always_test": ["article"]}
    # The small seeds are made of templates, all nearly the same.
    settings["near_duplicate_threshold"] = 1.0
    return DatasetConfig(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights, which knows the words of the small seeds."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    words = {word.strip(".,").lower() for kind in TEMPLATES.values() for text in kind for word in text.split()}
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", '"', "?"]
    vocabulary += sorted({*words, *map(str.lower, PLACES)} - {"{}"})
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        initializer_range=0.2,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Path:
    """A folder with a built dataset `tiny` and an MLflow store of its own, made the current folder."""
    folder = tmp_path_factory.mktemp("workspace")
    build.run(BuildDatasetConfig(dataset=dataset_config(seeds), paths=PathsConfig(data_dir=str(folder / "data"))))
    return folder


@pytest.fixture
def in_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workspace)
    return workspace


def run_script(name: str, *arguments: str, cwd: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one of our scripts as a user does."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done
