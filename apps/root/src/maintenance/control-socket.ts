import { chmod, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';

/** What a running root does for the commands of its own machine. */
export interface ControlCommands {
  /** Writes a consistent copy of the store to this path. */
  backup(path: string): Promise<void>;
}

const controlSocketPath = (stateDirectory: string): string => join(stateDirectory, 'control.sock');

/**
 * Listens on a socket in the state folder, where only the user of the daemon gets in. Where that is not possible (the
 * path is too long, the file system knows no sockets) the root runs without, and says so.
 */
export async function openControlSocket(options: {
  readonly stateDirectory: string;
  readonly commands: ControlCommands;
  readonly logger: Logger;
}): Promise<{ stop(): Promise<void> }> {
  const { commands, logger } = options;
  const path = controlSocketPath(options.stateDirectory);
  const server = createServer((incoming, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const work = async (): Promise<void> => {
      const given = JSON.parse(await text(incoming)) as { readonly path?: unknown };
      if (incoming.url !== '/backup' || typeof given.path !== 'string') {
        throw new OakestraError(
          'unsupported',
          'control-unknown',
          'The running root does not know this command.',
        );
      }
      await commands.backup(given.path);
    };
    work().then(
      () => answer(200, {}),
      (error: unknown) => answer(400, { message: messageOf(error) }),
    );
  });
  // What a killed process left.
  await rm(path, { force: true });
  const failure = await listen(server, path);
  const isListening = failure === undefined;
  if (isListening) await chmod(path, 0o600);
  else logger.warn('this root cannot be backed up while it runs', { path, reason: failure });
  return {
    async stop() {
      if (!isListening) return;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Addresses of sockets are that short; a longer one would silently be cut. */
const LONGEST_PATH_BYTES = 107;

/** Resolves to why it is not possible. */
function listen(server: Server, path: string): Promise<string | undefined> {
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
    return Promise.resolve(`the path has more than ${LONGEST_PATH_BYTES} bytes`);
  }
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.listen(path, () => resolve(undefined));
  });
}

/** Has the root that runs on this state folder do something. Rejects `root-not-running`, `control-refused`. */
export function askRunningRoot(
  stateDirectory: string,
  command: keyof ControlCommands,
  body: { readonly path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socketPath = controlSocketPath(stateDirectory);
    const outgoing = request({ socketPath, path: `/${command}`, method: 'POST' }, async (response) => {
      try {
        const answer = JSON.parse(await text(response)) as { readonly message?: string };
        if (response.statusCode === 200) resolve();
        else
          reject(new OakestraError('unavailable', 'control-refused', answer.message ?? 'The root refused.'));
      } catch (cause) {
        const message = 'The running root gave no answer that can be read.';
        reject(new OakestraError('unavailable', 'control-refused', message, { cause }));
      }
    });
    outgoing.once('error', (cause) => {
      const message = `No root runs on ${stateDirectory} (${cause.message}). Start it, or name its state folder with --state-directory.`;
      reject(new OakestraError('unavailable', 'root-not-running', message, { cause }));
    });
    outgoing.end(JSON.stringify(body));
  });
}
