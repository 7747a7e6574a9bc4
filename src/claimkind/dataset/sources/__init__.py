"""Sources of sentences: each is a class here and a YAML file in `configs/source/`."""
