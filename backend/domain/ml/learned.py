"""A model that has learned: what it says of bars, and the file that it is kept in.

The file begins with its form and the digest of all that follows: a line of JSON, then what the forecaster wrote.
Nothing of it is parsed before the digest was compared, and nothing in it runs.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from pydantic import ValidationError

from backend.domain.ml.conformal import Conformal, horizon_volatility
from backend.domain.ml.drift import DRIFT_ROWS, Reference
from backend.domain.ml.expected_return import ReturnMap
from backend.domain.ml.features import FEATURES, WARM_UP, features
from backend.domain.ml.forecaster import Fitted, Floats, Forecaster, Matrix
from backend.domain.ml.predicting import Contribution, Predicted
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import ModelDamaged, ModelOfOtherVersion, TooFewBars

NAMES: Final = tuple(feature.name for feature in FEATURES)
_KIND, _FORM = b"tidemark-model", b"1"
_TOP: Final = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedModel:
    """It never changes."""

    spec: ModelSpec
    reference: Reference  # how the features were spread that it learned from
    returns: ReturnMap
    conformal: Conformal
    forecaster: str  # the library that made it, and its version
    fitted: Fitted

    @property
    def features(self) -> tuple[str, ...]:
        return self.reference.names

    def probability_up(self, rows: Matrix) -> Floats:
        return self.fitted.probability_up(rows)

    def predict(self, bars: pd.DataFrame, last: int = 1) -> Predicted:
        """Of the last bars, as of their closes; the contributions are those of the very last. Raises TooFewBars."""
        rows, recent = _last_rows(bars, last)
        up = self.fitted.probability_up(rows)
        expected = self.returns.expected(up)
        close = recent["close"].to_numpy(np.float64)
        low, high = self.conformal.around(expected, horizon_volatility(close, self.spec.horizon)[-last:])
        return Predicted(
            probability=up,
            expected_return=expected,
            low=low,
            high=high,
            level=self.conformal.level,
            contributions=_largest(self.features, rows[-1], self.fitted.contributions(rows[-1:])[0]),
        )

    def drift(self, bars: pd.DataFrame) -> dict[str, Any]:
        """How far the newest bars are from those that it learned from: psi by feature, the worst, a level, a text."""
        return self.reference.drift(_last_rows(bars, min(DRIFT_ROWS, max(len(bars) - WARM_UP, 1)))[0])

    def content(self) -> bytes:
        told = {
            "spec": self.spec.model_dump(mode="json"),
            "forecaster": self.forecaster,
            "reference": self.reference.document(),
            "returns": self.returns.document(),
            "conformal": self.conformal.document(),
        }
        body = json.dumps(told, separators=(",", ":")).encode() + b"\n" + self.fitted.content()
        return b"%s %s\n%s\n%s" % (_KIND, _FORM, hashlib.sha256(body).hexdigest().encode(), body)

    @classmethod
    def read(cls, content: bytes, forecaster: Forecaster) -> Self:
        """Raises ModelDamaged and ModelOfOtherVersion."""
        told, fitted = _parts(content)
        try:
            _require_library(told["forecaster"], forecaster.version)
            _require_features(told["reference"]["names"])
            return cls(
                spec=ModelSpec.model_validate(told["spec"]),
                reference=Reference.of(told["reference"]),
                returns=ReturnMap.of(told["returns"]),
                conformal=Conformal.of(told["conformal"]),
                forecaster=told["forecaster"],
                fitted=forecaster.read(fitted),
            )
        except (KeyError, TypeError, ValidationError) as problem:
            # It is what was written, so whoever wrote it knew other fields.
            raise ModelOfOtherVersion(
                "Its settings are not those that this version knows. Train it again."
            ) from problem


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    first, _, rest = content.partition(b"\n")
    kind, _, form = first.partition(b" ")
    if kind != _KIND:
        raise ModelDamaged("This is no file of a model, or its beginning is lost. Train it again.")
    if form != _FORM:
        raise ModelOfOtherVersion(
            f"Its file has the form {form[:12].decode('ascii', 'replace')}; this version reads form {_FORM.decode()}."
            " Train it again."
        )
    digest, _, body = rest.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ModelDamaged("The file of this model is not what was written. Train it again.")
    head, _, fitted = body.partition(b"\n")
    told: dict[str, Any] = json.loads(head)
    return told, fitted


def _require_library(written_by: str, read_by: str) -> None:
    if written_by.partition(" ")[0] != read_by.partition(" ")[0]:
        raise ModelOfOtherVersion(f"It was made by {written_by}; this installation has {read_by}. Train it again.")


def _require_features(names: Sequence[str]) -> None:
    if tuple(names) != NAMES:
        other = sorted(set(names) ^ set(NAMES))
        raise ModelOfOtherVersion(
            f"It looks at {len(names)} features and this version makes {len(NAMES)}; {len(other)} of them differ"
            f" ({', '.join(other[:3])}). Train it again."
        )


def _last_rows(bars: pd.DataFrame, last: int) -> tuple[Matrix, pd.DataFrame]:
    """The features of the last bars, and the bars that they are made of."""
    if len(bars) < WARM_UP + last:
        raise TooFewBars(len(bars), WARM_UP + last, "a prediction")
    recent = bars.iloc[-(WARM_UP + last) :]
    return features(recent)[-last:], recent


def _largest(names: Sequence[str], row: Matrix, contributions: Floats) -> tuple[Contribution, ...]:
    own = contributions[: len(names)]
    return tuple(
        Contribution(feature=names[place], value=float(row[place]), contribution=float(own[place]))
        for place in np.argsort(-np.abs(own), kind="stable")[:_TOP].tolist()
    )
