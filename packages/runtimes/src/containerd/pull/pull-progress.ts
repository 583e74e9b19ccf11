import type { ImageProgress } from '../../runtime.ts';

/** Adds up what the parallel parts of a pull report. */
export interface ProgressSum {
  /** A part that will report under `key`; its bytes count to the total from now on. */
  expect(key: string, totalBytes: number): void;
  /** How much of a part is there; never counts backwards. */
  report(key: string, doneBytes: number): void;
}

interface Part {
  readonly totalBytes: number;
  doneBytes: number;
}

/** Reports the sum of all parts of one phase at each change. */
export function createProgressSum(
  phase: ImageProgress['phase'],
  onProgress: (progress: ImageProgress) => void,
): ProgressSum {
  const parts = new Map<string, Part>();
  const tell = (): void => {
    let doneBytes = 0;
    let totalBytes = 0;
    for (const part of parts.values()) {
      doneBytes += part.doneBytes;
      totalBytes += part.totalBytes;
    }
    onProgress({ phase, doneBytes, totalBytes });
  };
  return {
    expect(key, totalBytes) {
      if (!parts.has(key)) parts.set(key, { totalBytes, doneBytes: 0 });
    },
    report(key, doneBytes) {
      const part = parts.get(key);
      if (part === undefined || doneBytes <= part.doneBytes) return;
      part.doneBytes = Math.min(doneBytes, part.totalBytes);
      tell();
    },
  };
}
