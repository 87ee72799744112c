import { ApiProperty } from '@nestjs/swagger';
import { Type as Transform } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';
import { Optional } from '../platform/http/fields.js';
import type { StoredCheckpoint } from './prove-log.js';

const WHOLE = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } as const;

/** A number of events, or of one. */
function IsPosition(): PropertyDecorator {
  return (target, key) => {
    for (const decorate of [Transform(() => Number), IsInt(), Min(1), Max(Number.MAX_SAFE_INTEGER)])
      decorate(target, key);
  };
}

export class InclusionQuery {
  /** The event's number. */
  @IsPosition()
  @ApiProperty(WHOLE)
  seq!: number;

  /** Size of the checkpoint; left out, the newest. */
  @Optional()
  @IsPosition()
  @ApiProperty({ ...WHOLE, required: false })
  size?: number;
}

export class ConsistencyQuery {
  /** Size of the older checkpoint. */
  @IsPosition()
  @ApiProperty(WHOLE)
  from!: number;

  /** Size of the newer checkpoint. */
  @IsPosition()
  @ApiProperty(WHOLE)
  to!: number;
}

export class PublicationQuery {
  /** Size of the checkpoint; left out, the newest. */
  @Optional()
  @IsPosition()
  @ApiProperty({ ...WHOLE, required: false })
  size?: number;
}

export class ExportQuery {
  /** Number of the first event; left out, 1. */
  @Optional()
  @IsPosition()
  @ApiProperty({ ...WHOLE, required: false, default: 1 })
  from: number = 1;
}

export class CheckpointDto {
  /** Events that it covers. */
  size!: number;
  /** RFC 6962 root over them, hexadecimal. */
  rootHash!: string;
  @ApiProperty({ format: 'date-time' })
  at!: string;
  /** The checkpoint itself, signed: C2SP tlog-checkpoint. Keep it, away from us. */
  note!: string;
}

export class CheckpointPageDto {
  items!: CheckpointDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export class InclusionProofDto {
  seq!: number;
  size!: number;
  leafHash!: string;
  rootHash!: string;
  /** RFC 6962 audit path, hexadecimal, from the leaf's neighbour up. */
  hashes!: string[];
}

export class ConsistencyProofDto {
  from!: number;
  to!: number;
  fromRootHash!: string;
  toRootHash!: string;
  /** RFC 6962 consistency proof, hexadecimal. */
  hashes!: string[];
}

export class PublicationProofDto {
  /** Size of the checkpoint that is proven to be published. */
  size!: number;
  /** RFC 6962 leaf hash of the checkpoint's note. */
  leafHash!: string;
  /** Its index in the log of checkpoints, from 0. */
  index!: number;
  /** The newest checkpoint of the log of checkpoints. */
  rootCheckpoint!: string;
  hashes!: string[];
}

export class CheckpointKeyDto {
  /** C2SP verifier key: name+hash+key. */
  verifier!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  /** Since when it signs nothing any more; what it signed stays valid. */
  @ApiProperty({ format: 'date-time' })
  retiredAt?: string;
}

export class CheckpointKeysDto {
  /** The newest first. */
  items!: CheckpointKeyDto[];
}

export class NewCheckpointKeyDto {
  verifier!: string;
}

/** What an export of a log answers. */
export const EXPORT_RESPONSE = {
  description:
    'JSON Lines: `{seq, event, chain}` for each event, its canonical JSON as a string; last `{checkpoint}`, signed. Verified offline by `wax audit verify`.',
  content: { 'application/jsonl': { schema: { type: 'string' as const } } },
};

export function checkpointDto({ size, root, note, at }: StoredCheckpoint): CheckpointDto {
  return { size, rootHash: root.toString('hex'), at: at.toISOString(), note };
}
