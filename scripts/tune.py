"""Search for better settings: python scripts/tune.py search=tfidf dataset=bundled trials=20."""

from pathlib import Path

from claimkind.command import command

main = command("tune", Path(__file__).resolve().parents[1] / "configs")

if __name__ == "__main__":
    main()
