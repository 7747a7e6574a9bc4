"""What the README promises."""

import json
import re

import pytest

from tests.conftest import ROOT, run_script

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The fenced block in a language that contains a text."""
    blocks = [code.partition("\n") for code in README.split("```")[1::2]]
    found = [code for name, _, code in blocks if name == language and containing in code]
    assert len(found) == 1, f"{len(found)} {language} blocks of the README contain {containing!r}"
    return found[0]


def test_the_example_of_data_of_ones_own_works_as_written(seeds, tmp_path):
    (tmp_path / "reviews.csv").write_text(block("csv", "article,sentence,kind"), encoding="utf-8")
    source = tmp_path / "configs" / "source" / "reviews.yaml"
    source.parent.mkdir(parents=True)
    source.write_text(block("yaml", "own_labels").replace("my_data", str(tmp_path)), encoding="utf-8")
    command = re.search(r"scripts/build_dataset\.py (dataset\.name=mine .*)", README)
    assert command, "the README does not say how to build a dataset with data of one's own"
    arguments = [f"--config-dir={source.parents[1]}", f"paths.seeds_dir={seeds}", "dataset.near_duplicate_threshold=1"]
    run_script("build_dataset", *arguments, *command[1].split(), cwd=tmp_path, check=True)
    manifest = json.loads((tmp_path / "data" / "mine" / "manifest.json").read_text())
    assert sum(manifest["rows"].values()) == 12 * 15 + 2 * 12 + 9
    assert "| reviews | 3 | 3 | 3 | 9 |" in (tmp_path / "data" / "mine" / "README.md").read_text()


def test_the_tree_names_every_script_module_and_group():
    tree = block("", "scripts/ ")
    folders = [ROOT / "scripts", ROOT / "configs", *(p for p in (ROOT / "src/claimkind").rglob("*") if p.is_dir())]
    names = {
        path.stem
        for folder in folders
        for path in folder.iterdir()
        if path.suffix in {".py", ".yaml"} and path.stem not in {"__init__", "__main__"}
    }
    missing = sorted(name for name in names if not re.search(rf"\b{name}\b", tree))
    assert not missing, f"the tree in the README lacks {', '.join(missing)}"


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
