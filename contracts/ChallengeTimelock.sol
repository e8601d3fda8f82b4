// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    TimelockControllerUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";

/// @title The timelock of one challenge
/// @notice OpenZeppelin's, made ready to be cloned. The Governor alone proposes and cancels, anyone
/// executes, and nobody but the timelock itself administers it.
contract ChallengeTimelock is TimelockControllerUpgradeable {
    /// @notice The delay may not grow: a pool's dispute window leaves just enough time for a veto.
    error DelayMayNotGrow(uint256 delay, uint256 asked);

    constructor() {
        _disableInitializers();
    }

    /// @notice Shorten the delay; the timelock alone can call this. It can never be lengthened.
    /// @param newDelay Seconds between scheduling and execution.
    function updateDelay(uint256 newDelay) public override {
        if (newDelay > getMinDelay()) revert DelayMayNotGrow(getMinDelay(), newDelay);
        super.updateDelay(newDelay);
    }
}
