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
