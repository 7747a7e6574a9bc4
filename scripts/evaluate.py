"""Evaluate a saved model: python scripts/evaluate.py model_uri=models:/claimkind@champion dataset_name=embedded."""

from pathlib import Path

from claimkind.command import command
from claimkind.evaluation.evaluate import run

main = command("evaluate", run, Path(__file__).parents[1] / "configs")

if __name__ == "__main__":
    main()
