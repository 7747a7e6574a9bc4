"""Equal and nearly equal sentences, within a source and across sources."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from rensa import RMinHash
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

_PERMUTATIONS = 125
_BANDS = 25  # of five hashes: they find 99% of the pairs with a similarity of 0.7, and 6% of those with 0.3
_CHUNK = 20_000
_TYPOGRAPHY = str.maketrans(
    {**dict.fromkeys("“”„«»″", '"'), **dict.fromkeys("‘’‚`´′", "'"), **dict.fromkeys("‐‑‒–—−", "-"), "…": "..."}
)


def normalise(text: str) -> str:
    """Key of a sentence for comparisons: ignores case and the style of quotation marks, dashes and blanks."""
    return re.sub(r"\s+", " ", text.translate(_TYPOGRAPHY).casefold()).strip()


def first_of_equals(keys: pd.Series, labels: pd.Series) -> pd.Series:
    """Select one row of each sentence: the first that has a label, or the first if none has.

    Rows are in the order of the sources, so that an earlier source wins over a later one.

    Args:
        keys: (n,) normalised sentences.
        labels: (n,) one of `LABELS`, or null.

    Returns:
        (n,) mask of the rows to keep.
    """
    order = labels.isna().sort_values(kind="stable").index
    repeated = keys.loc[order].duplicated()
    return ~repeated.loc[keys.index]


def equal_links(keys: pd.Series) -> np.ndarray:
    """(m, 2) positions of equal keys: each repeated key with its first occurrence."""
    codes, _ = pd.factorize(keys)
    positions = np.arange(len(codes))
    first = pd.Series(positions).groupby(codes).transform("first").to_numpy()
    return np.column_stack([first, positions])[first != positions]


def near_duplicate_links(texts: Sequence[str], threshold: float) -> np.ndarray:
    """Find pairs of texts whose sets of character 5-grams have at least a given Jaccard similarity.

    Candidates come from MinHash with locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of
    Massive Datasets, chapter 3); the similarity of each is then computed exactly.

    Args:
        texts: n normalised sentences.
        threshold: least similarity, 0 to 1.

    Returns:
        (m, 2) positions that connect each cluster that was found; not every pair of a cluster is among them.
    """
    if not len(texts):
        return np.zeros((0, 2), dtype=int)
    chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
    bands, sizes = map(
        np.concatenate,
        zip(*(_band_keys(chunk) for chunk in tqdm(chunks, desc="near-duplicates", delay=2)), strict=True),
    )
    candidates = _unique_pairs((equal_links(pd.Series(band)) for band in bands.T), len(texts))
    # J(A, B) is at most the smaller set's size over the larger's.
    smaller, larger = np.sort(sizes[candidates], axis=1).T
    candidates = candidates[smaller >= threshold * larger]
    alike = [_jaccard(_shingles(texts[a]), _shingles(texts[b])) >= threshold for a, b in candidates]
    return candidates[np.array(alike, dtype=bool)]


def _unique_pairs(links: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Each pair of positions once. A pair is sorted as one number, which is faster than as a row of two."""
    joined = np.unique(np.concatenate([pairs[:, 0] * size + pairs[:, 1] for pairs in links]))
    return np.column_stack(np.divmod(joined, size))


def _band_keys(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n, bands) uint64 keys, where texts with one equal key are candidates; and (n,) numbers of 5-grams."""
    shingles = [sorted(_shingles(text)) for text in texts]
    digests = RMinHash.digests_from_token_sets(shingles, _PERMUTATIONS, 42)
    bands = np.asarray(digests, dtype=np.uint64).reshape(len(texts), _BANDS, -1)
    # A polynomial hash of the values of each band; overflow wraps, as hashes do.
    keys = np.zeros(bands.shape[:2], dtype=np.uint64)
    for column in range(bands.shape[2]):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + bands[:, :, column]
    return keys, np.array([len(each) for each in shingles])


def _shingles(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(max(1, len(text) - 4))}


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def merge_groups(groups: pd.Series, links: np.ndarray) -> pd.Series:
    """Merge the groups of linked rows.

    Args:
        groups: (n,) names.
        links: (m, 2) positions of rows whose groups are merged.

    Returns:
        (n,) names; a merged group has the alphabetically first of its names.
    """
    codes, names = pd.factorize(groups, sort=True)
    ones = np.ones(len(links), dtype=np.int8)
    graph = coo_array((ones, (codes[links[:, 0]], codes[links[:, 1]])), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    first = pd.Series(names).groupby(component).first()
    return pd.Series(first.loc[component[codes]].to_numpy(), index=groups.index, name=groups.name)
