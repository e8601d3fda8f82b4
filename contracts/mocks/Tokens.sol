// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token as it should be, which anybody can mint.
contract PlainToken is ERC20("Plain", "PLN") {
    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }
}

/// Every hundredth part of a transfer is lost on the way.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : amount / 100;
        super._update(from, to, amount - fee);
        if (fee != 0) super._update(from, address(0xfee), fee);
    }
}

/// Returns nothing, as some of the largest tokens do.
contract SilentToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address account, uint256 amount) external {
        balanceOf[account] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Says no by a false, by a revert, by burning all gas, or by a long answer, to whom it is told to.
contract MoodyToken is ERC20("Moody", "MOO") {
    enum Mood {
        Fair,
        False,
        Reverts,
        Burns,
        Bombs,
        Two
    }

    mapping(address account => Mood) public mood;

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function setMood(address account, Mood mood_) external {
        mood[account] = mood_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        Mood its = mood[to];
        if (its == Mood.False) return false;
        if (its == Mood.Reverts) revert("blocked");
        if (its == Mood.Burns) for (;;) {}
        if (its == Mood.Bombs) {
            assembly {
                revert(0, 200000)
            }
        }
        if (its == Mood.Two) {
            assembly {
                mstore(0, 2)
                return(0, 32)
            }
        }
        return super.transfer(to, amount);
    }
}

/// Calls back whoever sends, while a transfer runs.
contract HookToken is ERC20("Hook", "HOO") {
    address public target;
    bytes public data;
    bool public worked;

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function plan(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _call();
        return super.transferFrom(from, to, amount);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        _call();
        return super.transfer(to, amount);
    }

    function _call() private {
        if (target != address(0)) (worked, ) = target.call(data);
    }
}
