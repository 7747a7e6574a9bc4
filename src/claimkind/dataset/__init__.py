"""From seeds and public corpora to a dataset: read, split into sentences, label, group, split, describe."""
