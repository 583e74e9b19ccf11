import { createInterface } from 'node:readline';
import { messageOf, OakestraError } from '@oakestra/contracts';
import { createLogger, systemClock } from '@oakestra/daemon';
import type { KnownInstance } from '../bring-up.ts';
import { createLocalNetwork } from '../local-network.ts';

/** What the tests of the network may call in another process, in the network namespace of a test host. */
export type NetworkCall =
  | { readonly method: 'attach'; readonly argument: KnownInstance }
  | { readonly method: 'detach'; readonly argument: string }
  | { readonly method: 'reconcile'; readonly argument: readonly KnownInstance[] }
  | { readonly method: 'portHolder'; readonly argument: [number, 'tcp' | 'udp'] }
  | { readonly method: 'attachMany'; readonly argument: { count: number; firstPort: number } }
  | { readonly method: 'detachMany'; readonly argument: { count: number } }
  | { readonly method: 'status' | 'purge' | 'close'; readonly argument?: undefined };

export interface NetworkAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly durationMs: number;
}

const network = createLocalNetwork({
  clock: systemClock(),
  logger: createLogger({ format: 'json' }),
  ...JSON.parse(process.argv[2] ?? '{}'),
});

function many(count: number, action: (index: number) => Promise<unknown>): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, (_, index) => action(index)));
}

async function call(request: NetworkCall): Promise<unknown> {
  switch (request.method) {
    case 'attach':
      return network.attach(request.argument);
    case 'detach':
      return network.detach(request.argument);
    case 'reconcile':
      return network.reconcile(request.argument);
    case 'portHolder':
      return (await network.portHolder(...request.argument)) ?? null;
    case 'attachMany': {
      const { count, firstPort } = request.argument;
      return many(count, (index) =>
        network.attach({
          instanceId: `many.instance.${index}`,
          ports: [{ hostPort: firstPort + index, containerPort: 80, protocol: 'tcp' }],
        }),
      );
    }
    case 'detachMany':
      return many(request.argument.count, (index) => network.detach(`many.instance.${index}`));
    case 'status':
      return network.status();
    case 'purge':
      return network.purge();
    case 'close':
      return network.close();
  }
}

function errorOf(error: unknown): { code: string; message: string } {
  return { code: error instanceof OakestraError ? error.code : 'unknown', message: messageOf(error) };
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, ...request } = JSON.parse(line) as { id: number } & NetworkCall;
  const startMs = performance.now();
  const outcome = await call(request).then(
    (result) => ({ result }),
    (error: unknown) => ({ error: errorOf(error) }),
  );
  const answer: NetworkAnswer = { id, ...outcome, durationMs: performance.now() - startMs };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
