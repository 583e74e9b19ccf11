import { messageOf, OakestraError } from '@oakestra/contracts';
import {
  commandNotExecutable,
  commandNotFound,
  diskFull,
  hostPathMissing,
  outOfMemory,
  runtimeFailed,
  tooManyProcesses,
  workingDirectoryUnusable,
} from '../runtime-errors.ts';

/** What was about to run, for the message. */
export interface StartAttempt {
  readonly id: string;
  readonly image: string;
  /** First word of what was to be executed. */
  readonly command: string;
  readonly memoryMib: number;
}

interface Rule {
  readonly pattern: RegExp;
  readonly explain: (match: RegExpMatchArray, attempt: StartAttempt, cause: unknown) => OakestraError;
}

// The texts of runc and of the kernel, most specific first.
const rules: readonly Rule[] = [
  {
    pattern: /no space left on device|disk quota exceeded/i,
    explain: (_, attempt, cause) => diskFull(`starting instance ${attempt.id}`, cause),
  },
  {
    pattern: /OOM-killed|memory limit too low|cannot allocate memory|unable to set memory limit/i,
    explain: (_, attempt, cause) => outOfMemory(attempt.id, attempt.memoryMib, cause),
  },
  {
    pattern: /resource temporarily unavailable/i,
    explain: (_, attempt, cause) => tooManyProcesses(attempt.id, cause),
  },
  {
    pattern: /chdir to cwd \("([^"]*)"\)|container init: mkdir ([^:]+): not a directory/i,
    explain: (match, attempt, cause) =>
      workingDirectoryUnusable(match[1] ?? match[2] ?? '/', attempt.image, cause),
  },
  {
    pattern:
      /(?:lstat|open|namespace path:?) "?(\/[^\s:"]*(?:netns|ns\/net)[^\s:"]*)"?: no such file or directory/i,
    explain: (match, attempt, cause) => hostPathMissing(attempt.id, match[1] ?? 'its network', cause),
  },
  {
    pattern: /error mounting "([^"]+)" to rootfs.*no such file or directory/i,
    explain: (match, attempt, cause) => hostPathMissing(attempt.id, match[1] ?? 'a file', cause),
  },
];

/** `exec: "name": reason`, which runc also says of itself when it is not installed. */
const executable = /exec: "([^"]*)": (.*)/s;

function explainExecutable(text: string, attempt: StartAttempt, cause: unknown): OakestraError | undefined {
  const [, name, reason] = text.match(executable) ?? [];
  if (name === undefined || reason === undefined || name !== attempt.command) return undefined;
  if (/permission denied|is a directory/i.test(reason)) {
    return commandNotExecutable(name, attempt.image, cause);
  }
  if (/not found in \$PATH|no such file or directory|not a directory/i.test(reason)) {
    return commandNotFound(name, attempt.image, cause);
  }
  return undefined;
}

/**
 * Turns what containerd and runc say about a failed start into an error that a user understands. Errors that
 * already say it (unreachable, timed out) pass through.
 */
export function startFailure(cause: unknown, attempt: StartAttempt): OakestraError {
  if (cause instanceof OakestraError && !cause.code.startsWith('containerd-')) return cause;
  const text = messageOf(cause);
  const aboutExecutable = explainExecutable(text, attempt, cause);
  if (aboutExecutable !== undefined) return aboutExecutable;
  for (const rule of rules) {
    const match = text.match(rule.pattern);
    if (match !== null) return rule.explain(match, attempt, cause);
  }
  return runtimeFailed(`Starting instance ${attempt.id}`, withoutLayers(text), cause);
}

/** The innermost reason: each program on the way puts its own words before it. */
function withoutLayers(text: string): string {
  const layers =
    /^(?:\w+\/\w+: |failed to create shim task: |OCI runtime \w+ failed: |runc \w+ failed: |unable to start container process: |error during container init: )+/;
  return text.replace(layers, '').replace(/: unknown$/, '');
}
