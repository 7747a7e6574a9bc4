"""Evaluate a saved model: python scripts/evaluate.py model_uri=models:/claimkind@champion dataset=bundled."""

from pathlib import Path

from claimkind.command import command

main = command("evaluate", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
