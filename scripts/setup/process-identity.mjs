// A process id alone says little: ids are reused. Together with its start time it names one process for ever.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * When a process started, in kernel clock ticks since boot.
 * @param {number} pid
 * @returns {string | undefined} undefined when there is no such process, or only its zombie
 */
export function startTimeOf(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The program's name stands in brackets and may itself contain brackets and blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Changes with each boot, so that start times of two boots are never mixed up. */
function bootId() {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/**
 * Writes which process runs: `pid startTime bootId`.
 * @param {string} file
 * @param {number} pid
 */
export function writePidFile(file, pid) {
  const temporary = `${file}.new`;
  writeFileSync(temporary, `${pid} ${startTimeOf(pid) ?? '0'} ${bootId()}\n`, { mode: 0o644 });
  renameSync(temporary, file);
}

/**
 * The process that a pid file names, if exactly that process still runs.
 * @param {string} file
 * @returns {number | undefined}
 */
export function runningPid(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [pid = '', startTime, boot] = text.trim().split(' ');
  if (!/^[1-9]\d*$/.test(pid) || boot !== bootId()) return undefined;
  return startTimeOf(Number(pid)) === startTime ? Number(pid) : undefined;
}

/**
 * Ends one process: SIGTERM, then SIGKILL. Never touches another process that got the same id meanwhile.
 * @param {number} pid
 * @param {object} [options]
 * @param {number} [options.graceMs] between the two signals; default 10 s
 */
export async function endProcess(pid, { graceMs = 10_000 } = {}) {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return;
  const isSame = () => startTimeOf(pid) === startTime;
  for (const [signal, waitMs] of /** @type {const} */ ([
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ])) {
    if (!isSame()) return;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const deadline = performance.now() + waitMs;
    while (isSame() && performance.now() < deadline) await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** @param {string} file */
export function removePidFile(file) {
  rmSync(file, { force: true });
}
