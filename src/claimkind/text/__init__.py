"""Text: the parts of documents, sentences, and front matter."""
