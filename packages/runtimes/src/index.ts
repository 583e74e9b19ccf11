export {
  defaultLogLimits,
  type LogLimits,
  type LogRotation,
  type LogRotationOptions,
  removeLog,
  rotateLog,
  startLogRotation,
  tailLog,
} from './log-rotation.ts';
export type {
  Image,
  ImageProgress,
  ImageRequest,
  InstanceExit,
  InstanceLabels,
  InstanceSpec,
  InstanceState,
  InstanceStats,
  Runtime,
  RuntimeCapabilities,
  RuntimeEvent,
  RuntimeInstance,
} from './runtime.ts';
export { isRuntimeError, type RuntimeErrorCode } from './runtime-errors.ts';
