// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {GovernorUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import {
    TimelockControllerUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";
import {
    GovernorCountingSimpleUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorCountingSimpleUpgradeable.sol";
import {
    GovernorSettingsUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorSettingsUpgradeable.sol";
import {
    GovernorTimelockControlUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorTimelockControlUpgradeable.sol";
import {
    GovernorVotesUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorVotesUpgradeable.sol";

/// @title The Governor of one challenge
/// @notice An ordinary OpenZeppelin Governor over the challenge's coin, with two additions. The quorum
/// is a part of the coin's cap, not of what is minted, so that a first finder who holds every coin
/// there is decides nothing alone. And while little is minted, a guardian named at the opening may
/// schedule through the same timelock, for a stated time.
contract ChallengeGovernor is
    GovernorSettingsUpgradeable,
    GovernorCountingSimpleUpgradeable,
    GovernorVotesUpgradeable,
    GovernorTimelockControlUpgradeable
{
    /// @notice What the opening fixed.
    struct Rules {
        string name;
        IVotes coin;
        TimelockControllerUpgradeable timelock;
        address guardian;
        uint64 guardedUntil; // parts of the cap
        uint64 guardianTerm; // a time
        uint256 threshold; // smallest units of coin
        uint64 quorum; // parts of the cap
        uint48 votingDelay; // seconds
        uint32 votingPeriod; // seconds
        uint64 window; // seconds in which a payout root can be vetoed
    }

    /// @notice All the coin that there can ever be, in its smallest unit.
    uint256 public constant CAP = 10 ** 27;
    /// @notice Parts are per this.
    uint256 public constant PARTS = 10 ** 9;

    /// @notice Who may schedule while little coin is minted.
    address public guardian;
    /// @notice The guardian's power ends when this part of the cap is minted.
    uint64 public guardedUntil;
    /// @notice The guardian's power ends at this time at the latest.
    uint64 public guardianTerm;
    /// @notice The part of the cap that must vote for or abstain.
    uint64 public quorumParts;
    /// @notice Voting delay, voting period and timelock together stay below this, in seconds.
    uint64 public window;
    /// @notice Whether the guardian scheduled this operation of the timelock.
    mapping(bytes32 operation => bool) public scheduledByGuardian;

    /// @notice The guardian scheduled an operation; `salt` is the one to execute it with.
    event Guarded(
        bytes32 indexed operation,
        address indexed guardian,
        address[] targets,
        uint256[] values,
        bytes[] calldatas,
        bytes32 salt
    );
    /// @notice An operation of the guardian was taken back.
    event Unguarded(bytes32 indexed operation, address by);

    /// @notice Only the guardian may do this, and only in his term.
    error NotTheGuardian(address account);
    /// @notice The guardian may not touch the DAO itself.
    error BeyondTheGuardian(address target);
    /// @notice The guardian did not schedule this.
    error NotGuarded(bytes32 operation);
    /// @notice Pool, anchor and stake obey this timelock for ever, so the Governor keeps it.
    error OneTimelock(address timelock);
    /// @notice A veto could come too late: delay, period and timelock must stay below the window.
    error SlowerThanTheWindow(uint256 seconds_, uint64 window);

    constructor() {
        _disableInitializers();
    }

    /// @notice Set up a clone, once. The factory calls this in the transaction that makes the clone.
    /// @param rules What the opening fixed.
    function initialize(Rules calldata rules) external initializer {
        window = rules.window;
        __Governor_init(rules.name);
        __GovernorVotes_init(rules.coin);
        __GovernorTimelockControl_init(rules.timelock);
        __GovernorSettings_init(rules.votingDelay, rules.votingPeriod, rules.threshold);
        guardian = rules.guardian;
        guardedUntil = rules.guardedUntil;
        guardianTerm = rules.guardianTerm;
        quorumParts = rules.quorum;
    }

    /// @notice Return whether `account` is the guardian and still in his term.
    /// @param account Who asks.
    function guards(address account) public view returns (bool) {
        return account == guardian && account != address(0) && _guardianServes();
    }

    /// @notice As the guardian, schedule calls through the challenge's timelock, with its full delay.
    /// Anyone executes them there, with the salt that the event names.
    /// @param targets Who is called; neither this Governor nor the timelock.
    /// @param values Wei for each call.
    /// @param calldatas Data of each call.
    /// @param salt Tells apart operations that are otherwise the same.
    /// @return operation The timelock's name for it.
    function guard(
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata calldatas,
        bytes32 salt
    ) external returns (bytes32 operation) {
        if (!guards(msg.sender)) revert NotTheGuardian(msg.sender);
        TimelockControllerUpgradeable lock = TimelockControllerUpgradeable(payable(timelock()));
        for (uint256 i = 0; i < targets.length; ++i) {
            // A guardian who could grant himself a role would outlast his term.
            if (targets[i] == address(this) || targets[i] == address(lock)) {
                revert BeyondTheGuardian(targets[i]);
            }
        }
        // Hashed, so that no salt of his stands in the way of a proposal's.
        salt = keccak256(abi.encode("guard", salt));
        operation = lock.hashOperationBatch(targets, values, calldatas, 0, salt);
        scheduledByGuardian[operation] = true;
        emit Guarded(operation, msg.sender, targets, values, calldatas, salt);
        lock.scheduleBatch(targets, values, calldatas, 0, salt, lock.getMinDelay());
    }

    /// @notice Take back what the guardian scheduled: he at any time, anyone once his term is over.
    /// @param operation The timelock's name for it.
    function unguard(bytes32 operation) external {
        if (!scheduledByGuardian[operation]) revert NotGuarded(operation);
        if (msg.sender != guardian && _guardianServes()) revert NotTheGuardian(msg.sender);
        delete scheduledByGuardian[operation];
        emit Unguarded(operation, msg.sender);
        TimelockControllerUpgradeable(payable(timelock())).cancel(operation);
    }

    /// @notice Refused: the challenge's other contracts know one timelock only.
    function updateTimelock(TimelockControllerUpgradeable) public view override {
        revert OneTimelock(timelock());
    }

    /// @notice Return the votes that must be for or abstain, the same at every time.
    function quorum(uint256) public view override returns (uint256) {
        return (CAP * quorumParts) / PARTS;
    }

    /// @inheritdoc GovernorUpgradeable
    function state(
        uint256 proposalId
    )
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (ProposalState)
    {
        return super.state(proposalId);
    }

    /// @inheritdoc GovernorUpgradeable
    function proposalNeedsQueuing(
        uint256 proposalId
    )
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    /// @inheritdoc GovernorUpgradeable
    function proposalThreshold()
        public
        view
        override(GovernorUpgradeable, GovernorSettingsUpgradeable)
        returns (uint256)
    {
        return super.proposalThreshold();
    }

    function _guardianServes() private view returns (bool) {
        return
            block.timestamp < guardianTerm &&
            IERC20(address(token())).totalSupply() * PARTS < CAP * guardedUntil;
    }

    function _setVotingDelay(uint48 newVotingDelay) internal override {
        super._setVotingDelay(newVotingDelay);
        _checkPace();
    }

    function _setVotingPeriod(uint32 newVotingPeriod) internal override {
        super._setVotingPeriod(newVotingPeriod);
        _checkPace();
    }

    function _checkPace() private view {
        uint256 lock = TimelockControllerUpgradeable(payable(timelock())).getMinDelay();
        uint256 pace = votingDelay() + votingPeriod() + lock;
        if (pace >= window) revert SlowerThanTheWindow(pace, window);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    )
        internal
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (uint48)
    {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    )
        internal
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (uint256)
    {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor()
        internal
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (address)
    {
        return super._executor();
    }
}
