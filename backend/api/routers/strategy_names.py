"""How strategies are named in paths and problems, and what a broken one may tell."""

import re
from typing import Annotated

from fastapi import Path
from starlette.convertors import StringConvertor, register_url_convertor

from backend.api.routers.strategy_shapes import OWN_ID
from backend.domain.errors import NotAllowed
from backend.domain.strategy_errors import UnknownStrategy

# A path in what a plugin raised would tell how the server is laid out; its last part is enough.
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?(?:[\\/][^\\/\s'\":,()]+)+[\\/]")


class StrategyName(StringConvertor):
    """A name in a path, none of the words that operations live at: else a name would answer for their methods."""

    regex = r"(?!(?:validate|preview|rules)(?:/|$))[^/]+"


register_url_convertor("strategy", StrategyName())

Name = Annotated[
    str,
    Path(
        max_length=60, description="The name of an installed strategy, or the id of one's own.", examples=["sma_cross"]
    ),
]
OwnName = Annotated[str, Path(max_length=60, description="The id of one's own strategy.", examples=[str(OWN_ID)])]
UNKNOWN = UnknownStrategy("sma_crss", ["sma_cross"])
NOT_OWN = NotAllowed("'sma_cross' belongs to this installation. Save rules of your own to change them.")


def without_paths(text: str) -> str:
    return _PATH.sub("", text)
