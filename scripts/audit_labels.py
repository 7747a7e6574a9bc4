"""Rank the likeliest label errors of a dataset: python scripts/audit_labels.py output=data/audit.csv."""

from pathlib import Path

from claimkind.command import command
from claimkind.evaluation.audit import run

main = command("audit_labels", run, Path(__file__).parents[1] / "configs")

if __name__ == "__main__":
    main()
