"""Where Yahoo's symbols trade: its codes of exchanges, our calendars, and the money that prices are in."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain.market import ALWAYS, FOREX, Instrument

PROVIDER = "yahoo"


@dataclass(frozen=True, kw_only=True)
class Place:
    calendar: str
    currency: str


def _places(codes: str, calendar: str, currency: str) -> dict[str, Place]:
    return {code: Place(calendar=calendar, currency=currency) for code in codes.split()}


PLACES: Mapping[str, Place] = {
    **_places("NMS NGM NCM NYQ PCX ASE BTS NAS NIM SNP DJI WCB CXI FGI PNK OQB OQX OEM YHD", "XNYS", "USD"),
    **_places("CME CBT NYM CMX", "CMES", "USD"),
    **_places("CCC", ALWAYS, "USD"),
    **_places("CCY", FOREX, "USD"),
    **_places("TOR VAN NEO", "XTSE", "CAD"),
    **_places("SAO", "BVMF", "BRL"),
    **_places("MEX", "XMEX", "MXN"),
    **_places("LSE IOB FSI", "XLON", "GBp"),
    **_places("GER", "XETR", "EUR"),
    **_places("FRA STU MUN BER DUS HAM HAN", "XFRA", "EUR"),
    **_places("PAR", "XPAR", "EUR"),
    **_places("AMS", "XAMS", "EUR"),
    **_places("BRU", "XBRU", "EUR"),
    **_places("LIS", "XLIS", "EUR"),
    **_places("MIL", "XMIL", "EUR"),
    **_places("MCE", "XMAD", "EUR"),
    **_places("VIE", "XWBO", "EUR"),
    **_places("ISE", "XDUB", "EUR"),
    **_places("HEL", "XHEL", "EUR"),
    **_places("EBS", "XSWX", "CHF"),
    **_places("STO", "XSTO", "SEK"),
    **_places("CPH", "XCSE", "DKK"),
    **_places("OSL", "XOSL", "NOK"),
    **_places("WSE", "XWAR", "PLN"),
    **_places("IST", "XIST", "TRY"),
    **_places("JNB", "XJSE", "ZAc"),
    **_places("JPX TYO OSA", "XTKS", "JPY"),
    **_places("HKG", "XHKG", "HKD"),
    **_places("SHH SHZ", "XSHG", "CNY"),
    **_places("TAI TWO", "XTAI", "TWD"),
    **_places("KSC KOE", "XKRX", "KRW"),
    **_places("SES", "XSES", "SGD"),
    **_places("JKT", "XIDX", "IDR"),
    **_places("KLS", "XKLS", "MYR"),
    **_places("BSE NSI", "XBOM", "INR"),
    **_places("ASX", "XASX", "AUD"),
    **_places("NZE", "XNZE", "NZD"),
}

# For an exchange whose code we do not know, the clock that it goes by says which one it is most like.
OF_TIMEZONE: Mapping[str, Place] = {
    "America/New_York": PLACES["NMS"],
    "America/Chicago": PLACES["CME"],
    "America/Toronto": PLACES["TOR"],
    "America/Sao_Paulo": PLACES["SAO"],
    "Europe/London": PLACES["LSE"],
    "Europe/Berlin": PLACES["GER"],
    "Europe/Paris": PLACES["PAR"],
    "Europe/Zurich": PLACES["EBS"],
    "Asia/Tokyo": PLACES["JPX"],
    "Asia/Hong_Kong": PLACES["HKG"],
    "Asia/Shanghai": PLACES["SHH"],
    "Australia/Sydney": PLACES["ASX"],
}


def _known(code: str, symbol: str, name: str) -> Instrument:
    place = PLACES[code]
    return Instrument(provider=PROVIDER, symbol=symbol, name=name, calendar=place.calendar, currency=place.currency)


# What to begin with: Yahoo has no list of all that it knows.
STARTERS = tuple(
    _known(*one)
    for one in (
        ("PCX", "SPY", "SPDR S&P 500 ETF"),
        ("NMS", "QQQ", "Invesco QQQ Trust"),
        ("PCX", "IWM", "iShares Russell 2000 ETF"),
        ("PCX", "GLD", "SPDR Gold Shares"),
        ("NMS", "TLT", "iShares 20+ Year Treasury Bond ETF"),
        ("NMS", "AAPL", "Apple Inc."),
        ("NMS", "MSFT", "Microsoft Corporation"),
        ("NMS", "NVDA", "NVIDIA Corporation"),
        ("NMS", "AMZN", "Amazon.com, Inc."),
        ("NMS", "GOOGL", "Alphabet Inc."),
        ("NMS", "META", "Meta Platforms, Inc."),
        ("NMS", "TSLA", "Tesla, Inc."),
        ("CCC", "BTC-USD", "Bitcoin USD"),
        ("CCC", "ETH-USD", "Ethereum USD"),
        ("CCY", "EURUSD=X", "EUR/USD"),
        ("CCY", "GBPUSD=X", "GBP/USD"),
        ("CMX", "GC=F", "Gold"),
        ("NYM", "CL=F", "Crude Oil"),
    )
)
