"""Search for better settings: python scripts/tune.py search=tfidf dataset=embedded trials=20."""

from pathlib import Path

from claimkind.command import command
from claimkind.tuning import run

main = command("tune", run, Path(__file__).parents[1] / "configs")

if __name__ == "__main__":
    main()
