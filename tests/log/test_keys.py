"""The keystore: what it writes, refuses and gives back."""

from __future__ import annotations

import json
import stat

import eth_keyfile
import pytest
from nacl.signing import SigningKey

from danseo.core.errors import Malformed, NotFound, Unavailable, Usage
from danseo.log import keys
from danseo.log.sealing import SealingKey

FAST = 2**10


def test_an_encrypted_key_comes_back_with_its_password(tmp_path):
    made = keys.create(tmp_path, "scorer-a", "open sesame", work=FAST)
    assert keys.load(tmp_path, "scorer-a", "open sesame").secret == made.secret
    with pytest.raises(Usage, match="wrong"):
        keys.load(tmp_path, "scorer-a", "open sesam")
    with pytest.raises(Usage, match="encrypted"):
        keys.load(tmp_path, "scorer-a")


def test_the_file_is_an_ethereum_keyfile_and_shows_no_secret(tmp_path):
    made = keys.create(tmp_path, "scorer-a", "비밀", work=FAST)
    text = (tmp_path / "scorer-a.json").read_text()
    assert eth_keyfile.decode_keyfile_json(json.loads(text), "비밀".encode()) == made.secret
    assert made.secret.hex() not in text


def test_by_default_a_password_costs_as_much_as_in_ethereum_wallets(tmp_path):
    keys.create(tmp_path, "scorer-a", "password")
    crypto = json.loads((tmp_path / "scorer-a.json").read_text())["crypto"]
    assert (crypto["kdf"], crypto["kdfparams"]["n"]) == ("scrypt", 2**18)


def test_a_plain_key_needs_no_password(tmp_path):
    made = keys.create(tmp_path, "demo", None)
    assert keys.load(tmp_path, "demo").secret == made.secret
    assert not keys.show(tmp_path, "demo").encrypted


@pytest.mark.parametrize("password", [None, "password"])
def test_only_the_owner_can_read_the_file(tmp_path, password):
    keys.create(tmp_path / "keys", "demo", password, work=FAST)
    assert stat.S_IMODE((tmp_path / "keys" / "demo.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_card_is_read_without_the_password(tmp_path):
    made = keys.create(tmp_path, "scorer-a", "password", work=FAST)
    card = keys.show(tmp_path, "scorer-a")
    assert card == keys.Card("scorer-a", made.address, SealingKey(made).public, True)


def test_a_key_is_never_overwritten(tmp_path):
    first = keys.create(tmp_path, "demo", None)
    for password in (None, "password"):
        with pytest.raises(Usage, match="already"):
            keys.create(tmp_path, "demo", password, work=FAST)
    with pytest.raises(Usage, match="exists"):
        keys.write_private(tmp_path / "demo.json", b"other")
    assert keys.load(tmp_path, "demo").secret == first.secret
    assert [p.name for p in tmp_path.iterdir()] == ["demo.json"]


@pytest.mark.parametrize("name", ["", "Demo", "a b", "../demo", "-demo", "demo-", "a" * 65, "데모"])
def test_a_name_is_a_slug(tmp_path, name):
    with pytest.raises(Usage, match="no name for a key"):
        keys.create(tmp_path, name, None)
    with pytest.raises(Usage, match="no name for a key"):
        keys.load(tmp_path, name)


def test_an_empty_password_is_not_taken_for_none(tmp_path):
    with pytest.raises(Usage, match="empty"):
        keys.create(tmp_path, "demo", "")


def test_names_are_listed_in_order(tmp_path):
    assert keys.names(tmp_path / "none") == []
    for name in ("scorer-b", "contributor-1", "scorer-a"):
        keys.create(tmp_path, name, None)
    (tmp_path / "notes.txt").write_text("")
    assert keys.names(tmp_path) == ["contributor-1", "scorer-a", "scorer-b"]


def test_a_missing_key_says_which_there_are(tmp_path):
    keys.create(tmp_path, "scorer-a", None)
    with pytest.raises(NotFound, match="scorer-a"):
        keys.load(tmp_path, "scorer-b")


@pytest.mark.parametrize("password", [None, "password"])
def test_a_backup_restores_signing_and_sealing(tmp_path, password):
    made = keys.create(tmp_path / "keys", "demo", password, work=FAST)
    copy = keys.backup(tmp_path / "keys", "demo", tmp_path / "safe.json")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    back = keys.restore(tmp_path / "new", "demo-2", copy, password, work=FAST)
    assert back.secret == made.secret
    assert keys.load(tmp_path / "new", "demo-2", password).secret == made.secret
    assert SealingKey(back).public == SealingKey(made).public


def test_a_backup_overwrites_nothing(tmp_path):
    keys.create(tmp_path / "keys", "demo", None)
    (tmp_path / "safe").mkdir()
    assert keys.backup(tmp_path / "keys", "demo", tmp_path / "safe") == tmp_path / "safe/demo.json"
    with pytest.raises(Usage, match="exists"):
        keys.backup(tmp_path / "keys", "demo", tmp_path / "safe")


def test_a_wallets_keyfile_is_taken_up(tmp_path):
    secret = b"\x07" * 32
    file = eth_keyfile.create_keyfile_json(secret, b"password", kdf="pbkdf2", iterations=10)
    (tmp_path / "UTC--wallet").write_text(json.dumps(file))
    keys.restore(tmp_path / "keys", "demo", tmp_path / "UTC--wallet", "password", work=FAST)
    assert keys.load(tmp_path / "keys", "demo", "password").secret == secret
    assert keys.show(tmp_path / "keys", "demo").sealing
    with pytest.raises(Usage, match="wrong"):
        keys.restore(tmp_path / "keys", "demo-2", tmp_path / "UTC--wallet", "no")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"version": 3, "address": "00"}',
        b'{"version": 3, "address": "00", "crypto": {}}',
        b'{"version": 3, "address": "00", "crypto": {"kdf": "scrypt"}}',
        b'{"version": "danseo-plain-1", "address": "00"}',
        b'{"version": "danseo-plain-1", "address": "00", "secret": "zz"}',
        b'{"version": "danseo-plain-1", "address": "00", "secret": 5}',
        b'{"version": "danseo-plain-1", "address": "00", "secret": "%s"}' % (b"00" * 32),
        b'{"version": "danseo-plain-1", "address": "00", "secret": "%s"}' % (b"01" * 32),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "demo.json").write_bytes(content)
    with pytest.raises(Malformed):
        keys.load(tmp_path, "demo", "password")


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        keys.create(tmp_path / "file", "demo", None)


def test_the_log_key_comes_back_and_is_private(tmp_path):
    public = keys.create_log_key(tmp_path / "host")
    seed = keys.load_log_key(tmp_path / "host", public)
    assert bytes(SigningKey(seed).verify_key).hex() == public
    assert stat.S_IMODE((tmp_path / "host" / "log.key").stat().st_mode) == 0o600
    assert keys.first_log_key(tmp_path / "host") == public


def test_a_later_log_key_stands_beside_the_first(tmp_path):
    first = keys.first_log_key(tmp_path)
    second = keys.create_log_key(tmp_path)
    assert keys.first_log_key(tmp_path) == first != second
    assert keys.load_log_key(tmp_path, second) != keys.load_log_key(tmp_path, first)


def test_a_damaged_or_missing_log_key_is_refused(tmp_path):
    with pytest.raises(NotFound):
        keys.load_log_key(tmp_path, "00" * 32)
    for content in ("", "zz", "00" * 31):
        (tmp_path / "log.key").write_text(content)
        with pytest.raises(Malformed):
            keys.first_log_key(tmp_path)
