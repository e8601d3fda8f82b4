// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title For tests: an account with code that calls what it is told, also when it is paid
contract Puppet {
    bool public refuses;
    bool public burns;
    address public target;
    bytes public data;
    bool public worked;
    bytes public answer;

    /// @notice Refuse ETH, or burn all gas at it, from now on.
    function set(bool refuses_, bool burns_) external {
        (refuses, burns) = (refuses_, burns_);
    }

    /// @notice When paid, call this.
    function whenPaid(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    /// @notice Call this now.
    function act(address target_, bytes calldata data_) external payable returns (bytes memory) {
        (bool ok, bytes memory result) = target_.call{value: msg.value}(data_);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        return result;
    }

    receive() external payable {
        require(!refuses, "refused");
        while (burns) {}
        if (target != address(0)) (worked, answer) = target.call(data);
    }
}
