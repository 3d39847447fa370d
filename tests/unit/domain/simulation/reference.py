"""The simulation again, one bar at a time, in Python's own integers and floats: slow and plain, without an array.

It makes crypto markets, which have no nights.
"""

import hashlib
import math
from decimal import Decimal

from backend.domain.simulation.markets import SimulatedMarket

UNIT = 2.0**-32
CLOCK = (88, 84, 80, 74, 68, 66, 70, 78, 90, 96, 98, 102, 112, 138, 150, 146, 136, 126, 116, 110, 104, 100, 96, 92)
TREND, CHOP, CRISIS = range(3)


class Reference:
    """One market; `calendar` names what it shares with others."""

    def __init__(self, market: SimulatedMarket) -> None:
        self.market = market

    # Chance

    def roll(self, purpose: str, position: int, whose: str | None = None) -> int:
        words = "\0".join(("tidemark demo 1", whose or self.market.symbol, purpose))
        key = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little")
        mixed = (key + position * 0x9E3779B97F4A7C15) % 2**64
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return mixed ^ mixed >> 31

    def even(self, purpose: str, position: int, place: int = 0) -> float:
        return ((self.roll(purpose, position) >> 8 * place & 255) + 0.5) / 256

    def bell(self, purpose: str, position: int, whose: str | None = None) -> float:
        rolled = self.roll(purpose, position, whose)
        return (sum(rolled >> 16 * quarter & 65_535 for quarter in range(4)) - 131_070) / 37_837.227

    def chance(self, purpose: str, position: int) -> float:
        return 0.8 * self.bell(purpose, position) + 0.6 * self.bell(purpose, position, self.market.calendar)

    def noise(self, purpose: str, position: int) -> float:
        return 0.58 + 0.788 * self.even(purpose, position)

    # Days

    def block(self, number: int) -> list[tuple[float, int, int]]:
        """Of 1,024 days the volatility, and the logarithms of opening and closing prices in units."""
        first = number * 1024
        spells = self.spells(first)
        wildness = [self.wildness(first + day, kind) for kind, _, days in spells for day in days]
        moves: list[int] = []
        for kind, up, days in spells:
            sizes = [wildness[day] * self.quiet(first + day) for day in days]
            chances = [
                round(size * self.chance("session", first + day) / UNIT) for size, day in zip(sizes, days, strict=True)
            ]
            net = 0 if kind == CRISIS else sum(chances) // len(days)
            drift = {TREND: 0.26, CHOP: 0.0, CRISIS: 0.1}[kind]
            way = 1 if up else -1
            moves += [
                chance - net + round(size * drift * way / UNIT) for size, chance in zip(sizes, chances, strict=True)
            ]
        start, end = self.end(number), self.end(number + 1)
        lacking, walked, opening, made = end - start - sum(moves), 0, start, []
        for day, move in enumerate(moves):
            walked += move
            closing = start + walked + lacking * 2 * (day + 1) // 2048
            made.append((wildness[day] * self.quiet(first + day), opening, closing))
            opening = closing
        return made

    def spells(self, first: int) -> list[tuple[int, bool, list[int]]]:
        found: list[tuple[int, bool, list[int]]] = []
        kind, day, number = CRISIS, 0, 0
        while day < 1024:
            choice, up, length = (self.even("regime", first + number, place) for place in range(3))
            if kind == CRISIS:
                kind = TREND if choice < 0.5 else CHOP
            else:
                kind = (CHOP if kind == TREND else TREND) if choice < 0.7 else CRISIS
            shortest, longest = {TREND: (20, 60), CHOP: (20, 60), CRISIS: (8, 24)}[kind]
            until = day + shortest + int(length * (longest - shortest + 1))
            found.append((kind, up < {TREND: 0.58, CHOP: 0.5, CRISIS: 0.25}[kind], [*range(day, min(until, 1024))]))
            day, number = until, number + 1
        return found

    def wildness(self, day: int, kind: int) -> float:
        level = 0.0
        for length in (2, 8, 32):
            purpose = f"tide of {length} days"
            low, high = self.even(purpose, day // length), self.even(purpose, day // length + 1)
            level += 0.4 * (2.0 * (low + (high - low) * (day % length / length)) - 1.0)
        return self.market.volatility * (0.9, 0.75, 2.2)[kind] * growth(level)

    def quiet(self, day: int) -> float:
        return 0.75 if (day + 3) % 7 >= 5 else 1.0

    def end(self, number: int) -> int:
        grown = self.market.growth_a_year * (number - 16) / (365.25 / 1024)
        drawn = 12.0 * self.market.volatility * (2.0 * self.even("end of block", number) - 1.0)
        return round((grown + drawn) / UNIT)

    # Within a day

    def half_hours(self, day: int) -> list[tuple[float, float, float, int]]:
        """Of each of the 48: the price before it, its close, its deviation in ticks, its parcels of volume."""
        volatility, opening, closing = self.block(day // 1024)[day % 1024]
        shares = [CLOCK[half // 2] / (2.0 * sum(CLOCK)) for half in range(48)]
        deviations = [
            volatility * math.sqrt(share) * self.half_hour_noise(day * 48 + half) for half, share in enumerate(shares)
        ]
        moves = [
            round(deviation * self.chance("half hour", day * 48 + half) / UNIT)
            for half, deviation in enumerate(deviations)
        ]
        traces = [round(deviation * deviation * 2.0**48) for deviation in deviations]
        lacking, before, made = float(closing - opening - sum(moves)), self.ticks(opening), []
        for half, deviation in enumerate(deviations):
            bend = round(lacking * (sum(traces[: half + 1]) / sum(traces)))
            close = self.ticks(opening + sum(moves[: half + 1]) + bend)
            size = deviation * before
            parcels = 0.5 * self.market.volume_a_day / self.market.parcel
            parcels *= shares[half] * (1.0 + volatility / self.market.volatility)
            active = 0.4 + 0.75 * (abs(close - before) / size)
            loud = 0.5 + self.even("half hour volume", (day * 48 + half) * 30)
            made.append((before, close, size, 30 + round(parcels * active * loud)))
            before = close
        return made

    def half_hour_noise(self, number: int) -> float:
        noise = self.noise("half hour noise", number) * self.noise("two hours noise", number // 4)
        return noise * (2.5 if self.even("half hour noise", number, 1) < 1 / 128 else 0.98)

    def ticks(self, level: int) -> float:
        return max(1.0, float(round(self.market.price * self.market.ticks_per_unit * growth(level * UNIT))))

    def bars(self, number: int) -> list[tuple[int, int, int, int, int]]:
        """Open, high, low and close in ticks and volume in parcels of the minutes of one half hour since 1970."""
        before, close, deviation, volume = self.half_hours(number // 48)[number % 48]
        spread = before * 0.5e-4
        roof, ground = bounds(before, close, deviation, spread)
        made = []
        fives = self.parts("five minutes", number * 30, 6, 5, (before, close, deviation), (roof, ground))
        volumes = self.shared("five minutes volume", number * 30, 5, fives, volume, 5)
        for five, (leg, amount) in enumerate(zip(fives, volumes, strict=True)):
            minute = number * 30 + five * 5
            top, bottom = bounds(*leg, spread)
            limits = min(top, roof), max(bottom, ground)
            minutes = self.parts("minute", minute, 5, 1, leg, limits)
            for place, (part, parcels) in enumerate(
                zip(minutes, self.shared("minute volume", minute, 1, minutes, amount, 1), strict=True)
            ):
                made.append((*self.bar(minute + place, part, spread, limits), parcels))
        return made

    def parts(
        self,
        purpose: str,
        first: int,
        count: int,
        length: int,
        leg: tuple[float, float, float],
        limits: tuple[float, float],
    ) -> list[tuple[float, float, float]]:
        before, close, deviation = leg
        sizes = [
            deviation / math.sqrt(count) * self.noise(f"{purpose} noise", first + part * length)
            for part in range(count)
        ]
        walk, trace, walked, traced = 0.0, 0.0, [], []
        for part, size in enumerate(sizes):
            walk += size * self.bell(purpose, first + part * length)
            trace += size * size
            walked.append(walk)
            traced.append(trace)
        made, at = list[tuple[float, float, float]](), before
        for part, size in enumerate(sizes):
            there = before + walked[part] + (close - before - walk) * (traced[part] / trace)
            there = max(min(float(round(there)), limits[0]), limits[1])
            made.append((at, there, size))
            at = there
        return made

    def shared(
        self, purpose: str, first: int, length: int, parts: list[tuple[float, float, float]], volume: int, least: int
    ) -> list[int]:
        weights = [
            round(
                1024.0
                * (0.4 + 0.75 * (abs(close - before) / size))
                * (0.5 + self.even(purpose, first + place * length))
            )
            for place, (before, close, size) in enumerate(parts)
        ]
        free, upto, made = volume - least * len(parts), 0, list[int]()
        for weight in weights:
            made.append(free * (upto + weight) // sum(weights) - free * upto // sum(weights) + least)
            upto += weight
        return made

    def bar(
        self, minute: int, leg: tuple[float, float, float], spread: float, limits: tuple[float, float]
    ) -> tuple[int, int, int, int]:
        before, close, deviation = leg
        own = bounds(before, close, deviation, spread)
        roof, ground = min(own[0], limits[0]), max(own[1], limits[1])
        opened = before + round(spread * (2.0 * self.even("wicks", minute) - 1.0))
        opened = min(max(opened, ground), roof)
        body = abs(close - opened)

        def wick(place: int) -> int:
            wait = float(-((Decimal(2 * (self.roll("wicks", minute) >> 8 * place & 255) + 1) / 512).ln()))
            return round(0.5 * (math.sqrt(body * body + 2.0 * deviation * deviation * wait) - body))

        high = min(max(opened, close) + wick(1), roof)
        low = max(min(opened, close) - wick(2), ground)
        return int(opened), int(high), int(low), int(close)


def bounds(before: float, close: float, deviation: float, spread: float) -> tuple[float, float]:
    reach = math.ceil(1.8 * deviation + spread) + 1
    return max(before, close) + reach, max(min(before, close) - reach, 1)


def growth(logarithm: float) -> float:
    part = logarithm / 64
    grown = (2 + part) / (2 - part)
    for _ in range(6):
        grown *= grown
    return grown
