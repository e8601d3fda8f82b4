// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What the pool asks of the log's anchor
interface IAnchor {
    /// @notice Return whether an entry that was handed in for the log is overdue.
    function overdue() external view returns (bool);
}

/// @title What the pool asks of the challenge's coin
interface ICoin {
    /// @notice Make `amount` of coin for `account`; the pool alone may.
    function mint(address account, uint256 amount) external;

    /// @notice Return how much coin there is.
    function totalSupply() external view returns (uint256);
}
