"""The coin: who mints it, whose vote it is, and when it can change hands."""

from __future__ import annotations

import pytest

from danseo.log.signing import Key, keccak256
from tests.chain.evm import BEGIN, Contract, World, account, load, refused

POOL, TIMELOCK, COIN = account(1), account(2), account(50)
A, B, C = account(11), account(12), account(13)
CAP = 10**27
NOBODY = "0x" + "0" * 40


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def coin(world: World) -> Contract:
    coin = world.clone("ProgressCoin", world.deploy("ProgressCoin"), COIN)
    coin("initialize", "scroll-1", "INK", POOL, TIMELOCK)
    return coin


def test_the_coin_says_what_it_is(coin: Contract) -> None:
    assert [coin(what) for what in ("name", "symbol", "decimals", "CAP", "pool", "timelock")] == [
        "scroll-1", "INK", 18, CAP, POOL, TIMELOCK,
    ]  # fmt: skip


def test_a_coin_is_set_up_once_and_the_one_that_is_cloned_never(
    world: World, coin: Contract
) -> None:
    with refused("InvalidInitialization"):
        coin("initialize", "other", "OTH", A, B)
    with refused("InvalidInitialization"):
        world.deploy("ProgressCoin")("initialize", "other", "OTH", A, B)


def test_the_pool_alone_mints(coin: Contract) -> None:
    coin("mint", A, 5, by=POOL)
    for who in (A, TIMELOCK):
        with refused("NotThePool", who):
            coin("mint", A, 5, by=who)
    assert (coin("balanceOf", A), coin("totalSupply")) == (5, 5)


def test_no_more_than_the_cap_is_minted(coin: Contract) -> None:
    coin("mint", A, CAP - 1, by=POOL)
    with refused("ERC20ExceededCap", CAP + 1, CAP):
        coin("mint", B, 2, by=POOL)
    coin("mint", B, 1, by=POOL)
    with refused("ERC20ExceededCap", CAP + 1, CAP):
        coin("mint", B, 1, by=POOL)


def test_coin_is_vote_from_its_first_receipt(world: World, coin: Contract) -> None:
    coin("mint", A, 5, by=POOL)
    assert (coin("delegates", A), coin("getVotes", A)) == (A, 5)
    world.time += 1
    coin("mint", A, 6, by=POOL)
    world.time += 1
    assert [coin("getPastVotes", A, BEGIN + n) for n in (-1, 0, 1)] == [0, 5, 11]
    assert [coin("getPastTotalSupply", BEGIN + n) for n in (-1, 0, 1)] == [0, 5, 11]


def test_a_chosen_delegate_stays(coin: Contract) -> None:
    coin("delegate", C, by=B)
    coin("mint", B, 5, by=POOL)
    assert (coin("delegates", B), coin("getVotes", B), coin("getVotes", C)) == (C, 0, 5)
    coin("mint", A, 5, by=POOL)
    coin("delegate", C, by=A)
    coin("mint", A, 2, by=POOL)
    assert (coin("delegates", A), coin("getVotes", C)) == (C, 12)


def test_coin_stays_with_its_holder_until_the_timelock_unlocks_it(
    world: World, coin: Contract
) -> None:
    coin("mint", A, 5, by=POOL)
    coin("approve", B, 5, by=A)
    with refused("Locked", A, B, 3):
        coin("transfer", B, 3, by=A)
    with refused("Locked", A, B, 3):
        coin("transferFrom", A, B, 3, by=B)
    for who in (A, POOL):
        with refused("NotTheTimelock", who):
            coin("unlock", by=who)
    coin("unlock", by=TIMELOCK)
    assert world.events == [("Unlocked", {})]
    with refused("AlreadyUnlocked"):
        coin("unlock", by=TIMELOCK)
    coin("transfer", B, 3, by=A)
    coin("transferFrom", A, C, 1, by=B)
    assert [coin("balanceOf", who) for who in (A, B, C)] == [1, 3, 1]
    assert [coin("getVotes", who) for who in (A, B, C)] == [1, 3, 1]
    coin("mint", A, 5, by=POOL)


def test_coin_cannot_be_lost_to_the_pool(coin: Contract) -> None:
    coin("mint", A, 5, by=POOL)
    coin("unlock", by=TIMELOCK)
    with refused("NotForThePool", A, 3):
        coin("transfer", POOL, 3, by=A)
    with refused("ERC20InvalidReceiver", NOBODY):
        coin("transfer", NOBODY, 3, by=A)


def test_time_is_counted_in_seconds(world: World, coin: Contract) -> None:
    assert coin("CLOCK_MODE") == "mode=timestamp"
    world.time = BEGIN + 12345
    assert coin("clock") == BEGIN + 12345


def test_an_allowance_can_be_signed(world: World, coin: Contract) -> None:
    key = Key(keccak256(b"holder"))
    deadline = BEGIN + 100

    def word(value: int | str | bytes) -> bytes:
        if isinstance(value, bytes):
            return value
        return (int(value, 16) if isinstance(value, str) else value).to_bytes(32, "big")

    def signed(amount: int, address: str = COIN, chain: int = 1) -> tuple[int, bytes, bytes]:
        domain = (
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        permit = (
            b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        )
        fields = (keccak256(domain), keccak256(b"scroll-1"), keccak256(b"1"), chain, address)
        separator = keccak256(b"".join(map(word, fields)))
        fields = (keccak256(permit), key.address, B, amount, coin("nonces", key.address), deadline)
        digest = keccak256(b"\x19\x01" + separator + keccak256(b"".join(map(word, fields))))
        signature = key.sign(digest)
        return signature[64], signature[:32], signature[32:64]

    for wrong in (signed(8), signed(7, address=POOL), signed(7, chain=5)):
        with refused("ERC2612InvalidSigner"):
            coin("permit", key.address, B, 7, deadline, *wrong)
    world.time = deadline + 1
    with refused("ERC2612ExpiredSignature", deadline):
        coin("permit", key.address, B, 7, deadline, *signed(7))
    world.time = deadline
    coin("permit", key.address, B, 7, deadline, *signed(7))
    assert (coin("allowance", key.address, B), coin("nonces", key.address)) == (7, 1)


def test_nobody_but_pool_and_timelock_has_a_say() -> None:
    """Every function that changes anything is known: those of ERC-20, its votes and permit."""
    changing = {
        described["name"]
        for described in load("ProgressCoin").abi
        if described["type"] == "function" and described["stateMutability"] not in ("view", "pure")
    }
    votes = {"delegate", "delegateBySig"}
    erc20 = {"approve", "transfer", "transferFrom", "permit"}
    assert changing == erc20 | votes | {"initialize", "mint", "unlock"}
