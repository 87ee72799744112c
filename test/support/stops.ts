import type { Application } from './application.js';
import { asSuperuser } from './embedded-database.js';
import { eventually } from './eventually.js';

/**
 * Barriers after the steps of operations: each waits with its effect done and nothing noted of it. A stop is named by the
 * step, and where its data has a `part`, by `step:part`. They are in the database, and outlive the process.
 */
export class Stops {
  constructor(
    private readonly app: Application,
    private readonly tenant: string,
    private readonly kind: string,
  ) {}

  async set(stops: readonly string[]): Promise<void> {
    await asSuperuser(this.app.home, 'us-east-1', (database) =>
      database.query(`
        CREATE TABLE IF NOT EXISTS public.stops (stop text PRIMARY KEY);
        INSERT INTO public.stops SELECT unnest('{${stops.join(',')}}'::text[]);
        CREATE OR REPLACE FUNCTION public.wait_for_the_test() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
          WHILE EXISTS (SELECT 1 FROM public.stops WHERE stop = OLD.step || COALESCE(':' || (OLD.data->>'part'), ''))
            LOOP PERFORM pg_sleep(0.02); END LOOP;
          RETURN NEW;
        END $$;
        CREATE TRIGGER ${this.kind.replace('.', '_')}_waits BEFORE UPDATE ON control.operations FOR EACH ROW
          WHEN (OLD.kind = '${this.kind}' AND OLD.lease_id IS NOT NULL AND NEW.lease_id IS NULL AND NEW.error IS NULL
            AND (NEW.step <> OLD.step OR NEW.data <> OLD.data OR NEW.status <> OLD.status))
          EXECUTE FUNCTION public.wait_for_the_test()`),
    );
  }

  /** Waits until a process stands there. */
  async reached(stop: string): Promise<void> {
    await eventually(async () => {
      const { rows } = await asSuperuser(this.app.home, 'us-east-1', (database) =>
        database.query<{ stop: string }>(
          `SELECT (SELECT step || COALESCE(':' || (data->>'part'), '') FROM control.operations
             WHERE tenant = $1 AND kind = $2 AND status = 'running') AS stop
           FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'UPDATE control.operations%'`,
          [this.tenant, this.kind],
        ),
      );
      if (rows.length !== 1 || rows[0]?.stop !== stop)
        throw new Error(`Nobody stands at ${stop}: ${JSON.stringify(rows)}`);
    }, 40_000);
  }

  async letGo(stop: string): Promise<void> {
    await asSuperuser(this.app.home, 'us-east-1', (database) =>
      database.query('DELETE FROM public.stops WHERE stop = $1', [stop]),
    );
  }

  /** Kills the process at each stop, and again lets the next one come as far, and go on. */
  async killAtEach(stops: readonly string[]): Promise<void> {
    for (const stop of stops) {
      await this.reached(stop);
      await this.app.kill9();
      await eventually(async () => {
        if ((await this.app.processesOnHome()).length > 0)
          throw new Error('PostgreSQL outlives its program.');
      }, 10_000);
      await this.app.start();
      await this.reached(stop);
      await this.letGo(stop);
    }
  }
}
