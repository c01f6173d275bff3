import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.sse import Comment, Event, SseOverflowError, SseParser

WORDS = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",)))


def parsed(*pieces: bytes) -> list[Event | Comment]:
    parser = SseParser()
    return [item for piece in pieces for item in parser.feed(piece)]


def test_an_event_is_its_data_lines() -> None:
    assert parsed(b"data: one\ndata:two\n\n") == [Event("one\ntwo")]


def test_only_one_space_after_the_colon_is_no_data() -> None:
    assert parsed(b"data:  x\n\n: y\n") == [Event(" x"), Comment("y")]


def test_an_event_has_the_name_it_gives_itself() -> None:
    assert parsed(b"event: ping\ndata: {}\n\ndata: x\n\n") == [Event("{}", "ping"), Event("x")]


def test_a_comment_is_given_out_at_its_own_line_end() -> None:
    assert parsed(b": prefill_progress {}\n") == [Comment("prefill_progress {}")]
    assert parsed(b":\n") == [Comment("")]


def test_a_comment_inside_an_event_does_not_end_it() -> None:
    assert parsed(b"data: a\n: alive\ndata: b\n\n") == [Comment("alive"), Event("a\nb")]


def test_an_event_without_data_is_none() -> None:
    assert parsed(b"event: ping\n\nid: 7\nretry: 5\n\n\n\n") == []


def test_an_event_with_an_empty_data_line_is_one() -> None:
    assert parsed(b"data\n\ndata:\n\n") == [Event(""), Event("")]


def test_an_event_that_is_cut_off_is_never_given_out() -> None:
    assert parsed(b"data: whole\n\ndata: half\n") == [Event("whole")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_may_end_in_three_ways(end: bytes) -> None:
    assert parsed(b"data: a" + end + b"data: b" + end + end) == [Event("a\nb")]


def test_a_crlf_may_fall_apart_between_reads() -> None:
    assert parsed(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [Event("a\nb")]


def test_a_byte_order_mark_is_not_part_of_the_first_field() -> None:
    assert parsed(b"\xef\xbb\xbfdata: a\n\n") == [Event("a")]


def test_a_character_may_fall_apart_between_reads() -> None:
    data = "data: ✓\n\n".encode()
    assert parsed(*(bytes([byte]) for byte in data)) == [Event("✓")]


def test_bytes_that_are_no_text_do_not_stop_the_stream() -> None:
    assert parsed(b"data: \xff\n\ndata: b\n\n") == [Event("�"), Event("b")]


@given(
    events=st.lists(st.tuples(st.sampled_from(["data", "comment"]), WORDS), max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_it_does_not_matter_how_the_bytes_are_cut(
    events: list[tuple[str, str]], end: str, data: st.DataObject
) -> None:
    lines = [
        f"data: {text}{end}{end}" if kind == "data" else f": {text}{end}" for kind, text in events
    ]
    raw = "".join(lines).encode()
    places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    pieces = [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]
    expected = [Event(text) if kind == "data" else Comment(text) for kind, text in events]
    assert parsed(*pieces) == expected


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_can_break_it(pieces: list[bytes]) -> None:
    assert all(isinstance(item, Event | Comment) for item in parsed(*pieces))


@pytest.mark.parametrize(
    "pieces",
    [
        (b"data: " + b"x" * 200,),
        (b"data: " + b"x" * 60 + b"\n", b"data: " + b"x" * 60 + b"\n"),
        (b"x" * 60, b"x" * 60),
    ],
    ids=["a long line", "many lines", "no line at all"],
)
def test_it_holds_no_more_than_it_was_told_to(pieces: tuple[bytes, ...]) -> None:
    parser = SseParser(limit_bytes=100)
    *held, too_much = pieces
    assert [parser.feed(piece) for piece in held] == [[] for _ in held]
    with pytest.raises(SseOverflowError):
        parser.feed(too_much)


def test_any_number_of_events_may_pass_the_limit() -> None:
    parser = SseParser(limit_bytes=100)
    assert sum(len(parser.feed(b"data: " + b"x" * 60 + b"\n\n")) for _ in range(50)) == 50
