"""Build a dataset from seeds and corpora: python scripts/build_dataset.py dataset=bundled."""

from pathlib import Path

from claimkind.command import command

main = command("build_dataset", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
