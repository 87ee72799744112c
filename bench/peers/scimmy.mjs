/** SCIMMY with its own routers, over maps in memory: an index by id and one by `userName`, and nothing outlives the process. */
import { randomUUID, timingSafeEqual } from 'node:crypto';
import express from 'express';
import SCIMMY from 'scimmy';
import SCIMMYRouters from 'scimmy-routers';

const token = randomUUID();
const expected = Buffer.from(`Bearer ${token}`);
const users = new Map();
const byUserName = new Map();
const groups = new Map();

function required(store, id) {
  const found = store.get(id);
  if (!found) throw new SCIMMY.Types.Error(404, null, `There is no ${id}.`);
  return found;
}

function stored(store, id, data) {
  const now = new Date();
  const created = store.get(id)?.meta.created ?? now;
  const resource = { ...data, id, meta: { created, lastModified: now } };
  store.set(id, resource);
  return resource;
}

SCIMMY.Resources.declare(SCIMMY.Resources.User, {
  ingress: ({ id = randomUUID() }, data) => {
    const name = data.userName.toLowerCase();
    const holder = byUserName.get(name);
    if (holder !== undefined && holder !== id)
      throw new SCIMMY.Types.Error(409, 'uniqueness', 'The name is taken.');
    byUserName.set(name, id);
    return stored(users, id, data);
  },
  egress: ({ id, filter }) => {
    if (id !== undefined) return required(users, id);
    const [operator, value] = filter?.length === 1 ? (filter[0].userName ?? []) : [];
    if (operator === 'eq') {
      const found = users.get(byUserName.get(value.toLowerCase()));
      return found ? [found] : [];
    }
    const all = [...users.values()];
    return filter ? filter.match(all) : all;
  },
  degress: ({ id }) => {
    byUserName.delete(required(users, id).userName.toLowerCase());
    users.delete(id);
  },
});
SCIMMY.Resources.declare(SCIMMY.Resources.Group, {
  ingress: ({ id = randomUUID() }, data) => stored(groups, id, data),
  egress: ({ id }) => (id === undefined ? [...groups.values()] : required(groups, id)),
  degress: ({ id }) => void groups.delete(id),
});

const app = express();
app.set('x-powered-by', false);
app.get('/members/:group', (request, response) => {
  const held = new Set(required(groups, request.params.group).members.map(({ value }) => value));
  response.json(request.query.of.split(',').filter((id) => held.has(id)));
});
app.use(
  '/scim',
  new SCIMMYRouters({
    type: 'bearer',
    handler: (request) => {
      const shown = Buffer.from(request.header('Authorization') ?? '');
      if (shown.length !== expected.length || !timingSafeEqual(shown, expected))
        throw new Error('That is no token.');
      return 'directory';
    },
  }),
);

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port, token }));
process.on('disconnect', () => process.exit(0));
