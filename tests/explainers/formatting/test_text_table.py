"""Tables and bars in a terminal."""

from automl_explain.explainers.formatting._bars import bars
from automl_explain.explainers.formatting._text_table import Column, TextTable, beside, wrapped


def test_columns_are_aligned_and_cells_on_one_line():
    table = TextTable((Column("name"), Column("n", is_number=True)), (("a\nb", "1"), ("", "-200")))
    assert table.as_text().splitlines() == ["name     n", "----  ----", "a b      1", "      -200"]


def test_long_cells_are_shortened_to_their_column_and_the_last_one_to_the_line():
    table = TextTable((Column("a", width=10), Column("b")), (("x" * 50, "y" * 500),))
    lines = table.as_text(40).splitlines()
    assert max(map(len, lines)) == 40
    assert lines[2].startswith("xxxxxx…xxx  ")
    narrow = table.as_text(5).splitlines()
    assert len(narrow[0]) <= len(narrow[2]) == 10 + 2 + 12


def test_blocks_stand_beside_each_other_while_there_is_room():
    blocks = [["head", "----", "a 1"], ["h", "-----", "bbb 2"], ["c", "-", "3"]]
    assert beside(blocks, 18).splitlines() == [
        "head   h", "----   -----", "a 1    bbb 2", "", "c", "-", "3",
    ]  # fmt: skip


def test_wrapped_lines_are_indented():
    assert wrapped("one two three", 8) == "one two\n  three"


def test_bars_are_relative_to_the_largest_absolute_value():
    found = bars(["a", "b", "c"], [-2.0, 1.0, 0.0])
    assert [bar.length for bar in found] == [1.0, 0.5, 0.0]
    assert [bar.as_text for bar in found] == ["#" * 30, "#" * 15, ""]
    assert [bar.length for bar in bars(["a"], [0.0])] == [0.0]
