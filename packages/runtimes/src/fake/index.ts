export {
  createFakeMachine,
  type FakeInstance,
  type FakeMachine,
  type FakeMachineOptions,
  type FakeOperation,
  type ScriptedFailure,
} from './fake-machine.ts';
export { commandPrograms, type FakeProgram, type FakePrograms } from './fake-program.ts';
export { createFakeRuntime, type FakeRuntimeOptions } from './fake-runtime.ts';
