// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPool} from "./interfaces/IChallenge.sol";

/// @title Stakes of scorers, committee and publishers, in one asset
/// @notice The pool's payout root says how much an account may take out in all, and how much it has
/// lost to the pool in all. Where no root comes, an account can leave by itself, slowly; until it is
/// gone it can be slashed. Nobody can take out more than was put down for him.
contract Stake is Initializable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice What the opening fixed.
    struct Rules {
        address asset; // the zero address is ETH
        IPool pool;
        address timelock;
        uint64 exitDelay; // seconds between `exit` and `withdraw`
        uint64 exitsFrom; // a time before which nobody leaves by himself
    }

    /// @notice What one account has here.
    struct Account {
        uint256 held; // deposited, less taken and lost
        uint256 taken; // released to it and withdrawn by it, in all
        uint256 lost; // slashed, in all
        uint256 leaving; // asked for by `exit`
        uint64 leavesAt; // when `withdraw` may be called
    }

    /// @notice The asset; the zero address is ETH.
    address public asset;
    /// @notice Whose root says what is released and lost, and who gets what is lost.
    IPool public pool;
    /// @notice Whose word is the DAO's.
    address public timelock;
    /// @notice Seconds between `exit` and `withdraw`.
    uint64 public exitDelay;
    /// @notice Nobody leaves by himself before this time.
    uint64 public exitsFrom;
    /// @notice What each account has here.
    mapping(address account => Account) public accounts;

    /// @notice Stake arrived for `account`.
    event Deposited(address indexed account, uint256 amount);
    /// @notice Stake went back by the word of the log.
    event Released(address indexed account, uint256 amount);
    /// @notice Stake went to the pool; `index` is where the log says why.
    event Slashed(address indexed account, uint256 amount, uint64 index);
    /// @notice An account wants `amount` back and can have it from `leavesAt` on.
    event ExitStarted(address indexed account, uint256 amount, uint64 leavesAt);
    /// @notice Stake went back without the word of the log.
    event Withdrawn(address indexed account, uint256 amount);

    error NotTheTimelock(address account);
    error NobodyNamed();
    error WrongValue(uint256 sent, uint256 amount);
    error NothingArrived(address account);
    error NothingDue(address account, uint256 cumulative);
    error NotSoMuch(address account, uint256 asked, uint256 held);
    error NotLeaving(address account);
    error TooEarly(address account, uint64 leavesAt);

    constructor() {
        _disableInitializers();
    }

    /// @notice Set up a clone, once. The factory calls this in the transaction that makes the clone.
    /// @param rules What the opening fixed.
    function initialize(Rules calldata rules) external initializer {
        asset = rules.asset;
        pool = rules.pool;
        timelock = rules.timelock;
        exitDelay = rules.exitDelay;
        exitsFrom = rules.exitsFrom;
    }

    /// @notice Put stake down for an account. What arrives is booked, should the asset take a fee.
    /// @param account Whose stake it becomes.
    /// @param amount How much leaves the caller, in the asset's smallest unit.
    function deposit(address account, uint256 amount) external payable nonReentrant {
        if (account == address(0)) revert NobodyNamed();
        uint256 arrived = _take(amount);
        if (arrived == 0) revert NothingArrived(account);
        accounts[account].held += arrived;
        emit Deposited(account, arrived);
    }

    /// @notice Pay an account what the root in effect lets it take out. Anyone may call.
    /// @param account Whose.
    /// @param cumulative All that it may ever take out, withdrawals included.
    /// @param proof Of the leaf (account, this contract, cumulative).
    function release(
        address account,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external nonReentrant {
        pool.prove(account, address(this), cumulative, proof);
        Account storage its = accounts[account];
        uint256 amount = _due(account, cumulative, its.taken, its.held);
        its.held -= amount;
        its.taken += amount;
        emit Released(account, amount);
        _send(account, amount);
    }

    /// @notice Move to the pool what the root in effect says that an account has lost. Anyone may.
    /// @param account Whose.
    /// @param cumulative All that it has ever lost, decisions of the DAO included.
    /// @param proof Of the leaf (account, this contract's address with its last bit flipped,
    /// cumulative).
    function slash(
        address account,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external nonReentrant {
        pool.prove(account, address(uint160(address(this)) ^ 1), cumulative, proof);
        Account storage its = accounts[account];
        _slash(account, _due(account, cumulative, its.lost, its.held), pool.size());
    }

    /// @notice As the DAO, move stake of an account to the pool.
    /// @param account Whose.
    /// @param amount How much.
    /// @param index The log index of the evidence.
    function slashByDecision(address account, uint256 amount, uint64 index) external nonReentrant {
        if (msg.sender != timelock) revert NotTheTimelock(msg.sender);
        if (amount == 0 || amount > accounts[account].held) {
            revert NotSoMuch(account, amount, accounts[account].held);
        }
        _slash(account, amount, index);
    }

    /// @notice Ask for one's own stake without the word of the log. Asking again replaces what was
    /// asked and starts the wait anew.
    /// @param amount How much; all of it can be lost until it has left.
    function exit(uint256 amount) external {
        Account storage its = accounts[msg.sender];
        if (amount == 0 || amount > its.held) revert NotSoMuch(msg.sender, amount, its.held);
        uint64 leavesAt = uint64(block.timestamp) + exitDelay;
        if (leavesAt < exitsFrom) leavesAt = exitsFrom;
        its.leaving = amount;
        its.leavesAt = leavesAt;
        emit ExitStarted(msg.sender, amount, leavesAt);
    }

    /// @notice Take out what one asked for, as far as it is still there, once the wait is over.
    function withdraw() external nonReentrant {
        Account storage its = accounts[msg.sender];
        if (its.leaving == 0) revert NotLeaving(msg.sender);
        if (block.timestamp < its.leavesAt) revert TooEarly(msg.sender, its.leavesAt);
        uint256 amount = its.leaving < its.held ? its.leaving : its.held;
        its.leaving = 0;
        its.held -= amount;
        its.taken += amount;
        emit Withdrawn(msg.sender, amount);
        _send(msg.sender, amount);
    }

    /// @dev What of `cumulative` is not done yet, as far as it is there.
    function _due(
        address account,
        uint256 cumulative,
        uint256 done,
        uint256 held
    ) private pure returns (uint256 amount) {
        amount = cumulative > done ? cumulative - done : 0;
        if (amount > held) amount = held;
        if (amount == 0) revert NothingDue(account, cumulative);
    }

    function _slash(address account, uint256 amount, uint64 index) private {
        accounts[account].held -= amount;
        accounts[account].lost += amount;
        emit Slashed(account, amount, index);
        if (asset == address(0)) {
            pool.fund{value: amount}(address(0), amount);
        } else {
            IERC20(asset).forceApprove(address(pool), amount);
            pool.fund(asset, amount);
        }
    }

    function _take(uint256 amount) private returns (uint256) {
        if (asset == address(0)) {
            if (msg.value != amount) revert WrongValue(msg.value, amount);
            return amount;
        }
        if (msg.value != 0) revert WrongValue(msg.value, 0);
        uint256 before = IERC20(asset).balanceOf(address(this));
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        return IERC20(asset).balanceOf(address(this)) - before;
    }

    function _send(address account, uint256 amount) private {
        if (asset == address(0)) Address.sendValue(payable(account), amount);
        else IERC20(asset).safeTransfer(account, amount);
    }
}
