/**
 * The baseline of `request`: Express 5 and pg, with nothing of what an application needs. It reads the same rows of the same
 * database as the superuser, and writes the like into a table of its own, with named prepared statements and a pool of 10.
 */
import express from 'express';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';

const [url, schema] = process.argv.slice(2);
if (url === undefined || schema === undefined) throw new Error('usage: bare-server.ts DATABASE_URL SCHEMA');
const pool = new pg.Pool({ connectionString: url, max: 10, options: `-c search_path="${schema}"` });

// Beside the application's table and like it: it counts its agents against a quota, and these are none of them.
await pool.query('CREATE TABLE bench_agents (LIKE agents INCLUDING ALL)');

const COLUMNS = `id, project_id, name, description, definition, api_key_providers, published_version, version, created_by,
  created_at, updated_at`;

const app = express();
// As in the application: hashing each body for an ETag would be the baseline's own burden.
app.set('etag', false);
app.set('x-powered-by', false);
app.use(express.json());

app.get('/agents/:id', async (request, response) => {
  const found = await pool.query({
    name: 'agent',
    text: `SELECT ${COLUMNS} FROM agents WHERE id = $1 AND deleted_at IS NULL`,
    values: [request.params.id],
  });
  response.json(found.rows[0]);
});

app.post('/agents', async (request, response) => {
  const { projectId, name, definition } = request.body as Record<string, unknown>;
  const created = await pool.query({
    name: 'create',
    text: `INSERT INTO bench_agents (id, project_id, name, description, definition, api_keys, api_key_providers,
        published_version, created_by)
      VALUES ($1, $2, $3, '', $4, NULL, '{}', NULL, 'bench') RETURNING ${COLUMNS}`,
    values: [uuidv7(), projectId, name, definition],
  });
  response.status(201).json(created.rows[0]);
});

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});
process.on('disconnect', () => process.exit(0));
