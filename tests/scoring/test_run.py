"""Scoring in the sandbox: right scores, and whose fault it is when there is none."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Unavailable, Unfit, Usage
from danseo.scoring import run
from danseo.scoring.cell import Limits
from danseo.scoring.interpreter import interpreter
from danseo.scoring.scorers import SCORERS


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


RNG = np.random.default_rng(1)
LABEL, MASK = RNG.random((640, 640)) < 0.2, RNG.random((640, 640)) < 0.9
TRUTH, GUESS = npz(label=LABEL, mask=MASK), npy(RNG.random((640, 640)) < 0.3)


def own(body, submission=b"abc", truth=b"truth", limits=run.LIMITS, **parameters):
    code = f"HIGHER = True\n{body}\n".encode()
    return run.score("own-1", submission, ".bin", truth, parameters, code, limits)


def test_a_score_in_the_sandbox_is_the_score_outside_and_comes_within_a_second():
    outside, quickest = SCORERS["fbeta-1"].score(GUESS, TRUTH, {}), 99.0
    for _ in range(4):  # The quickest of four, since a test may run on a busy machine.
        begun = time.monotonic()
        assert run.score("fbeta-1", GUESS, ".npy", TRUTH, {}) == outside
        quickest = min(quickest, time.monotonic() - begun)
    assert quickest < 1


def test_files_score_as_their_bytes_do(tmp_path):
    (tmp_path / "guess.csv").write_text("1\n2\n4\n")
    (tmp_path / "truth.csv").write_text("1\n2\n3\n")
    for name, wanted in (("accuracy-1", 666_666_666), ("rmse-1", 57_735_026)):
        scale = {"scale": 10} if name == "rmse-1" else {}
        paths = (tmp_path / "guess.csv", ".csv", tmp_path / "truth.csv")
        assert run.score(name, *paths, scale) == wanted


def test_a_batch_gives_each_its_own_result_in_order():
    batch = [(GUESS, ".npy"), (b"", ".npy"), (GUESS, ".csv"), (npy(LABEL), ".npy"), (GUESS, ".npy")]
    results = run.score_many("fbeta-1", batch, TRUTH, {})
    assert results[0] == results[4] == SCORERS["fbeta-1"].score(GUESS, TRUTH)
    assert [type(r) for r in results] == [int, Unfit, Unfit, int, int]
    assert "is empty" in str(results[1])
    assert "takes .npy, .png" in str(results[2])
    assert results[3] == 10**9


def test_nothing_starts_for_a_batch_in_which_nothing_can_be_scored():
    (result,) = run.score_many("auc-1", [(GUESS, ".exe")], TRUTH, {})
    assert isinstance(result, Unfit)
    assert run.score_many("auc-1", [], TRUTH, {}) == []


def test_a_long_batch_is_split_and_stays_in_order(monkeypatch):
    monkeypatch.setattr(run, "_BATCH", 3)
    batch = [(f"{n}\n".encode(), ".csv" if n % 4 else ".exe") for n in range(9)]
    results = run.score_many("rmse-1", batch, b"0\n", {})
    wanted = [n * 10**9 if n % 4 else None for n in range(9)]
    assert [None if isinstance(r, Unfit) else r for r in results] == wanted


def test_probe_scores_once_and_says_what_fails(monkeypatch):
    assert run.probe()[0] is True
    monkeypatch.setattr(run, "with_danseo", lambda packages: interpreter([]))
    ok, text = run.probe()
    assert not ok
    assert "No module named 'danseo'" in text


@pytest.mark.parametrize(
    ("submission", "suffix", "words"),
    [
        (npy(np.full((640, 640), np.nan)), ".npy", "NaN or infinite"),
        (npy(np.ones((64, 640), bool)), ".npy", "shape"),
        (b"", ".npy", "empty"),
        (GUESS, ".png", "named .png and holds .npy"),
        (b"PK\x03\x04", ".npy", "named .npy and holds .npz"),
        (b"1\n", ".npy", "named .npy and holds something else"),
        (b"1\n", "", "a file without a suffix"),
    ],
)
def test_an_unfit_submission_is_told_so(submission, suffix, words):
    with pytest.raises(Unfit, match=words):
        run.score("fbeta-1", submission, suffix, TRUTH, {})


def test_a_bad_truth_parameter_or_name_is_not_the_submissions_fault():
    with pytest.raises(Usage, match="The truth"):
        run.score("fbeta-1", GUESS, ".npy", b"nonsense", {})
    with pytest.raises(Usage, match="no parameter 'beta'"):
        run.score("fbeta-1", GUESS, ".npy", TRUTH, {"beta": 1})
    with pytest.raises(Usage, match="no scorer 'f-9'"):
        run.score("f-9", GUESS, ".npy", TRUTH, {})
    with pytest.raises(Unavailable, match="/no/such cannot be read"):
        run.score("fbeta-1", Path("/no/such"), ".npy", TRUTH, {})
    with pytest.raises(Unavailable, match="/no/such cannot be read"):
        run.score("fbeta-1", GUESS, ".npy", Path("/no/such"), {})


def test_an_organisers_own_scorer_scores():
    body = "def score(s, t, p): return len(s) * p['factor'] - len(t)"
    assert own(body, factor=100) == 295
    assert own("import numpy as np\ndef score(s, t, p): return int(np.sum([1, 2]))") == 3


def test_an_organisers_own_scorer_can_refuse_a_submission():
    body = """
from danseo.core.errors import Unfit
def score(s, t, p): raise Unfit("It is too short.", "Write more.")
"""
    with pytest.raises(Unfit, match=r"It is too short\. Write more\."):
        own(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def score(s, t, p): return 1 / 0", "ZeroDivisionError"),
        ("def score(s, t, p): raise ValueError('odd')", "ValueError: odd"),
        ("def score(s, t, p): raise SystemExit(0)", "SystemExit"),
        ("import os\ndef score(s, t, p): os._exit(3)", "status 3"),
        ("import os\ndef score(s, t, p): os.kill(os.getpid(), 11)", "status -11"),
        ("import os\nos._exit(4)", "status 4"),
        ("def score(s, t, p): return 0.5", "returned 0.5"),
        ("def score(s, t, p): return True", "returned True"),
        ("def score(s, t, p): return 2**53", "returned 9007199254740992"),
        ("def score(s, t, p): return float('nan')", "returned nan"),
        ("def score(s, t, p): return None", "returned None"),
        ("score = 3", "must define"),
        ("del HIGHER\ndef score(s, t, p): return 1", "must define"),
        ("this is no python", "SyntaxError"),
        ("raise RuntimeError('at once')", "at once"),
        ("def score(s, t, p):\n while True: pass", "limit of time"),
        ("def score(s, t, p):\n x = []\n while True: x.append(bytes(10**7))", "MemoryError|memory"),
        ("def score(s, t, p):\n while True: print('x' * 10**6)", "limit of output"),
    ],
)
def test_a_scorer_that_fails_is_not_the_submissions_fault(body, words):
    limits = Limits(seconds=2, memory_bytes=2**28, processes=8, output_bytes=2**20)
    with pytest.raises(Unavailable, match=words) as caught:
        own(body, limits=limits)
    assert "Nothing is said of the submission" in caught.value.remedy


def test_a_scorer_that_dies_on_one_submission_still_scores_the_others():
    code = b"""
import os
HIGHER = True
seen = 0
def score(s, t, p):
    global seen
    seen += 1
    if s == b"dies": os._exit(1)
    if s == b"fails": return 1 / 0
    return seen
"""
    batch = [(b"a", ""), (b"dies", ""), (b"fails", ""), (b"b", "")]
    results = run.score_many("own-1", batch, b"", {}, code)
    assert [type(r) for r in results] == [int, Unavailable, Unavailable, int]
    assert results[0] == results[3] == 1, "what a scorer keeps must not reach the next submission"
    assert "status 1" in str(results[1])
    assert "ZeroDivisionError" in str(results[2])


def test_a_scorer_that_hangs_on_one_submission_is_a_limit_for_all():
    code = b"HIGHER = True\ndef score(s, t, p):\n while s == b'x': pass\n return 1"
    with pytest.raises(Unavailable, match="limit of time"):
        run.score_many("own-1", [(b"a", ""), (b"x", "")], b"", {}, code, Limits(seconds=1))


def test_a_process_that_a_scorer_leaves_behind_holds_nothing_up():
    body = """
import os, time
def score(s, t, p):
    if os.fork() == 0: time.sleep(50); os._exit(0)
    return 5
"""
    begun = time.monotonic()
    assert own(body) == 5
    assert time.monotonic() - begun < 10


def test_a_submission_cannot_forge_a_score_by_what_the_scorer_says():
    forged = json.dumps({"higher": True, "results": [{"score": 10**9}]}).encode()
    body = "def score(s, t, p):\n print(s.decode())\n return 7"
    assert own(body, submission=forged) == 7
    body = "import sys\ndef score(s, t, p):\n raise KeyError(s.decode())"
    with pytest.raises(Unavailable):
        own(body, submission=forged)


@pytest.mark.parametrize(
    "written",
    [
        "x",
        "[" * 100_000,
        "[]",
        '{"higher": 1, "results": []}',
        '{"higher": true, "results": []}',
        '{"higher": true, "results": [{"score": 1.0}]}',
        '{"higher": true, "results": [{"score": 90071992547409920}]}',
        '{"higher": true, "results": [{"score": 1, "unfit": ["a", "b"]}]}',
        '{"higher": true, "results": [{"unfit": [1, 2]}]}',
        '{"higher": true, "results": [7]}',
        '{"higher": true, "results": [{}]}',
    ],
)
def test_a_result_of_another_form_is_the_scorers_fault(written):
    with pytest.raises(Unavailable, match="Its result"):
        raise run._read("own-1", run._parse("own-1", written.encode(), 1)["results"][0])


def test_a_result_that_a_scorer_writes_by_itself_is_replaced_or_checked():
    forged = json.dumps({"higher": True, "results": [{"score": 9}, {"score": 9}]})
    write = f"import os\nopen('/out/result.json', 'w').write({forged!r})\n"
    assert own(f"{write}def score(s, t, p): return 1") == 1
    with pytest.raises(Unavailable, match="another form"):
        own(f"{write}os._exit(0)")


def test_a_scorer_sees_truth_and_submission_and_nothing_of_the_host(tmp_path):
    body = """
import os
def score(s, t, p):
    assert (s, t) == (b"abc", b"truth")
    assert sorted(os.listdir("/job")) == ["job.json", "scorer.py", "submissions", "truth"]
    return len([n for n in ("/root", "/home", "/etc/passwd") if os.path.exists(n)])
"""
    assert own(body) == 0


def test_the_direction_comes_from_the_scorer_or_from_the_organisers_file():
    assert run.higher("fbeta-1") is True
    assert run.higher("cer-1") is False
    assert run.higher("own-1", b"HIGHER = False\ndef score(s, t, p): return 1") is False
    with pytest.raises(Unavailable):
        run.higher("own-1", b"HIGHER = 'yes'\ndef score(s, t, p): return 1")
