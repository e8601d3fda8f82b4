// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The tree of the log: RFC 9162, section 2.1, over SHA-256
library LogTree {
    /// @notice Return the root that a proof of inclusion leads to, or zero where it has the wrong
    /// length. Section 2.1.3.2 of the RFC.
    /// @param hash The leaf's hash.
    /// @param index The leaf's index, below `size`.
    /// @param size The number of leaves.
    /// @param proof The siblings from the leaf upwards.
    function root(
        bytes32 hash,
        uint64 index,
        uint64 size,
        bytes32[] calldata proof
    ) internal pure returns (bytes32) {
        uint256 here = index;
        uint256 last = uint256(size) - 1;
        for (uint256 i = 0; i < proof.length; ++i) {
            if (last == 0) return 0;
            if (here & 1 == 1 || here == last) {
                hash = sha256(abi.encodePacked(bytes1(0x01), proof[i], hash));
                // The last node of a level without a sibling moves up as it is.
                while (here & 1 == 0 && here != 0) {
                    here >>= 1;
                    last >>= 1;
                }
            } else {
                hash = sha256(abi.encodePacked(bytes1(0x01), hash, proof[i]));
            }
            here >>= 1;
            last >>= 1;
        }
        return last == 0 ? hash : bytes32(0);
    }
}
