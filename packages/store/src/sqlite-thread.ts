// Entry of the store's thread. It loads the SQLite binding and nothing else of ours, to stay small.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { createRequestQueue } from './request-queue.ts';
import { createSqliteEngine } from './sqlite-engine.ts';
import type { ThreadMessage, ThreadRequest, ThreadSettings } from './thread-protocol.ts';

function serve(port: NonNullable<typeof parentPort>): void {
  let first: ThreadRequest[] = [];
  const queue = createRequestQueue({
    engine: createSqliteEngine(workerData as ThreadSettings),
    send: (message: ThreadMessage) => port.postMessage(message),
    receive() {
      const received = first;
      first = [];
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        received.push(next.message as ThreadRequest);
      }
      return received;
    },
    nowMs: () => performance.now(),
  });
  port.on('message', (request: ThreadRequest) => {
    first.push(request);
    if (queue.work() === 'finished') {
      port.close();
    }
  });
}

if (parentPort !== null) {
  serve(parentPort);
}
