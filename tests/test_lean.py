"""What a start is spared: each stands for something, and has to be as good as that."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcp_forensics._kernel import rows
from ctcp_forensics.capture import digest
from ctcp_forensics.capture.digest import SHORT_LEN, Sha256, sha256_of

ROOT = Path(__file__).parents[1]

# --- rows ------------------------------------------------------------------------------------------

ROWS = [getattr(rows, name) for names in rows.ELSEWHERE.values() for name in names if name.endswith("Row")]


def twin_of(row: Any) -> Any:
    """The same fields, made by `typing`."""
    return NamedTuple(row.__name__, [(name, int) for name in row._fields])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_a_row_is_what_a_named_tuple_is(row: Any) -> None:
    twin, values = twin_of(row), range(100, 100 + len(row._fields))
    one, other = row(*values), twin(*values)
    assert one == other == tuple(values)
    assert repr(one) == repr(other)
    assert one._asdict() == other._asdict()
    assert hash(one) == hash(other)
    assert row.__match_args__ == twin.__match_args__
    assert (
        row._make(values)
        == twin._make(values)
        == row(**one._asdict())
        == row(*values[:2], **dict([*one._asdict().items()][2:]))
    )
    last = row._fields[-1]
    assert one._replace(**{last: 7}) == other._replace(**{last: 7})
    assert [getattr(one, name) for name in row._fields] == list(values)
    for copied in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301
        assert copied == one
        assert type(copied) is row
    assert not hasattr(one, "__dict__")
    assert set(get_type_hints(row)) == set(row._fields)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_a_row_takes_what_it_has_fields_for(row: Any) -> None:
    values = [*range(len(row._fields))]
    for wrong in ([], values[:-1], [*values, 1]):
        with pytest.raises(TypeError, match=row.__name__):
            row(*wrong)
        with pytest.raises(TypeError, match=f"{row.__name__} has {len(values)} fields, not {len(wrong)}"):
            row._make(wrong)
    with pytest.raises(TypeError, match=row.__name__):
        row(*values, **{row._fields[0]: 1})
    with pytest.raises(TypeError, match=row.__name__):
        row(*values[:-1], no_such_field=1)
    with pytest.raises(TypeError, match=row.__name__):
        row(*values)._replace(no_such_field=1)


def test_a_row_passes_through_msgpack() -> None:
    row = rows.HoleRow(*range(len(rows.HoleRow._fields)))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=rows.HoleRow)
    assert again == row
    assert type(again) is rows.HoleRow


# --- hashes ----------------------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from([0, 1, 63, 64, 1000, SHORT_LEN - 1000, SHORT_LEN - 1, SHORT_LEN, SHORT_LEN + 1]),
        max_size=5,
    )
)
def test_what_is_short_and_what_is_long_have_the_hash_that_everybody_knows(lengths: list[int]) -> None:
    found, known = Sha256(), hashlib.sha256()
    for number, length in enumerate(lengths):
        block = bytes([number]) * length
        found.update(memoryview(block))
        known.update(block)
    assert found.hexdigest() == known.hexdigest()
    assert found.hexdigest() == known.hexdigest()


def test_a_block_may_be_overwritten_once_it_is_hashed() -> None:
    block, found = bytearray(b"first"), Sha256()
    found.update(memoryview(block))
    block[:] = b"other"
    assert found.hexdigest() == sha256_of(b"first") == hashlib.sha256(b"first").hexdigest()


def test_where_python_has_no_hash_of_its_own_openssl_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    known = hashlib.sha256(b"abc").hexdigest()
    monkeypatch.delitem(sys.modules, "_hashlib")
    digest._own_sha256.cache_clear()
    for name in ("_sha2", "_sha256"):
        monkeypatch.setitem(sys.modules, name, None)
    assert sha256_of(b"abc") == known


# --- what msgspec asks for -------------------------------------------------------------------------

BEHIND_AN_ANALYSIS = """
import sys
from ctcp_forensics.cli import main
main(["analyze", "samples/healthy.pcap", "-f", "json", "-o", sys.argv[1]])
"""


def afterwards(*statements: str) -> None:
    """They hold in a process that has run an analysis."""
    code = BEHIND_AN_ANALYSIS + "\n".join(statements)
    subprocess.run([sys.executable, "-c", code, os.devnull], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "name",
    ["platform", "textwrap", "datetime", "typing_extensions"]
    + [f"msgspec.{part}" for part in ("inspect", "msgpack", "toml", "yaml")],
)
def test_what_stood_in_for_a_module_is_gone_and_the_module_can_be_had(name: str) -> None:
    afterwards(
        f"assert {name!r} not in sys.modules",
        f"import importlib; found = importlib.import_module({name!r})",
        f"assert found is sys.modules[{name!r}] and found.__spec__ is not None and found.__file__",
    )


def test_the_schema_can_be_told_behind_an_analysis() -> None:
    afterwards(
        "from ctcp_forensics.report.published import schema_json",
        "assert schema_json() == open('ctcp_forensics/report.schema.json', 'rb').read()",
    )


def test_datetimes_and_uuids_are_what_they_are_for_everybody() -> None:
    afterwards(
        "import datetime, msgspec, platform, uuid",
        "now = datetime.datetime(2026, 11, 27, tzinfo=datetime.timezone.utc)",
        "assert msgspec.json.decode(msgspec.json.encode(now), type=datetime.datetime) == now",
        "one = uuid.UUID(int=7)",
        "assert msgspec.json.decode(msgspec.json.encode(one), type=uuid.UUID) == one",
        "assert platform.system() == platform.uname().system",
    )


def test_what_was_loaded_already_stays_as_it_is() -> None:
    code = "import platform, sys; from ctcp_forensics.cli.lean import load_records; load_records(); import msgspec;"
    code += "assert sys.modules['platform'] is platform and platform.machine()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_stand_in_that_is_asked_for_more_makes_way() -> None:
    code = "import sys; from ctcp_forensics.cli.lean import Later; one = sys.modules['colorsys'] = Later('colorsys');"
    code += "assert one.rgb_to_hls(0, 0, 0) == (0.0, 0.0, 0.0); assert sys.modules['colorsys'] is not one"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
