// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// What the tests of the client need of a contract: events, refusals, money, structs, time.
/// tests/chain/Bell.json is this file, compiled as contracts/ is.
contract Bell {
    error TooEarly(uint256 now_, uint256 wanted);
    error NothingToRing(address who, bytes32 why);

    struct Note {
        address who;
        uint256 pitch;
    }

    event Rang(address indexed who, uint256 indexed number, string text, bytes data);

    uint256 public count;
    address public immutable owner;

    constructor(address owner_) payable {
        owner = owner_;
    }

    receive() external payable {}

    function ring(string calldata text, bytes calldata data) external payable {
        count += 1;
        emit Rang(msg.sender, count, text, data);
    }

    function peal(uint256 times) external {
        for (uint256 n = 0; n < times; n++) {
            count += 1;
            emit Rang(msg.sender, count, "", "");
        }
    }

    function refuse(uint256 how) external view {
        if (how == 0) revert NothingToRing(msg.sender, bytes32(uint256(7)));
        if (how == 1) revert("plain words");
        if (how == 2) revert TooEarly(block.timestamp, block.timestamp + 1);
        if (how == 3) revert();
        if (how == 4) count / (how - 4);
        assert(how != 5);
    }

    function after_(uint256 time) external {
        if (block.timestamp < time) revert TooEarly(block.timestamp, time);
        count += 100;
    }

    function echo(Note calldata note, bytes32[] calldata words)
        external
        pure
        returns (Note memory, bytes32[] memory)
    {
        return (note, words);
    }
}
