"""The transformer family: a pretrained encoder with a classification head, fine-tuned by the Hugging Face `Trainer`."""

import os

# Read when PyTorch is first imported. Its threads would otherwise spin while they wait, and on a core that other work
# needs too they wait most of the time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from claimkind.models.transformer.classifier import TransformerClassifier
from claimkind.models.transformer.settings import TransformerSettings

__all__ = ["TransformerClassifier", "TransformerSettings"]
