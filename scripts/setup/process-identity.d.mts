export function startTimeOf(pid: number): string | undefined;
export function writePidFile(file: string, pid: number): void;
export function runningPid(file: string): number | undefined;
export function endProcess(pid: number, options?: { graceMs?: number }): Promise<void>;
export function removePidFile(file: string): void;
