"""The benchmark of sentence splitters measures boundaries as its documentation says."""

import pytest

from claimkind.benchmarks import sentences
from claimkind.benchmarks.sentences import Paragraph, SentencesBenchmark, read_documents, read_paragraphs
from claimkind.errors import ClaimkindError


def conllu(*rows: tuple[str, bool, bool]) -> str:
    """Sentences with whether they begin a paragraph and whether a blank follows."""
    return "".join(
        ("# newpar id = p\n" if begins else "")
        + f"# text = {text}\n1\tx\tx\tX\tX\t_\t0\troot\t_\t{'_' if blank else 'SpaceAfter=No'}\n\n"
        for text, begins, blank in rows
    )


TEXT = conllu(
    ("It rained.", True, True), ("It was late.", False, True), ("Done!", False, False), ("Next.", False, True),
    ("A new paragraph.", True, True), ("It ends here.", False, True),
)  # fmt: skip


@pytest.fixture
def corpora(tmp_path):
    (tmp_path / "tiny").mkdir()
    for name in ("one", "two", "three", "four", "five", "six"):
        (tmp_path / "tiny" / f"{name}.conllu").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_a_document_is_rebuilt_with_its_blanks_and_paragraphs(corpora) -> None:
    first, second = read_paragraphs(corpora / "tiny" / "one.conllu")
    assert first == Paragraph("It rained. It was late. Done!Next. ", frozenset({11, 24, 29}))
    assert second == Paragraph("A new paragraph. It ends here. ", frozenset({17}))


def test_each_document_belongs_to_one_half(corpora) -> None:
    sizes = {part: len(read_documents(corpora / "tiny", part)) for part in ("held_out", "development", "all")}
    assert sizes["all"] == 6
    assert 0 < sizes["held_out"] < 6
    assert sizes["held_out"] + sizes["development"] == 6


def test_boundaries_found_and_missed_give_precision_and_recall(corpora, monkeypatch) -> None:
    splitters = {"claimkind": lambda: lambda text: [0, 11], "pytest": lambda: lambda text: [0, 11, 17]}
    monkeypatch.setattr(sentences, "_SPLITTERS", splitters | {"not_a_package": lambda: list})
    table = SentencesBenchmark(str(corpora), ["tiny"], documents="all", rounds=1, samples=50).measure()
    table = table.set_index("splitter")
    assert table.index.tolist() == ["claimkind", "pytest"], "a splitter that is not installed must be left out"
    # Of four boundaries: 11 is right in the first paragraph only, 17 in the second only.
    assert table["boundaries"].tolist() == [24, 24]
    assert table["precision"].tolist() == [0.5, 0.5]
    assert table["recall"].tolist() == [0.25, 0.5]
    assert table["F1"]["claimkind"] == "0.333 [0.333, 0.333]"
    assert table["ahead"]["pytest"] == "-0.167 [-0.167, -0.167]"
    assert (table["sentences/s"] > 0).all()


def test_the_splitter_of_this_package_takes_part(corpora, monkeypatch) -> None:
    monkeypatch.setattr(sentences, "_installed", lambda: ["claimkind"])
    ours = SentencesBenchmark(str(corpora), ["tiny"], documents="all", rounds=1, samples=50).measure().iloc[0]
    assert (ours["precision"], ours["recall"]) == (1.0, 0.75)  # all but the boundary without a blank


def test_a_folder_without_treebank_is_refused(tmp_path) -> None:
    with pytest.raises(ClaimkindError, match=r"holds no \.conllu file, expected a treebank"):
        read_documents(tmp_path, "all")
    (tmp_path / "empty.conllu").write_text("\n", encoding="utf-8")
    with pytest.raises(ClaimkindError, match="holds no `# text` line"):
        read_documents(tmp_path, "all")


def test_an_unknown_half_is_refused() -> None:
    with pytest.raises(ClaimkindError, match=r"benchmark.documents=half, expected one of held_out"):
        SentencesBenchmark("corpora", ["gum"], documents="half")
