import type { ContainerdPlace } from './containerd-instance.mjs';

export interface Report {
  step(text: string): void;
  detail(text: string): void;
  warn(text: string): void;
}
export interface NeededPackage {
  readonly name: string;
  readonly why: string;
  readonly programs: readonly string[];
  readonly mustBeStatic?: boolean;
  readonly isOptional?: boolean;
  readonly service?: string;
}
export class SetupError extends Error {}
export const RUN_PACKAGES: readonly NeededPackage[];
export const TEST_PACKAGES: readonly NeededPackage[];
export const PRIVATE_CONTAINERD: ContainerdPlace;
export function consoleReport(): Report;
export function checkNodeVersion(minimum: string, current?: string): void;
export function missingPackages(packages: readonly NeededPackage[], path?: string): NeededPackage[];
export function ensureDebianPackages(
  packages: readonly NeededPackage[],
  options?: { report?: Report; isRoot?: boolean; path?: string },
): Promise<string[]>;
export function ensureContainerd(options?: {
  systemAddress?: string;
  place?: ContainerdPlace;
  timeoutMs?: number;
  report?: Report;
}): Promise<{ address: string; isPrivate: boolean; logFile: string | undefined }>;
export function stopPrivateContainerd(options?: { purge?: boolean; place?: ContainerdPlace }): Promise<void>;
