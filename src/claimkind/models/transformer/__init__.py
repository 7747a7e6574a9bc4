"""The transformer family: a pretrained encoder with a classification head, fine-tuned by the Hugging Face `Trainer`."""

from claimkind.models.transformer.classifier import TransformerClassifier
from claimkind.models.transformer.settings import TransformerSettings

__all__ = ["TransformerClassifier", "TransformerSettings"]
