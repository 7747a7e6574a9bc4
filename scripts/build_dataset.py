"""Build a dataset from seeds and corpora: python scripts/build_dataset.py dataset=embedded."""

from pathlib import Path

from claimkind.command import command
from claimkind.dataset.build import run

main = command("build_dataset", run, Path(__file__).parents[1] / "configs")

if __name__ == "__main__":
    main()
