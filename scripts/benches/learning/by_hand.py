"""The peer of our features: one fused loop with running sums, as one writes it straight with numba.

It has a column for each of ours, in single precision, of the same kind and over the same windows. It need not do what
ours must: its sums drift, so that a value depends on where its thread began, and bars without range or volume give what
they give.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numba
import numpy as np

COLUMNS: Final = 65
LEAD: Final = 256

# What is added up, one ring of 256 values each.
CLOSE, SQUARE, SIZE, CHANGE, HEIGHT, INNER, CUBE, FOURTH, REACH = range(9)
VOLUME, SIDED, PLACED, ON_MOVES, PRICED, CLOSE_2, DIRECTION, DIRECTIONS = range(9, 17)
LAGGED, FIVE, SHADOWS, PAUSE, HIGH, LOW, OPEN = range(17, 24)


@numba.njit(parallel=True, fastmath=True, cache=True)
def features_by_hand(ts: Any, o: Any, h: Any, l: Any, c: Any, v: Any, threads: int) -> Any:  # noqa: E741, PLR0917
    out = np.empty((len(c), COLUMNS), np.float32)
    out[:LEAD] = np.nan
    share = (len(c) - LEAD + threads - 1) // threads
    for thread in numba.prange(threads):
        first, last = LEAD + thread * share, min(LEAD + (thread + 1) * share, len(c))
        bars = slice(first - LEAD, last)
        stretch(ts[bars], o[bars], h[bars], l[bars], c[bars], v[bars], out[first:last])
    return out


@numba.njit(fastmath=True, inline="always")
def move(ring: Any, row: int, bars: int) -> Any:
    """What a running sum over so many bars changes by."""
    return ring[row & 255] - ring[(row - bars) & 255]


@numba.njit(fastmath=True, inline="always")
def place_of_highest(ring: Any, row: int, bars: int, place: int) -> int:
    """It is looked for anew only when it has left the window."""
    if place <= row - bars:
        place = row - bars + 1
        for other in range(row - bars + 2, row + 1):
            if ring[other & 255] >= ring[place & 255]:
                place = other
    elif ring[row & 255] >= ring[place & 255]:
        place = row
    return place


@numba.njit(fastmath=True, cache=True)
def stretch(ts: Any, o: Any, h: Any, l: Any, c: Any, v: Any, out: Any) -> None:  # noqa: E741, PLR0915, PLR0917
    x = np.zeros((24, 256))
    s = np.zeros(64)
    at20 = at60 = at240 = lo20 = lo60 = lo240 = 0
    age20 = age60 = streak = 0.0
    sin_day, cos_day = np.sin(2 * np.pi * np.arange(1440) / 1440), np.cos(2 * np.pi * np.arange(1440) / 1440)
    sin_week, cos_week = np.sin(2 * np.pi * np.arange(7) / 7), np.cos(2 * np.pi * np.arange(7) / 7)
    base = math.log(c[0])
    for t in range(1, len(c)):
        q, p = t & 255, (t - 1) & 255
        lo, lh, ll, lc = math.log(o[t]) - base, math.log(h[t]) - base, math.log(l[t]) - base, math.log(c[t]) - base
        r = lc - x[CLOSE, p]
        hl = lh - ll
        x[CLOSE, q], x[OPEN, q], x[HIGH, q], x[LOW, q], x[CHANGE, q] = lc, lo, lh, -ll, r
        x[SQUARE, q], x[SIZE, q], x[CUBE, q], x[FOURTH, q] = r * r, abs(r), r * r * r, r * r * r * r
        x[HEIGHT, q], x[INNER, q] = hl * hl, 0.5 * hl * hl - 0.3862943611198906 * (lc - lo) * (lc - lo)
        x[REACH, q] = max(lh, x[CLOSE, p]) - min(ll, x[CLOSE, p])
        x[VOLUME, q], x[SIDED, q] = v[t], v[t] if r > 0 else -v[t]
        x[PLACED, q], x[ON_MOVES, q], x[PRICED, q] = v[t] * (2 * lc - lh - ll) / hl, v[t] * abs(r), v[t] * lc
        up, down = max(lh - x[HIGH, p], 0.0), max(x[LOW, q] - x[LOW, p], 0.0)
        x[DIRECTION, q] = up if up > down else -down
        x[DIRECTIONS, q], x[LAGGED, q] = max(up, down), r * x[CHANGE, p]
        r5 = lc - x[CLOSE, (t - 5) & 255]
        x[FIVE, q], x[SHADOWS, q], x[CLOSE_2, q] = r5 * r5, (lo + lc - lh - ll) / hl, lc * lc
        x[PAUSE, q] = ts[t] - ts[t - 1]

        age20 += s[1] - 20 * x[CLOSE, (t - 20) & 255]
        age60 += s[2] - 60 * x[CLOSE, (t - 60) & 255]
        s[0] += move(x[CLOSE], t, 5)
        s[1] += move(x[CLOSE], t, 20)
        s[2] += move(x[CLOSE], t, 60)
        s[3] += move(x[CLOSE], t, 240)
        s[4] += move(x[SQUARE], t, 5)
        s[5] += move(x[SQUARE], t, 20)
        s[6] += move(x[SQUARE], t, 60)
        s[7] += move(x[SQUARE], t, 240)
        s[8] += move(x[SIZE], t, 5)
        s[9] += move(x[SIZE], t, 20)
        s[10] += move(x[SIZE], t, 60)
        s[11] += move(x[HEIGHT], t, 20)
        s[12] += move(x[INNER], t, 60)
        s[13] += move(x[CUBE], t, 60)
        s[14] += move(x[FOURTH], t, 60)
        s[15] += move(x[REACH], t, 5)
        s[16] += move(x[REACH], t, 20)
        s[17] += move(x[REACH], t, 60)
        s[18] += move(x[VOLUME], t, 5)
        s[19] += move(x[VOLUME], t, 20)
        s[20] += move(x[VOLUME], t, 60)
        s[21] += move(x[VOLUME], t, 240)
        s[22] += move(x[SIDED], t, 20)
        s[23] += move(x[PLACED], t, 20)
        s[24] += move(x[ON_MOVES], t, 60)
        s[25] += move(x[PRICED], t, 20)
        s[26] += move(x[PRICED], t, 60)
        s[27] += move(x[CLOSE_2], t, 20)
        s[28] += move(x[CLOSE_2], t, 60)
        s[29] += move(x[CLOSE_2], t, 240)
        s[30] += move(x[DIRECTION], t, 20)
        s[31] += move(x[DIRECTIONS], t, 20)
        s[32] += move(x[LAGGED], t, 60)
        s[33] += move(x[FIVE], t, 60)
        s[34] += move(x[SHADOWS], t, 20)
        at20, at60, at240 = (
            place_of_highest(x[HIGH], t, 20, at20),
            place_of_highest(x[HIGH], t, 60, at60),
            place_of_highest(x[HIGH], t, 240, at240),
        )
        lo20, lo60, lo240 = (
            place_of_highest(x[LOW], t, 20, lo20),
            place_of_highest(x[LOW], t, 60, lo60),
            place_of_highest(x[LOW], t, 240, lo240),
        )
        streak = (max(streak, 0.0) + 1.0) if r > 0 else (min(streak, 0.0) - 1.0)
        if t < LEAD:
            continue

        f = out[t - LEAD]
        v5, v20, v60, v240 = math.sqrt(s[4] / 5), math.sqrt(s[5] / 20), math.sqrt(s[6] / 60), math.sqrt(s[7] / 240)
        d20, d60, d240 = 1 / (v20 * math.sqrt(20)), 1 / (v60 * math.sqrt(60)), 1 / (v240 * math.sqrt(240))
        r20, r60, r240 = lc - x[CLOSE, (t - 20) & 255], lc - x[CLOSE, (t - 60) & 255], lc - x[CLOSE, (t - 240) & 255]
        f[0], f[1], f[2], f[3], f[4], f[5] = r, r5, r20, r60, r240, lo - x[CLOSE, p]
        f[6], f[7], f[8] = r / v60, r5 / v60, r20 / v240
        f[9], f[10], f[11], f[12] = v5, v20, v60, v240
        f[13], f[14] = math.sqrt(s[11]), math.sqrt(s[12])
        f[15], f[16] = (s[4] * 12 - s[6]) / (s[4] * 12 + s[6]), (s[5] * 12 - s[7]) / (s[5] * 12 + s[7])
        f[17] = (s[11] - s[5]) / (s[11] + s[5])
        f[18], f[19] = s[13] / (s[6] * v60), s[14] / (s[6] * s[6])
        f[20] = hl
        f[21] = (x[REACH, q] * 20 - s[16]) / (x[REACH, q] * 20 + s[16])
        f[22] = (s[15] * 12 - s[17]) / (s[15] * 12 + s[17])
        h20, h60, h240 = x[HIGH, at20 & 255], x[HIGH, at60 & 255], x[HIGH, at240 & 255]
        l20, l60, l240 = -x[LOW, lo20 & 255], -x[LOW, lo60 & 255], -x[LOW, lo240 & 255]
        f[23], f[24], f[25] = (h20 - l20) * d20, (h60 - l60) * d60, (h240 - l240) * d240
        f[26] = (v[t] * 20 - s[19]) / (v[t] * 20 + s[19])
        f[27], f[28] = (s[18] * 12 - s[20]) / (s[18] * 12 + s[20]), (s[19] * 12 - s[21]) / (s[19] * 12 + s[21])
        f[29], f[30] = s[22] / s[19], s[23] / s[19]
        f[31] = (s[24] * 60 - s[10] * s[20]) / (s[24] * 60 + s[10] * s[20])
        f[32], f[33] = (lc - s[25] / s[19]) * d20, (lc - s[26] / s[20]) * d60
        f[34], f[35] = (lc - x[CLOSE, (t - 5) & 255]) / s[8], r20 / s[9]
        f[36], f[37] = (2 * lc - h20 - l20) / (h20 - l20), (2 * lc - h60 - l60) / (h60 - l60)
        f[38] = (2 * lc - h240 - l240) / (h240 - l240)
        f[39] = (r20 - (x[CLOSE, (t - 20) & 255] - x[CLOSE, (t - 40) & 255])) / v60
        f[40], f[41] = (x[CLOSE, (t - 20) & 255] - x[CLOSE, (t - 240) & 255]) / v240, min(max(streak, -8.0), 8.0)
        f[42], f[43] = (s[0] / 5 - s[1] / 20) * d20, (s[1] / 20 - s[2] / 60) * d60
        f[44] = (s[2] / 60 - s[3] / 240) * d240
        f[45], f[46] = (9.5 * s[1] - age20) * d20, (29.5 * s[2] - age60) * d60
        w20, w60, w240 = s[27] - s[1] * s[1] / 20, s[28] - s[2] * s[2] / 60, s[29] - s[3] * s[3] / 240
        f[47], f[48] = (29.5 * s[2] - age60) / math.sqrt(w60), s[30] / s[31]
        f[49], f[50] = (lc - s[1] / 20) / math.sqrt(w20 / 20), (lc - s[2] / 60) / math.sqrt(w60 / 60)
        f[51] = (lc - s[3] / 240) / math.sqrt(w240 / 240)
        f[52], f[53] = s[32] / s[6], (s[33] - 5 * s[6]) / (s[33] + 5 * s[6])
        f[54], f[55], f[56] = (lc - lo) / hl, (lh - max(lo, lc)) / hl, (min(lo, lc) - ll) / hl
        first, last = x[OPEN, p], x[CLOSE, p]
        rises = last < first and lc > lo and lc >= first and lo <= last
        falls = last > first and lc < lo and lc <= first and lo >= last
        f[57] = 1 if rises else (-1 if falls else 0)
        above, beneath = lh - x[HIGH, p], x[LOW, q] - x[LOW, p]
        f[58] = 1 if above > 0 and beneath > 0 else (-1 if above < 0 and beneath < 0 else 0)
        f[59] = s[34] / 20
        minute = ts[t] // 60_000_000
        f[60], f[61] = sin_day[minute % 1440], cos_day[minute % 1440]
        f[62], f[63] = sin_week[(minute // 1440 + 3) % 7], cos_week[(minute // 1440 + 3) % 7]
        shortest = x[PAUSE, q]
        for ago in range(1, 20):
            shortest = min(shortest, x[PAUSE, (t - ago) & 255])
        f[64] = (x[PAUSE, q] - shortest) / (x[PAUSE, q] + shortest)
