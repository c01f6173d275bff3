from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.listening.lexing import Kind, Lexer

TEXT = st.text(alphabet="ab’'3 .,:\n等?_-", max_size=60)


def test_tells_words_numbers_signs_and_chinese_characters_apart():
    units = Lexer().finish("Don’t add 1,240.5: 等等!\n")

    assert [(unit.kind, unit.text) for unit in units] == [
        (Kind.WORD, "don't"),
        (Kind.WORD, "add"),
        (Kind.NUMBER, "1,240.5"),
        (Kind.SIGN, ":"),
        (Kind.HAN, "等"),
        (Kind.HAN, "等"),
        (Kind.SIGN, "!"),
        (Kind.BREAK, "\n"),
    ]


def test_knows_where_each_unit_began():
    assert [unit.start for unit in Lexer().finish("  so, 12 ok")] == [2, 4, 6, 9]


@given(TEXT, st.integers(min_value=1, max_value=7))
def test_cuts_the_same_however_the_text_arrives(text: str, size: int):
    lexer = Lexer()
    units = [u for at in range(0, len(text), size) for u in lexer.feed(text[at : at + size])]

    assert units + lexer.finish() == Lexer().finish(text)


def test_holds_no_more_of_an_endless_string_than_a_few_units():
    lexer = Lexer()
    units = lexer.feed("ha" * 5000) + lexer.feed("1,2," * 5000) + lexer.feed("   " * 5000)

    assert len(units) > 1000
    assert max(len(unit.text) for unit in units) < 80
