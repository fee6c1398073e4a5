"""Redacted reports: every text was thought of, nothing original is in any output, and all of it comes back."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import subprocess
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from ctcp_forensics.capture import Access
from ctcp_forensics.cli.pictures import with_pictures
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.redact import Key, Pseudonyms, RedactionError, redacted, undone, undone_text
from ctcp_forensics.redact.key import KeyFileError, read_key_file, text_of_key_file
from ctcp_forensics.redact.pseudonyms import ID_DIGITS, NO_NAMES
from ctcp_forensics.redact.reports import TEXTS, Text, is_worded, text_of
from ctcp_forensics.redact.words import Redactor
from ctcp_forensics.render import FORMATS, render
from ctcp_forensics.render.look import PLAIN, Depth, Look
from ctcp_forensics.report import Capture, Endpoint, Interface, Report
from tests import reports
from tests.command_line import run

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
KEY = Key(secret=bytes(range(32)))
LOOK = Look(depth=Depth.WHY, width=None, pen=PLAIN)
NAMED = {
    "client": SAMPLES / "failure-client.pcap",
    "asa-outside": SAMPLES / "failure-asa-outside.pcap",
    "asa-inside": SAMPLES / "failure-asa-inside.pcap",
}

ROLES = [f"--{vantage}={path}" for vantage, path in NAMED.items()]


@cache
def together() -> Report:
    found = diagnose([Source(path=str(path), vantage=vantage) for vantage, path in NAMED.items()], Options())
    return with_pictures(found, at_most=1, progress=None, access=Access.PUBLIC_ONLY)


def every_report() -> list[Report]:
    return [
        together(),
        *(
            diagnose([Source(path=str(SAMPLES / name), vantage=None)], Options())
            for name in ("nat-rebinding.pcap", "failure-reverse-asa-inside.pcapng", "app-port-10000.pcap")
        ),
        reports.damaged(),
        reports.empty(),
    ]


# --- the schema -----------------------------------------------------------------------------------


def structs(
    kind: type[msgspec.Struct], known: dict[type[msgspec.Struct], None]
) -> dict[type[msgspec.Struct], None]:
    """A struct and every one inside it."""
    if kind not in known:
        known[kind] = None
        told = inspect.type_info(kind)
        assert isinstance(told, inspect.StructType)
        for field in told.fields:
            for part in leaves(field.type):
                if isinstance(part, inspect.StructType):
                    structs(part.cls, known)
    return known


def leaves(kind: inspect.Type) -> list[inspect.Type]:
    match kind:
        case inspect.Metadata():
            return leaves(kind.type)
        case inspect.VarTupleType():
            return leaves(kind.item_type)
        case inspect.TupleType():
            return [one for item in kind.item_types for one in leaves(item)]
        case inspect.DictType():
            return leaves(kind.value_type)
        case inspect.UnionType():
            return [one for item in kind.types for one in leaves(item)]
        case inspect.StructType() | inspect.StrType() | inspect.IntType() | inspect.FloatType():
            return [kind]
        case inspect.BoolType() | inspect.NoneType():
            return [kind]
    raise AssertionError(f"the walk over a report does not know {kind}")


def texts() -> set[str]:
    """Every field of the contract that holds a text which is no word of an enumeration."""
    return {
        f"{kind.__name__}.{field.name}"
        for kind in structs(Report, {})
        for field in inspect.type_info(kind).fields  # type: ignore[attr-defined]
        if not is_worded(field.type) and any(isinstance(one, inspect.StrType) for one in leaves(field.type))
    }


def test_somebody_has_said_of_every_text_what_it_is() -> None:
    assert set(TEXTS) == texts()


def test_a_text_that_nobody_thought_of_is_read_like_a_sentence() -> None:
    class Later(msgspec.Struct):
        said: str = ""

    assert text_of(Later, "said") == Text.SENTENCE


def test_the_keys_of_mappings_are_ids_of_captures_and_stay() -> None:
    keys = {
        f"{kind.__name__}.{field.name}"
        for kind in structs(Report, {})
        for field in inspect.type_info(kind).fields  # type: ignore[attr-defined]
        if isinstance(getattr(field.type, "type", field.type), inspect.DictType)
    }
    assert keys == {
        "Ending.frame",
        "Episode.wanted_seq",
        "Episode.first_duplicate_ack_frame",
        "Episode.missing_segment_frame",
        "Episode.answered_frame",
        "Episode.passed_frame",
        "Evidence.frames",
        "Finding.display_filters",
    }


# --- nothing original, and everything back ----------------------------------------------------------


def originals(report: Report) -> set[str]:
    ends = [end for flow in report.flows for seen in flow.seen for end in (seen.client, seen.headend)]
    files = [Path(capture.source).name for capture in report.captures]
    hashes = [one for capture in report.captures for one in (capture.sha256, capture.blake3)]
    ids = [flow.id for flow in report.flows] + [finding.id for finding in report.findings]
    interfaces = [
        one.name for capture in report.captures for one in capture.interfaces if one.name not in NO_NAMES
    ]
    real_ids = [one for one in ids if len(one) == ID_DIGITS]
    return {*(end.address for end in ends), *files, *filter(None, hashes), *real_ids, *interfaces}


@pytest.mark.parametrize("form", FORMATS)
def test_no_original_is_in_any_output(form: str) -> None:
    for report in every_report():
        text = "".join(render(redacted(report, Pseudonyms(KEY)), form, LOOK))
        assert [one for one in originals(report) if one in text] == []
        assert str(ROOT) not in text


@pytest.mark.parametrize("form", ["table", "markdown", "ndjson", "json", "note"])
def test_every_output_but_csv_says_that_it_is_redacted(form: str) -> None:
    assert KEY.name in "".join(render(redacted(together(), Pseudonyms(KEY)), form, LOOK))


def test_undone_it_is_the_same_report_byte_for_byte() -> None:
    for report in every_report():
        pseudonyms = Pseudonyms(KEY)
        hidden = redacted(report, pseudonyms)
        assert hidden != report
        assert undone(hidden, KEY.name, pseudonyms.given).to_json() == report.to_json()


def test_the_same_key_gives_the_same_bytes_and_another_gives_others() -> None:
    one, again = (redacted(together(), Pseudonyms(KEY)).to_json() for _ in range(2))
    other = redacted(together(), Pseudonyms(Key(secret=bytes(32)))).to_json()
    assert one == again != other


def test_what_is_one_thing_has_one_pseudonym_in_every_output() -> None:
    """The table's text, undone, is the text of the original's table."""
    pseudonyms = Pseudonyms(KEY)
    hidden = redacted(together(), pseudonyms)
    for form in ("csv", "ndjson"):
        text = "".join(render(hidden, form, LOOK)).replace(
            f'"redacted_with":"{KEY.name}"', '"redacted_with":null'
        )
        assert undone_text(text, pseudonyms.given) == "".join(render(together(), form, LOOK))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports.anything(Report))
def test_any_report_can_be_redacted_and_no_source_is_left(report: Report) -> None:
    report = msgspec.structs.replace(report, redacted_with=None)
    hidden = redacted(report, Pseudonyms(KEY))
    for before, after in zip(report.captures, hidden.captures, strict=True):
        assert before.source == after.source or before.source not in after.source or len(before.source) < 9
    assert msgspec.structs.asdict(hidden.coverage)["frames"] == report.coverage.frames


# --- words in sentences ------------------------------------------------------------------------------


def redactor(sources: tuple[str, ...] = (), interfaces: tuple[str, ...] = ()) -> Redactor:
    return Redactor(Pseudonyms(KEY), sources, interfaces)


@pytest.mark.parametrize(
    "sentence",
    [
        "host 10.1.2.3 asks",
        "to 10.1.2.3.",
        "10.1.2.3:10000 and 10.1.2.3/24",
        "ip.addr == 10.1.2.3 && tcp.port == 10000",
        "[2001:db8::1]:10000",
        "2001:db8::1:60120 goes on",
        "ipv6.addr == 2001:db8::1, then",
        "2001:DB8:0:0:0:0:0:1 in long",
        "it ends at 2001:db8::1.",
        "on fe80::1%eth0",
        "a MAC 00:11:22:33:44:55 here",
        "a MAC 00-11-22-33-44-55 here",
        "a MAC 0011.2233.4455 of Cisco",
    ],
)
def test_addresses_are_found_however_they_are_spelled(sentence: str) -> None:
    pseudonyms = Pseudonyms(KEY)
    hidden = Redactor(pseudonyms, (), ())(sentence)
    for secret in ("10.1.2.3", "2001:db8::1", "2001:DB8", "fe80::1", "00:11:22", "00-11-22", "0011.2233"):
        assert secret not in hidden
    assert len(re.findall(r"\w+", hidden)) >= len(re.findall(r"\w+", sentence)) - 8
    assert (
        undone_text(hidden, pseudonyms.given).replace("2001:db8::1 in", "2001:DB8:0:0:0:0:0:1 in") == sentence
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "at 2026-11-23T21:27:10.913744Z for 3.7 s",
        "frames 185, 187, 190-191 of 12405",
        "mask 255.255.255.0 or 0.0.0.255",
        "byte 24: version 1.2.3",
        "00000000 … !Eli 10 … 0100",
        "95 % interval: 0.1 % to 4.5 %",
    ],
)
def test_numbers_and_times_stay(sentence: str) -> None:
    assert redactor()(sentence) == sentence


def test_names_are_replaced_as_whole_words_only() -> None:
    hide = redactor(("/cases/acme/a.pcap", "b.pcap"), ("acme0",))
    assert hide("a.pcap, ba.pcap, a.pcap.gz; a.pcapng").endswith(", ba.pcap, a.pcap.gz; a.pcapng")
    assert "acme" not in hide("in /cases/acme/a.pcap on acme0")
    assert hide("of b.pcap.") == f"of {Pseudonyms(KEY).source('b.pcap')}."


def test_a_name_that_is_a_word_of_the_report_names_nobody() -> None:
    assert (
        redactor(("client",), ("any",))("client to headend, in any frame")
        == "client to headend, in any frame"
    )


def test_a_path_has_the_pseudonyms_of_its_parts() -> None:
    pseudonyms = Pseudonyms(KEY)
    whole = pseudonyms.source("/home/alice/acme.pcap.gz")
    assert re.fullmatch(r"/folder-\w{8}/folder-\w{8}/capture-\w{8}\.pcap\.gz", whole)
    assert whole.endswith(pseudonyms.source("acme.pcap.gz"))
    assert pseudonyms.source("-") == "-"
    assert undone_text(f"see {whole}", pseudonyms.given) == "see /home/alice/acme.pcap.gz"


def test_what_was_never_given_is_left_alone() -> None:
    pseudonyms = Pseudonyms(KEY)
    hidden = pseudonyms.address("10.1.2.3")
    answer = f"Permit {hidden} to 8.8.8.8, see capture-00000000.pcap and {hidden}."
    assert undone_text(answer, pseudonyms.given) == (
        "Permit 10.1.2.3 to 8.8.8.8, see capture-00000000.pcap and 10.1.2.3."
    )


def test_private_names_of_interfaces_go() -> None:
    capture = Capture(
        id="c1",
        source="x.pcap",
        outcome="complete",
        interfaces=(
            Interface(index=0, link_type=1, name="acme-dmz"),
            Interface(index=1, link_type=1, name="any"),
        ),
    )
    report = msgspec.structs.replace(together(), captures=(capture,))
    names = [one.name for one in redacted(report, Pseudonyms(KEY)).captures[0].interfaces]
    assert names == [Pseudonyms(KEY).name("interface", "acme-dmz"), "any"]


def test_an_address_that_is_none_is_read_like_a_sentence() -> None:
    flow = msgspec.structs.replace(together().flows[0], client=Endpoint(address="host 10.1.2.3", port=1))
    report = msgspec.structs.replace(together(), flows=(flow,))
    assert "10.1.2.3" not in redacted(report, Pseudonyms(KEY)).flows[0].client.address


# --- keys -------------------------------------------------------------------------------------------


def test_a_report_is_redacted_once_and_undone_by_its_own_key() -> None:
    pseudonyms = Pseudonyms(KEY)
    hidden = redacted(together(), pseudonyms)
    with pytest.raises(RedactionError, match=f"redacted already, with key {KEY.name}"):
        redacted(hidden, pseudonyms)
    with pytest.raises(RedactionError, match="is not redacted"):
        undone(together(), KEY.name, {})
    with pytest.raises(RedactionError, match=f"with key {KEY.name}; this is key 0"):
        undone(hidden, "0", {})


def test_a_key_does_not_show_itself() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading_of_a_key_file(text: bytes) -> None:
    for some in (text, text_of_key_file(KEY) + text):
        with contextlib.suppress(KeyFileError):
            read_key_file(some)


# --- the command --------------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = str(tmp_path / "case.key")
    made = run("redact", "--new-key", path)
    assert (made.returncode, made.stdout) == (0, "")
    return path


def test_a_new_key_is_its_owners_alone_and_never_overwritten(key: str) -> None:
    assert stat.S_IMODE(Path(key).stat().st_mode) == 0o600
    before = Path(key).read_bytes()
    again = run("redact", "--new-key", key)
    assert (again.returncode, again.stderr) == (2, f"ctcp-diag: {key} exists; a key is not overwritten\n")
    assert Path(key).read_bytes() == before


@pytest.mark.parametrize("more", [["report.json"], ["--key", "old.key"], ["--undo"], ["-o", "report.json"]])
def test_who_makes_a_key_and_wants_more_is_told_that_nothing_else_is_done(
    more: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "case.key"
    answer = run("redact", "--new-key", str(path), *more)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "it makes a key and nothing else; --key takes it afterwards" in answer.stderr
    assert not path.exists()


def test_a_key_that_others_can_read_is_refused(key: str) -> None:
    Path(key).chmod(0o644)
    answer = run("analyze", "--redact", key, str(NAMED["client"]))
    assert answer.returncode == 2
    assert "can be read by others than its owner: `chmod 600` it" in answer.stderr


@pytest.mark.parametrize("command", [("analyze", str(NAMED["client"])), ("demo",)])
def test_the_key_is_no_output(key: str, command: tuple[str, ...]) -> None:
    before = Path(key).read_bytes()
    answer = run(*command, "--redact", key, "-o", key)
    assert (answer.returncode, answer.stderr) == (2, f"ctcp-diag: {key} is the key: it is not overwritten\n")
    assert Path(key).read_bytes() == before


def test_a_vendors_answer_is_mapped_back(key: str, tmp_path: Path) -> None:
    """From analysis to a stored report, a sentence of somebody else's about it, and back."""
    captures = [f"--{vantage}={path}" for vantage, path in NAMED.items()]
    plain = run("analyze", *captures, "--format", "json")
    hidden = tmp_path / "hidden.json"
    assert run("analyze", *captures, "--redact", key, "--format", "json", "-o", str(hidden)).returncode == 1
    report = json.loads(hidden.read_bytes())
    secret = json.loads(Path(key).read_bytes().splitlines()[0])["secret"]
    assert secret not in hidden.read_text()

    back = run("redact", "--undo", "--key", key, str(hidden))
    assert (back.returncode, back.stderr, back.stdout) == (0, "", plain.stdout)

    flow = report["flows"][0]
    name = report["captures"][0]["source"].rpartition("/")[2]
    answer = (
        f"Look at frame 185 of {name}: {flow['client']['address']} retries. {name}x 9.9.9.9 capture-01234567"
    )
    told = run("redact", "--undo", "--key", key, "-", stdin=answer.encode())
    assert told.stdout == (
        "Look at frame 185 of failure-client.pcap: 198.51.100.10 retries. failure-client.pcapx 9.9.9.9 capture-01234567"
    )
    assert told.stderr == "ctcp-diag: not given with this key, and left alone: capture-01234567\n"


@pytest.mark.parametrize("form", ["note", "markdown", "csv"])
def test_a_stored_report_is_rendered_under_pseudonyms(form: str, key: str, tmp_path: Path) -> None:
    stored = tmp_path / "report.json"
    run("analyze", *ROLES, "--format", "json", "-o", str(stored))
    later = run("render", str(stored), "--redact", key, "--format", form)
    at_once = run("analyze", *ROLES, "--redact", key, "--format", form)
    assert later.stdout == at_once.stdout != ""
    assert "198.51.100.10" not in later.stdout


def test_a_stored_report_is_redacted_as_its_analysis_is(key: str, tmp_path: Path) -> None:
    stored = tmp_path / "report.json"
    run("analyze", str(NAMED["client"]), "--format", "json", "-o", str(stored))
    later = run("redact", "--key", key, str(stored))
    at_once = run("analyze", str(NAMED["client"]), "--redact", key, "--format", "json")
    assert later.stdout == at_once.stdout != ""


def test_what_is_damaged_is_told_under_its_pseudonym_on_standard_error_too(key: str, tmp_path: Path) -> None:
    cut = tmp_path / "of-acme.pcap"
    cut.write_bytes(NAMED["client"].read_bytes()[:-7])
    answer = run("analyze", "--redact", key, str(cut), str(tmp_path / "acme-gone.pcap"))
    assert "acme" not in answer.stdout + answer.stderr
    assert "there is no such file" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("redact",), "--key"),
        (("redact", "--key", "KEY"), "FILE"),
        (
            ("redact", "--key", "no-such.key", "x"),
            "cannot read the key no-such.key: No such file or directory",
        ),
        (("redact", "--key", "README", "x"), "not a key file"),
        (("redact", "--key", "KEY", "README"), "not a ctcp-diag report"),
        (("redact", "--key", "KEY", "no-such.json"), "cannot read no-such.json"),
        (("analyze", "--redact", "README", "x.pcap"), "not a key file"),
    ],
)
def test_trouble_is_one_line_that_says_what_to_do(
    arguments: tuple[str, ...], says: str, key: str, tmp_path: Path
) -> None:
    readme = tmp_path / "README"
    readme.write_text("no key")
    readme.chmod(0o600)
    answer = run(*(key if one == "KEY" else one for one in arguments), cwd=tmp_path)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


# --- what is made of stored reports -------------------------------------------------------------------


ORIGINALS = ("198.51.100.", "203.0.113.", "failure-client", str(ROOT))


@pytest.fixture
def stored_report(tmp_path: Path) -> str:
    path = str(tmp_path / "report.json")
    run("analyze", "-f", "json", "-o", path, str(NAMED["client"]))
    return path


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_comparison_is_the_same_under_pseudonyms(form: str, stored_report: str, key: str) -> None:
    plain = run("compare", "-f", form, stored_report, stored_report)
    hidden = run("compare", "-f", form, "--redact", key, stored_report, stored_report)
    assert hidden.returncode == plain.returncode == 1
    assert not any(original in hidden.stdout for original in ORIGINALS)
    assert "are pseudonyms, by key " in hidden.stdout
    assert hidden.stdout.split(":")[0] == plain.stdout.split(":")[0]


def test_reports_under_two_keys_do_not_compare(stored_report: str, key: str, tmp_path: Path) -> None:
    hidden = str(tmp_path / "hidden.json")
    run("redact", "--key", key, stored_report, "-o", hidden)
    answer = run("compare", stored_report, hidden)
    assert answer.returncode == 3
    assert answer.stdout.startswith("cannot-be-told: the two reports are not under the pseudonyms of one key")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_fix_under_pseudonyms_names_nobody_and_says_that_it_is_not_for_pasting(
    form: str, stored_report: str, key: str
) -> None:
    asked = ("fix", stored_report, "--fix", "tcp-state-bypass", "-f", form)
    plain, hidden = run(*asked), run(*asked, "--redact", key)
    assert hidden.returncode == plain.returncode == 0
    assert not any(original in hidden.stdout for original in ORIGINALS)
    given = read_key_file(Path(key).read_bytes()).given
    if form == "text":
        assert "! Not for pasting: addresses are pseudonyms, by key " in hidden.stdout
        assert typed_lines(undone_text(hidden.stdout, given)) == typed_lines(plain.stdout)
    else:
        assert json.loads(plain.stdout)["pack"]["redacted_with"] is None
        assert json.loads(hidden.stdout)["pack"]["redacted_with"]


def typed_lines(pack: str) -> list[str]:
    """Without comments; the name of a list is made of its addresses, as they stand there."""
    nameless = re.sub("CTCP-DIAG-[0-9A-F]{8}", "NAME", pack)
    return [line for line in nameless.splitlines() if not line.startswith("!")]


def test_what_is_made_of_a_report_does_not_overwrite_the_key(stored_report: str, key: str) -> None:
    for asked in (("compare", stored_report), ("fix",)):
        answer = run(*asked, stored_report, "--redact", key, "-o", key)
        assert (answer.returncode, answer.stderr) == (
            2,
            f"ctcp-diag: {key} is the key: it is not overwritten\n",
        )


# --- the page and the pictures ------------------------------------------------------------------------


def test_page_plot_and_sketch_are_told_under_pseudonyms(key: str, tmp_path: Path) -> None:
    """Captures without a role, so that places are called by their files."""
    page, drawing = tmp_path / "page.html", tmp_path / "drawing.svg"
    captures = [str(SAMPLES / "window-stall.pcap"), str(NAMED["client"])]
    answer = run(
        "analyze", "--redact", key, "--report", str(page), "--plot", str(drawing), "--sketch", *captures
    )
    assert answer.returncode == 1
    told = page.read_text() + drawing.read_text() + answer.stdout + answer.stderr
    for original in ("198.51.100.10", "203.0.113.20", "window-stall.pcap", "failure-client", str(ROOT)):
        assert original not in told
    assert "are pseudonyms, by key " in page.read_text()


@pytest.mark.parametrize("option", ["--report", "--plot"])
def test_the_key_is_no_page_and_no_picture(option: str, tmp_path: Path) -> None:
    path = str(tmp_path / "key.svg")
    run("redact", "--new-key", path)
    before = Path(path).read_bytes()
    answer = run("analyze", "--redact", path, option, path, str(NAMED["client"]))
    assert (answer.returncode, answer.stderr) == (2, f"ctcp-diag: {path} is the key: it is not overwritten\n")
    assert Path(path).read_bytes() == before


# --- the annotated capture -------------------------------------------------------------------------------


def parts_of(capture: Path, *fields: str) -> list[str]:
    checked = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp")]
    told = subprocess.run(
        ["tshark", "-r", str(capture), "-T", "fields", *checked, *(f"-e{field}" for field in fields)],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()


def test_an_annotated_capture_holds_nothing_original_and_says_the_same(key: str, tmp_path: Path) -> None:
    plain, hidden = tmp_path / "plain.pcapng", tmp_path / "hidden.pcapng"
    assert run("annotate", *ROLES, "-o", str(plain)).returncode == 0
    answer = run("annotate", *ROLES, "--redact", key, "-o", str(hidden))
    assert answer.returncode == 0
    content = hidden.read_bytes()
    for end in ("198.51.100.10", "203.0.113.20"):
        assert end.encode() not in content
        assert ip_address(end).packed not in content
    assert b"failure-" not in content
    assert str(ROOT).encode() not in content
    assert b"MODIFIED" in content
    assert b"are pseudonyms, by key " in content
    alike = [
        "frame.number",
        "frame.len",
        "frame.time_epoch",
        "tcp.seq_raw",
        "tcp.checksum.status",
        "ip.checksum.status",
    ]
    assert parts_of(hidden, *alike) == parts_of(plain, *alike)
    given = read_key_file(Path(key).read_bytes()).given
    told = parts_of(plain, "ip.src", "eth.src", "frame.comment")
    assert [
        undone_text(line, given) for line in parts_of(hidden, "ip.src", "eth.src", "frame.comment")
    ] == told


@pytest.mark.parametrize("options", [(), ("--whole",)])
def test_an_annotated_capture_of_one_place_gives_the_redacted_report(
    options: tuple[str, ...], key: str, tmp_path: Path
) -> None:
    source = str(SAMPLES / "nat-rebinding.pcap")
    plain, hidden = tmp_path / "plain", tmp_path / "hidden"
    for folder, redaction in ((plain, ()), (hidden, ("--redact", key))):
        folder.mkdir()
        run("annotate", source, *options, *redaction, "-o", str(folder / "evidence.pcapng"))
    told, shown = (
        run("analyze", "--format", "csv", "evidence.pcapng", cwd=one).stdout for one in (plain, hidden)
    )
    assert "nat-rebinding" in told
    assert undone_text(rows_of(shown), read_key_file(Path(key).read_bytes()).given) == rows_of(told)


def rows_of(text: str) -> str:
    """Without ids, which are digests of true addresses in the one and of pseudonyms in the other."""
    return "\n".join(line.split(",", 2)[2] for line in text.splitlines())


def test_the_captures_of_a_redacted_report_cannot_be_found(key: str, tmp_path: Path) -> None:
    stored = tmp_path / "hidden.json"
    run("analyze", *ROLES, "--redact", key, "--format", "json", "-o", str(stored))
    answer = run("annotate", "--from", str(stored), "-o", str(tmp_path / "x.pcapng"))
    assert answer.returncode == 2
    assert "is redacted, so its captures cannot be found; undo it first" in answer.stderr


def test_a_torn_line_of_a_key_file_is_named(key: str, tmp_path: Path) -> None:
    with Path(key).open("ab") as file:
        file.write(b'["capture-0')
    answer = run("redact", "--undo", "--key", key, "-")
    assert answer.returncode == 2
    assert "line 2 is not a pseudonym and what it stands for; remove that line" in answer.stderr


def test_addresses_of_a_report_stay_addresses() -> None:
    hidden = redacted(together(), Pseudonyms(KEY))
    for flow in hidden.flows:
        assert str(ip_address(flow.client.address)) == flow.client.address
