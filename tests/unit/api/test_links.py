"""The links of the document: they lead to operations that there are, by parameters that those take."""

from backend.api.app import describe_api
from backend.api.links import GIVES


def test_every_link_leads_somewhere() -> None:
    document = describe_api().openapi()
    operations = {one["operationId"]: one for found in document["paths"].values() for one in found.values()}
    assert set(GIVES) <= set(operations)
    links = document["components"]["links"]
    for link in links.values():
        (parameter,) = link["parameters"]
        assert parameter in {one["name"] for one in operations[link["operationId"]]["parameters"]}
    assert "read_backtest_by_id" in operations["run_backtest"]["responses"]["202"]["links"]
    shared = operations["create_share"]["responses"]["201"]["links"]
    assert "revoke_share_by_token" not in shared
    assert "revoke_share_by_id" in shared


def test_whatever_makes_a_thing_says_where_it_is_found() -> None:
    """An answer that names where something can be read has a link to it; uploads are named in bodies alone."""
    document = describe_api().openapi()
    made = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for status in ("201", "202")
        if status in operation["responses"]
    ]
    assert set(made) - {"upload_file"} <= set(GIVES)
