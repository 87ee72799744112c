/** A group as it is stored. */
export interface GroupRow extends Record<string, unknown> {
  readonly id: string;
  readonly display_name: string;
  /** What it is called where it comes from. */
  readonly external_id: string | null;
  /** The directory that provides it; null: it is looked after by hand. */
  readonly directory: string | null;
  /** How many people are in it directly. */
  readonly people: number;
  readonly version: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export const GROUP_COLUMNS =
  'id, display_name, external_id, directory, people, version, created_by, created_at, updated_at';
