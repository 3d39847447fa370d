"""Finding instruments by what somebody typed."""

from collections.abc import Iterable, Sequence

from backend.domain.market import Instrument, Series, Timeframe


def best_matches(instruments: Iterable[Instrument], search: str, *, limit: int) -> Sequence[Instrument]:
    """Those whose symbol or name has the text: the symbol itself first, then what begins with it, then the rest."""
    wanted = search.strip().upper()
    ranked = ((rank, place, one) for place, one in enumerate(instruments) if (rank := _rank(one, wanted)) is not None)
    return [one for _, _, one in sorted(ranked, key=lambda found: found[:2])[:limit]]


def is_symbol(name: str) -> bool:
    """Whether we can name a series like that; vendors have a few names in other scripts."""
    try:
        Series(provider="any", symbol=name, timeframe=Timeframe.D1)
    except ValueError:
        return False
    return True


def _rank(instrument: Instrument, wanted: str) -> int | None:
    symbol, name = instrument.symbol.upper(), instrument.name.upper()
    places = (symbol == wanted, symbol.startswith(wanted), name.startswith(wanted), wanted in symbol, wanted in name)
    return next((place for place, matches in enumerate(places) if matches), None)
