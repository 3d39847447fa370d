"""The providers of market data as anybody may ask them: what they serve, and what they call it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain.market import Adjustment, Instrument, Series, Timeframe
from backend.domain.market_errors import NotServed, UnknownProvider
from backend.domain.market_ports import BarFetcher


@dataclass(frozen=True, kw_only=True)
class ProviderFacts:
    """A provider in a few words, and why it cannot be used now, if it cannot."""

    name: str
    title: str
    about: str
    timeframes: tuple[Timeframe, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    is_simulated: bool = False
    unavailable: str | None = None


class Markets:
    """All providers of this installation. It speaks with the network, so nobody holds a transaction meanwhile."""

    def __init__(self, fetchers: Mapping[str, BarFetcher], facts: Sequence[ProviderFacts]) -> None:
        self._fetchers = fetchers
        self._facts = tuple(facts)

    def providers(self) -> tuple[ProviderFacts, ...]:
        return self._facts

    def fetcher(self, provider: str) -> BarFetcher:
        fetcher = self._fetchers.get(provider)
        if fetcher is None:
            facts = next((one for one in self._facts if one.name == provider and one.unavailable), None)
            if facts is not None:
                raise NotServed(f"{facts.title} cannot be used here: {facts.unavailable}")
            raise UnknownProvider(provider, sorted(self._fetchers))
        return fetcher

    async def instruments(self, provider: str, search: str, *, limit: int) -> Sequence[Instrument]:
        return await self.fetcher(provider).instruments(search, limit=limit)

    async def instrument_of(self, series: Series) -> Instrument:
        """What is traded in this series; raises UnknownSymbol, or NotServed with what there is instead."""
        fetcher = self.fetcher(series.provider)
        if series.timeframe not in fetcher.timeframes or series.adjustment not in fetcher.adjustments:
            raise NotServed.of(series, fetcher.timeframes, fetcher.adjustments)
        return await fetcher.instrument(series.symbol)

    async def close(self) -> None:
        for fetcher in self._fetchers.values():
            await fetcher.close()
