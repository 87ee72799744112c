import { ReadableStream } from 'node:stream/web';

export interface BodyObserver {
  /** Before a chunk is asked for, which happens only when the reader wants one. */
  readonly onWait?: () => void;
  /** A chunk has come. Throwing fails the body with that error. */
  readonly onChunk?: (chunk: Uint8Array) => void;
  /** Nothing more will come: the body ended, failed or was given up. */
  readonly onClose?: () => void;
}

/** The same body, watched. Keeps backpressure: nothing is read ahead of its reader. */
export function observedBody(
  body: ReadableStream<Uint8Array>,
  { onWait, onChunk, onClose }: BodyObserver,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        onWait?.();
        try {
          const { done, value } = await reader.read();
          if (done) {
            onClose?.();
            controller.close();
            return;
          }
          onChunk?.(value);
          controller.enqueue(value);
        } catch (error) {
          onClose?.();
          controller.error(error);
          // Ends the connection; the error above is what the reader is told.
          reader.cancel(error).catch(() => {});
        }
      },
      async cancel(reason) {
        onClose?.();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
