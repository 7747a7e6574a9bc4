"""Set runs side by side, and promote the better one: python scripts/compare.py promote=true."""

from pathlib import Path

from claimkind.command import command

main = command("compare", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
