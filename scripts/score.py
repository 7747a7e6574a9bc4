"""Label the sentences of documents or rows with a saved model: python scripts/score.py input=FILE output=FILE."""

from pathlib import Path

from claimkind.command import command

main = command("score", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
