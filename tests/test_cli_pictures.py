"""Pictures of the command line: plots, sketches, and those that a stored report holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.cli.pictures import checked
from ctcp_forensics.report import Report
from tests.command_line import COMMAND, ENVIRONMENT, FAILURE, HEALTHY, RED, on_terminal, run


def test_a_plot_is_drawn_beside_the_answer(tmp_path: Path) -> None:
    for name, begin in (("death.svg", b"<?xml"), ("death.png", b"\x89PNG")):
        if name.endswith(".png"):
            pytest.importorskip("resvg_py")
        told_ = run("analyze", FAILURE, "-q", "--plot", str(tmp_path / name))
        assert (told_.returncode, told_.stderr) == (1, "")
        assert (tmp_path / name).read_bytes().startswith(begin)


def test_a_picture_of_another_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    told_ = run("analyze", FAILURE, "--plot", str(tmp_path / "death.gif"))
    assert (told_.returncode, told_.stdout) == (2, "")
    assert told_.stderr.endswith("death.gif: name a file that ends in .svg or .png\n")


def test_a_capture_is_not_overwritten_by_its_picture(tmp_path: Path) -> None:
    capture = tmp_path / "capture.svg"
    capture.write_bytes(Path(FAILURE).read_bytes())
    told_ = run("analyze", str(capture), "--plot", str(capture))
    assert told_.returncode == 2
    assert capture.read_bytes() == Path(FAILURE).read_bytes()


@pytest.mark.parametrize("other", ["-o", "--report"])
def test_a_picture_takes_the_place_of_no_other_answer(other: str, tmp_path: Path) -> None:
    told_ = run("analyze", FAILURE, "--plot", "one.svg", other, "one.svg", cwd=tmp_path)
    assert (told_.returncode, told_.stdout) == (2, "")
    assert told_.stderr == "ctcp-diag: the picture cannot go to one.svg as well: name another file\n"
    assert list(tmp_path.iterdir()) == []


def test_a_png_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(Refused, match=r"pip install 'ctcp-forensics\[png\]'"):
        checked("death.png")


def test_standard_input_is_analyzed_and_not_drawn(tmp_path: Path) -> None:
    target = tmp_path / "death.svg"
    told_ = run("analyze", "-", "-q", "--plot", str(target), stdin=Path(FAILURE).read_bytes())
    assert told_.returncode == 1
    assert told_.stdout.startswith("1 of 1 flow: unanswered duplicate ACKs")
    assert "standard input cannot be read a second time" in told_.stderr
    assert not target.exists()


def test_the_sketch_follows_the_table_in_a_terminal_in_a_pipe_and_in_a_file(tmp_path: Path) -> None:
    assert "✗" in on_terminal("analyze", FAILURE, "-q", "--sketch", NO_COLOR="1")
    assert f"{RED}✗" in on_terminal("analyze", FAILURE, "-q", "--sketch")
    plain = run("analyze", FAILURE, "-q", "--sketch", "--color", "never").stdout
    assert "● duplicate ACK" in plain
    target = tmp_path / "told.txt"
    run("analyze", FAILURE, "-q", "--sketch", "-o", str(target))
    assert target.read_text() == plain


def test_a_terminal_without_the_signs_gets_ascii() -> None:
    told_ = subprocess.run(
        [*COMMAND, "analyze", FAILURE, "-q", "--sketch"],
        capture_output=True,
        env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert told_.stdout.isascii()
    assert b"o duplicate ACK" in told_.stdout


@pytest.mark.parametrize("asked", [["--pictures"], ["--sketch"]])
def test_pictures_are_kept_in_json_where_they_are_asked_for(asked: list[str]) -> None:
    kept = Report.from_json(run("analyze", FAILURE, "-f", "json", *asked).stdout.encode())
    assert [one.flow for one in kept.pictures] == [kept.flows[0].id]
    assert Report.from_json(run("analyze", FAILURE, "-f", "json").stdout.encode()).pictures == ()


def test_a_stored_picture_is_drawn_without_its_captures(tmp_path: Path) -> None:
    capture, kept = tmp_path / "failure-client.pcap", str(tmp_path / "kept.json")
    capture.write_bytes(Path(FAILURE).read_bytes())
    now, later = tmp_path / "now.svg", tmp_path / "later.svg"
    run("analyze", str(capture), "-f", "json", "--pictures", "-o", kept, "--plot", str(now))
    capture.unlink()
    told_ = run("render", "-q", kept, "--plot", str(later), "--sketch")
    assert (told_.returncode, told_.stderr) == (1, "")
    assert "● duplicate ACK" in told_.stdout
    assert later.read_bytes() == now.read_bytes()


def test_a_picture_that_was_not_kept_is_made_from_the_captures_or_missed(tmp_path: Path) -> None:
    capture, kept, target = tmp_path / "death.pcap", str(tmp_path / "kept.json"), tmp_path / "later.svg"
    capture.write_bytes(Path(FAILURE).read_bytes())
    run("analyze", str(capture), "-f", "json", "-o", kept)
    run("render", "-q", kept, "--plot", str(target))
    assert target.read_text().startswith("<?xml")
    capture.unlink()
    told_ = run("render", "-q", kept, "--plot", str(tmp_path / "none.svg"))
    assert told_.stderr == (
        f"ctcp-diag: {capture}: there is no such file; it is not drawn\n"
        "ctcp-diag: nothing is drawn: none of its captures can be read again\n"
    )


def test_a_damaged_picture_is_one_line(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    run("analyze", FAILURE, "-f", "json", "--pictures", "-o", str(kept))
    told_ = json.loads(kept.read_text())
    for spoil, complaint in (
        ({"flow": "nobody"}, "a picture names nobody, which the report does not have"),
        ({"direction": "sideways"}, "the picture of flow"),
        ({"places": [told_["pictures"][0]["places"][0] | {"pos": "x"}]}, "the picture of flow"),
    ):
        kept.write_text(json.dumps(told_ | {"pictures": [told_["pictures"][0] | spoil]}))
        ended = run("render", "-q", str(kept), "--plot", str(tmp_path / "none.svg"))
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert complaint in ended.stderr


def test_of_healthy_flows_one_is_drawn_and_of_none_none(tmp_path: Path) -> None:
    assert "Healthy" in run("analyze", HEALTHY, "-q", "--sketch").stdout
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(Path(FAILURE).read_bytes()[:24])
    assert run("analyze", str(empty), "-q", "--sketch").stderr.endswith(
        "nothing is drawn: no flow was judged\n"
    )
