// The log of the daemons: they write to the file themselves, so that they need nobody to read; we only look on.
import { closeSync, copyFileSync, mkdirSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

const KEPT_BYTES = 20 * 1024 * 1024;
const LOOK_EVERY_MS = 200;

/**
 * Opens it for a child to append to.
 * @param {string} path
 */
export function openLog(path) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  return openSync(path, 'a', 0o640);
}

/**
 * Calls `onLine` for each line that is written from now on, and keeps the file from growing for ever.
 * @param {string} path
 * @param {(line: { level: string, component: string, message: string, fields: Record<string, unknown> }) => void} onLine
 */
export function watchLog(path, onLine) {
  let offset = sizeOf(path);
  let rest = '';
  const look = () => {
    const size = sizeOf(path);
    if (size < offset) offset = 0;
    if (size === offset) return;
    const text = readRange(path, offset, size);
    offset = size;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const parsed = parseLine(line);
      if (parsed !== undefined) onLine(parsed);
    }
    if (size > KEPT_BYTES) {
      copyFileSync(path, `${path}.1`);
      truncateSync(path);
      offset = 0;
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    /** Sees what was written last. Idempotent. */
    stop() {
      clearInterval(timer);
      look();
    },
  };
}

/** @param {string} line */
function parseLine(line) {
  try {
    const { level, component = '', message, time: _time, ...fields } = JSON.parse(line);
    return { level, component, message, fields };
  } catch {
    return line.trim() === '' ? undefined : { level: 'error', component: '', message: line, fields: {} };
  }
}

/** @param {string} path */
function sizeOf(path) {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/**
 * @param {string} path
 * @param {number} from
 * @param {number} to
 */
function readRange(path, from, to) {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(to - from);
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, from));
  } finally {
    closeSync(file);
  }
}
