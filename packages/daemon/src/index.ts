export { formatByteSize, parseByteSize } from './byte-size.ts';
export type { CancelTimer, Clock } from './clock.ts';
export { type ComposedPartOptions, composedPart, type Teardown } from './composed-part.ts';
export { DeadlineError, type DeadlineOptions, sleep, withDeadline } from './deadline.ts';
export { type AppendFile, type Disk, DiskError, type DiskErrorCode } from './disk/disk.ts';
export {
  type CrashOptions,
  createMemoryDisk,
  type DiskOperation,
  type MemoryDisk,
  type MemoryDiskOptions,
} from './disk/memory-disk.ts';
export { systemDisk } from './disk/system-disk.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { type EventLoopLagOptions, type EventLoopLagWatch, watchEventLoopLag } from './event-loop-lag.ts';
export { createLogger, type LoggerOptions, type LogOutput } from './json-logger.ts';
export { keptAlive } from './kept-alive.ts';
export {
  createLifecycle,
  type Lifecycle,
  type LifecycleOptions,
  type LifecyclePart,
  type PartOptions,
  StartInterruptedError,
  type Stop,
  type StopReport,
} from './lifecycle.ts';
export type { LogFields, Logger, LogLevel } from './logger.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { createOvertaking, type Overtaking } from './overtaking.ts';
export { LockHeldError, lockStateDirectory, type StateLock } from './pid-lock.ts';
export { newId, type Random, randomHex } from './random.ts';
export { createRebuildable, type Rebuildable, type RebuildableOptions } from './rebuildable.ts';
export { isSecretName, redactText } from './redaction.ts';
export { type BackoffSpan, backoffDelayMs, type RetryOptions, retry } from './retry.ts';
export { type ProcessPort, type RunOptions, runUntilSignal } from './run-until-signal.ts';
export { seededRandom } from './seeded-random.ts';
export { createSerially, type Serially } from './serially.ts';
export {
  type DefaultContext,
  defineSettings,
  type Environment,
  type EnvironmentSource,
  formatHelp,
  formatOrigin,
  formatSettings,
  type HelpOptions,
  type LoadedSettings,
  type LoadSettingsOptions,
  loadSettings,
  loggingSettings,
  type ProgramRequest,
  requestOf,
  type SettingDefinition,
  type SettingOrigin,
  SettingsError,
  type SettingsTable,
  type SettingsValues,
  type SettingType,
  SettingValueError,
  type SettingViolation,
  settingType,
} from './settings/index.ts';
export {
  createSniffingServer,
  handOverTo,
  type ListenAddress,
  ListenError,
  type SniffingServer,
  type SniffingServerOptions,
} from './sniffing-server.ts';
export { type ClockSources, systemClock } from './system-clock.ts';
export { systemRandom } from './system-random.ts';
