/**
 * SQL of the kind by which it is announced that people came into a group: they may more than before, and what is being
 * served for them goes on. Where the organisation has policies of its own in force they may less as well, as these can
 * forbid by a group; then it ends, as when somebody leaves one.
 */
export const KIND_OF_GAIN = `CASE WHEN (SELECT version FROM access_policy_activations ORDER BY number DESC LIMIT 1) IS NULL
  THEN 'access_gained' ELSE 'user' END`;
