export { type Registry, type RegistryOptions, startRegistry } from './registry.ts';
