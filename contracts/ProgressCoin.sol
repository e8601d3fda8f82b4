// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import {
    ERC20PermitUpgradeable
} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20PermitUpgradeable.sol";
import {
    ERC20VotesUpgradeable
} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20VotesUpgradeable.sol";
import {NoncesUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/NoncesUpgradeable.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {ICoin} from "./interfaces/IParts.sol";

/// @title The coin of one challenge: a measure of who brought it how far, and its vote
/// @notice The pool alone mints it, by the log's word. Coin is vote at once: who receives it first is
/// his own delegate until he names another. It stays with its holder until the DAO unlocks it.
contract ProgressCoin is ICoin, ERC20PermitUpgradeable, ERC20VotesUpgradeable {
    /// @notice All the coin that there can ever be, in its smallest unit: 10^9 coins.
    uint256 public constant CAP = 10 ** 27;

    /// @notice Who mints.
    address public pool;
    /// @notice Whether coin can be transferred.
    bool public unlocked;
    /// @notice Whose word is the DAO's.
    address public timelock;

    /// @notice From now on coin can be transferred.
    event Unlocked();

    error NotThePool(address account);
    error NotTheTimelock(address account);
    error AlreadyUnlocked();
    error Locked(address from, address to, uint256 amount);
    error NotForThePool(address from, uint256 amount);
    error ERC20ExceededCap(uint256 increasedSupply, uint256 cap);

    constructor() {
        _disableInitializers();
    }

    /// @notice Set up a clone, once. The factory calls this in the transaction that makes the clone.
    /// @param name_ The coin's name.
    /// @param symbol_ The coin's symbol.
    /// @param pool_ Who mints.
    /// @param timelock_ Who unlocks.
    function initialize(
        string calldata name_,
        string calldata symbol_,
        address pool_,
        address timelock_
    ) external initializer {
        __ERC20_init(name_, symbol_);
        __ERC20Permit_init(name_);
        __ERC20Votes_init();
        pool = pool_;
        timelock = timelock_;
    }

    /// @notice As the pool, make coin.
    /// @param account Whose it is.
    /// @param amount How much, in the smallest unit.
    function mint(address account, uint256 amount) external {
        if (msg.sender != pool) revert NotThePool(msg.sender);
        _mint(account, amount);
    }

    /// @notice As the DAO, let coin be transferred from now on.
    function unlock() external {
        if (msg.sender != timelock) revert NotTheTimelock(msg.sender);
        if (unlocked) revert AlreadyUnlocked();
        unlocked = true;
        emit Unlocked();
    }

    /// @notice Return how much coin there is.
    function totalSupply() public view override(ERC20Upgradeable, ICoin) returns (uint256) {
        return super.totalSupply();
    }

    /// @notice Return the time, in seconds: votes are counted by it (ERC-6372).
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice Return what `clock` counts.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @notice Return the next nonce for signatures of `owner`.
    /// @param owner Who signs.
    function nonces(
        address owner
    ) public view override(ERC20PermitUpgradeable, NoncesUpgradeable) returns (uint256) {
        return super.nonces(owner);
    }

    function _maxSupply() internal pure override returns (uint256) {
        return CAP;
    }

    function _update(
        address from,
        address to,
        uint256 amount
    ) internal override(ERC20Upgradeable, ERC20VotesUpgradeable) {
        if (from != address(0)) {
            if (!unlocked) revert Locked(from, to, amount);
            if (to == pool) revert NotForThePool(from, amount); // it could never come out again
        } else if (amount > CAP - totalSupply()) {
            revert ERC20ExceededCap(totalSupply() + amount, CAP);
        }
        super._update(from, to, amount);
        if (to != address(0) && delegates(to) == address(0)) _delegate(to, to);
    }
}
