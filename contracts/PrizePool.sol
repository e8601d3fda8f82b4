// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Leaf, PayoutTree} from "./PayoutTree.sol";
import {IPool} from "./interfaces/IChallenge.sol";
import {IAnchor, ICoin} from "./interfaces/IParts.sol";

/// @title The money of one challenge, and who may have how much of it
/// @notice The log says what is owed, as a Merkle tree of cumulative amounts. Anyone publishes its
/// root with a bond; where nobody vetoes it within the window, anyone puts it into effect; then
/// anyone pays anyone what the tree holds for him and he has not had. No owner, no upgrade, no way
/// out for the money but a root that stood its window, and per window no more than a stated part.
/// @dev Deployed whole: a clone would cost each claim a delegatecall. A token that charges its
/// sender more than it transfers can pass the floor by that charge; do not list one.
contract PrizePool is IPool, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice What the opening fixed.
    struct Rules {
        address coin; // minted by this pool alone
        address timelock; // whose word is the DAO's
        address guardian; // may veto while little coin is minted; may be nobody
        address anchor; // says whether the log withholds an entry
        address stake; // asks for proofs of what its accounts may take out
        uint256 bond; // wei that a publisher, and a disputer, puts down
        uint64 window; // seconds in which a root can be disputed and vetoed
        uint64 outflow; // parts of the peak, and of the coin's cap, that may leave in a window
        uint64 guardedUntil; // the guardian's power ends when these parts of the cap are minted,
        uint64 guardianTerm; // or at this time
        address[] assets; // what the pool takes beside ETH
    }

    /// @notice A root that waits for its window to end; all zero where none does.
    struct Pending {
        bytes32 root;
        address publisher;
        uint64 effectiveAt; // the first second in which it can be activated, and no longer vetoed
        address disputer; // zero: nobody disputes it
    }

    /// @dev What may leave in one window. For the coin, `floor` is a ceiling of its supply.
    struct Window {
        uint40 ends; // the first second after it
        uint104 floor;
        uint112 peak; // the largest balance at the first payment of any window
    }

    /// @dev Parts are per this.
    uint256 private constant PARTS = 10 ** 9;
    /// @dev All the coin that there can ever be, in its smallest unit.
    uint256 private constant CAP = 10 ** 27;
    /// @dev The most that the pool takes of an asset.
    uint256 private constant MOST = type(uint104).max;
    /// @dev Gas for paying a bond back: enough for a wallet, too little to hurt whoever pays.
    uint256 private constant GAS_FOR_BOND = 50_000;
    /// @dev Gas for each ETH payee of a batch, and for each transfer of a token.
    uint256 private constant GAS_FOR_ETH = 50_000;
    uint256 private constant GAS_FOR_TOKEN = 300_000;
    /// @dev What the call itself costs at most: value, a new account, a cold one and its delegation
    /// (9,000, 25,000, twice 2,600), and the few steps up to it.
    uint256 private constant GAS_FOR_CALL = 40_000;
    address private constant ETH = address(0);

    /// @notice The challenge's coin.
    address public immutable coin;
    /// @notice Whose word is the DAO's.
    address public immutable timelock;
    /// @notice Who can veto, too, while `guarded`.
    address public immutable guardian;
    /// @notice The log's anchor: while it is overdue no root takes effect.
    address public immutable anchor;
    /// @notice The stake contract, whose accounts' totals stand in the same tree.
    address public immutable stake;
    /// @notice Wei that a publisher, and a disputer, puts down.
    uint256 public immutable bond;
    /// @notice Seconds in which a root can be vetoed, and over which outflow is counted.
    uint256 public immutable window;
    /// @notice Parts of an asset's peak, and of the coin's cap, that may leave in a window.
    uint256 public immutable outflow;
    /// @notice Parts of the cap at which the guardian's power ends.
    uint256 public immutable guardedUntil;
    /// @notice The time at which the guardian's power ends at the latest.
    uint256 public immutable guardianTerm;

    /// @notice The payout root in effect; zero before the first.
    bytes32 public root;
    /// @notice The log's size that it stands for.
    uint64 public size;
    /// @notice When a root in effect was last struck; what had ended its window by then is void.
    uint64 public struckAt;
    /// @notice Wei of bonds and credits that lie here and are not the pool's.
    uint128 public escrow;
    /// @notice Whether the pool takes an asset.
    mapping(address asset => bool) public listed;
    /// @notice The root that waits for each size.
    mapping(uint64 size => Pending) public pending;
    /// @notice Wei of bonds that could not be paid and wait for `collect`.
    mapping(address account => uint256) public credit;
    mapping(address asset => Window) private _windows;
    mapping(address asset => mapping(address account => uint256)) private _claimed;

    /// @notice `amount` of `asset` arrived. What is lost of a bond comes from this pool itself.
    event Received(address indexed donor, address asset, uint256 amount);
    /// @notice `amount` of `asset` was paid to `account`.
    event Paid(address indexed account, address asset, uint256 amount);
    /// @notice In a batch, `account` could not be paid; he is still owed it.
    event PaymentFailed(address indexed account, address asset, uint256 amount);
    /// @notice `root` can take effect from `effectiveAt` on; the log had `logRoot` at this size.
    event Published(
        uint64 indexed size,
        bytes32 root,
        bytes32 logRoot,
        address indexed publisher,
        uint64 effectiveAt
    );
    /// @notice Someone put a bond down against the root that waits for this size.
    event Disputed(uint64 indexed size, address indexed disputer);
    /// @notice The root that waited for this size, or was in effect, is gone; the size is free.
    event Vetoed(uint64 indexed size, address by);
    /// @notice This root is the one that claims are proved against.
    event Activated(uint64 indexed size, bytes32 root);
    /// @notice A root that a greater size overtook is gone; its bonds were paid.
    event Reclaimed(uint64 indexed size);
    /// @notice Wei of a bond could not be paid to `account`.
    event Credited(address indexed account, uint256 amount);
    /// @notice What waited for `account` was paid.
    event Collected(address indexed account, uint256 amount);

    error NotAnAsset(address asset);
    error NotListed(address asset);
    error WrongValue(uint256 sent, uint256 amount);
    error NothingArrived(address asset);
    error TooMuch(address asset, uint256 balance);
    error WrongBond(uint256 sent, uint256 bond);
    error NoRoot(uint64 size);
    error StaleSize(uint64 size, uint64 current);
    error NotStale(uint64 size, uint64 current);
    error Overtaken(uint64 size, uint64 struckAt);
    error AlreadyPending(uint64 size, bytes32 root);
    error NotPending(uint64 size);
    error AlreadyDisputed(uint64 size, address disputer);
    error WindowOver(uint64 size, uint64 effectiveAt);
    error WindowOpen(uint64 size, uint64 effectiveAt);
    error MayNotVeto(address account);
    error EntryOverdue(address anchor);
    error NotInTheRoot(address account, address asset, uint256 cumulative);
    error BatchNotInTheRoot();
    error NothingToClaim(address account, address asset, uint256 claimed);
    error OverOutflow(address asset, uint256 amount, uint256 leaving);
    error PaymentRefused(address account, address asset, uint256 amount);
    error NothingToCollect(address account);
    error NotEnoughGas(uint256 left, uint256 needed);

    /// @param rules What the opening fixed.
    constructor(Rules memory rules) {
        coin = rules.coin;
        timelock = rules.timelock;
        guardian = rules.guardian;
        anchor = rules.anchor;
        stake = rules.stake;
        bond = rules.bond;
        window = rules.window;
        outflow = rules.outflow;
        guardedUntil = rules.guardedUntil;
        guardianTerm = rules.guardianTerm;
        listed[ETH] = true;
        for (uint256 i = 0; i < rules.assets.length; ++i) {
            address asset = rules.assets[i];
            if (asset == rules.coin || asset == rules.stake) revert NotAnAsset(asset);
            listed[asset] = true;
        }
    }

    /// @notice Take ETH. It needs more gas than the 2,300 of Solidity's `transfer`.
    receive() external payable {
        _book(msg.sender, ETH, msg.value);
    }

    /// @notice Take `amount` of an asset from the caller. What arrives is booked, should the asset
    /// take a fee. While a window is open, what arrives in it does not leave in it.
    /// @param asset A listed one; the zero address is ETH.
    /// @param amount How much leaves the caller, in the asset's smallest unit.
    function fund(address asset, uint256 amount) external payable nonReentrant {
        if (!listed[asset]) revert NotListed(asset);
        uint256 value = asset == ETH ? amount : 0;
        if (msg.value != value) revert WrongValue(msg.value, value);
        uint256 arrived = amount;
        if (asset != ETH) {
            uint256 before = _holds(asset);
            IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
            uint256 balance = _holds(asset);
            arrived = balance > before ? balance - before : 0;
            if (balance > MOST) revert TooMuch(asset, balance);
        }
        _book(msg.sender, asset, arrived);
    }

    /// @notice Publish, with the bond, what the log owes at a size greater than the one in effect.
    /// @param size_ The log's size.
    /// @param logRoot The log's root at this size.
    /// @param root_ The root of the payout tree.
    function publish(uint64 size_, bytes32 logRoot, bytes32 root_) external payable nonReentrant {
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        if (root_ == 0) revert NoRoot(size_);
        if (size_ <= size) revert StaleSize(size_, size);
        bytes32 waiting = pending[size_].root;
        if (waiting != 0) revert AlreadyPending(size_, waiting);
        uint64 effectiveAt = uint64(block.timestamp + window);
        pending[size_] = Pending(root_, msg.sender, effectiveAt, address(0));
        escrow += uint128(msg.value);
        emit Published(size_, root_, logRoot, msg.sender, effectiveAt);
    }

    /// @notice Say, with a bond of your own, that a root is false. If it is vetoed in its window,
    /// you have it back with half of the publisher's, and the pool has the rest; if not, yours is
    /// his.
    /// @param size_ The size that the root waits for.
    function dispute(uint64 size_) external payable nonReentrant {
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        Pending storage its = _pending(size_);
        if (block.timestamp >= its.effectiveAt) revert WindowOver(size_, its.effectiveAt);
        if (its.disputer != address(0)) revert AlreadyDisputed(size_, its.disputer);
        its.disputer = msg.sender;
        escrow += uint128(msg.value);
        emit Disputed(size_, msg.sender);
    }

    /// @notice As the DAO, or as the guardian while `guarded`, strike a root: in its window, or the
    /// one in effect, whose publisher had his bond back. Then no root is in effect until another
    /// has stood a window that had not ended yet. What was paid stays paid. Of a bond that is lost
    /// half goes to the disputer and the rest to the pool; all of it where nobody disputed.
    /// @param size_ The size that the root waits for or stands for; it comes free.
    function veto(uint64 size_) external nonReentrant {
        if (msg.sender != timelock && !(msg.sender == guardian && guarded())) {
            revert MayNotVeto(msg.sender);
        }
        if (size_ == size && root != 0) {
            // Or a false root that stood would pay for ever, and a great size lock the pool up.
            size = 0;
            root = 0;
            struckAt = uint64(block.timestamp);
            emit Vetoed(size_, msg.sender);
            return;
        }
        Pending memory its = _pending(size_);
        if (block.timestamp >= its.effectiveAt) revert WindowOver(size_, its.effectiveAt);
        delete pending[size_];
        emit Vetoed(size_, msg.sender);
        // Half, or who disputes his own false root first would lose nothing by it.
        uint256 kept = its.disputer == address(0) ? bond : bond - bond / 2;
        if (kept != 0) {
            escrow -= uint128(kept);
            _book(address(this), ETH, kept);
        }
        if (its.disputer != address(0)) _payBond(its.disputer, 2 * bond - kept);
    }

    /// @notice Put a root into effect whose window has ended without a veto. Anyone may.
    /// @param size_ The size that it waits for.
    function activate(uint64 size_) external nonReentrant {
        Pending memory its = _pending(size_);
        if (block.timestamp < its.effectiveAt) revert WindowOpen(size_, its.effectiveAt);
        if (size_ <= size) revert StaleSize(size_, size);
        if (its.effectiveAt <= struckAt) revert Overtaken(size_, struckAt);
        if (IAnchor(anchor).overdue()) revert EntryOverdue(anchor);
        delete pending[size_];
        size = size_;
        root = its.root;
        emit Activated(size_, its.root);
        _payBond(its.publisher, its.disputer == address(0) ? bond : 2 * bond);
    }

    /// @notice Pay back the bond of a root that a greater size overtook, or whose window ended before
    /// a root in effect was struck. Anyone may, after its window.
    /// @param size_ The size that it waited for.
    function reclaim(uint64 size_) external nonReentrant {
        Pending memory its = _pending(size_);
        if (block.timestamp < its.effectiveAt) revert WindowOpen(size_, its.effectiveAt);
        if (size_ > size && its.effectiveAt > struckAt) revert NotStale(size_, size);
        delete pending[size_];
        emit Reclaimed(size_);
        _payBond(its.publisher, its.disputer == address(0) ? bond : 2 * bond);
    }

    /// @notice Pay an account the bond that could not be paid to it before. Anyone may.
    /// @param account Whom.
    function collect(address account) external nonReentrant {
        uint256 amount = credit[account];
        if (amount == 0) revert NothingToCollect(account);
        credit[account] = 0;
        escrow -= uint128(amount);
        emit Collected(account, amount);
        if (!_send(account, ETH, amount, gasleft())) revert PaymentRefused(account, ETH, amount);
    }

    /// @notice Pay an account what it is owed of an asset and has not had, as far as it may leave
    /// now; the rest can be claimed in later windows. Anyone may, for anyone.
    /// @param account Who is paid.
    /// @param asset In what; the zero address is ETH, the coin is minted.
    /// @param cumulative All that the account may ever have had of it, as the root in effect says.
    /// @param proof From the leaf up to the root.
    /// @return amount What was paid.
    function claim(
        address account,
        address asset,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external nonReentrant returns (uint256 amount) {
        prove(account, asset, cumulative, proof);
        mapping(address => uint256) storage paid = _claimed[asset];
        uint256 had = paid[account];
        if (cumulative <= had) revert NothingToClaim(account, asset, had);
        unchecked {
            amount = cumulative - had;
        }
        uint256 left = _open(asset);
        if (left == 0) revert OverOutflow(asset, amount, left);
        if (amount > left) amount = left; // else nobody could ever have more than one window's part
        unchecked {
            paid[account] = had + amount;
        }
        emit Paid(account, asset, amount);
        if (!_send(account, asset, amount, gasleft())) {
            revert PaymentRefused(account, asset, amount);
        }
    }

    /// @notice Pay many under one proof, in order, as far as it may leave now. Who has had all that
    /// he is owed is passed over; who cannot be paid now fails alone and is still owed it. Where
    /// the gas left cannot give each his share, all fails: a smaller batch needs less.
    /// @param leaves Whom, in which asset, and all that he may ever have had, in the proof's order.
    /// @param proof OpenZeppelin's multiproof, and
    /// @param flags which of its steps take two known nodes.
    function payBatch(
        Leaf[] calldata leaves,
        bytes32[] calldata proof,
        bool[] calldata flags
    ) external nonReentrant {
        if (PayoutTree.rootOf(leaves, proof, flags) != root) revert BatchNotInTheRoot();
        address asset = address(this); // which is no asset
        uint256 left;
        for (uint256 i = 0; i < leaves.length; ++i) {
            Leaf calldata leaf = leaves[i];
            if (leaf.asset != asset) {
                asset = leaf.asset;
                left = _open(asset);
            }
            unchecked {
                left -= _payLeaf(leaf.account, asset, leaf.cumulative, left);
            }
        }
    }

    /// @notice Revert unless the root in effect holds this leaf.
    /// @param account Of the leaf,
    /// @param asset of the leaf,
    /// @param cumulative of the leaf.
    /// @param proof From the leaf up to the root.
    function prove(
        address account,
        address asset,
        uint256 cumulative,
        bytes32[] calldata proof
    ) public view {
        if (PayoutTree.rootOf(account, asset, cumulative, proof) != root) {
            revert NotInTheRoot(account, asset, cumulative);
        }
    }

    /// @notice Return what was paid to an account of an asset, in all.
    /// @param account Whom.
    /// @param asset The zero address is ETH.
    function claimed(address account, address asset) external view returns (uint256) {
        return _claimed[asset][account];
    }

    /// @notice Return how much of an asset may still leave in the window that runs now.
    /// @param asset The zero address is ETH.
    function leaving(address asset) external view returns (uint256 left) {
        Window storage its = _windows[asset];
        if (block.timestamp < its.ends) return _left(asset, its.floor);
        (left, , ) = _next(asset, its.peak);
    }

    /// @notice Return whether the guardian can veto now.
    function guarded() public view returns (bool) {
        return
            block.timestamp < guardianTerm &&
            ICoin(coin).totalSupply() < (guardedUntil * CAP) / PARTS;
    }

    /// @dev Pay one leaf of a batch, or say why not; return by how much less may leave now.
    function _payLeaf(
        address account,
        address asset,
        uint256 cumulative,
        uint256 left
    ) private returns (uint256 amount) {
        mapping(address => uint256) storage paid = _claimed[asset];
        uint256 had = paid[account];
        if (cumulative <= had) return 0;
        unchecked {
            amount = cumulative - had;
        }
        if (left != 0) {
            if (amount > left) amount = left;
            unchecked {
                paid[account] = had + amount;
            }
            if (_send(account, asset, amount, _gasFor(asset))) {
                emit Paid(account, asset, amount);
                return amount;
            }
            paid[account] = had;
        }
        emit PaymentFailed(account, asset, amount);
        return 0;
    }

    /// @dev Return the gas that each payee of a batch gets; revert if so much is not left. Or the
    /// least gas with which a batch works, which a node tells as its estimate, would pay nobody.
    function _gasFor(address asset) private view returns (uint256 gas_) {
        gas_ = asset == ETH ? GAS_FOR_ETH : GAS_FOR_TOKEN;
        unchecked {
            // A call passes on 63/64 of what it leaves itself.
            uint256 needed = gas_ + gas_ / 63 + GAS_FOR_CALL;
            if (gasleft() < needed) revert NotEnoughGas(gasleft(), needed);
        }
    }

    /// @dev Book what arrived; in an open window the floor rises with it.
    function _book(address donor, address asset, uint256 amount) private {
        if (amount == 0) revert NothingArrived(asset);
        Window storage its = _windows[asset];
        if (block.timestamp < its.ends) its.floor = uint104(Math.min(its.floor + amount, MOST));
        emit Received(donor, asset, amount);
    }

    /// @dev Return what may leave now; open the window if this is its first payment.
    function _open(address asset) private returns (uint256 left) {
        Window storage its = _windows[asset];
        if (block.timestamp < its.ends) return _left(asset, its.floor);
        uint256 floor;
        uint256 peak;
        (left, floor, peak) = _next(asset, its.peak);
        uint256 ends = block.timestamp - (block.timestamp % window) + window;
        _windows[asset] = Window(uint40(ends), uint104(floor), uint112(peak));
    }

    /// @dev Return what may leave in an open window.
    function _left(address asset, uint256 floor) private view returns (uint256) {
        if (asset == coin) return floor - ICoin(coin).totalSupply();
        return Math.saturatingSub(_holds(asset), floor);
    }

    /// @dev Return what may leave in a window that opens now, and its floor and peak.
    function _next(
        address asset,
        uint256 peak
    ) private view returns (uint256 left, uint256 floor, uint256 newPeak) {
        if (asset == coin) {
            uint256 supply = ICoin(coin).totalSupply();
            left = Math.min(CAP - supply, Math.ceilDiv(outflow * CAP, PARTS));
            return (left, supply + left, 0);
        }
        uint256 holds = Math.min(_holds(asset), MOST);
        newPeak = Math.max(peak, holds);
        left = Math.min(holds, Math.ceilDiv(outflow * newPeak, PARTS));
        floor = holds - left;
    }

    /// @dev Return what the pool has of an asset, bonds apart.
    function _holds(address asset) private view returns (uint256) {
        if (asset == ETH) return address(this).balance - escrow;
        return IERC20(asset).balanceOf(address(this));
    }

    function _pending(uint64 size_) private view returns (Pending storage its) {
        its = pending[size_];
        if (its.root == 0) revert NotPending(size_);
    }

    /// @dev Pay a bond out of escrow. Whoever refuses it holds nobody up: it waits for him.
    function _payBond(address account, uint256 amount) private {
        if (amount == 0) return;
        escrow -= uint128(amount);
        if (_send(account, ETH, amount, GAS_FOR_BOND)) return;
        escrow += uint128(amount);
        credit[account] += amount;
        emit Credited(account, amount);
    }

    /// @dev Pay; return whether it worked. In assembly, so that no answer is copied that could cost
    /// the caller, and so that a token may return nothing, as OpenZeppelin's SafeERC20 lets it.
    function _send(
        address account,
        address asset,
        uint256 amount,
        uint256 gas_
    ) private returns (bool sent) {
        if (asset == ETH) {
            assembly ("memory-safe") {
                sent := call(gas_, account, amount, 0, 0, 0, 0)
            }
            return sent;
        }
        bytes4 selector = asset == coin ? ICoin.mint.selector : IERC20.transfer.selector;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(0x00, selector)
            mstore(0x04, account)
            mstore(0x24, amount)
            sent := call(gas_, asset, 0, 0x00, 0x44, 0x00, 0x20)
            switch returndatasize()
            case 0 {
                sent := and(sent, gt(extcodesize(asset), 0))
            }
            default {
                sent := and(sent, and(gt(returndatasize(), 31), eq(mload(0x00), 1)))
            }
            mstore(0x40, free)
        }
    }
}
