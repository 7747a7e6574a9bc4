"""Text: sentences, and front matter."""
