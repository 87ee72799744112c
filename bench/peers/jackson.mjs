/** Directory sync of SAML Jackson as its documentation embeds it: Express, and its tables in a database of their own. */
import jackson from '@boxyhq/saml-jackson';
import express from 'express';

const [url] = process.argv.slice(2);
const quiet = () => undefined;
/** What it would tell others of each change, and is told to nobody here. */
const unheard = () => Promise.resolve();
const { directorySyncController: sync } = await jackson.controllers({
  externalUrl: 'http://127.0.0.1',
  samlPath: '/saml',
  noAnalytics: true,
  db: { engine: 'sql', type: 'postgres', url },
  logger: { info: quiet, warn: quiet, error: (...parts) => process.stderr.write(`${parts.join(' ')}\n`) },
});
const { data: directory } = await sync.directories.create({
  tenant: 'bench',
  product: 'bench',
  type: 'generic-scim-v2',
});

const app = express();
app.set('x-powered-by', false);
app.use(express.json({ type: ['application/json', 'application/scim+json'], limit: '4mb' }));
app.all('/scim/:resource{/:id}', async (request, response) => {
  const { method, body, query, params } = request;
  const asked = {
    method,
    body,
    directoryId: directory.id,
    apiSecret: request.header('Authorization')?.replace('Bearer ', ''),
    resourceType: params.resource,
    resourceId: params.id,
    query: {
      count: Number(query.count ?? 50),
      startIndex: Number(query.startIndex ?? 1),
      filter: query.filter,
    },
  };
  const { status, data } = await sync.requests.handle(asked, unheard);
  response.status(status).json(data);
});

// What it answers of a group never names its members.
app.get('/members/:group', async (request, response) => {
  sync.groups.setTenantAndProduct('bench', 'bench');
  const ids = request.query.of.split(',');
  const held = await Promise.all(ids.map((id) => sync.groups.isUserInGroup(request.params.group, id)));
  response.json(ids.filter((_, at) => held[at]));
});

const server = app.listen(0, '127.0.0.1', () =>
  process.send({ port: server.address().port, token: directory.scim.secret }),
);
process.on('disconnect', () => process.exit(0));
