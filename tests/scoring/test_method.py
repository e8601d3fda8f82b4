"""Methods: what a manifest may say, packages without running code, and reproduction."""

import importlib.metadata
import io
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from danseo.core.errors import Unavailable, Unfit
from danseo.scoring import environment as packages
from danseo.scoring.cell import Limits
from danseo.scoring.environment import Environment, environment
from danseo.scoring.method import Method, method, reproduce

NUMPY = f"numpy=={np.__version__}"
MANIFEST = {"entry": "main", "output": "prediction.npy", "requirements": [NUMPY], "seconds": 20}


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


@pytest.fixture
def numpy(tmp_path):
    return environment([NUMPY], tmp_path / "cache")


def made(script, **changes):
    return method(script.encode(), {**MANIFEST, **changes})


DOUBLE = """
import numpy as np
def main(data, out):
    np.save(out / "prediction.npy", 2 * np.load(data / "layers.npy"))
"""


def test_a_method_is_reproduced_to_the_last_element(numpy, tmp_path):
    (tmp_path / "layers.npy").write_bytes(npy(np.arange(6, dtype=np.uint8)))
    data = {"layers.npy": tmp_path / "layers.npy"}
    result = reproduce(made(DOUBLE), numpy, data, npy(2 * np.arange(6, dtype=np.uint8)))
    assert (result.identical, result.differing, result.furthest) == (True, 0, 0)
    assert np.load(io.BytesIO(result.prediction)).tolist() == [0, 2, 4, 6, 8, 10]


def test_a_rerun_that_comes_close_says_how_close(numpy):
    published = npy(np.array([0, 2, 4, 9, 8, 10], np.uint8))
    data = {"layers.npy": npy(np.arange(6, dtype=np.uint8))}
    result = reproduce(made(DOUBLE), numpy, data, published)
    assert (result.identical, result.differing, result.furthest) == (False, 166_666_667, 3)


def test_texts_are_compared_by_their_edit_distance(tmp_path):
    script = "def main(data, out): (out / 'text.txt').write_text('abcd')"
    found = made(script, output="text.txt", requirements=[])
    result = reproduce(found, Environment((), (), False), {}, b"abxd\n")
    assert (result.identical, result.differing) == (False, 250_000_000)


def test_a_learned_method_gives_inside_what_it_gives_outside(tmp_path):
    sklearn = importlib.metadata.version("scikit-learn")
    script = """
import numpy as np
from sklearn.linear_model import LogisticRegression
def main(data, out):
    x = np.random.default_rng(0).random((300, 4))
    model = LogisticRegression().fit(x, x.sum(1) > 2)
    np.save(out / "prediction.npy", np.rint(255 * model.predict_proba(x)[:, 1]).astype(np.uint8))
"""
    namespace = {}
    exec(script, namespace)
    namespace["main"](tmp_path, tmp_path)
    published = (tmp_path / "prediction.npy").read_bytes()
    found = made(script, requirements=[f"scikit-learn=={sklearn}"])
    there = environment(found.requirements, tmp_path / "cache")
    assert not there.built
    assert f"scikit-learn=={sklearn}" in there.distributions
    assert reproduce(found, there, {}, published).identical


def test_two_reruns_order_a_set_alike(tmp_path):
    script = "def main(data, out): (out / 'text.txt').write_text(' '.join(set('단서를연다')))"
    found = made(script, output="text.txt", requirements=[])
    first = reproduce(found, Environment((), (), False), {}, b"x")
    assert reproduce(found, Environment((), (), False), {}, first.prediction).identical


def test_a_wheel_is_run_by_its_entry(numpy):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as wheel:
        wheel.writestr("ink/__init__.py", "")
        wheel.writestr("ink/read.py", DOUBLE)
    found = method(out.getvalue(), {**MANIFEST, "entry": "ink.read:main"})
    data = {"layers.npy": npy(np.ones(2, np.uint8))}
    assert reproduce(found, numpy, data, npy(np.full(2, 2, np.uint8))).identical


def test_a_method_sees_the_public_data_and_no_truth(numpy, tmp_path):
    (tmp_path / "truth.npy").write_bytes(npy(np.ones(1, np.uint8)))
    script = f"""
import os, socket
import numpy as np
def main(data, out):
    seen = []
    for folder in ("/data", "/method", "/job", "/truth", {str(tmp_path)!r}):
        if os.path.exists(folder): seen += sorted(os.listdir(folder))
    print(seen)
    assert seen == ["a", "harness.py", "method.py"], seen
    try: open(data / "a", "w"); raise SystemExit("wrote the data")
    except OSError: pass
    np.save(out / "prediction.npy", np.ones(1, np.uint8))
"""
    assert reproduce(made(script), numpy, {"a": b"1"}, npy(np.ones(1, np.uint8))).identical


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("def main(data, out): pass", "wrote no prediction.npy"),
        ("def main(data, out): 1 / 0", "ZeroDivisionError"),
        ("def other(data, out): pass", "no attribute 'main'"),
        ("import danseo\ndef main(data, out): pass", "No module named 'danseo'"),
        ("def main(data, out):\n while True: pass", "limit of time"),
        ("def main(data, out): (out / 'prediction.npy').symlink_to('/data/a')", "not a regular"),
        (
            "import numpy as np\ndef main(d, o): np.save(o / 'prediction.npy', np.ones(1))",
            "floats",
        ),
        (
            "import numpy as np\ndef main(d, o): np.save(o / 'prediction.npy', np.ones(3, bool))",
            r"gives the shape \(3,\)",
        ),
    ],
)
def test_a_method_that_fails_is_told_why(numpy, script, words):
    limits = Limits(seconds=1 if "while" in script else 20)
    with pytest.raises(Unfit, match=words):
        reproduce(made(script), numpy, {"a": b"1"}, npy(np.ones(1, np.uint8)), limits)


def test_a_method_may_not_take_longer_than_its_author_said(numpy):
    with pytest.raises(Unfit, match="limit of time"):
        reproduce(
            made("def main(d, o):\n while True: pass", seconds=1), numpy, {}, npy(np.ones(1, bool))
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entry": "a b"}, "entry is 'a b'"),
        ({"entry": "module:main"}, "entry is"),
        ({"output": "../prediction.npy"}, "output is"),
        ({"output": "prediction.pkl"}, "output is"),
        ({"output": "a/b.npy"}, "output is"),
        ({"seconds": 0}, "asks for 0 s"),
        ({"seconds": True}, "seconds in the manifest is True"),
        ({"requirements": "numpy"}, "requirements in the manifest"),
        ({"requirements": ["numpy"]}, "not pinned"),
        ({"requirements": ["numpy>=2"]}, "not pinned"),
        ({"requirements": ["numpy==2.*"]}, "not pinned"),
        ({"requirements": ["numpy @ https://example.org/x.whl"]}, "not pinned"),
        ({"requirements": ["--index-url==1"]}, "not pinned"),
        ({"requirements": ["-r==1"]}, "not pinned"),
        ({"requirements": [7]}, "not pinned"),
        ({"requirements": ["a==1"] * 101}, "101 requirements"),
        ({"extra": 1}, "fields"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(changes, words):
    with pytest.raises(Unfit, match=words):
        made(DOUBLE, **changes)


def test_a_script_is_bounded():
    with pytest.raises(Unfit, match="0 bytes"):
        method(b"", MANIFEST)


def test_a_data_file_with_a_path_for_a_name_is_not_mounted(numpy):
    with pytest.raises(Unavailable, match=r"named '\.\./x'"):
        reproduce(made(DOUBLE), numpy, {"../x": b""}, npy(np.ones(1, bool)))


def wheel(folder, name, version, files):
    """Write a small wheel, with code that must not run while it is installed."""
    info = f"{name}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in members) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as out:
        for path, text in {**members, f"{info}/RECORD": record}.items():
            out.writestr(path, text)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of wheels that pip takes instead of a network."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_packages_are_fetched_once_without_running_their_code(shelf, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\nanswer = 42\n"
    wheel(
        shelf, "tinyink", "1.2", {"tinyink/__init__.py": code, "tinyink.pth": f"import os; {code}"}
    )
    there = environment(["tinyink==1.2"], tmp_path / "cache")
    assert there.built
    assert there.distributions == ("tinyink==1.2",)
    assert not ran.exists()
    monkeypatch.setattr(subprocess, "run", None)
    assert environment(["tinyink==1.2"], tmp_path / "cache") == there
    monkeypatch.undo()
    script = """
import sys, types
import builtins
real = builtins.open
builtins.open = lambda *a, **k: None
import tinyink
builtins.open = real
def main(data, out): (out / "n.csv").write_text(str(tinyink.answer))
"""
    found = made(script, requirements=["tinyink==1.2"], output="n.csv")
    assert reproduce(found, there, {}, b"42\n").identical


def test_a_source_package_is_never_built(shelf, tmp_path):
    ran = tmp_path / "ran"
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: tinyink\nVersion: 2.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "evil"\n'
        'backend-path = ["."]\n',
        "evil.py": f"open({str(ran)!r}, 'w')\n",
    }
    with tarfile.open(shelf / "tinyink-2.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tinyink-2.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    with pytest.raises(Unavailable, match=r"tinyink==2\.0"):
        environment(["tinyink==2.0"], tmp_path / "cache")
    assert not ran.exists()
    assert os.listdir(tmp_path / "cache") == []


def test_another_version_than_the_installed_one_is_not_satisfied_by_it(shelf, tmp_path):
    wheel(shelf, "numpy", "0.0.1", {"numpy/__init__.py": "old = True"})
    there = environment(["numpy==0.0.1"], tmp_path / "cache")
    assert there.built
    script = "import numpy\ndef main(d, o): (o / 'n.csv').write_text(str(int(numpy.old)))"
    found = made(script, requirements=["numpy==0.0.1"], output="n.csv")
    assert reproduce(found, there, {}, b"1").identical


def test_two_who_build_the_same_at_once_both_have_it(shelf, tmp_path):
    wheel(shelf, "tinyink", "1.2", {"tinyink/__init__.py": ""})
    program = (
        "import sys; from pathlib import Path; from danseo.scoring.environment import environment;"
        "print(environment(['tinyink==1.2'], Path(sys.argv[1])).distributions)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate()[0] for p in both] == ["('tinyink==1.2',)\n"] * 2
    assert len(os.listdir(tmp_path / "cache")) == 1


def test_no_requirements_need_no_packages(tmp_path):
    assert environment([], tmp_path) == Environment((), (), False)
    assert packages.check_requirements([]) == ()


def test_a_method_is_a_value():
    assert made(DOUBLE) == Method(DOUBLE.encode(), "main", (NUMPY,), "prediction.npy", 20)
