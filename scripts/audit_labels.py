"""Rank the likeliest label errors of a dataset: python scripts/audit_labels.py output=data/audit.csv."""

from pathlib import Path

from claimkind.command import command

main = command("audit_labels", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
