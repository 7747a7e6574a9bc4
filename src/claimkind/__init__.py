"""claimkind: tells, sentence by sentence, whether a text states a fact, speculates or gives an opinion."""

import os

__version__ = "0.1.0"

# Libraries that report usage read these when they are first imported: nothing leaves the machine unasked.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Bars for what takes a moment hide those of what takes long.
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# The workers of a data loader would warn at each fork; we tokenise before any fork.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
