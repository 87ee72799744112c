import type { RunEvent } from '@waxell/sdk';

/** A server-sent event as it came over the wire. */
export interface ReceivedEvent {
  readonly id: number;
  readonly type: string;
  readonly data: RunEvent;
}

/** Reads a stream of server-sent events; ends when the server ends it, throws when the connection breaks. */
export async function* readEventStream(
  url: string,
  { headers, signal }: { headers: Readonly<Record<string, string>>; signal?: AbortSignal },
): AsyncGenerator<ReceivedEvent, void> {
  const response = await fetch(url, { headers, ...(signal && { signal }) });
  const type = response.headers.get('content-type') ?? '';
  if (response.status !== 200 || !type.startsWith('text/event-stream') || !response.body)
    throw new Error(`No event stream, but ${response.status} ${type}: ${await response.text()}`);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let buffered = '';
  for await (const chunk of response.body) {
    buffered += decoder.decode(chunk, { stream: true });
    const blocks = buffered.split('\n\n');
    buffered = blocks.pop() ?? '';
    for (const block of blocks) if (!block.startsWith(':')) yield parsedEvent(block);
  }
  if (buffered !== '') throw new Error(`The stream ended in the middle of an event: ${buffered}`);
}

function parsedEvent(block: string): ReceivedEvent {
  const fields = new Map(
    block.split('\n').map((line): [string, string] => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const data = JSON.parse(fields.get('data') ?? 'null') as RunEvent;
  const event = { id: Number(fields.get('id')), type: fields.get('event') ?? '', data };
  if (data.seq !== event.id || data.type !== event.type)
    throw new Error(`An event whose id, type and data disagree: ${block}`);
  return event;
}
