export interface MemoryInfo {
  readonly totalMib: number;
  /** What programs can still get without swapping. */
  readonly availableMib: number;
}

/** Parses `/proc/meminfo`; undefined when it is not one. */
export function parseMemoryInfo(text: string): MemoryInfo | undefined {
  const kib = (name: string): number | undefined => {
    const match = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text);
    return match === null ? undefined : Number(match[1]);
  };
  const totalKib = kib('MemTotal');
  const availableKib = kib('MemAvailable') ?? kib('MemFree');
  if (totalKib === undefined || availableKib === undefined) return undefined;
  return { totalMib: Math.floor(totalKib / 1024), availableMib: Math.floor(availableKib / 1024) };
}
