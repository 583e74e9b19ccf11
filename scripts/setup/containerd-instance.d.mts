export interface ContainerdPlace {
  readonly address: string;
  readonly root: string;
  readonly state: string;
  readonly logFile: string;
}
export function containerdConfig(place: ContainerdPlace): string;
export function containerdAnswers(address: string): Promise<boolean>;
export function startContainerd(
  place: ContainerdPlace,
  options?: { through?: readonly string[]; env?: NodeJS.ProcessEnv; timeoutMs?: number },
): Promise<{ pid: number; isNew: boolean }>;
export function stopContainerd(place: ContainerdPlace): Promise<boolean>;
export function removeContainerd(place: ContainerdPlace): Promise<void>;
