export function shimsOf(address: string): number[];
export function descendantsOf(ancestors: readonly number[]): number[];
export function mountsBelow(folder: string, mountinfo?: string): string[];
export function cgroupsOf(pid: number | 'self'): string[];
export function killShims(address: string): Promise<void>;
export function unmountBelow(folder: string): Promise<void>;
