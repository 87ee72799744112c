export { EXPIRED, expiryOf, vouchesFor, type Beginning } from './beginning.js';
export { openCheckpoint, signCheckpoint, type Checkpoint } from './checkpoint.js';
export { Frontier } from './frontier.js';
export { LogWalk } from './log-walk.js';
export { chainHash, EMPTY_CHAIN, emptyRoot, HASH_LENGTH, leafHash, nodeHash } from './hashes.js';
export {
  formatVerifier,
  NoteRefused,
  openNote,
  parseVerifier,
  signNote,
  type NoteSigner,
  type NoteVerifier,
} from './note.js';
export {
  consistencyProof,
  inclusionProof,
  nodesFor,
  ProofRefused,
  rootOf,
  verifyConsistency,
  verifyInclusion,
  type NodeHashes,
  type NodeId,
} from './proof.js';
export { nodeInTile, tileOf, tilePath, tileRoot, TILE_HEIGHT, TILE_WIDTH, type TileId } from './tiles.js';
