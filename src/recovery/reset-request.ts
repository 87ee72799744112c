import { v7 as uuidv7 } from 'uuid';

/** What is asked for, as it waits: sealed, since it holds an address. */
export interface ResetRequest {
  readonly email: string;
}

export function newResetId(): string {
  return uuidv7();
}

/** What a waiting request is sealed for. It is opened within minutes, and nothing rewraps it. */
export function requestPlace(id: string) {
  return { table: 'password_resets', column: 'request', row: id };
}

/** `wxp_` | tenant (16 hex digits) | `_` | 256 random bits. */
export const RESET_TOKEN = /^wxp_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;
export const RESET_SECONDS = 1_800;
