"""Quantise a saved transformer to int8: python scripts/quantize.py model_uri=models:/claimkind@champion."""

from pathlib import Path

from claimkind.command import command

main = command("quantize", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
