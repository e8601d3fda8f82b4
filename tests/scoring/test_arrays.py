"""The readers of strangers' files: right on good ones, exact in refusing all others."""

import contextlib
import io
import pickle
import resource
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin

from danseo.core.errors import Unfit
from danseo.scoring import arrays

DTYPES = ["bool", "int8", "uint8", "int16", ">u2", "int32", ">i4", "int64", "uint64"]


def npy(array, **keywords):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **keywords)
    return out.getvalue()


def png(array, **keywords):
    out = io.BytesIO()
    Image.fromarray(array).save(out, "png", **keywords)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(width, height, pixels, depth=8, colour=0, interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def header(text, version=1):
    data = text.encode()
    width = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(width, len(data)) + data


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda t: hnp.arrays(
            np.dtype(t),
            hnp.array_shapes(max_dims=4, max_side=6),
            elements={"min_value": 0, "max_value": 100} if t != "bool" else None,
        )
    ),
    st.sampled_from([(1, 0), (2, 0), (3, 0)]),
    st.booleans(),
)
def test_an_array_is_read_as_numpy_reads_it(array, version, fortran):
    array = np.asfortranarray(array) if fortran else array
    data = npy(array, version=version)
    ours = arrays.read(data)
    theirs = np.load(io.BytesIO(data), allow_pickle=False)
    assert np.array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype.newbyteorder("=")


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)), st.data())
def test_a_picture_is_read_as_pillow_reads_it(array, data):
    if data.draw(st.booleans()):
        array = np.cumsum(np.cumsum(array % 3, 0), 1).astype(np.uint8)  # so that filters are used
    found = arrays.read(png(array, optimize=data.draw(st.booleans())))
    assert np.array_equal(found, array)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_of_png_is_undone(kind):
    rng = np.random.default_rng(kind)
    rows = rng.integers(0, 256, (7, 12), dtype=np.uint8)
    rows[:, 0] = kind
    data = raw_png(11, 7, zlib.compress(rows.tobytes()))
    assert np.array_equal(arrays.read(data), np.asarray(Image.open(io.BytesIO(data))))


@given(st.lists(st.integers(1 - 2**53, 2**53 - 1), min_size=1), st.sampled_from(["\n", "\r\n"]))
def test_a_list_is_read_as_it_was_written(numbers, end):
    text = end.join(map(str, numbers)) + end
    assert arrays.read(text.encode()).tolist() == numbers


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"\x89PNG\r\n\x1a\n"]))
@example(b"", header("{'descr': '|u1', 'fortran_order': False, 'shape': ()}") + b"x")
def test_whatever_the_bytes_they_are_read_or_refused(tail, magic):
    with contextlib.suppress(Unfit):
        assert arrays.read(magic + tail).size


@given(st.data())
def test_a_damaged_file_is_refused_or_reads_as_integers(data):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    good = data.draw(st.sampled_from([npy(array), png(array)]))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    with contextlib.suppress(Unfit):
        assert arrays.read(bad).dtype.kind in "biu"


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


REFUSED = {
    "empty": (b"", "is empty"),
    "pickle": (pickle.dumps([1, 2]), "Line 1"),
    "pickled array": (npy(np.array([Evil()]), allow_pickle=True), "never loaded"),
    "floats": (npy(np.array([0.5])), "Quantise"),
    "NaN": (npy(np.array([np.nan])), "NaN or infinite"),
    "infinite": (npy(np.array([np.inf], np.float32)), "NaN or infinite"),
    "complex": (npy(np.array([1j])), "floats"),
    "text": (npy(np.array(["a"])), "dtype"),
    "dates": (npy(np.array(["2026-01-01"], "M8[D]")), "dtype"),
    "records": (npy(np.zeros(1, [("a", "u1")])), "not that of a plain array"),
    "no elements": (npy(np.zeros((0, 3), np.uint8)), "empty: its shape is"),
    "cut off": (npy(np.arange(9))[:-1], "promises 72 bytes of data"),
    "too long": (npy(np.arange(9)) + b"x", "holds 73"),
    "boolean 2": (npy(np.array([True]))[:-1] + b"\2", "other than 0 and 1"),
    "too large a number": (npy(np.array([2**53])), "9007199254740992"),
    "too small a number": (npy(np.array([-(2**53)])), "-9007199254740992"),
    "a number of 64 bits": (npy(np.array([2**64 - 1], np.uint64)), "18446744073709551615"),
    "version": (b"\x93NUMPY\x09\x00" + b"x" * 20, r"version is 9.0"),
    "huge header": (header(" " * 5000), "header has 5000"),
    "a header of 4 GB": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"x" * 9, "header has 4294967295"),
    "code for a header": (header("__import__('os').system('true')"), "not that of"),
    "promise": (
        header("{'descr': '<i8', 'fortran_order': False, 'shape': (999999999, 999999999), }"),
        "elements",
    ),
    "overflow": (
        header("{'descr': '<i8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"),
        "elements",
    ),
    "bad shape": (header("{'descr': '<i8', 'fortran_order': False, 'shape': (1,,2), }"), "shape"),
    "dimensions": (npy(np.zeros((1,) * 9, np.uint8)), "8 dimensions"),
    "archive": (b"PK\x03\x04" + b"x" * 30, "archive"),
    "list with a hole": (b"1\n\n3\n", "Line 2 is ''"),
    "list of floats": (b"1\n2.5\n", "Line 2 is '2.5'.* Quantise"),
    "list of nan": (b"nan\n", "Line 1 is 'nan'"),
    "list with spaces": (b"1 \n", "Line 1"),
    "list with others' digits": ("١\n".encode(), "Line 1"),
    "a line of a megabyte": (b"1" * 10**6, "Line 1 is '1{39,40}"),
    "picture bomb by size": (raw_png(10**5, 10**5, zlib.compress(b"\0")), "100000 x 100000"),
    "picture bomb by content": (raw_png(4, 4, zlib.compress(bytes(10**8))), "holds more"),
    "picture with too little": (raw_png(4, 4, zlib.compress(bytes(19))), "holds fewer"),
    "picture cut in its stream": (raw_png(4, 4, zlib.compress(bytes(20))[:-5]), "holds more"),
    "picture of no width": (raw_png(0, 4, zlib.compress(bytes(4))), "0 x 4"),
    "picture with a bad filter": (raw_png(1, 1, zlib.compress(b"\5\0")), "filter 5"),
    "picture not packed": (raw_png(4, 4, b"nonsense"), "do not unfold"),
    "colour": (png(np.zeros((2, 2, 3), np.uint8)), "colour type 2"),
    "sixteen bits": (png(np.zeros((2, 2), np.uint16)), "bit depth 16"),
    "alpha": (png(np.zeros((2, 2, 4), np.uint8)), "colour type 6"),
    "interlaced": (raw_png(2, 2, zlib.compress(bytes(6)), interlaced=1), "interlacing 1"),
    "picture cut off": (png(np.zeros((2, 2), np.uint8))[:-12], "cut off"),
    "picture with a tail": (png(np.zeros((2, 2), np.uint8)) + b"x", "1 bytes follow"),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_a_bad_file_is_refused_with_the_reason(data, words, capsys):
    with pytest.raises(Unfit, match=words):
        arrays.read(data)
    assert capsys.readouterr().out == ""


def test_a_text_bomb_in_a_picture_is_not_unfolded():
    text = PngImagePlugin.PngInfo()
    text.add_text("bomb", "x" * 10**7, zip=True)
    data = png(np.ones((2, 2), np.uint8), pnginfo=text)
    assert arrays.read(data).tolist() == [[1, 1], [1, 1]]


def npz(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


LABEL = npy(np.ones(3, bool))
ARCHIVES = {
    "no zip": (b"PK\x03\x04", "does not open"),
    "without the first": (npz(mask__npy=LABEL), "holds no label.npy"),
    "another name": (npz(label__npy=LABEL, other__npy=LABEL), "other.npy"),
    "a path": (npz(label__npy=LABEL, **{"../label__npy": LABEL}), r"\.\./label.npy"),
    "a member that is no array": (npz(label__npy=b"x"), "no .npy"),
    "a member of floats": (npz(label__npy=npy(np.array([0.5]))), "floats"),
    "a bomb": (npz(label__npy=LABEL + bytes(10**8)), "promises 3 bytes"),
}


@pytest.mark.parametrize(("data", "words"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_bad_archive_is_refused_with_the_reason(data, words):
    with pytest.raises(Unfit, match=words):
        arrays.read_npz(data, ("label", "mask"))


def test_an_archive_that_unfolds_beyond_the_limit_is_not_unfolded(monkeypatch):
    monkeypatch.setattr(arrays, "MAX_BYTES", 10**6)
    data = npz(label__npy=LABEL + bytes(10**8))
    with pytest.raises(Unfit, match="unfolds to 1000"):
        arrays.read_npz(data, ("label", "mask"))
    # A size that lies in the directory and in the header is not believed while unfolding either.
    size, lie = struct.pack("<I", len(LABEL) + 10**8), struct.pack("<I", 100)
    with pytest.raises(Unfit, match=r"does not open|unfolds to more|promises"):
        arrays.read_npz(data.replace(size, lie), ("label", "mask"))


def test_a_bomb_takes_no_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("promise", "picture bomb by size", "picture bomb by content", "a header of 4 GB"):
        with pytest.raises(Unfit):
            arrays.read(REFUSED[name][0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
