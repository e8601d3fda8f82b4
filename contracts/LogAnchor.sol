// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IGuarded, IPool} from "./interfaces/IChallenge.sol";
import {LogTree} from "./LogTree.sol";

/// @title Anchors of the log, entries that it must take up, and decisions of the DAO
/// @notice The log's operator anchors its roots and can never go back. Anybody can hand in a signed
/// entry in full view. While one is overdue no payout root takes effect, until the entry is proved to
/// be in the log, dismissed as unfit for it, or past the patience that the opening stated.
contract LogAnchor is Initializable, ReentrancyGuardTransient {
    /// @notice What the opening fixed.
    struct Rules {
        address operator;
        address timelock;
        IGuarded governor;
        IPool pool;
        uint256 bond; // wei that a submission puts down
        uint64 uptake; // seconds in which the log must take an entry up
        uint64 patience; // seconds after that in which it counts as overdue
    }

    /// @dev Open submissions stand in a list, doubly linked, in order of their deadlines.
    struct Submission {
        address by; // zero: not open
        uint64 deadline;
        bytes32 previous;
        bytes32 next;
    }

    /// @notice Bytes that an entry may have: the log takes no longer ones.
    uint256 public constant MAX_ENTRY = 65_535;
    /// @notice Characters of a signature: 0x and 130 hexadecimal digits.
    uint256 public constant SIGNATURE = 132;
    /// @notice Lapsed submissions that `overdue` passes over before it asks for `settle`.
    uint256 public constant LOOK = 16;
    /// @dev Gas for paying a bond back: enough for a wallet, too little to hurt whoever pays.
    uint256 private constant GAS_TO_PAY = 50_000;

    /// @notice Who anchors.
    address public operator;
    /// @notice Whose word is the DAO's.
    address public timelock;
    /// @notice Knows who guards.
    IGuarded public governor;
    /// @notice Gets the bonds that are forfeited.
    IPool public pool;
    /// @notice Wei that a submission puts down.
    uint256 public bond;
    /// @notice Seconds in which the log must take an entry up.
    uint64 public uptake;
    /// @notice Seconds after the deadline in which a submission counts as overdue.
    uint64 public patience;
    /// @notice The greatest anchored size.
    uint64 public size;
    /// @notice The log's root at each anchored size; zero where none is.
    mapping(uint64 size => bytes32) public rootAt;
    /// @notice Open submissions by the SHA-256 of their bytes.
    mapping(bytes32 hash => Submission) public submissions;
    /// @notice One more than the log index of what was proved to be included; else zero.
    mapping(bytes32 hash => uint256) public included;
    /// @notice The open submissions that are due first and last; zero where there is none.
    bytes32 public first;
    bytes32 public last;
    /// @notice Wei that could not be paid and wait for `collect`.
    mapping(address account => uint256) public credit;

    /// @notice The log had this root at this size.
    event Anchored(uint64 indexed size, bytes32 root);
    /// @notice The log must take up `entry` by `deadline`.
    event Submitted(bytes32 indexed hash, address indexed by, uint64 deadline, bytes entry);
    /// @notice A submitted entry stands in the log.
    event Included(bytes32 indexed hash, uint64 index);
    /// @notice A submission need not be taken up; its bond goes to the pool.
    event Dismissed(bytes32 indexed hash, address by);
    /// @notice A submission stopped counting; its bond goes to the pool.
    event Lapsed(bytes32 indexed hash);
    /// @notice The DAO decided something for the log to read.
    event Decided(string text);
    /// @notice Another account anchors from now on.
    event OperatorSet(address indexed operator);
    /// @notice Wei could not be paid to `account`.
    event Credited(address indexed account, uint256 amount);
    /// @notice What waited for `account` was paid.
    event Collected(address indexed account, uint256 amount);

    error NotTheOperator(address account);
    error NotTheTimelock(address account);
    error MayNotDismiss(address account);
    error NoOperator();
    error NoRoot(uint64 size);
    error Backwards(uint64 size, uint64 anchored);
    error Forked(uint64 size, bytes32 anchored, bytes32 root);
    error NotAnchored(uint64 size);
    error WrongBond(uint256 sent, uint256 bond);
    error WrongLength(uint256 bytes_);
    error AlreadySubmitted(bytes32 hash);
    error AlreadyIncluded(bytes32 hash, uint64 index);
    error NotSubmitted(bytes32 hash);
    error AnotherEntry(bytes32 hash, bytes32 given);
    error NotInTheLog(bytes32 leaf, uint64 index, uint64 size);
    error NothingToCollect(address account);
    error NotPaid(address account, uint256 amount);

    constructor() {
        _disableInitializers();
    }

    /// @notice Set up a clone, once. The factory calls this in the transaction that makes the clone.
    /// @param rules What the opening fixed.
    function initialize(Rules calldata rules) external initializer {
        timelock = rules.timelock;
        governor = rules.governor;
        pool = rules.pool;
        bond = rules.bond;
        uptake = rules.uptake;
        patience = rules.patience;
        _setOperator(rules.operator);
    }

    modifier onlyTimelock() {
        if (msg.sender != timelock) revert NotTheTimelock(msg.sender);
        _;
    }

    /// @notice As the operator, say which root the log has at a size greater than any before.
    /// @param size_ Number of leaves.
    /// @param root Root of the log's tree.
    function anchor(uint64 size_, bytes32 root) external {
        if (msg.sender != operator) revert NotTheOperator(msg.sender);
        if (root == 0) revert NoRoot(size_);
        bytes32 before = rootAt[size_];
        if (before != 0 && before != root) revert Forked(size_, before, root);
        if (size_ <= size) revert Backwards(size_, size);
        size = size_;
        rootAt[size_] = root;
        emit Anchored(size_, root);
    }

    /// @notice As the DAO, let another account anchor.
    /// @param operator_ The new operator.
    function setOperator(address operator_) external onlyTimelock {
        _setOperator(operator_);
    }

    /// @notice As the DAO, say something that the log reads.
    /// @param text What was decided.
    function decide(string calldata text) external onlyTimelock {
        emit Decided(text);
    }

    /// @notice Hand in a signed entry that the log must take up, with the bond.
    /// @param entry The canonical bytes `{"entry":...,"signature":"0x..."}`.
    /// @return hash Their SHA-256, by which the submission is named.
    function submit(bytes calldata entry) external payable nonReentrant returns (bytes32 hash) {
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        if (entry.length == 0 || entry.length > MAX_ENTRY) revert WrongLength(entry.length);
        hash = sha256(entry);
        if (submissions[hash].by != address(0)) revert AlreadySubmitted(hash);
        if (included[hash] != 0) revert AlreadyIncluded(hash, uint64(included[hash] - 1));
        uint64 deadline = uint64(block.timestamp) + uptake;
        emit Submitted(hash, msg.sender, deadline, entry);
        _append(hash, deadline);
        _settle(2); // so a flood clears itself away
    }

    /// @notice Show that a submitted entry stands in the log; the bond goes back to who put it down.
    /// @param hash The submission.
    /// @param entry The member `entry`, as canonical JSON.
    /// @param signature The member `signature`: 0x and 130 hexadecimal digits.
    /// @param index The leaf's index in the log.
    /// @param time The leaf's time, in seconds.
    /// @param size_ An anchored size above `index`.
    /// @param proof The RFC 9162 proof of inclusion at that size.
    function include(
        bytes32 hash,
        bytes calldata entry,
        string calldata signature,
        uint64 index,
        uint64 time,
        uint64 size_,
        bytes32[] calldata proof
    ) external nonReentrant {
        address by = submissions[hash].by;
        if (by == address(0)) revert NotSubmitted(hash);
        bytes32 anchored = rootAt[size_];
        if (anchored == 0) revert NotAnchored(size_);
        _checkSubmitted(hash, entry, signature);
        bytes32 leaf = _leafHash(entry, signature, index, time);
        if (index >= size_ || LogTree.root(leaf, index, size_, proof) != anchored) {
            revert NotInTheLog(leaf, index, size_);
        }
        included[hash] = uint256(index) + 1;
        _remove(hash);
        emit Included(hash, index);
        _pay(by, bond);
    }

    /// @notice As the DAO, or as the guardian in his term, say that an entry need not be taken up.
    /// @param hash The submission.
    function dismiss(bytes32 hash) external nonReentrant {
        if (msg.sender != timelock && !governor.guards(msg.sender)) {
            revert MayNotDismiss(msg.sender);
        }
        if (submissions[hash].by == address(0)) revert NotSubmitted(hash);
        _remove(hash);
        emit Dismissed(hash, msg.sender);
        _forfeit(bond);
    }

    /// @notice Clear away submissions that no longer count, the oldest first. Anyone may.
    /// @param most How many at most.
    /// @return cleared How many.
    function settle(uint256 most) external nonReentrant returns (uint256 cleared) {
        return _settle(most);
    }

    /// @notice Pay an account what could not be paid to it before. Anyone may.
    /// @param account Whom.
    function collect(address account) external nonReentrant {
        uint256 amount = credit[account];
        if (amount == 0) revert NothingToCollect(account);
        credit[account] = 0;
        emit Collected(account, amount);
        (bool paid, ) = account.call{value: amount}("");
        if (!paid) revert NotPaid(account, amount);
    }

    /// @notice Return whether some submission is past its deadline and still counts.
    /// @dev Bounded: behind `LOOK` lapsed ones it says yes until someone calls `settle`. It must not
    /// say no, or a flood would hide a true submission.
    function overdue() external view returns (bool) {
        bytes32 hash = first;
        for (uint256 i = 0; i < LOOK && hash != 0; ++i) {
            uint64 deadline = submissions[hash].deadline;
            if (block.timestamp <= deadline) return false;
            if (!_lapsed(deadline)) return true;
            hash = submissions[hash].next;
        }
        return hash != 0;
    }

    function _setOperator(address operator_) private {
        if (operator_ == address(0)) revert NoOperator();
        operator = operator_;
        emit OperatorSet(operator_);
    }

    function _lapsed(uint64 deadline) private view returns (bool) {
        return block.timestamp > uint256(deadline) + patience;
    }

    function _settle(uint256 most) private returns (uint256 cleared) {
        bytes32 hash = first;
        while (cleared < most && hash != 0 && _lapsed(submissions[hash].deadline)) {
            bytes32 next = submissions[hash].next;
            _remove(hash);
            emit Lapsed(hash);
            hash = next;
            ++cleared;
        }
        if (cleared != 0) _forfeit(cleared * bond);
    }

    function _append(bytes32 hash, uint64 deadline) private {
        bytes32 previous = last;
        submissions[hash] = Submission(msg.sender, deadline, previous, 0);
        last = hash;
        if (previous == 0) first = hash;
        else submissions[previous].next = hash;
    }

    function _remove(bytes32 hash) private {
        Submission memory gone = submissions[hash];
        delete submissions[hash];
        if (gone.previous == 0) first = gone.next;
        else submissions[gone.previous].next = gone.next;
        if (gone.next == 0) last = gone.previous;
        else submissions[gone.next].previous = gone.previous;
    }

    function _pay(address account, uint256 amount) private {
        if (amount == 0) return;
        bool paid;
        // In assembly, so that a long answer is not copied at the caller's cost.
        assembly ("memory-safe") {
            paid := call(GAS_TO_PAY, account, amount, 0, 0, 0, 0)
        }
        if (!paid) _credit(account, amount);
    }

    function _forfeit(uint256 amount) private {
        if (amount == 0) return;
        try pool.fund{value: amount}(address(0), amount) {} catch {
            _credit(address(pool), amount);
        }
    }

    function _credit(address account, uint256 amount) private {
        credit[account] += amount;
        emit Credited(account, amount);
    }

    /// @dev A signature of fixed length leaves one way only to split what was submitted.
    function _checkSubmitted(
        bytes32 hash,
        bytes calldata entry,
        string calldata signature
    ) private pure {
        if (bytes(signature).length != SIGNATURE) revert WrongLength(bytes(signature).length);
        bytes32 given = sha256(abi.encodePacked('{"entry":', entry, ',"signature":"', signature, '"}'));
        if (given != hash) revert AnotherEntry(hash, given);
    }

    function _leafHash(
        bytes calldata entry,
        string calldata signature,
        uint64 index,
        uint64 time
    ) private pure returns (bytes32) {
        bytes memory head = abi.encodePacked(
            bytes1(0x00),
            '{"entry":',
            entry,
            ',"index":',
            Strings.toString(index)
        );
        return
            sha256(
                abi.encodePacked(
                    head,
                    ',"signature":"',
                    signature,
                    '","time":',
                    Strings.toString(time),
                    "}"
                )
            );
    }
}
