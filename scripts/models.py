"""List the registered models with their scores: python scripts/models.py show=champion."""

from pathlib import Path

from claimkind.command import command

main = command("models", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
