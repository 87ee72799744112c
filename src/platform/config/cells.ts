import { z } from 'zod';

export const REGION_NAME = /^[a-z]{2}-[a-z]+-\d$/;
export const CELL_NAME = /^[a-z][a-z0-9-]{1,38}[a-z0-9]$/;
/** Beyond it a cell's catalogue slows what is done for all tenants at once: open another cell. */
export const CELL_CAPACITY = 2_000;

/** A further cell, as `CELLS` lists it: where each thing that its tenants store goes. */
const cell = z.strictObject({
  name: z.string().regex(CELL_NAME),
  region: z.string().regex(REGION_NAME),
  databaseUrl: z.url({ protocol: /^postgres(ql)?$/ }),
  /** A PgBouncer in transaction mode before the same database. */
  poolerUrl: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  redisUrl: z.url({ protocol: /^rediss?$/ }).optional(),
  bucket: z.string().min(3).optional(),
  bucketKmsKeyId: z.string().min(1).optional(),
  kmsRegion: z.string().min(1).optional(),
  capacity: z.int().min(1).max(100_000).default(CELL_CAPACITY),
});

/** `SERVE_REGIONS`: names, separated by commas. */
export const servedRegions = z
  .string()
  .optional()
  .transform((text, context): readonly string[] | undefined => {
    const names = text?.split(',').map((name) => name.trim());
    if (names?.every((name) => REGION_NAME.test(name)) ?? true) return names;
    context.addIssue({ code: 'custom', message: 'must be names of regions, separated by commas' });
    return z.NEVER;
  });

/** `REGION_URLS`, from its JSON. */
export const regionUrls = z
  .string()
  .optional()
  .transform((text, context): Readonly<Record<string, string>> | undefined => {
    if (text === undefined) return undefined;
    try {
      return z.record(z.string().regex(REGION_NAME), z.url({ protocol: /^https?$/ })).parse(JSON.parse(text));
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a JSON object of region and base URL' });
      return z.NEVER;
    }
  });

export type FurtherCell = z.infer<typeof cell>;

/** `CELLS`, from its JSON. Says what is wrong, never with the value: it holds passwords. */
export const furtherCells = z
  .string()
  .optional()
  .transform((text, context): FurtherCell[] => {
    let value: unknown;
    try {
      value = JSON.parse(text ?? '[]');
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a JSON array of cells' });
      return z.NEVER;
    }
    const parsed = z.array(cell).max(100).safeParse(value);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
    context.addIssue({
      code: 'custom',
      message: `must be a JSON array of cells; look at ${where || 'its form'}`,
    });
    return z.NEVER;
  });
