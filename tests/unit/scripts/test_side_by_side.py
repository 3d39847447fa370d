"""Lanes beside each other: none hides another, none mixes its words with another's, none takes more than there is."""

import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO

import pytest

from scripts.lanes import LANES, SURROUNDINGS, main
from scripts.side_by_side import run_all


@dataclass(frozen=True)
class Piece:
    name: str
    places: int = 1
    needs: tuple[str, ...] = ()
    proves: str = "a thing"


class Place:
    """Where pieces work: who was there with whom, and a meeting that those of some names wait for."""

    def __init__(self, *meeting: str, fails: tuple[str, ...] = ()) -> None:
        self.together: set[frozenset[str]] = set()
        self.order: list[str] = []
        self._meeting, self._fails = meeting, fails
        self._barrier = threading.Barrier(max(1, len(meeting)))
        self._here: set[str] = set()
        self._lock = threading.Lock()

    def run(self, piece: Piece, out: IO[bytes] | None) -> bool:
        with self._lock:
            self.order.append(piece.name)
            self._here.add(piece.name)
            self.together.add(frozenset(self._here))
        if piece.name in self._meeting:
            self._barrier.wait(60)
        words = f"for _ in range(3): print('{piece.name} speaks', flush=True)"
        subprocess.run([sys.executable, "-c", words], stdout=out, check=True)
        with self._lock:
            self._here.remove(piece.name)
        return piece.name not in self._fails


def test_as_many_run_at_once_as_there_are_places(capfd: pytest.CaptureFixture[str]) -> None:
    place = Place("first", "second")  # neither ends before the other has begun
    pieces = [Piece("first"), Piece("second"), Piece("third")]
    outcomes = run_all(pieces, place.run, places=2)
    assert [outcome.work.name for outcome in outcomes] == ["first", "second", "third"]
    assert all(outcome.ok for outcome in outcomes)
    assert max(map(len, place.together)) == 2
    assert place.order[2] == "third"


def test_what_takes_all_places_runs_alone() -> None:
    place = Place()
    run_all([Piece("first"), Piece("wide", places=2), Piece("last"), Piece("wider", places=9)], place.run, places=2)
    assert [group for group in place.together if group & {"wide", "wider"} and len(group) > 1] == []
    assert set(place.order) == {"first", "wide", "last", "wider"}


def test_a_failure_hides_no_other_and_words_do_not_mix(capfd: pytest.CaptureFixture[str]) -> None:
    place = Place("first", "second", fails=("first",))
    outcomes = run_all([Piece("first"), Piece("second"), Piece("third")], place.run, places=2)
    assert [outcome.ok for outcome in outcomes] == [False, True, True]
    said = capfd.readouterr().out
    for name, verdict in (("first", "FAILED"), ("second", "passed"), ("third", "passed")):
        assert f"\n== {name}: a thing\n{name} speaks\n{name} speaks\n{name} speaks\n{verdict} {name} in " in said


def test_in_a_single_place_one_watches_it_work(capfd: pytest.CaptureFixture[str]) -> None:
    assert [outcome.ok for outcome in run_all([Piece("one"), Piece("two")], Place(fails=("one",)).run, places=1)] == [
        False,
        True,
    ]
    said = capfd.readouterr().out
    assert said.index("one speaks") < said.index("two speaks")
    assert "passed two" not in said


def test_what_is_needed_comes_first_and_others_run_beside_it() -> None:
    place = Place("base", "free")  # neither ends before the other has begun
    pieces = [Piece("upper", needs=("base", "not among these")), Piece("base"), Piece("free")]
    assert all(outcome.ok for outcome in run_all(pieces, place.run, places=2))
    assert place.order.index("upper") == 2


@pytest.mark.parametrize("places", [1, 2])
def test_what_lacks_something_does_not_begin_and_fails(places: int, capfd: pytest.CaptureFixture[str]) -> None:
    place = Place(fails=("base",))
    pieces = [Piece("base"), Piece("upper", needs=("base",)), Piece("topmost", needs=("upper",)), Piece("free")]
    outcomes = run_all(pieces, place.run, places=places)
    assert [outcome.ok for outcome in outcomes] == [False, False, False, True]
    assert set(place.order) == {"base", "free"}
    assert "FAILED upper: it needs base, which failed" in capfd.readouterr().out


def test_whatever_a_lane_needs_can_be_brought() -> None:
    assert {name for lane in LANES for name in lane.needs} == {lane.name for lane in SURROUNDINGS}


def test_an_unknown_lane_is_refused_with_those_there_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "units"]) == 2
    said = capfd.readouterr().err
    assert "no lane units" in said
    assert all(lane.name in said for lane in LANES)
