export const SEVERITIES = ['P1', 'P2', 'P3', 'P4'] as const;
export type AlertSeverity = (typeof SEVERITIES)[number];

/** Within which time somebody has to say that they have seen an alert: 15 minutes, 1, 4 and 24 hours. */
export const ACKNOWLEDGE_WITHIN_SECONDS: Readonly<Record<AlertSeverity, number>> = {
  P1: 15 * 60,
  P2: 3_600,
  P3: 4 * 3_600,
  P4: 24 * 3_600,
};
