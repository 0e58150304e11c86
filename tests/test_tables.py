"""Tables of several models."""

import pytest

from compact_proofs.errors import BadInput
from compact_proofs.tables import Table, number_text, spread


def table(*rows):
    return Table("s", "Title", "Caption.", ("what", "value"), rows)


def test_spread_is_mean_and_deviation():
    over = spread([table(("a", (1.0,)), ("b", (None,))), table(("a", (3.0,)), ("b", (None,)))])
    assert over.headings == ("what", "value, mean", "sd")
    assert over.rows == (("a", (2.0, 2.0**0.5)), ("b", (None, None)))


def test_spread_of_unlike_tables_is_refused():
    with pytest.raises(BadInput, match="different rows"):
        spread([table(("a", (1.0,))), table(("b", (1.0,)))])


def test_numbers():
    assert [number_text(n) for n in (None, 1234567.0, 0.99951234567, 0.00001234)] == ["-", "1,234,567", "0.999512", "1.234e-05"]
