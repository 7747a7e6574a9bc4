from claimkind.errors import first_line


def test_the_first_line_of_an_error_is_never_missing():
    assert first_line(ValueError("no header\nin line 1")) == "no header"
    assert first_line(KeyError()) == "KeyError"
    assert first_line(ValueError("\n")) == "ValueError"
