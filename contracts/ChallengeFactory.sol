// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {ChallengeGovernor} from "./ChallengeGovernor.sol";
import {ChallengeTimelock} from "./ChallengeTimelock.sol";
import {LogAnchor} from "./LogAnchor.sol";
import {PrizePool} from "./PrizePool.sol";
import {ProgressCoin} from "./ProgressCoin.sol";
import {Stake} from "./Stake.sol";
import {IGuarded, IPool} from "./interfaces/IChallenge.sol";

/// @notice What a challenge's opening fixes of its contracts. Parts are per 10^9, times in seconds,
/// amounts in the smallest unit; the zero address is ETH.
struct Config {
    string name;
    string symbol;
    address operator;
    address guardian;
    address[] assets;
    address stakeAsset;
    uint256 bond;
    uint64 window;
    uint64 outflow;
    uint64 guardedUntil;
    uint64 guardianTerm;
    uint256 threshold;
    uint64 quorum;
    uint48 votingDelay;
    uint32 votingPeriod;
    uint64 timelockDelay;
    uint64 exitDelay;
    uint64 exitsFrom;
    uint64 uptake;
    uint64 patience;
}

/// @notice One challenge's contracts.
struct Contracts {
    address pool;
    address coin;
    address governor;
    address timelock;
    address anchor;
    address stake;
}

/// @title Deploys the contracts of a challenge, all in one transaction
/// @notice Anyone may deploy for anyone: where the contracts stand depends on the challenge and its
/// config alone, so whoever comes first can do nothing but the right thing. The pool is deployed
/// whole, the rest as minimal clones.
contract ChallengeFactory {
    /// @notice Parts are per this.
    uint256 public constant PARTS = 10 ** 9;
    /// @notice No span of time is longer: 68 years. It keeps sums of times far from overflow.
    uint256 public constant LONGEST = 2 ** 31;

    /// @notice What the clones of each kind delegate to; all of them are inert themselves.
    ProgressCoin public immutable coin;
    ChallengeGovernor public immutable governor;
    ChallengeTimelock public immutable timelock;
    LogAnchor public immutable anchor;
    Stake public immutable stake;

    /// @notice The contracts of challenge `id` stand, wired to each other.
    event Deployed(
        bytes32 indexed id,
        bytes32 indexed configHash,
        address pool,
        address coin,
        address governor,
        address timelock,
        address anchor,
        address stake
    );

    error AlreadyDeployed(bytes32 id, address pool);
    error NobodyOperates();
    error NotParts(uint256 value);
    error NotASpan(uint256 seconds_);
    error WindowTooShort(uint256 window, uint256 veto);
    error ThresholdAboveCap(uint256 threshold);
    error StakeNotListed(address asset);

    constructor(
        ProgressCoin coin_,
        ChallengeGovernor governor_,
        ChallengeTimelock timelock_,
        LogAnchor anchor_,
        Stake stake_
    ) {
        coin = coin_;
        governor = governor_;
        timelock = timelock_;
        anchor = anchor_;
        stake = stake_;
    }

    /// @notice Deploy and wire the contracts of a challenge.
    /// @param id The challenge, whichever 32 bytes name it.
    /// @param config What its opening fixed.
    /// @return made Where they stand: where `predict` said.
    function deploy(
        bytes32 id,
        Config memory config
    ) external returns (Contracts memory made) {
        check(config);
        bytes32 configHash = keccak256(abi.encode(config));
        bytes32 salt = keccak256(abi.encode(id, configHash));
        bytes memory code;
        (made, code) = _plan(salt, config);
        if (made.pool.code.length != 0) revert AlreadyDeployed(id, made.pool);
        Clones.cloneDeterministic(address(coin), salt);
        Clones.cloneDeterministic(address(governor), salt);
        Clones.cloneDeterministic(address(timelock), salt);
        Clones.cloneDeterministic(address(anchor), salt);
        Clones.cloneDeterministic(address(stake), salt);
        Create2.deploy(0, salt, code);
        _wire(made, config);
        emit Deployed(
            id,
            configHash,
            made.pool,
            made.coin,
            made.governor,
            made.timelock,
            made.anchor,
            made.stake
        );
    }

    /// @notice Return where `deploy` puts, or has put, the contracts of a challenge.
    /// @param id The challenge.
    /// @param config What its opening fixed.
    function predict(
        bytes32 id,
        Config memory config
    ) external view returns (Contracts memory made) {
        (made, ) = _plan(keccak256(abi.encode(id, keccak256(abi.encode(config)))), config);
    }

    /// @notice Revert where a config contradicts itself.
    /// @param config What an opening would fix.
    function check(Config memory config) public pure {
        if (config.operator == address(0)) revert NobodyOperates();
        _checkParts(config.outflow, 1);
        _checkParts(config.quorum, 1); // with none, one vote would decide
        _checkParts(config.guardedUntil, 0);
        if (config.threshold > 10 ** 27) revert ThresholdAboveCap(config.threshold);
        _checkSpan(config.window);
        _checkSpan(config.exitDelay);
        _checkSpan(config.uptake);
        _checkSpan(config.patience);
        uint256 veto = uint256(config.votingDelay) + config.votingPeriod + config.timelockDelay;
        if (config.window <= veto) revert WindowTooShort(config.window, veto);
        if (config.stakeAsset == address(0)) return; // the pool takes ETH, listed or not
        for (uint256 i = 0; i < config.assets.length; ++i) {
            if (config.assets[i] == config.stakeAsset) return;
        }
        revert StakeNotListed(config.stakeAsset); // what is slashed could not reach the pool
    }

    function _checkParts(uint256 value, uint256 least) private pure {
        if (value < least || value > PARTS) revert NotParts(value);
    }

    function _checkSpan(uint256 seconds_) private pure {
        if (seconds_ > LONGEST) revert NotASpan(seconds_);
    }

    /// @dev Return where everything will stand, and what the pool is created from.
    function _plan(
        bytes32 salt,
        Config memory config
    ) private view returns (Contracts memory set, bytes memory code) {
        set.coin = Clones.predictDeterministicAddress(address(coin), salt);
        set.governor = Clones.predictDeterministicAddress(address(governor), salt);
        set.timelock = Clones.predictDeterministicAddress(address(timelock), salt);
        set.anchor = Clones.predictDeterministicAddress(address(anchor), salt);
        set.stake = Clones.predictDeterministicAddress(address(stake), salt);
        PrizePool.Rules memory rules = PrizePool.Rules({
            coin: set.coin,
            timelock: set.timelock,
            guardian: config.guardian,
            anchor: set.anchor,
            stake: set.stake,
            bond: config.bond,
            window: config.window,
            outflow: config.outflow,
            guardedUntil: config.guardedUntil,
            guardianTerm: config.guardianTerm,
            assets: config.assets
        });
        code = bytes.concat(type(PrizePool).creationCode, abi.encode(rules));
        set.pool = Create2.computeAddress(salt, keccak256(code));
    }

    /// @dev Set the clones up. The timelock first: the Governor asks it for its delay.
    function _wire(Contracts memory set, Config memory config) private {
        address[] memory proposers = new address[](1);
        proposers[0] = set.governor;
        address[] memory anyone = new address[](1);
        ChallengeTimelock lock = ChallengeTimelock(payable(set.timelock));
        lock.initialize(config.timelockDelay, proposers, anyone, address(0));
        ProgressCoin(set.coin).initialize(config.name, config.symbol, set.pool, set.timelock);
        ChallengeGovernor(payable(set.governor)).initialize(
            ChallengeGovernor.Rules({
                name: config.name,
                coin: IVotes(set.coin),
                timelock: lock,
                guardian: config.guardian,
                guardedUntil: config.guardedUntil,
                guardianTerm: config.guardianTerm,
                threshold: config.threshold,
                quorum: config.quorum,
                votingDelay: config.votingDelay,
                votingPeriod: config.votingPeriod,
                window: config.window
            })
        );
        LogAnchor(set.anchor).initialize(
            LogAnchor.Rules({
                operator: config.operator,
                timelock: set.timelock,
                governor: IGuarded(set.governor),
                pool: IPool(set.pool),
                bond: config.bond,
                uptake: config.uptake,
                patience: config.patience
            })
        );
        Stake(set.stake).initialize(
            Stake.Rules({
                asset: config.stakeAsset,
                pool: IPool(set.pool),
                timelock: set.timelock,
                exitDelay: config.exitDelay,
                exitsFrom: config.exitsFrom
            })
        );
    }
}
