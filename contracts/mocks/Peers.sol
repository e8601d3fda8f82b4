// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// A distributor of the kind that Uniswap published: one token, one root for ever, one bit for each
/// leaf that was claimed. Written anew from that design, to measure against.
contract BitmapDistributor {
    using SafeERC20 for IERC20;

    address public immutable token;
    bytes32 public immutable merkleRoot;
    mapping(uint256 word => uint256) private _claimed;

    event Claimed(uint256 index, address account, uint256 amount);

    error AlreadyClaimed();
    error InvalidProof();

    constructor(address token_, bytes32 merkleRoot_) {
        token = token_;
        merkleRoot = merkleRoot_;
    }

    function isClaimed(uint256 index) public view returns (bool) {
        return (_claimed[index / 256] >> (index % 256)) & 1 == 1;
    }

    function claim(
        uint256 index,
        address account,
        uint256 amount,
        bytes32[] calldata merkleProof
    ) external {
        if (isClaimed(index)) revert AlreadyClaimed();
        bytes32 node = keccak256(abi.encodePacked(index, account, amount));
        if (!MerkleProof.verify(merkleProof, merkleRoot, node)) revert InvalidProof();
        _claimed[index / 256] |= 1 << (index % 256);
        IERC20(token).safeTransfer(account, amount);
        emit Claimed(index, account, amount);
    }
}

/// Sends many amounts in one transaction and keeps no books at all.
contract Disperse {
    function token(IERC20 asset, address[] calldata to, uint256[] calldata amounts) external {
        uint256 total = 0;
        for (uint256 i = 0; i < to.length; ++i) total += amounts[i];
        require(asset.transferFrom(msg.sender, address(this), total));
        for (uint256 i = 0; i < to.length; ++i) require(asset.transfer(to[i], amounts[i]));
    }

    function ether_(address payable[] calldata to, uint256[] calldata amounts) external payable {
        for (uint256 i = 0; i < to.length; ++i) {
            (bool sent, ) = to[i].call{value: amounts[i]}("");
            require(sent);
        }
    }
}
