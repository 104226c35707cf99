import pytest

from config.tracing import Trace, read

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("given", "sampled"),
    [
        pytest.param(GIVEN, True, id="sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", False, id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-fe", False, id="only flags nobody knows"),
        pytest.param(f"00-{TRACE}-{SPAN}-ff", True, id="all flags"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01", True, id="a version to come"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-more.of:it", True, id="one with more in it"),
    ],
)
def test_a_valid_parent_is_followed(given: str, sampled: bool) -> None:
    assert read(given, "") == Trace(TRACE, sampled)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="empty"),
        pytest.param(GIVEN.upper(), id="upper case"),
        pytest.param(f" {GIVEN}", id="space before"),
        pytest.param(f"{GIVEN}\n", id="line end"),
        pytest.param(f"{GIVEN}-", id="more than version 00 has"),
        pytest.param(f"{GIVEN}-what", id="much more than version 00 has"),
        pytest.param(f"{GIVEN},{GIVEN}", id="twice"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", id="version ff"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01more", id="more without a dash"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no span"),
        pytest.param(f"00-{TRACE[1:]}-{SPAN}-01", id="short trace"),
        pytest.param(f"00-{TRACE}0-{SPAN}-01", id="long trace"),
        pytest.param(f"00-{TRACE}-{SPAN[1:]}g-01", id="no digit"),
        pytest.param(f"00-{TRACE}-{SPAN}", id="no flags"),
        pytest.param(f"0-{TRACE}-{SPAN}-01", id="short version"),
        pytest.param(GIVEN.replace("4", "\N{SUPERSCRIPT FOUR}"), id="digits of others"),
    ],
)
def test_anything_else_is_not(given: str) -> None:
    assert read(given, "a=1") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("congo=t61rcWkgMzE", "congo=t61rcWkgMzE", id="one"),
        pytest.param("a=1, b=2 ,\tc=3", "a=1,b=2,c=3", id="several"),
        pytest.param("a=1,,b=2,", "a=1,b=2", id="empty ones"),
        pytest.param("tenant@system=x y!~", "tenant@system=x y!~", id="a tenant"),
        pytest.param(f"a={'x' * 256}", f"a={'x' * 256}", id="longest value"),
        pytest.param(",".join(f"k{n}=v" for n in range(32)), None, id="most members"),
        pytest.param(",".join(f"k{n}=v" for n in range(33)), "", id="too many members"),
        pytest.param(f"a={'x' * 257}", "", id="too long a value"),
        pytest.param(f"a={'x' * 255},b={'x' * 252}", None, id="longest state"),
        pytest.param(f"a={'x' * 255},b={'x' * 253}", "", id="too long a state"),
        pytest.param("a=1,a=2", "", id="a key twice"),
        pytest.param("A=1", "", id="upper case"),
        pytest.param("a", "", id="no value"),
        pytest.param("a=", "", id="empty value"),
        pytest.param("a=b=c", "", id="an equals sign"),
        pytest.param("a=\x1b[2J", "", id="an escape"),
        pytest.param("a=1\r\nX-Injected: 1", "", id="a line end"),
        pytest.param("a=é", "", id="not ASCII"),
    ],
)
def test_the_state_is_passed_on_whole_or_not_at_all(given: str, kept: str | None) -> None:
    trace = read(GIVEN, given)
    assert trace is not None
    assert trace.state == (given if kept is None else kept)


def test_a_call_is_a_span_of_its_own_within_the_trace() -> None:
    trace = read(GIVEN, "a=1")
    assert trace is not None
    span = "b7ad6b7169203331"
    assert trace.onward(span) == {"traceparent": f"00-{TRACE}-{span}-01", "tracestate": "a=1"}
    assert Trace(TRACE).onward(span) == {"traceparent": f"00-{TRACE}-{span}-00"}
