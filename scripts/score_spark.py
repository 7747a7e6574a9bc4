"""Label the rows of a table on a Spark cluster: python scripts/score_spark.py input=PATH output=PATH."""

from pathlib import Path

from claimkind.command import command

main = command("score_spark", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
