"""Look at the runs in the MLflow UI on this machine: python scripts/ui.py."""

from pathlib import Path

from claimkind.command import command

main = command("ui", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
