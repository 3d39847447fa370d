"""The tree of errors: every leaf has words of its own and a code that no other has."""

from backend.domain.errors import InputError, InvalidInput, TidemarkError


def everyone(kind: type[TidemarkError] = TidemarkError) -> list[type[TidemarkError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in everyone(child))]


def test_codes_are_words_and_belong_to_one_error() -> None:
    codes = [kind.code for kind in everyone() if kind.__module__.startswith("backend.")]
    assert len(codes) == len(set(codes))
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


def test_every_error_says_what_it_means() -> None:
    for kind in everyone():
        assert kind.__doc__
        assert kind.title
        assert not kind.title.endswith(".")


def test_summary_of_bad_input() -> None:
    one = InputError(pointer="/a", detail="Too long.")
    assert InvalidInput([one]).detail == "/a: Too long."
    assert InvalidInput([one, one]).detail == "2 things are not valid; see errors."
    assert InvalidInput().detail == "The input is not valid."


def test_what_cannot_be_seen_is_never_told_back() -> None:
    sent = "a\x00b\x1b[2J\u202ec\ud800"
    told = InvalidInput([InputError(pointer=f"/{sent}", detail=f"There is no '{sent}'.")])
    seen = "a\ufffdb\ufffd[2J\ufffdc\ufffd"
    assert told.errors == (InputError(pointer=f"/{seen}", detail=f"There is no '{seen}'."),)
    assert told.detail == f"/{seen}: There is no '{seen}'."
    assert TidemarkError("1\u202f000\nlines").detail == "1\u202f000\nlines"
