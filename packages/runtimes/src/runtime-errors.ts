import { OakestraError } from '@oakestra/contracts';

/**
 * The codes of every failure that a runtime reports, beside those of images and registries
 * (`images/image-errors.ts`); each has one meaning and never gets another.
 */
export type RuntimeErrorCode =
  | 'command-missing'
  | 'command-not-found'
  | 'command-not-executable'
  | 'working-directory-unusable'
  | 'user-not-found'
  | 'out-of-memory'
  | 'disk-full'
  | 'too-many-processes'
  | 'host-path-missing'
  | 'image-not-prepared'
  | 'signal-unknown'
  | 'label-too-large'
  | 'instance-not-found'
  | 'instance-exists'
  | 'instance-not-running'
  | 'instance-still-running'
  | 'runtime-unavailable'
  | 'runtime-timeout'
  | 'runtime-closed'
  | 'runtime-failed';

/** Is `thrown` the failure with this code? */
export function isRuntimeError(thrown: unknown, code: RuntimeErrorCode): thrown is OakestraError {
  return thrown instanceof OakestraError && thrown.code === code;
}

type Kind = ConstructorParameters<typeof OakestraError>[0];

function runtimeError(
  kind: Kind,
  code: RuntimeErrorCode,
  message: string,
  about: Readonly<Record<string, unknown>>,
  cause?: unknown,
): OakestraError {
  return new OakestraError(kind, code, message, { details: about, cause });
}

export function commandMissing(image: string): OakestraError {
  const message = `Image ${image} names no command to run. Give the service a command (cmd).`;
  return runtimeError('invalid', 'command-missing', message, { image });
}

export function commandNotFound(command: string, image: string, cause?: unknown): OakestraError {
  const message = `Command "${command}" does not exist in image ${image}. Check cmd of the service, or the entrypoint of the image.`;
  return runtimeError('invalid', 'command-not-found', message, { command, image }, cause);
}

export function commandNotExecutable(command: string, image: string, cause?: unknown): OakestraError {
  const message = `Command "${command}" of image ${image} is not an executable file. Set its execute permission, or name the program that runs it.`;
  return runtimeError('invalid', 'command-not-executable', message, { command, image }, cause);
}

export function workingDirectoryUnusable(directory: string, image: string, cause?: unknown): OakestraError {
  const message = `The program of image ${image} may not enter its working directory ${directory}, or it is no directory. Correct the image.`;
  return runtimeError('invalid', 'working-directory-unusable', message, { directory, image }, cause);
}

export function userNotFound(user: string, image: string, cause?: unknown): OakestraError {
  const message = `User "${user}" of image ${image} is in neither its /etc/passwd nor its /etc/group. Correct USER of the image, or use numbers.`;
  return runtimeError('invalid', 'user-not-found', message, { user, image }, cause);
}

/** The limit leaves no room even to start. */
export function outOfMemory(id: string, memoryMib: number, cause?: unknown): OakestraError {
  const limit = memoryMib > 0 ? `its limit of ${memoryMib} MiB` : 'the memory of this host';
  const message = `Instance ${id} could not start within ${limit}. Ask for more memory.`;
  return runtimeError('exhausted', 'out-of-memory', message, { id, memoryMib }, cause);
}

export function diskFull(doing: string, cause?: unknown): OakestraError {
  const message = `The disk of this worker is full: ${doing} failed. Free space or remove unused images.`;
  return runtimeError('exhausted', 'disk-full', message, {}, cause);
}

export function tooManyProcesses(id: string, cause?: unknown): OakestraError {
  const message = `Instance ${id} could not start: this host allows no more processes.`;
  return runtimeError('exhausted', 'too-many-processes', message, { id }, cause);
}

/** A file or namespace of the host that the instance needs is not there. */
export function hostPathMissing(id: string, path: string, cause?: unknown): OakestraError {
  const message = `Instance ${id} needs ${path} on this host, which does not exist. Prepare its network first.`;
  return runtimeError('conflict', 'host-path-missing', message, { id, path }, cause);
}

/** The layers of the image went away after it was prepared. */
export function imageNotPrepared(image: string, cause?: unknown): OakestraError {
  const message = `Image ${image} is no longer unpacked on this worker. Prepare it again, then create the instance.`;
  return runtimeError('conflict', 'image-not-prepared', message, { image }, cause);
}

export function signalUnknown(signal: string): OakestraError {
  const message = `"${signal}" is no signal. Use a name such as SIGTERM, or a number.`;
  return runtimeError('invalid', 'signal-unknown', message, { signal });
}

export function labelTooLarge(id: string, label: string, limitBytes: number): OakestraError {
  const message = `Label ${label} of instance ${id} is too large: name and value together may have ${limitBytes} bytes.`;
  return runtimeError('invalid', 'label-too-large', message, { id, label, limitBytes });
}

export function instanceNotFound(id: string, cause?: unknown): OakestraError {
  const message = `Instance ${id} does not exist on this worker. List the instances to see what does.`;
  return runtimeError('not-found', 'instance-not-found', message, { id }, cause);
}

/** Something else with this id runs. */
export function instanceExists(id: string): OakestraError {
  const message = `Instance ${id} already runs on this worker with a different specification. Stop and remove it first.`;
  return runtimeError('conflict', 'instance-exists', message, { id });
}

export function instanceNotRunning(id: string, cause?: unknown): OakestraError {
  const message = `Instance ${id} does not run, so it takes no signal. Start it first.`;
  return runtimeError('conflict', 'instance-not-running', message, { id }, cause);
}

/** Not even SIGKILL ended it in time. */
export function instanceStillRunning(id: string, waitedMs: number): OakestraError {
  const message = `Instance ${id} still has a process ${waitedMs} ms after SIGKILL; probably it waits for a disk or a network file system. Stop it again later.`;
  return runtimeError('timeout', 'instance-still-running', message, { id, waitedMs });
}

/** The daemon behind the runtime does not answer; what runs goes on. */
export function runtimeUnavailable(runtime: string, address: string, cause?: unknown): OakestraError {
  const message = `${runtime} does not answer on ${address}. Running instances go on; start ${runtime} to control them.`;
  return runtimeError('unavailable', 'runtime-unavailable', message, { runtime, address }, cause);
}

export function runtimeTimeout(runtime: string, operation: string, cause?: unknown): OakestraError {
  const message = `${runtime} did not answer ${operation} in time. It may be overloaded; the operation can be repeated.`;
  return runtimeError('timeout', 'runtime-timeout', message, { runtime, operation }, cause);
}

export function runtimeClosed(runtime: string): OakestraError {
  const message = `The connection to ${runtime} was closed by this process, which is about to end.`;
  return runtimeError('unavailable', 'runtime-closed', message, { runtime });
}

/** Anything that has no better code; the words of the runtime are the reason. */
export function runtimeFailed(doing: string, reason: string, cause: unknown): OakestraError {
  return runtimeError('internal', 'runtime-failed', `${doing} failed: ${reason}`, {}, cause);
}
