"""The sandbox in ordinary use, and where it cannot be had. Attacks have a file of their own."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from danseo.core.errors import Unavailable, Usage
from danseo.scoring import cell, sandbox, seccomp
from danseo.scoring.cell import Limits
from tests.scoring.cage import USERS, attack


def sh(script, **keywords):
    return sandbox.run(["/bin/sh", "-c", script], **keywords)


@pytest.mark.parametrize("user", USERS)
def test_outputs_words_and_status_come_back(user):
    program = """
import os, sys
os.mkdir("d")
open("d/a", "w").write("one")
open("/out/b", "w").write(open("/in/data").read())
print("said", sys.stdin.read()); print("complained", file=sys.stderr); sys.exit(3)
"""
    files = {"/in/data": b"two"}
    result = attack(user, program, files=files, stdin=b"heard")
    assert (result.code, result.stopped, result.ended_well) == (3, "", False)
    assert result.outputs == {"d/a": b"one", "b": b"two"}
    assert (result.stdout, result.stderr) == ("said heard\n", "complained\n")
    assert result.processes >= 1
    assert 0 < result.seconds < 10


def test_a_folder_and_a_file_are_bound_read_only(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x").write_text("x")
    (tmp_path / "file").write_text("f")
    result = sh(
        "cat /a/b/x /c/file; echo > /a/b/x; echo > /c/file; rm /a/b/x; touch /a/b/y",
        read_only={"/a/b": tmp_path / "folder", "/c/file": tmp_path / "file"},
    )
    assert result.stdout == "xf"
    assert (tmp_path / "folder/x").read_text() == "x"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder", "x"]


def test_a_file_that_only_its_owner_may_read_can_still_be_given(tmp_path):
    secret = tmp_path / "private"
    secret.write_text("mine")
    secret.chmod(stat.S_IRUSR)
    assert sh("cat /data/private", read_only={"/data/private": secret}).stdout == "mine"


def test_a_long_input_goes_through_and_may_be_ignored():
    text = os.urandom(3 * 10**6)
    limits = Limits(seconds=20, output_bytes=2**23)
    assert sh("cat > copy", stdin=text, limits=limits).outputs["copy"] == text
    assert sh("exit 0", stdin=text).ended_well
    assert sh("exec <&-; sleep .1", stdin=text).ended_well


def test_only_the_end_of_what_is_said_is_kept():
    result = sh("seq 100000; seq 100000 >&2; echo end")
    assert result.stdout.endswith("100000\nend\n")
    assert len(result.stdout) == len(result.stderr) == sandbox.TAIL


def test_a_program_killed_by_a_signal_has_its_status():
    assert sh("kill -9 $$").code == 137
    assert sandbox.run(["/no/such/program"]).code == 127


def test_the_surroundings_are_the_same_on_every_machine():
    out = sh("env | sort; hostname; id -un; pwd; umask").stdout
    assert "PYTHONHASHSEED=0\n" in out
    assert "OMP_NUM_THREADS=1\n" in out
    assert "danseo\n" in out
    assert "/out\n" in out


def test_progress_is_told_while_it_runs():
    seen = []
    sh("dd if=/dev/zero of=x bs=1000000 count=3 2>&1; sleep 1.3", progress=seen.append)
    assert len(seen) >= 2
    assert seen[-1].output >= 3_000_000
    assert seen[-1].files == 1
    assert seen[-1].memory >= seen[-1].output


def test_an_error_in_the_callers_progress_ends_the_sandbox():
    def stop(load):
        raise KeyboardInterrupt

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt):
        sh("exec sleep 97531", progress=stop)
    running = subprocess.run(["pgrep", "-f", "^sleep 97531"], capture_output=True, check=False)
    assert running.returncode == 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_handle_is_left_open():
    sh("true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        sh("echo x > x; yes | head -c 100000")
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_runs_from_a_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(sh("echo hello")))
    thread.start()
    thread.join()
    assert results[0].stdout == "hello\n"


def test_probe_says_that_it_works():
    ok, text = sandbox.probe()
    assert ok, text
    assert text.startswith("The sandbox works")


def test_without_bubblewrap_nothing_runs_and_the_remedy_is_one_command(monkeypatch, tmp_path):
    monkeypatch.setattr(cell.shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(Unavailable, match="needs bwrap") as caught:
        sandbox.run(["/bin/true"])
    assert caught.value.remedy == "Install it: sudo apt-get install -y bubblewrap util-linux"
    assert sandbox.probe() == (False, str(caught.value))


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns"),
        ("bwrap: No permissions to create new namespace", "--security-opt"),
        ("bwrap: Unknown option --size", "bubblewrap 0.7"),
        ("bwrap: something else", "doctor"),
    ],
)
def test_a_bubblewrap_that_cannot_start_is_explained(monkeypatch, tmp_path, words, remedy):
    broken = tmp_path / "bwrap"
    broken.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    broken.chmod(0o755)
    found = cell.shutil.which
    monkeypatch.setattr(
        cell.shutil, "which", lambda n, path=None: str(broken) if n == "bwrap" else found(n)
    )
    with pytest.raises(Unavailable, match="cannot make a sandbox") as caught:
        sandbox.run(["/bin/true"])
    assert words in caught.value.message
    assert remedy in caught.value.remedy
    assert sandbox.probe()[0] is False


@pytest.mark.parametrize("user", USERS)
def test_where_namespaces_are_forbidden_the_probe_says_what_to_do(user):
    home = Path(cell.__file__).parent.parent
    program = """
import sys
sys.path.insert(0, "/lib-under-test")
from danseo.scoring import sandbox
print(sandbox.probe())
"""
    result = attack(user, program, files={"/lib-under-test/danseo": home})
    assert result.stdout.startswith("(False, 'bubblewrap cannot make a sandbox: "), result.stderr
    assert "forbids user namespaces" in result.stdout


def test_a_machine_with_lower_limits_of_its_own_keeps_them():
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
        "from danseo.scoring import sandbox;"
        "print(sandbox.run(['/bin/sh', '-c', 'ulimit -n']).stdout, sandbox.probe())"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout.startswith("100\n (True")


def test_an_input_that_is_not_there_is_named():
    with pytest.raises(Unavailable, match="/no/such/file cannot be read"):
        sh("true", read_only={"/x": Path("/no/such/file")})
    for inside in ("relative", "/a/../b", ""):
        with pytest.raises(Usage, match="not absolute"):
            sh("true", read_only={inside: b""})


def test_a_limit_below_one_makes_no_sense():
    with pytest.raises(Usage, match="seconds is 0"):
        Limits(seconds=0)


def test_the_filter_exists_for_both_processors_and_for_no_other():
    for machine in ("x86_64", "aarch64"):
        program = seccomp.program(machine)
        assert program is not None
        assert len(program) % 8 == 0
    assert seccomp.program("vax") is None
