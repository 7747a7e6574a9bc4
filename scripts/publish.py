"""Publish a saved model on the Hugging Face hub: python scripts/publish.py repo_id=OWNER/NAME."""

from pathlib import Path

from claimkind.command import command

main = command("publish", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
