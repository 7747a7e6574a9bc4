"""Run a benchmark and print its figures: python scripts/benchmark.py benchmark=build."""

from pathlib import Path

from claimkind.command import command
from claimkind.evaluation.benchmarks import run

main = command("benchmark", run, Path(__file__).parents[1] / "configs")

if __name__ == "__main__":
    main()
