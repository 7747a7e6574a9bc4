"""Sources of sentences. Each is a class in this package and a YAML file in `configs/source/`."""
