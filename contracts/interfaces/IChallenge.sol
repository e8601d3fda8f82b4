// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What the other contracts of a challenge ask of its pool
interface IPool {
    /// @notice Take `amount` of `asset` from the caller; the zero address is ETH.
    function fund(address asset, uint256 amount) external payable;

    /// @notice Revert unless the root in effect holds the leaf (account, asset, cumulative).
    function prove(
        address account,
        address asset,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external view;

    /// @notice Return the log's size of the root in effect.
    function size() external view returns (uint64);
}

/// @title What the other contracts of a challenge ask of its Governor
interface IGuarded {
    /// @notice Return whether `account` is the guardian and still in his term.
    function guards(address account) external view returns (bool);
}
