// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Takes no ETH, and can still call anything: it stands in for a publisher.
contract Refuser {
    function run(address target, bytes calldata data) external payable {
        (bool worked, bytes memory answer) = target.call{value: msg.value}(data);
        if (!worked) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

/// Burns all gas that it is given with ETH.
contract Burner {
    receive() external payable {
        for (;;) {}
    }
}

/// Answers ETH with more bytes than anyone wants to copy.
contract Bomb {
    receive() external payable {
        assembly {
            revert(0, 100000)
        }
    }
}

/// Takes ETH, and while it does calls something else; remembers whether that worked.
contract Reenterer {
    address public target;
    bytes public data;
    uint256 public value;
    bool public called;
    bool public worked;

    function plan(address target_, bytes calldata data_, uint256 value_) external payable {
        target = target_;
        data = data_;
        value = value_;
    }

    receive() external payable {
        if (target == address(0)) return;
        called = true;
        (worked, ) = target.call{value: value}(data);
    }
}

/// An anchor that is overdue whenever it is told to be.
contract MoodyAnchor {
    bool public overdue;

    function set(bool overdue_) external {
        overdue = overdue_;
    }
}

/// Takes ETH only where nearly all the gas of a batch's payee comes with it.
contract Glutton {
    receive() external payable {
        require(gasleft() > 52_000);
    }
}
