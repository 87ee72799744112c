/** What an organisation may have. */
export interface Quotas {
  /** Active people. */
  readonly users: number;
  /** Agents that are not deleted. */
  readonly agents: number;
  /** Runs begun in a day of UTC. */
  readonly runsPerDay: number;
  /** Bytes of rows and objects. */
  readonly storageBytes: number;
}

/** What an organisation may have unless the operator says otherwise: enough for most, and too little to harm neighbours. */
export const DEFAULT_QUOTAS: Quotas = {
  users: 1_000,
  agents: 2_000,
  runsPerDay: 50_000,
  storageBytes: 50 * 1_024 ** 3,
};

export function quotasOf({ quotas }: { readonly quotas: Partial<Quotas> }): Quotas {
  return { ...DEFAULT_QUOTAS, ...quotas };
}
