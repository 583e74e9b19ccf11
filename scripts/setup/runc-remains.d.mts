export function runcStatesOf(state: string): { folder: string; cgroups: string[] }[];
export function removeRuncStates(state: string): void;
