"""Train, save and evaluate a model, all in one MLflow run: python scripts/train.py model=minilm seed=0."""

from pathlib import Path

from claimkind.command import command

main = command("train", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
