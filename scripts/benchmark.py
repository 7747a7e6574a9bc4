"""Run a benchmark and print its figures: python scripts/benchmark.py benchmark=build."""

from pathlib import Path

from claimkind.command import command

main = command("benchmark", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
