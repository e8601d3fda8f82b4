// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title For tests: a token that anyone makes, and that keeps a tenth of each transfer if told to
contract TollToken is ERC20 {
    bool public takesToll;

    constructor() ERC20("Toll", "TOLL") {}

    /// @notice Make some.
    function make(address account, uint256 amount) external {
        _mint(account, amount);
    }

    /// @notice Keep a tenth of each transfer from now on, or no more.
    function setToll(bool takesToll_) external {
        takesToll = takesToll_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        uint256 toll = takesToll && from != address(0) && to != address(0) ? amount / 10 : 0;
        if (toll != 0) super._update(from, address(0), toll);
        super._update(from, to, amount - toll);
    }
}
